package sandbox_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// plainUsage is a measurement that every test of a refusal starts from.
const plainUsage = `{"uid":"u","meter":"m","account":"a","ts":"2024-05-01T00:00:00Z","measure":{"x":1}}`

func TestSubmitRefusals(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(plainUsage, old, new, 1) }
	long := func(n int) string { return strings.Repeat("é", n) }
	tests := []struct{ name, body, message string }{
		{"empty", ``, `body: must be an object, not invalid JSON`},
		{"array", `[]`, `body: must be an object, not an array`},
		{"no member", `{}`, `body: measurements is required`},
		{"other case", `{"Measurements":[` + plainUsage + `]}`, `body: measurements is required`},
		{"null", `{"measurements":null}`, `measurements: must be an array, not null`},
		{"none", `{"measurements":[]}`, `measurements: must hold at least 1 measurement`},
		{"1001", envelope(slices.Repeat([]string{plainUsage}, 1001)...), `measurements: must hold at most 1000 measurements`},
		{"twice", `{"measurements":[` + plainUsage + `],"measurements":[` + plainUsage + `]}`, `body: member "measurements" stands twice`},
		{"trailing", envelope(plainUsage) + "x", `body: invalid JSON at byte 102: expected the end of the body, found 'x'`},
		{"cut", envelope(plainUsage)[:90], `measurements[0].ts: invalid JSON at byte 90: expected the rest of a string, the body ends`},
		{"trailing comma", `{"measurements":[` + plainUsage + `,]}`, `measurements[1]: must be an object, not invalid JSON`},
		{"no comma", `{"measurements":[` + plainUsage + plainUsage + `]}`, `measurements: invalid JSON at byte 100: expected a comma or the end of the array, found '{'`},
		{"not UTF-8", envelope(with("u", "\xff")), `body: must be UTF-8`},
		{"lone surrogate", envelope(with(`"u"`, `"\ud800"`)), `measurements[0].uid: invalid JSON at byte 31: expected the other half of a surrogate pair, found '"'`},
		{"control character", envelope(with(`"u"`, "\"\n\"")), `measurements[0].uid: invalid JSON at byte 25: expected the rest of a string, found '\n'`},
		{"element", envelope(plainUsage, `3`), `measurements[1]: must be an object, not a number`},
		{"second of two", envelope(plainUsage, with(`"m"`, `7`)), `measurements[1].meter: must be a string, not a number`},
		{"uid null", envelope(with(`"u"`, `null`)), `measurements[0].uid: must be a string, not null`},
		{"uid length", envelope(with(`"u"`, `"`+long(51)+`"`)), `measurements[0].uid: must be at most 50 characters, has 51`},
		{"meter length", envelope(with(`"m"`, `"`+long(81)+`"`)), `measurements[0].meter: must be at most 80 characters, has 81`},
		{"no meter", envelope(with(`"meter":"m",`, ``)), `measurements[0].meter: is required`},
		{"no account", envelope(with(`"account":"a",`, ``)), `measurements[0].account: is required`},
		{"no ts", envelope(with(`"ts":"2024-05-01T00:00:00Z",`, ``)), `measurements[0].ts: is required`},
		{"empty account", envelope(with(`"a"`, `""`)), `measurements[0].account: must not be empty`},
		{"account space", envelope(with(`"a"`, `"a "`)), `measurements[0].account: "a " must have no control characters, and no space at either end`},
		{"account tab", envelope(with(`"a"`, `"a\tb"`)), `measurements[0].account: "a\tb" must have no control characters, and no space at either end`},
		{"member twice", envelope(with(`"meter"`, `"meter":"n","meter"`)), `measurements[0].meter: stands twice`},
		{"unknown member twice", envelope(with(`"meter"`, `"x":1,"x":2,"meter"`)), `measurements[0]: member "x" stands twice`},
		{"ts date", envelope(with(`2024-05-01T00:00:00Z`, `2024-05-01`)), `measurements[0].ts: "2024-05-01" is not an RFC 3339 date-time such as 2022-08-24T14:15:22.123Z`},
		{"ets 31 June", envelope(with(`"measure"`, `"ets":"2024-06-31T00:00:00Z","measure"`)), `measurements[0].ets: "2024-06-31T00:00:00Z" is not an RFC 3339 date-time such as 2022-08-24T14:15:22.123Z`},
		{"measure text", envelope(with(`{"x":1}`, `{"x":1,"gb":"2"}`)), `measurements[0].measure.gb: must be a number, not a string`},
		{"measure null", envelope(with(`{"x":1}`, `{"x":null}`)), `measurements[0].measure.x: must be a number, not null`},
		{"measure array", envelope(with(`{"x":1}`, `[1]`)), `measurements[0].measure: must be an object, not an array`},
		{"measure twice", envelope(with(`{"x":1}`, `{"x":1,"x":1}`)), `measurements[0].measure.x: stands twice`},
		{"measure range", envelope(with(`{"x":1}`, `{"x":1e999}`)), `measurements[0].measure.x: 1e999 is not a number that a double can hold`},
		{"measure NaN", envelope(with(`{"x":1}`, `{"x":NaN}`)), `measurements[0].measure.x: must be a number, not invalid JSON`},
		{"measure zeros", envelope(with(`{"x":1}`, `{"x":01}`)), `measurements[0].measure.x: invalid JSON at byte 98: expected a comma or the end of the object, found '1'`},
		{"where number", envelope(with(`"measure"`, `"where":{"x":1},"measure"`)), `measurements[0].where.x: must be a string, not a number`},
		{"metadata length", envelope(with(`"measure"`, `"metadata":{"n":"`+long(257)+`"},"measure"`)), `measurements[0].metadata.n: must be at most 256 characters, has 257`},
	}
	p := start(t, sandbox.Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got struct {
				Message string `json:"message"`
			}
			a := p.submit(tt.body)
			if a.status != 400 {
				t.Fatalf("got %d %s, want 400", a.status, a.body)
			}
			a.status = 200
			p.decode(a, &got)
			if got.Message != tt.message {
				t.Errorf("got  %s\nwant %s", got.Message, tt.message)
			}
		})
	}
	if got := p.Totals(); got.Submitted != 0 || got.UIDs != 0 || len(got.Accounts) != 0 || got.Requests["SubmitMeasurements"][400] != int64(len(tests)) {
		t.Errorf("refused requests left something behind: %+v", got)
	}
}

