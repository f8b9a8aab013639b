package sandbox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/m3import/m3import/sandbox"
)

func TestTotalsPage(t *testing.T) {
	p := start(t, sandbox.Config{})
	batch := []string{usage("1", "acme", "0.10"), usage("2", "bolt", "-3"), usage("2", "bolt", "4"),
		`{"meter":"calls","account":"acme","ts":"2024-05-01T00:00:00Z","cost":{"eur":1},"income":{"usd":0}}`}
	p.mustSubmit(batch...)
	p.submit("x")
	want := `{"measurements":3,"submitted":4,"uids":2,"duplicates":0,"conflicts":1,"failed":0,` +
		fmt.Sprintf(`"largest_body":%d,"largest_batch":4,"largest_measurement":%d,`, len(envelope(batch...)), len(batch[3])) +
		`"requests":{"GenerateToken":{"200":1},"SubmitMeasurements":{"200":1,"400":1}},"meters":[` +
		`{"meter":"calls","measurements":1,"fields":[{"field":"cost.eur","count":1,"sum":"1"},{"field":"income.usd","count":1,"sum":"0"}]},` +
		`{"meter":"storage","measurements":2,"fields":[{"field":"measure.gb","count":2,"sum":"-2.9"}]}],"accounts":[` +
		`{"account":"acme","meter":"calls","measurements":1,"fields":[{"field":"cost.eur","count":1,"sum":"1"},{"field":"income.usd","count":1,"sum":"0"}]},` +
		`{"account":"acme","meter":"storage","measurements":1,"fields":[{"field":"measure.gb","count":1,"sum":"0.1"}]},` +
		`{"account":"bolt","meter":"storage","measurements":1,"fields":[{"field":"measure.gb","count":1,"sum":"-3"}]}]}`
	if a := p.send(p.request("GET", "/_sandbox/totals", "")); a.status != 200 || a.body != want {
		t.Errorf("got  %d %s\nwant %s", a.status, a.body, want)
	}
}

func TestMeasurementsPage(t *testing.T) {
	odd := `{ "meter":"\u006d", "account":"é","ts":"2024-05-01T00:00:00Z","measure":{"x":1.50e+0}, "unknown":[1, 2] }`
	for _, discard := range []bool{false, true} {
		p := start(t, sandbox.Config{Discard: discard})
		p.mustSubmit(usage("2", "a", "1"), odd)
		p.mustSubmit(usage("1", "a", "1"), usage("2", "a", "1"), "{\r\n"+odd[1:])
		want := strings.Join([]string{usage("2", "a", "1"), odd, usage("1", "a", "1"), "{  " + odd[1:], ""}, "\n")
		if discard {
			want = ""
		}
		a := p.send(p.request("GET", "/_sandbox/measurements", ""))
		if a.body != want || a.header.Get("Content-Type") != "application/x-ndjson" {
			t.Errorf("discard %v: got\n%swant\n%s", discard, a.body, want)
		}
		var lines strings.Builder
		for m := range p.Measurements() {
			lines.Write(m)
			lines.WriteByte('\n')
		}
		if lines.String() != want {
			t.Errorf("discard %v: the iterator has\n%swant\n%s", discard, lines.String(), want)
		}
		if n := p.Totals().Measurements; n != 4 {
			t.Errorf("discard %v: got %d measurements, want 4", discard, n)
		}
	}
}

