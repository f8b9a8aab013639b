package sandbox_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/m3import/m3import/sandbox"
	"github.com/m3import/m3import/sandbox/conform"
)

// platform is a sandbox behind real HTTP, and a client of it.
type platform struct {
	*sandbox.Server
	t           testing.TB
	key, secret string
	url, token  string
}

func start(t testing.TB, config sandbox.Config) *platform {
	t.Helper()
	s := sandbox.New(config)
	server := httptest.NewServer(conform.Options{Refusals: true}.Middleware(t, s))
	t.Cleanup(server.Close)
	p := &platform{
		Server: s, t: t, url: server.URL,
		key: cmp.Or(config.Key, sandbox.DefaultKey), secret: cmp.Or(config.Secret, sandbox.DefaultSecret),
	}
	p.token = p.newToken()
	return p
}

func (p *platform) newToken() string {
	p.t.Helper()
	r := p.request("POST", "/oauth/token", `{"grant_type":"client_credentials"}`)
	r.SetBasicAuth(p.key, p.secret)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	p.decode(p.send(r), &token)
	return token.AccessToken
}

// request makes a request with a JSON body and the platform's token.
func (p *platform) request(method, path, body string) *http.Request {
	p.t.Helper()
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+p.token)
	return r
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (p *platform) send(r *http.Request) answer {
	p.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (p *platform) decode(a answer, v any) {
	p.t.Helper()
	if a.status != http.StatusOK {
		p.t.Fatalf("status %d: %s", a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		p.t.Fatalf("%v in %s", err, a.body)
	}
}

const orgPath = "/organizations/" + sandbox.DefaultOrgID

func (p *platform) submit(body string) answer {
	p.t.Helper()
	return p.send(p.request("POST", orgPath+"/measurements", body))
}

func (p *platform) mustSubmit(measurements ...string) {
	p.t.Helper()
	a := p.submit(envelope(measurements...))
	if a.status != 200 || a.body != `{"result":"accepted"}` {
		p.t.Fatalf("got %d %s, want the request accepted", a.status, a.body)
	}
}

func envelope(measurements ...string) string {
	return `{"measurements":[` + strings.Join(measurements, ",") + `]}`
}

// usage is a plain measurement.
func usage(uid, account, gb string) string {
	return fmt.Sprintf(`{"uid":%q,"meter":"storage","account":%q,"ts":"2024-05-01T00:00:00Z","measure":{"gb":%s}}`, uid, account, gb)
}

func TestSubmitAddsUp(t *testing.T) {
	p := start(t, sandbox.Config{})
	p.mustSubmit(usage("1", "acme", "0.1"), usage("2", "acme", "0.2"), usage("3", "bolt", "1e3"))
	p.mustSubmit(usage("1", "acme", "0.10"), usage("2", "acme", "7"))
	got := p.Totals()
	if got.Measurements != 3 || got.Submitted != 5 || got.UIDs != 3 || got.Duplicates != 1 || got.Conflicts != 1 {
		t.Errorf("got %+v", got)
	}
	if sum := got.Sum("storage", "measure.gb"); sum != "1000.3" {
		t.Errorf("got sum %s, want 1000.3", sum)
	}
	if n := got.Requests["SubmitMeasurements"][200]; n != 2 {
		t.Errorf("got %d accepted requests, want 2: %v", n, got.Requests)
	}
}
