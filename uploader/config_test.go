package uploader

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestResolveAddresses(t *testing.T) {
	for _, test := range []struct {
		base, ingest         string
		wantBase, wantIngest string
	}{
		{"", "", "https://api.m3ter.com", "https://ingest.m3ter.com"},
		{"https://api.m3ter.com/", "", "https://api.m3ter.com", "https://ingest.m3ter.com"},
		{" https://API.m3ter.com// ", "", "https://api.m3ter.com", "https://ingest.m3ter.com"},
		{"https://api.m3ter.com:443", "", "https://api.m3ter.com", "https://ingest.m3ter.com"},
		{"https://api.eu.m3ter.com", "", "https://api.eu.m3ter.com", "https://ingest.eu.m3ter.com"},
		{"https://api.m3ter.com", "https://other.example/in/", "https://api.m3ter.com", "https://other.example/in"},
		{"https://api.m3ter.com:80", "https://ingest.m3ter.com:/", "https://api.m3ter.com:80", "https://ingest.m3ter.com"},
		{"https://api.m3ter.com.:0443", "http://127.0.0.1:08137", "https://api.m3ter.com", "http://127.0.0.1:8137"},
		// Hosts that only look alike.
		{"https://api.example.com", "", "https://api.example.com", "https://api.example.com"},
		{"https://rapid.m3ter.com", "", "https://rapid.m3ter.com", "https://rapid.m3ter.com"},
		{"https://api.notm3ter.com", "", "https://api.notm3ter.com", "https://api.notm3ter.com"},
		{"https://api.m3ter.com.evil.example", "", "https://api.m3ter.com.evil.example", "https://api.m3ter.com.evil.example"},
		{"http://127.0.0.1:8137", "", "http://127.0.0.1:8137", "http://127.0.0.1:8137"},
		{"http://127.9.9.9/m3/", "", "http://127.9.9.9/m3", "http://127.9.9.9/m3"},
		{"http://[::1]:80", "", "http://[::1]", "http://[::1]"},
		{"http://localhost:1", "http://LOCALHOST:2", "http://localhost:1", "http://localhost:2"},
	} {
		got, err := Config{BaseURL: test.base, IngestURL: test.ingest, OrgID: "org"}.Resolve()
		if err != nil || got.BaseURL != test.wantBase || got.IngestURL != test.wantIngest {
			t.Errorf("%q, %q: %q, %q, %v; want %q, %q", test.base, test.ingest, got.BaseURL, got.IngestURL, err, test.wantBase, test.wantIngest)
		}
		again, err := got.Resolve()
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("%q resolves again to %+v, %v; want no change", test.base, again, err)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	for _, test := range []struct {
		cfg  Config
		want []string
		not  string
	}{
		{Config{}, []string{"M3TER_ORG_ID", "set"}, ""},
		{Config{OrgID: "a b"}, []string{"M3TER_ORG_ID"}, ""},
		{Config{OrgID: "org", BaseURL: "api.m3ter.com"}, []string{"M3TER_BASE_URL", "https://api.m3ter.com"}, ""},
		{Config{OrgID: "org", BaseURL: "https://"}, []string{"M3TER_BASE_URL"}, ""},
		{Config{OrgID: "org", BaseURL: "://"}, []string{"M3TER_BASE_URL"}, ""},
		{Config{OrgID: "org", BaseURL: "ftp://localhost"}, []string{"M3TER_BASE_URL", "ftp", "https"}, ""},
		{Config{OrgID: "org", BaseURL: "http://api.m3ter.com"}, []string{"M3TER_BASE_URL", "plain http", "api.m3ter.com"}, ""},
		{Config{OrgID: "org", BaseURL: "http://128.0.0.1"}, []string{"M3TER_BASE_URL", "plain http"}, ""},
		{Config{OrgID: "org", BaseURL: "http://localhost.example.com"}, []string{"M3TER_BASE_URL", "plain http"}, ""},
		{Config{OrgID: "org", IngestURL: "http://ingest.m3ter.com"}, []string{"M3TER_INGEST_URL", "plain http"}, ""},
		{Config{OrgID: "org", BaseURL: "https://u:canary@api.m3ter.com"}, []string{"M3TER_BASE_URL", "password"}, "canary"},
		{Config{OrgID: "org", BaseURL: "https://api.m3ter.com?key=canary"}, []string{"M3TER_BASE_URL", "query"}, "canary"},
		{Config{OrgID: "org", BaseURL: "https://api.m3ter.com#canary"}, []string{"M3TER_BASE_URL"}, "canary"},
		{Config{OrgID: "org", BaseURL: "canary"}, []string{"M3TER_BASE_URL"}, "canary"},
		{Config{OrgID: "org", UserAgent: "a\r\nb"}, []string{"user agent"}, ""},
		{Config{OrgID: "org", Rate: []Window{{0, time.Second}}}, []string{"rate"}, ""},
	} {
		_, err := test.cfg.Resolve()
		if err == nil {
			t.Errorf("%+v: no error", test.cfg)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %q, want %q in it", test.cfg, err, want)
			}
		}
		if test.not != "" && strings.Contains(err.Error(), test.not) {
			t.Errorf("%+v: %q shows what may be a secret", test.cfg, err)
		}
	}
}