func TestReset(t *testing.T) {
	p := start(t, sandbox.Config{PerAddress: sandbox.Limit{Requests: 1, Per: time.Hour}})
	p.mustSubmit(plainUsage)
	if a := p.send(p.request("POST", "/_sandbox/reset", "")); a.status != http.StatusNoContent {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if got := p.Totals(); got.Submitted != 0 || got.UIDs != 0 || len(got.Requests) != 0 || got.LargestBody != 0 {
		t.Errorf("got %+v", got)
	}
	if got := p.list("/accounts", nil); len(got.Data) != 0 {
		t.Errorf("got accounts %v", got.Data)
	}
	p.mustSubmit(plainUsage) // token and limit let it in, and the uid is new again
	if got := p.Totals(); got.Measurements != 1 {
		t.Errorf("got %d measurements, want 1", got.Measurements)
	}
}

func TestClockPage(t *testing.T) {
	p := start(t, sandbox.Config{})
	type clock struct {
		Now time.Time `json:"now"`
	}
	var got clock
	p.decode(p.send(p.request("POST", "/_sandbox/clock", `{"now":"2030-01-01T00:00:00+01:00"}`)), &got)
	at := time.Date(2029, 12, 31, 23, 0, 0, 0, time.UTC)
	if got.Now.Before(at) || got.Now.After(at.Add(time.Hour)) {
		t.Errorf("got %v, want about %v", got.Now, at)
	}
	p.decode(p.send(p.request("POST", "/_sandbox/clock", `{"advance":"840h"}`)), &got)
	p.decode(p.send(p.request("GET", "/_sandbox/clock", "")), &got)
	if at = at.Add(sandbox.UIDWindow); got.Now.Before(at) || p.Now().After(at.Add(time.Hour)) {
		t.Errorf("got %v, want about %v", got.Now, at)
	}
	p.SetClock(at)
	if now := p.Now(); now.Before(at) || now.After(at.Add(time.Hour)) {
		t.Errorf("got %v, want about %v", now, at)
	}
	for _, body := range []string{``, `{}`, `{"advance":"35d"}`, `{"now":"2030-01-01"}`, `{"advance":"1h","now":"2030-01-01T00:00:00Z"}`, `{"later":1}`} {
		if a := p.send(p.request("POST", "/_sandbox/clock", body)); a.status != 400 {
			t.Errorf("%s: got %d %s, want 400", body, a.status, a.body)
		}
	}
}

func TestOwnPagesOnly(t *testing.T) {
	p := start(t, sandbox.Config{})
	if a := p.send(p.request("GET", "/_sandbox/none", "")); a.status != 404 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if n := p.Totals().Requests; len(n) != 1 {
		t.Errorf("got %v: the sandbox's own pages are counted", n)
	}
}

func TestOpenAPI(t *testing.T) {
	p := start(t, sandbox.Config{})
	a := p.send(p.request("GET", "/openapi.json", ""))
	doc, err := openapi3.NewLoader().LoadFromData([]byte(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
		t.Error(err)
	}
	if doc.Servers[0].URL != p.url {
		t.Errorf("got server %s, want %s", doc.Servers[0].URL, p.url)
	}
	// Every operation of the document is served: none is a path unknown to the
	// sandbox, whatever else it has against an empty request.
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			path := strings.NewReplacer("{orgId}", sandbox.DefaultOrgID, "{id}", "x").Replace(path)
			if a := p.send(p.request(method, path, "")); strings.Contains(a.body, "no operation") {
				t.Errorf("%s %s: got %d %s", method, path, a.status, a.body)
			}
		}
	}
}

func TestMiddleware(t *testing.T) {
	var mu sync.Mutex
	seen := []string{}
	p := start(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, r.URL.Path)
			switch r.Header.Get("Fault") {
			case "busy":
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(503)
				w.Write([]byte(`{"message":"busy"}`))
			case "lost": // the platform takes it, the client never learns
				next.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			default:
				next.ServeHTTP(w, r)
			}
		})
	}})
	p.mustSubmit(plainUsage)
	busy := p.request("POST", orgPath+"/accounts", "{}")
	busy.Header.Set("Fault", "busy")
	direct := httptest.NewRecorder()
	p.Server.ServeHTTP(direct, busy)
	if direct.Code != 503 {
		t.Errorf("got %d, want the middleware's answer", direct.Code)
	}
	lost := p.request("POST", orgPath+"/measurements", envelope(usage("lost", "a", "1")))
	lost.Header.Set("Fault", "lost")
	if resp, err := http.DefaultClient.Do(lost); err == nil {
		resp.Body.Close()
		t.Errorf("got %s, want no answer", resp.Status)
	}
	p.send(p.request("GET", "/_sandbox/totals", ""))
	got := p.Totals()
	if got.Measurements != 2 || got.Requests["SubmitMeasurements"][0] != 1 || got.Requests["SubmitMeasurements"][200] != 1 || got.Requests["PostAccount"][503] != 1 {
		t.Errorf("got %d measurements, requests %v", got.Measurements, got.Requests)
	}
	if len(seen) != 4 { // with the token, without the totals
		t.Errorf("the middleware saw %q", seen)
	}
}

func TestListenAndServe(t *testing.T) {
	for _, addr := range []string{":0", "127.0.0.1:0"} {
		ctx, cancel := context.WithCancel(context.Background())
		l, err := sandbox.Listen(ctx, addr)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(l.Addr().String(), "127.0.0.1:") {
			t.Errorf("%q listens on %v", addr, l.Addr())
		}
		s := sandbox.New(sandbox.Config{})
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, l) }()
		resp, err := http.Get("http://" + l.Addr().String() + "/openapi.json")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("got %v at the end", err)
		}
	}
	if l, err := sandbox.Listen(context.Background(), "8137"); err == nil {
		l.Close()
		t.Error("an address without a port was taken")
	}
}

func TestEnv(t *testing.T) {
	s := sandbox.New(sandbox.Config{Secret: "s3"})
	want := "M3TER_BASE_URL=http://h M3TER_INGEST_URL=http://h M3TER_ORG_ID=" + sandbox.DefaultOrgID + " M3TER_API_KEY=sandbox-key M3TER_API_SECRET=s3"
	if got := strings.Join(s.Env("http://h"), " "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestImports holds the sandbox to what it may know: nothing of the client,
// and no OpenAPI validator in the product.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	const module = "github.com/m3import/m3import/"
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		own, ok := strings.CutPrefix(dep, module)
		if ok && own != "sandbox" && own != "internal/decimal" && own != "internal/jsonx" || strings.Contains(dep, "kin-openapi") {
			t.Errorf("the sandbox imports %s", dep)
		}
	}
}