func TestSubmitAccepts(t *testing.T) {
	p := start(t, sandbox.Config{})
	for name, m := range map[string]string{
		"no uid":         `{"meter":"m","account":"a","ts":"2024-05-01T00:00:00Z"}`,
		"longest":        fmt.Sprintf(`{"uid":%q,"meter":%[2]q,"account":%[2]q,"ts":"2024-05-01T00:00:00Z"}`, strings.Repeat("é", 50), strings.Repeat("€", 80)),
		"code":           `{"meter":"\u00a0a/b c,d\u3000","account":"\ud83d\ude00","ts":"2024-05-01T00:00:00Z"}`,
		"offset":         `{"meter":"m","account":"a","ts":"0000-02-29T23:59:59.123456789012+23:59","ets":"9999-12-31T00:00:00-00:00"}`,
		"everything":     `{"who":{"":"","é":"\u0000"},"what":{},"where":{"a":"b"},"other":{},"metadata":{"n":"x"},"measure":{"a":-0.0,"b":1E-300},"cost":{},"income":{"c":12345678901234567890.5},"meter":"m","account":"a","ts":"2024-05-01T00:00:00Z"}`,
		"unknown member": `{"x":{"y":[1,{"z":null}],"w":"]}"},"meter":"m","account":"a","ts":"2024-05-01T00:00:00Z"}`,
		"white space":    "\r\n\t { \"meter\" : \"m\" , \"account\":\"a\",\"ts\":\"2024-05-01T00:00:00Z\" , \"measure\" : { \"x\" : 1 } } ",
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.mustSubmit(m)
		})
	}
}

// TestHostileNames sends objects of very many members: finding repeated names
// must not take the square of their number.
func TestHostileNames(t *testing.T) {
	p := start(t, sandbox.Config{})
	var b strings.Builder
	for i := range 4_000 {
		fmt.Fprintf(&b, `"%x":1,`, i)
	}
	m := `{"meter":"m","account":"a","ts":"2024-05-01T00:00:00Z","measure":{` + b.String() + `"last":1}}`
	if w := direct(p.Server, p.token, []byte(envelope(m))); w.Code != 200 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	again := strings.Replace(m, `"last"`, `"f9f"`, 1)
	if w := direct(p.Server, p.token, []byte(envelope(again))); w.Code != 400 {
		t.Errorf("got %d %s, want the repeated name found", w.Code, w.Body)
	}
	if n := len(p.Totals().Accounts[0].Fields); n != 4_001 {
		t.Errorf("got %d fields, want 4001", n)
	}
}

