package sandbox_test

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/m3import/m3import/sandbox"
)

// tokenOf buys tokens past HTTP.
func tokenOf(t *testing.T, s *sandbox.Server) func() string {
	return func() string {
		r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader("grant_type=client_credentials"))
		r.Header.Set("User-Agent", "test")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(sandbox.DefaultKey, sandbox.DefaultSecret)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var token struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil || token.AccessToken == "" {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		return token.AccessToken
	}
}

func TestTokenRequests(t *testing.T) {
	const form, js = "application/x-www-form-urlencoded", "application/json; charset=utf-8"
	tests := []struct {
		name, media, body, key, secret string
		status                         int
	}{
		{"form", form, "grant_type=client_credentials", "k", "s", 200},
		{"form and scope", form, "scope=x&grant_type=client_credentials", "k", "s", 200},
		{"JSON", js, `{"grant_type":"client_credentials"}`, "k", "s", 200},
		{"JSON and scope", js, `{"scope":"x","grant_type":"client_credentials"}`, "k", "s", 200},
		{"no key", form, "grant_type=client_credentials", "", "", 403},
		{"wrong key", form, "grant_type=client_credentials", "K", "s", 403},
		{"wrong secret", form, "grant_type=client_credentials", "k", "s ", 403},
		{"no grant", js, `{}`, "k", "s", 400},
		{"other grant", form, "grant_type=password", "k", "s", 400},
		{"no JSON", js, `grant_type`, "k", "s", 400},
		{"other media", "text/plain", "grant_type=client_credentials", "k", "s", 400},
	}
	p := start(t, sandbox.Config{Key: "k", Secret: "s"})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := p.request("POST", "/oauth/token", tt.body)
			r.Header.Del("Authorization")
			r.Header.Set("Content-Type", tt.media)
			if tt.key != "" {
				r.SetBasicAuth(tt.key, tt.secret)
			}
			if a := p.send(r); a.status != tt.status {
				t.Errorf("got %d %s, want %d", a.status, a.body, tt.status)
			}
		})
	}
}

func TestToken(t *testing.T) {
	p := start(t, sandbox.Config{})
	r := p.request("POST", "/oauth/token", `{"grant_type":"client_credentials"}`)
	r.SetBasicAuth(sandbox.DefaultKey, sandbox.DefaultSecret)
	var token struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int64  `json:"expires_in"`
		TokenType   string `json:"token_type"`
	}
	p.decode(p.send(r), &token)
	if token.ExpiresIn != 18000 || token.TokenType != "Bearer" || token.AccessToken == p.token {
		t.Errorf("got %+v; tokens must differ", token)
	}
	parts := strings.Split(token.AccessToken, ".")
	if len(parts) != 3 {
		t.Fatalf("got %q, want the form of a JWT", token.AccessToken)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		OrgID string `json:"orgId"`
		Iat   int64  `json:"iat"`
		Exp   int64  `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.OrgID != sandbox.DefaultOrgID || claims.Exp-claims.Iat != 18000 {
		t.Errorf("got claims %s", payload)
	}
}

func TestTokenExpires(t *testing.T) {
	for _, status := range []int{0, http.StatusUnauthorized} {
		p := start(t, sandbox.Config{TokenLife: time.Minute, UnauthorizedStatus: status})
		p.mustSubmit(plainUsage)
		p.Advance(time.Minute)
		a := p.submit(envelope(plainUsage))
		if a.status != cmp.Or(status, 403) || !strings.Contains(a.body, "expired") {
			t.Errorf("UnauthorizedStatus %d: got %d %s", status, a.status, a.body)
		}
		p.token = p.newToken()
		p.mustSubmit(plainUsage)
	}
}
