package uploader

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// The environment variables, as m3ter's own SDKs name them; the ingest URL and
// the files are ours.
const (
	envKey       = "M3TER_API_KEY"
	envSecret    = "M3TER_API_SECRET"
	envToken     = "M3TER_API_TOKEN"
	envOrgID     = "M3TER_ORG_ID"
	envBaseURL   = "M3TER_BASE_URL"
	envIngestURL = "M3TER_INGEST_URL"
	fileSuffix   = "_FILE"
)

// CredentialsFromEnv reads the credentials from M3TER_API_KEY and
// M3TER_API_SECRET, or from M3TER_API_TOKEN, which goes first. The name of
// each with _FILE at its end may name a file that holds the value, of which
// one newline at the end is not a part; both set is an error. An empty
// variable is one that is not set.
//
// lookup and readFile are os.LookupEnv and os.ReadFile, or what a test puts in
// their place. No error shows a value, not even the name of a file, which
// could be a secret in the wrong variable.
func CredentialsFromEnv(lookup func(string) (string, bool), readFile func(string) ([]byte, error)) (Credentials, error) {
	var c Credentials
	for _, part := range []struct {
		name string
		to   *string
	}{{envToken, &c.Token}, {envKey, &c.Key}, {envSecret, &c.Secret}} {
		value, err := secretFromEnv(part.name, lookup, readFile)
		if err != nil {
			return Credentials{}, err
		}
		*part.to = value
	}
	if c.Token != "" {
		c.Key, c.Secret = "", ""
	}
	if err := c.check(); err != nil {
		return Credentials{}, err
	}
	return c, nil
}

func secretFromEnv(name string, lookup func(string) (string, bool), readFile func(string) ([]byte, error)) (string, error) {
	value, _ := lookup(name)
	file, _ := lookup(name + fileSuffix)
	switch {
	case file == "":
		return value, nil
	case value != "":
		return "", fmt.Errorf("%s and %s%s are both set: unset one", name, name, fileSuffix)
	}
	text, err := readFile(file)
	if err != nil {
		return "", fmt.Errorf("%s%s: file not readable: %w", name, fileSuffix, withoutPath(err))
	}
	value = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("%s%s: file is empty", name, fileSuffix)
	}
	return value, nil
}

func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return errors.New("cannot be opened")
}

// ConfigFromEnv reads M3TER_ORG_ID, M3TER_BASE_URL and M3TER_INGEST_URL. What
// is set must be right; what is not set stays zero, for the caller to fill in
// or for [Config.Resolve] to complain about.
func ConfigFromEnv(lookup func(string) (string, bool)) (Config, error) {
	var c Config
	c.BaseURL, _ = lookup(envBaseURL)
	c.IngestURL, _ = lookup(envIngestURL)
	c.OrgID, _ = lookup(envOrgID)
	if c.OrgID == "" {
		complete := c
		complete.OrgID = "any"
		_, err := complete.Resolve()
		return c, err
	}
	_, err := c.Resolve()
	return c, err
}
