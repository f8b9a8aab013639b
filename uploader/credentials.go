package uploader

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
)

// Credentials prove who sends: the key and secret of a Service User, for
// which tokens are fetched and renewed, or a token that somebody else fetched,
// which ends when it ends. When Token is set, Key and Secret are not used.
//
// However they are printed, logged or marshalled, only which of them are set
// is shown. (Package fmt looks past these methods when Credentials stand in an
// unexported field of a struct that is printed whole; do not keep them in
// one.)
type Credentials struct{ Key, Secret, Token string }

// String says which parts are set.
func (c Credentials) String() string {
	var set []string
	for _, part := range []struct{ name, value string }{{"key", c.Key}, {"secret", c.Secret}, {"token", c.Token}} {
		if part.value != "" {
			set = append(set, part.name+" set")
		}
	}
	if set == nil {
		return "credentials (none)"
	}
	return "credentials (" + strings.Join(set, ", ") + ")"
}

// Format is String whatever the verb.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// GoString is String.
func (c Credentials) GoString() string { return c.String() }

// LogValue is String.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String, which also serves JSON. It cannot be read back.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c Credentials) check() error {
	switch {
	case c.Token != "":
		return checkSecret(envToken, c.Token)
	case c.Key == "" && c.Secret == "":
		return fmt.Errorf("credentials missing: set %s and %s to the access key id and api secret of a Service User (or %s to a token); each may instead be in a file named by the same variable with %s at its end", envKey, envSecret, envToken, fileSuffix)
	case c.Secret == "":
		return fmt.Errorf("credentials incomplete: %s is set, %s (or %s%s) is not", envKey, envSecret, envSecret, fileSuffix)
	case c.Key == "":
		return fmt.Errorf("credentials incomplete: %s is set, %s (or %s%s) is not", envSecret, envKey, envKey, fileSuffix)
	case strings.Contains(c.Key, ":"):
		return errors.New(envKey + " holds a colon, which HTTP Basic authentication cannot carry in a key: give the access key id alone")
	}
	return errors.Join(checkSecret(envKey, c.Key), checkSecret(envSecret, c.Secret))
}

// checkSecret finds what a header cannot carry, without showing any of it.
func checkSecret(name, value string) error {
	switch {
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%s holds a line break or another control character: give the value alone", name)
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("%s has a space at its start or end", name)
	case name == envToken && strings.ContainsRune(value, ' '):
		return fmt.Errorf(`%s holds a space: give the token alone, without "Bearer"`, name)
	}
	return nil
}

// redactor hides secrets in text that servers and other packages wrote.
type redactor struct{ secrets []string }

const redacted = "[redacted]"

// minSecret is the length below which a secret is too common a text to hide:
// a key of "a" would make every message unreadable.
const minSecret = 4

// newRedactor makes a redactor for secrets in the shapes in which they travel.
func newRedactor(c Credentials) *redactor {
	r := &redactor{}
	r.add(c.Token)
	r.add(c.Secret)
	r.add(c.Key)
	if c.Key != "" && c.Secret != "" {
		r.add(base64.StdEncoding.EncodeToString([]byte(c.Key + ":" + c.Secret)))
	}
	return r
}

// with returns a redactor that hides one secret more.
func (r *redactor) with(secret string) *redactor {
	more := &redactor{secrets: slices.Clone(r.secrets)}
	more.add(secret)
	return more
}

func (r *redactor) add(secret string) {
	if len(secret) < minSecret {
		return
	}
	for _, shape := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ReplaceAll(secret, "/", `\/`)} {
		if !slices.Contains(r.secrets, shape) {
			r.secrets = append(r.secrets, shape)
		}
	}
	// The longest first: one secret may be a part of another.
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
}

func (r *redactor) clean(text string) string {
	for _, s := range r.secrets {
		text = strings.ReplaceAll(text, s, redacted)
	}
	return text
}