func TestConfigIsPlainData(t *testing.T) {
	for _, rate := range [][]Window{nil, {}, DefaultRate()} {
		want := Config{OrgID: "org", Workers: 3, RetryFor: time.Hour, Rate: rate}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Config
		if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s comes back as %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseOrgID(t *testing.T) {
	const id, other = "5f1a2b3c-4d5e-6f70-8192-a3b4c5d6e7f8", "00000000-1111-2222-3333-444444444444"
	for text, want := range map[string]string{
		id:         id,
		" " + id:   id,
		"my-org_1": "my-org_1",
		"https://console.m3ter.com/organizations/" + id:                         id,
		"https://console.m3ter.com/" + id + "/accounts/" + other + "?tab=usage": id,
		"https://console.m3ter.com/users/" + other + "/organizations/" + id:     id,
		"https://console.m3ter.com/#/organizations/" + id + "/meters":           id,
		"console.m3ter.com/organizations/" + id + "/":                           id,
		"https://console.m3ter.com/organizations/" + strings.ToUpper(id):        id,
		strings.ToUpper(id):         id,
		"MY-ORG_1":                  "MY-ORG_1",
		"":                          "",
		".":                         "",
		"..":                        "",
		"a/b":                       "",
		"a b":                       "",
		"ünïcode":                   "",
		"a%2Fb":                     "",
		"a\nb":                      "",
		strings.Repeat("a", 81):     "",
		"https://console.m3ter.com": "",
		"https://console.m3ter.com/organizations":         "",
		"https://console.m3ter.com/organizations/" + "x1": "",
		"http://[::1/" + id:                               "",
	} {
		got, err := ParseOrgID(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "M3TER_ORG_ID") {
			t.Errorf("%q: %q does not name the variable", text, err)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string][]Window{
		"none":            {},
		"5000/5m,50/s":    {{5000, 5 * time.Minute}, {50, time.Second}},
		" 10 / m , 1/1s ": {{10, time.Minute}, {1, time.Second}},
		"7/1m30s":         {{7, 90 * time.Second}},
		"1/24h":           {{1, 24 * time.Hour}},
		"100/ms":          {{100, time.Millisecond}},
	} {
		got, err := ParseRate(text)
		if err != nil || got == nil || len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
		var words []string
		for _, w := range got {
			words = append(words, w.String())
		}
		if again, err := ParseRate(strings.Join(words, ",")); len(want) > 0 && (err != nil || !reflect.DeepEqual(again, want)) {
			t.Errorf("%q is written %v, which is read as %v, %v", text, words, again, err)
		}
	}
	for _, text := range []string{"", "50", "50/", "/s", "x/s", "0/s", "-1/s", "50/x", "50/s,", "50/-1s", "50/0s", "1/25h", "1/1us", "2000000/s", "50/s/s", "none,1/s", "NaN/s", "1e3/s"} {
		if got, err := ParseRate(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		} else if !strings.HasPrefix(err.Error(), "rate ") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got, err := ParseRate("5000/5m,50/s"); err != nil || !reflect.DeepEqual(got, DefaultRate()) {
		t.Errorf("the default rate: %v, %v", got, err)
	}
}
