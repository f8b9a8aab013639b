package uploader

import (
	"io/fs"
	"strings"
	"testing"
)

func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

func readIn(files map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		text, ok := files[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}
}

func TestCredentialsFromEnv(t *testing.T) {
	files := map[string]string{
		"key": "fkey\n", "secret": "fsecret\r\n", "token": "ftoken", "two": "a\n\n", "empty": "", "newline": "\n",
	}
	for _, test := range []struct {
		name string
		env  map[string]string
		want Credentials
		err  []string // all in it
	}{
		{"key and secret", map[string]string{"M3TER_API_KEY": "k", "M3TER_API_SECRET": "s"}, Credentials{Key: "k", Secret: "s"}, nil},
		{"files", map[string]string{"M3TER_API_KEY_FILE": "key", "M3TER_API_SECRET_FILE": "secret"}, Credentials{Key: "fkey", Secret: "fsecret"}, nil},
		{"one of each", map[string]string{"M3TER_API_KEY": "k", "M3TER_API_SECRET_FILE": "secret"}, Credentials{Key: "k", Secret: "fsecret"}, nil},
		{"token", map[string]string{"M3TER_API_TOKEN": "t"}, Credentials{Token: "t"}, nil},
		{"token file", map[string]string{"M3TER_API_TOKEN_FILE": "token"}, Credentials{Token: "ftoken"}, nil},
		{"token goes first", map[string]string{"M3TER_API_TOKEN": "t", "M3TER_API_KEY": "k", "M3TER_API_SECRET": "s"}, Credentials{Token: "t"}, nil},
		{"empty is not set", map[string]string{"M3TER_API_TOKEN": "", "M3TER_API_KEY": "k", "M3TER_API_KEY_FILE": "", "M3TER_API_SECRET": "s"}, Credentials{Key: "k", Secret: "s"}, nil},
		{"none", nil, Credentials{}, []string{"M3TER_API_KEY", "M3TER_API_SECRET", "M3TER_API_TOKEN", "_FILE", "set"}},
		{"no secret", map[string]string{"M3TER_API_KEY": "k"}, Credentials{}, []string{"M3TER_API_SECRET", "not"}},
		{"no key", map[string]string{"M3TER_API_SECRET": "canary"}, Credentials{}, []string{"M3TER_API_KEY", "not"}},
		{"both", map[string]string{"M3TER_API_SECRET": "canary", "M3TER_API_SECRET_FILE": "secret"}, Credentials{}, []string{"M3TER_API_SECRET and M3TER_API_SECRET_FILE", "both"}},
		{"no such file", map[string]string{"M3TER_API_SECRET_FILE": "canary"}, Credentials{}, []string{"M3TER_API_SECRET_FILE", "not exist"}},
		{"empty file", map[string]string{"M3TER_API_SECRET_FILE": "empty"}, Credentials{}, []string{"M3TER_API_SECRET_FILE", "empty"}},
		{"file of a newline", map[string]string{"M3TER_API_SECRET_FILE": "newline"}, Credentials{}, []string{"M3TER_API_SECRET_FILE", "empty"}},
		{"two newlines", map[string]string{"M3TER_API_KEY_FILE": "two", "M3TER_API_SECRET": "s"}, Credentials{}, []string{"M3TER_API_KEY", "line break"}},
		{"header injection", map[string]string{"M3TER_API_TOKEN": "canary\r\nX: y"}, Credentials{}, []string{"M3TER_API_TOKEN", "line break"}},
		{"Bearer", map[string]string{"M3TER_API_TOKEN": "Bearer canary"}, Credentials{}, []string{"M3TER_API_TOKEN", "Bearer"}},
		{"space", map[string]string{"M3TER_API_KEY": "k", "M3TER_API_SECRET": "canary "}, Credentials{}, []string{"M3TER_API_SECRET", "space"}},
		{"colon", map[string]string{"M3TER_API_KEY": "canary:x", "M3TER_API_SECRET": "s"}, Credentials{}, []string{"M3TER_API_KEY", "colon"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := CredentialsFromEnv(lookupIn(test.env), readIn(files))
			if got != test.want || (err == nil) != (test.err == nil) {
				t.Errorf("key %q, secret %q, token %q, %v", got.Key, got.Secret, got.Token, err)
			}
			for _, want := range test.err {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%q, want %q in it", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("%q shows a value", err)
			}
		})
	}
}

func TestConfigFromEnv(t *testing.T) {
	cfg, err := ConfigFromEnv(lookupIn(map[string]string{"M3TER_ORG_ID": "org", "M3TER_BASE_URL": "http://127.0.0.1:1/"}))
	if err != nil || cfg.OrgID != "org" || cfg.BaseURL != "http://127.0.0.1:1/" || cfg.IngestURL != "" {
		t.Errorf("%+v, %v", cfg, err)
	}
	if cfg, err := ConfigFromEnv(lookupIn(nil)); err != nil || cfg.OrgID != "" {
		t.Errorf("nothing set: %+v, %v; want a zero Config", cfg, err)
	}
	for name, value := range map[string]string{"M3TER_ORG_ID": "a b", "M3TER_BASE_URL": "x", "M3TER_INGEST_URL": "http://example.com"} {
		if _, err := ConfigFromEnv(lookupIn(map[string]string{name: value})); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v, want an error that names it", name, value, err)
		}
	}
}
