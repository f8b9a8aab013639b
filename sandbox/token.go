package sandbox

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// maxTokenRequest bounds the body of a token request.
const maxTokenRequest = 64 << 10

// tokens are the access tokens that were given out.
type tokens struct {
	mu     sync.Mutex
	expiry map[string]time.Time
	key    [sha256.Size]byte // signs them; made with the first
}

// claims are the payload of a token. A client may decode them for a hint, as
// it may those of the platform, and must not rely on them.
type claims struct {
	Issuer      string          `json:"iss"`
	OrgID       string          `json:"orgId"`
	IssuedAt    int64           `json:"iat"`
	Expires     int64           `json:"exp"`
	ID          string          `json:"jti"`
	Permissions map[string]bool `json:"permissions"`
}

// revoke ends all tokens.
func (t *tokens) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.expiry)
}

// issue makes a token: unique, in the form of a JWT. It says that it is good
// for life; really it is for real, which is the same unless a fault wants
// otherwise.
func (t *tokens) issue(orgID string, now time.Time, life, real time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.expiry == nil {
		t.expiry = make(map[string]time.Time)
		rand.Read(t.key[:])
	}
	for old, expires := range t.expiry {
		if now.Sub(expires) > life { // long dead: only the message would differ
			delete(t.expiry, old)
		}
	}
	payload, err := json.Marshal(claims{
		Issuer: "m3import-sandbox", OrgID: orgID, ID: rand.Text(),
		IssuedAt: now.Unix(), Expires: now.Add(life).Unix(),
		Permissions: map[string]bool{"MEASUREMENTS#MEASUREMENTS_UPLOAD#ITEM#*": true},
	})
	if err != nil {
		panic("sandbox: claims that are no JSON: " + err.Error())
	}
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(payload)
	mac := hmac.New(sha256.New, t.key[:])
	mac.Write([]byte(token))
	token += "." + encode(mac.Sum(nil))
	t.expiry[token] = now.Add(real)
	return token
}

// check returns what is wrong with the token of a request, or "".
func (t *tokens) check(r *http.Request, now time.Time) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "Unauthorized: no bearer token"
	}
	t.mu.Lock()
	expires, known := t.expiry[token]
	t.mu.Unlock()
	switch {
	case !known:
		return "Unauthorized: unknown bearer token"
	case !now.Before(expires):
		return "Unauthorized: the bearer token expired at " + expires.Format(time.RFC3339)
	}
	return ""
}

// tokenAnswer is the BearerAccessTokenResponse. The platform's sample also has
// a scope of null, which its own schema does not allow.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"`
	TokenType   string `json:"token_type"`
}

// generateToken is POST /oauth/token: HTTP Basic with the access key, and the
// grant type in a form or in JSON.
func (s *Server) generateToken(w http.ResponseWriter, r *http.Request) {
	grant, problem := grantType(r)
	switch {
	case problem != "":
		refuse(w, r, http.StatusBadRequest, problem)
		return
	case grant != "client_credentials":
		refuse(w, r, http.StatusBadRequest, "grant_type: must be client_credentials")
		return
	}
	key, secret, ok := r.BasicAuth()
	ok = same(key, s.config.Key) && ok
	ok = same(secret, s.config.Secret) && ok
	if !ok {
		refuse(w, r, s.config.UnauthorizedStatus, "Unauthorized: unknown access key or wrong secret")
		return
	}
	answer(w, http.StatusOK, tokenAnswer{
		AccessToken: s.tokens.issue(s.config.OrgID, s.clock.now(), s.config.TokenLife, passageOf(r).tokenLife(s.config.TokenLife)),
		ExpiresIn:   int64(s.config.TokenLife / time.Second),
		TokenType:   "Bearer",
	})
}

// grantType reads the body of a token request.
func grantType(r *http.Request) (grant, problem string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxTokenRequest))
	if err != nil {
		return "", "the request body could not be read"
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch media {
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "", "the request body is not a form"
		}
		return form.Get("grant_type"), ""
	case "application/json":
		var request struct {
			GrantType string `json:"grant_type"`
			Scope     string `json:"scope"`
		}
		if err := json.Unmarshal(body, &request); err != nil {
			return "", "the request body is not the JSON object expected"
		}
		return request.GrantType, ""
	}
	return "", "Content-Type: must be application/x-www-form-urlencoded or application/json"
}

// same compares without telling by its duration how much was right.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