// endless counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestBodySize(t *testing.T) {
	p := start(t, sandbox.Config{})
	padded := func(size int) string {
		body := envelope(plainUsage)
		return body + strings.Repeat(" ", size-len(body))
	}
	if a := p.submit(padded(sandbox.MaxBytes)); a.status != 200 {
		t.Errorf("a body of %d bytes: got %d %s, want it accepted", sandbox.MaxBytes, a.status, a.body)
	}
	if a := p.submit(padded(sandbox.MaxBytes + 1)); a.status != 403 || !strings.Contains(a.body, "512,000") {
		t.Errorf("a body of %d bytes: got %d %s, want 403", sandbox.MaxBytes+1, a.status, a.body)
	}
	if got := p.Totals(); got.LargestBody != sandbox.MaxBytes || got.LargestBatch != 1 || got.LargestMeasurement != len(plainUsage) {
		t.Errorf("got largest body %d, batch %d, measurement %d", got.LargestBody, got.LargestBatch, got.LargestMeasurement)
	}

	// A client that sends a full body with a bad token gets an answer, not a
	// connection that breaks under it.
	good := p.token
	p.token = "bad"
	if a := p.submit(padded(sandbox.MaxBytes)); a.status != 403 || !strings.Contains(a.body, "unknown bearer token") {
		t.Errorf("a full body with a bad token: got %d %s", a.status, a.body)
	}
	p.token = good

	// Of a body without end, no more is read than it takes to know.
	body := new(endless)
	r, _ := http.NewRequest("POST", orgPath+"/measurements", body)
	r.Header = http.Header{"User-Agent": {"t"}, "Content-Type": {"application/json"}, "Authorization": {"Bearer " + p.token}}
	w := httptest.NewRecorder()
	p.Server.ServeHTTP(w, r)
	if w.Code != 403 || body.read > sandbox.MaxBytes+1 {
		t.Errorf("got %d after %d bytes read, want 403 after %d", w.Code, body.read, sandbox.MaxBytes+1)
	}
}

func TestThousandMeasurements(t *testing.T) {
	p := start(t, sandbox.Config{})
	p.mustSubmit(string(bytes.TrimSuffix(bytes.TrimPrefix(fullBody(1), []byte(`{"measurements":[`)), []byte(`]}`))))
	got := p.Totals()
	if got.Measurements != 1000 || got.LargestBatch != 1000 || len(got.Accounts) != 10 {
		t.Errorf("got %+v", got)
	}
	// 7 * (0 + 1 + … + 999)
	if sum := got.Sum("object_storage", "measure.requests"); sum != "3496500" {
		t.Errorf("got %s requests, want 3496500", sum)
	}
	if sum := got.Sum("object_storage", "cost.billed"); sum != "0.00004995" {
		t.Errorf("got %s billed, want 0.00004995", sum)
	}
}

func TestRequestRefusals(t *testing.T) {
	p := start(t, sandbox.Config{})
	tests := []struct {
		name    string
		change  func(*http.Request)
		status  int
		message string
	}{
		{"no user agent", func(r *http.Request) { r.Header.Set("User-Agent", "") }, 403, "User-Agent"},
		{"long query", func(r *http.Request) { r.URL.RawQuery = strings.Repeat("q", 2049) }, 403, "query string"},
		{"no token", func(r *http.Request) { r.Header.Del("Authorization") }, 403, "no bearer token"},
		{"other scheme", func(r *http.Request) { r.SetBasicAuth("a", "b") }, 403, "no bearer token"},
		{"unknown token", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x.y.z") }, 403, "unknown bearer token"},
		{"other organization", func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "5a4d", "5A4D", 1) }, 403, "no access to organization"},
		{"form", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 400, "Content-Type"},
		{"gzip", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 400, "Content-Encoding"},
		{"unknown path", func(r *http.Request) { r.URL.Path += "/x" }, 404, "no operation"},
		{"wrong method", func(r *http.Request) { r.Method = "PUT" }, 404, "no operation"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := p.request("POST", orgPath+"/measurements", envelope(plainUsage))
			tt.change(r)
			if a := p.send(r); a.status != tt.status || !strings.Contains(a.body, tt.message) {
				t.Errorf("got %d %s, want %d with %q", a.status, a.body, tt.status, tt.message)
			}
		})
	}
	if n := p.Totals().Submitted; n != 0 {
		t.Errorf("got %d measurements submitted by refused requests", n)
	}
}
