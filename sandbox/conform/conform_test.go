package conform_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
	"github.com/m3import/m3import/sandbox/conform"
)

// spy is a test that notes its errors instead of failing.
type spy struct {
	testing.TB
	errors []string
}

func (s *spy) Helper() {}
func (s *spy) Errorf(format string, args ...any) {
	s.errors = append(s.errors, fmt.Sprintf(format, args...))
}

const submit = "/organizations/" + sandbox.DefaultOrgID + "/measurements"

// answers is a handler with one answer.
func answers(status int, media, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", media)
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
}

func send(t *testing.T, o conform.Options, h http.Handler, method, path, body string) []string {
	t.Helper()
	s := &spy{TB: t}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	o.Middleware(s, h).ServeHTTP(httptest.NewRecorder(), r)
	return s.errors
}

func TestViolations(t *testing.T) {
	const js, good = "application/json", `{"measurements":[{"meter":"m","account":"a b","ts":"2024-05-01T00:00:00Z","measure":{"x":1}}]}`
	accepted := answers(200, js, `{"result":"accepted"}`)
	refused := answers(400, js, `{"message":"no"}`)
	tests := []struct {
		name    string
		options conform.Options
		handler http.Handler
		method  string
		path    string
		body    string
		want    string // in the only error; "" for none
	}{
		{"good", conform.Options{}, accepted, "POST", submit, good, ""},
		{"good and refused", conform.Options{}, refused, "POST", submit, good, ""},
		{"bad request", conform.Options{}, refused, "POST", submit, strings.Replace(good, `1`, `"1"`, 1), "the request"},
		{"bad code", conform.Options{}, refused, "POST", submit, strings.Replace(good, `a b`, ` b`, 1), "account"},
		{"too large", conform.Options{}, refused, "POST", submit, good + strings.Repeat(" ", 512_000-len(good)), "512000 bytes"},
		{"too large, not sampled", conform.Options{Every: 1000}, refused, "POST", submit, good + strings.Repeat(" ", 512_000-len(good)), "512000 bytes"},
		{"bad request refused", conform.Options{Refusals: true}, refused, "POST", submit, `{"measurements":[]}`, ""},
		{"bad request accepted", conform.Options{Refusals: true}, accepted, "POST", submit, `{"measurements":[]}`, "answered 200 although"},
		{"unknown path", conform.Options{}, refused, "POST", "/x", good, "no document"},
		{"unknown status", conform.Options{}, answers(302, js, `{}`), "POST", submit, good, "the answer 302"},
		{"wrong answer", conform.Options{}, answers(200, js, `{"result":3}`), "POST", submit, good, "the answer 200"},
		{"no JSON", conform.Options{}, answers(400, "text/plain", `no`), "POST", submit, good, "the answer 400"},
		{"no token", conform.Options{}, answers(200, js, `{"expires_in":1}`), "POST", "/oauth/token", `{"grant_type":"client_credentials"}`, "access_token"},
		{"other grant", conform.Options{}, refused, "POST", "/oauth/token", `{"grant_type":"password"}`, "the request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := send(t, tt.options, tt.handler, tt.method, tt.path, tt.body)
			if tt.want == "" && len(got) > 0 || tt.want != "" && !strings.Contains(strings.Join(got, "\n"), tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEvery(t *testing.T) {
	s := &spy{TB: t}
	h := conform.Options{Every: 3}.Middleware(s, answers(400, "application/json", `{"message":"no"}`))
	for range 7 {
		r := httptest.NewRequest("POST", submit, strings.NewReader(`{}`))
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if len(s.errors) != 3 { // the first, fourth and seventh
		t.Errorf("got %d errors, want 3: %q", len(s.errors), s.errors)
	}
}

// TestFaultsPass: an answer that the sandbox's faults had a hand in may break
// a document, and the request is checked all the same.
func TestFaultsPass(t *testing.T) {
	h := sandbox.New(sandbox.Config{Faults: []sandbox.Fault{{Body: "<html>"}}})
	good := `{"measurements":[{"meter":"m","account":"a","ts":"2024-05-01T00:00:00Z"}]}`
	if got := send(t, conform.Options{}, h, "POST", submit, good); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	if got := send(t, conform.Options{}, h, "POST", submit, `{}`); len(got) != 1 || !strings.Contains(got[0], "the request") {
		t.Errorf("got %q", got)
	}
}

// TestBodyPasses: what stands behind sees the body whole, also one that is too
// large, and the client sees the answer.
func TestBodyPasses(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	for _, size := range []int{0, 1, 511_999, 2 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		w := httptest.NewRecorder()
		conform.Middleware(&spy{TB: t}, echo).ServeHTTP(w, httptest.NewRequest("POST", submit, bytes.NewReader(body)))
		if !bytes.Equal(w.Body.Bytes(), body) {
			t.Errorf("of %d bytes, %d came back", size, w.Body.Len())
		}
	}
}

func TestHasPlatform(t *testing.T) {
	if !conform.HasPlatform() {
		t.Skip("m3ter's document is not beside this checkout, in ../shared/openapi: only the sandbox's own is checked against")
	}
}

func BenchmarkFullBody(b *testing.B) {
	one := `{"uid":"u","meter":"m","account":"a","ts":"2024-05-01T00:00:00Z","where":{"region":"` + strings.Repeat("x", 400) + `"},"measure":{"x":1}}`
	body := `{"measurements":[` + strings.Repeat(one+",", 999) + one + `]}`
	h := conform.Middleware(b, answers(200, "application/json", `{"result":"accepted"}`))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r := httptest.NewRequest("POST", submit, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
