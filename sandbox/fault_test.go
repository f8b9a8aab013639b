package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m3import/m3import/sandbox"
)

// submission is a rule for requests that submit.
func submission(f sandbox.Fault) sandbox.Fault {
	f.On = []string{"SubmitMeasurements"}
	return f
}

// raw sends a submission on a connection of its own and returns all that comes
// back, and how the connection ended.
func (p *platform) raw(body string) (string, error) {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	r := p.request("POST", orgPath+"/measurements", body)
	r.Close = true
	if err := r.Write(conn); err != nil {
		return "", err
	}
	text, err := io.ReadAll(conn)
	return string(text), err
}

func TestFaults(t *testing.T) {
	const commits, keeps = 1, 0
	tests := []struct {
		name  string
		fault sandbox.Fault
		held  int64  // measurements, after one request
		reset bool   // the connection
		want  string // in the answer
	}{
		{"status", sandbox.Fault{Status: 503}, keeps, false, "503 Service Unavailable\r\n"},
		{"body", sandbox.Fault{Status: 502, Body: "<html>oh no"}, keeps, false, "Content-Type: text/html; charset=utf-8\r\n"},
		{"message", sandbox.Fault{Status: 500, Message: `say "no"`}, keeps, false, `{"message":"say \"no\""}`},
		{"retry after", sandbox.Fault{Status: 429, RetryAfter: 2 * time.Second}, keeps, false, "Retry-After: 2\r\n"},
		{"headers", sandbox.Fault{Status: 429, Headers: map[string]string{"Retry-After": "soon"}}, keeps, false, "Retry-After: soon\r\n"},
		{"headers of the platform", sandbox.Fault{Headers: map[string]string{"X-Odd": "1"}}, commits, false, "X-Odd: 1\r\n"},
		{"200 with words", sandbox.Fault{Body: "gateway says hello"}, keeps, false, "gateway says hello"},
		{"no content", sandbox.Fault{Status: 204}, keeps, false, "204 No Content\r\n"},
		{"committed, then 504", sandbox.Fault{At: sandbox.Committed, Status: 504}, commits, false, "504 Gateway Timeout\r\n"},
		{"committed, then garbage", sandbox.Fault{At: sandbox.Committed, Garbage: 20}, commits, false, "Content-Length: 20\r\n"},
		{"reset on arrival", sandbox.Fault{At: sandbox.Arrival, Reset: true}, keeps, true, ""},
		{"reset when read", sandbox.Fault{Reset: true}, keeps, true, ""},
		{"reset when committed", sandbox.Fault{At: sandbox.Committed, Reset: true}, commits, true, ""},
		{"delay", sandbox.Fault{Delay: time.Millisecond}, commits, false, "accepted"},
		{"drip", sandbox.Fault{Drip: &sandbox.Drip{Bytes: 5, Every: time.Microsecond}}, commits, false, `{"result":"accepted"}`},
		{"cut", sandbox.Fault{Cut: new(8)}, commits, false, "\r\n\r\n" + `{"result`},
		{"cut at once", sandbox.Fault{Cut: new(0)}, commits, false, "\r\n\r\n"},
		{"cut never lets all through", sandbox.Fault{Cut: new(1000)}, commits, false, "\r\n\r\n" + `{"result":"accepted"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := start(t, sandbox.Config{Faults: []sandbox.Fault{submission(tt.fault)}})
			got, err := p.raw(envelope(usage("1", "a", "1")))
			if tt.reset != errors.Is(err, syscall.ECONNRESET) || !tt.reset && err != nil {
				t.Errorf("got error %v, want a reset: %v", err, tt.reset)
			}
			if !strings.Contains(got, tt.want) || tt.fault.Cut != nil && !strings.HasSuffix(got, tt.want) {
				t.Errorf("got %q, want %q in it", got, tt.want)
			}
			if tt.reset && got != "" {
				t.Errorf("got %q, want nothing", got)
			}
			if held := p.Totals().Measurements; held != tt.held {
				t.Errorf("holds %d measurements, want %d", held, tt.held)
			}
		})
	}
}

func TestFaultPages(t *testing.T) {
	p := start(t, sandbox.Config{})
	a := p.send(p.request("POST", "/_sandbox/faults", `{"faults":[{"on":["SubmitMeasurements"],"when":{"from":2,"to":2},"status":503,"delay":"1ms"},{"name":"x","status":500,"when":{"for":"1h"}}]}`))
	if a.status != 200 || !strings.Contains(a.body, `"delay":"1ms"`) {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if a := p.send(p.request("DELETE", "/_sandbox/faults/x", "")); a.status != http.StatusNoContent {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for i, want := range []int{200, 503, 200} {
		if a := p.submit(envelope(plainUsage)); a.status != want {
			t.Errorf("request %d: got %d, want %d", i+1, a.status, want)
		}
	}
	if got := p.Faults(); len(got) != 1 || got[0].Name != "fault-1" || got[0].Counted != 3 || got[0].Struck != 1 {
		t.Errorf("got %+v", got)
	}
	if a := p.send(p.request("DELETE", "/_sandbox/faults", "")); a.status != http.StatusNoContent || len(p.Faults()) != 0 {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// TestRulesAreCopies: what a caller does with its data later changes no rule.
func TestRulesAreCopies(t *testing.T) {
	given := sandbox.Fault{
		On: []string{"GetMeter"}, When: sandbox.When{Contains: []string{"a"}}, Headers: map[string]string{"A": "1"},
		Drip: &sandbox.Drip{Bytes: 1}, Cut: new(1),
	}
	s := sandbox.New(sandbox.Config{Faults: []sandbox.Fault{given}})
	spoil := func(f sandbox.Fault) {
		f.On[0], f.When.Contains[0], f.Headers["A"], f.Drip.Bytes, *f.Cut = "", "", "", 0, 0
	}
	spoil(given)
	spoil(s.Faults()[0].Fault)
	if f := s.Faults()[0]; f.On[0] != "GetMeter" || f.When.Contains[0] != "a" || f.Headers["A"] != "1" || f.Drip.Bytes != 1 || *f.Cut != 1 {
		t.Errorf("got %+v", f)
	}
}

func TestFaultPagesRefuse(t *testing.T) {
	p := start(t, sandbox.Config{Faults: []sandbox.Fault{{Name: "there", Status: 503, On: []string{"GetMeter"}}}})
	post := func(media, body string) answer {
		r := p.request("POST", "/_sandbox/faults", body)
		r.Header.Set("Content-Type", media)
		return p.send(r)
	}
	for body, want := range map[string]string{
		``:                              `faults: is required`,
		`{}`:                            `faults: is required`,
		`[{"status":503}]`:              `must be names with values`,
		`{"faults":[{"status":1}]}`:     `faults[0]: status: must be from 200 to 599`,
		`{"faults":[{"statsu":503}]}`:   `line 1: faults[0].statsu: is not known here`,
		`{"seed":1,"faults":[]}`:        `line 1: seed: is not known here`,
		`{"faults":[{"delay":"soon"}]}`: `line 1: faults[0].delay: \"soon\" is not a duration such as \"90s\", \"1h30m\" or \"24h\"`,
		`{"faults":[{"status":500},{"name":"there","status":503}]}`: `faults[1] (there): name: a rule \"there\" is there already; take it away first`,
	} {
		if a := post("application/json", body); a.status != 400 || a.body != `{"message":"`+want+`"}` {
			t.Errorf("%s: got %d %s\nwant %s", body, a.status, a.body, want)
		}
	}
	if a := p.send(p.request("DELETE", "/_sandbox/faults/none", "")); a.status != 404 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if got := p.Faults(); len(got) != 1 {
		t.Errorf("got %+v", got)
	}
	if a := post("application/yaml", "faults:\n- {name: more, status: 503, on: [GetMeter]}"); a.status != 200 || len(p.Faults()) != 2 {
		t.Errorf("YAML: got %d %s", a.status, a.body)
	}
	// What is answered can be sent again.
	list := p.send(p.request("GET", "/_sandbox/faults", ""))
	again := regexp.MustCompile(`,"(added|counted|struck)":("[^"]*"|\d+)`).ReplaceAllString(list.body, "")
	p.RemoveFaults()
	if a := post("application/json", again); a.status != 200 || len(p.Faults()) != 2 {
		t.Errorf("%s: got %d %s", again, a.status, a.body)
	}
}

func TestHang(t *testing.T) {
	for _, at := range []sandbox.Point{sandbox.Arrival, sandbox.Read, sandbox.Committed} {
		p := start(t, sandbox.Config{Faults: []sandbox.Fault{submission(sandbox.Fault{Name: "h", At: at, Hang: true})}})
		ctx, leave := context.WithCancel(t.Context())
		r := p.request("POST", orgPath+"/measurements", envelope(plainUsage)).WithContext(ctx)
		done := make(chan error, 1)
		go func() {
			_, err := http.DefaultClient.Do(r)
			done <- err
		}()
		want := int64(0)
		if at == sandbox.Committed {
			want = 1
		}
		for p.Faults()[0].Struck == 0 || p.Totals().Measurements < want {
			runtime.Gosched()
		}
		select {
		case err := <-done:
			t.Errorf("%s: got %v, want nothing while the client stays", at, err)
		default:
		}
		if at == sandbox.Read {
			p.RemoveFaults("h") // lets it go, with a broken connection
		} else {
			leave()
		}
		if err := <-done; err == nil {
			t.Errorf("%s: got an answer", at)
		}
		if got := p.Totals().Measurements; got != want {
			t.Errorf("%s: holds %d measurements, want %d", at, got, want)
		}
		leave()
	}
}

// TestStopWhileHanging: a server that is told to stop lets go what it holds.
func TestStopWhileHanging(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	l, err := sandbox.Listen(ctx, ":0")
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.New(sandbox.Config{Faults: []sandbox.Fault{{Hang: true}}})
	done := make(chan error, 2)
	go func() { done <- s.Serve(ctx, l) }()
	go func() {
		_, err := http.Get("http://" + l.Addr().String() + "/")
		if err == nil {
			err = errors.New("an answer came")
		} else {
			err = nil
		}
		done <- err
	}()
	for s.Faults()[0].Struck == 0 {
		runtime.Gosched()
	}
	stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestDelay lets time pass in a bubble: none of ours.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Config{ClockRate: 1000, Faults: []sandbox.Fault{
			submission(sandbox.Fault{Delay: 2 * time.Second}),
			submission(sandbox.Fault{Delay: 3 * time.Second, At: sandbox.Committed}),
			submission(sandbox.Fault{Drip: &sandbox.Drip{Bytes: 5, Every: time.Second}}),
			submission(sandbox.Fault{Drip: &sandbox.Drip{Every: time.Hour}}), // the first has it
		}})
		token, began := tokenOf(t, s)(), time.Now()
		if w := direct(s, token, []byte(envelope(plainUsage))); w.Body.String() != `{"result":"accepted"}` {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		// The answer's 21 bytes are 5 pieces, with 4 seconds between them.
		if took := time.Since(began); took != 9*time.Second {
			t.Errorf("took %v of the client's time, want 9s whatever the sandbox's clock does", took)
		}
	})
}

// strikes submits n times and says which requests a rule chose.
func strikes(t *testing.T, s *sandbox.Server, n int) string {
	t.Helper()
	token, seen := tokenOf(t, s)(), []byte{}
	for range n {
		code := direct(s, token, []byte(envelope(plainUsage))).Code
		seen = append(seen, map[int]byte{200: '.', 503: 'x'}[code])
	}
	return string(seen)
}

func TestWhen(t *testing.T) {
	tests := []struct {
		when sandbox.When
		want string
	}{
		{sandbox.When{}, "xxxxxxxxxx"},
		{sandbox.When{From: 3}, "..xxxxxxxx"},
		{sandbox.When{To: 2}, "xx........"},
		{sandbox.When{From: 3, To: 4}, "..xx......"},
		{sandbox.When{Every: 3}, "x..x..x..x"},
		{sandbox.When{From: 2, Every: 4, To: 9}, ".x...x...."},
		{sandbox.When{Times: 2}, "xx........"},
		{sandbox.When{From: 2, Every: 3, Times: 2}, ".x..x....."},
		{sandbox.When{Contains: []string{"nothing like it"}}, ".........."},
		{sandbox.When{Contains: []string{"no", `"METER"`}, Every: 2}, "x.x.x.x.x."},
		{sandbox.When{Match: &sandbox.Match{Account: "a", Meter: "m", UID: "u", Text: `"x":1`}, From: 9}, "........xx"},
		{sandbox.When{Match: &sandbox.Match{Account: "a", Meter: "n"}}, ".........."},
		{sandbox.When{Match: &sandbox.Match{Account: "a"}, Contains: []string{"no"}}, ".........."},
		{sandbox.When{Probability: 1}, "xxxxxxxxxx"},
	}
	for _, tt := range tests {
		s := sandbox.New(sandbox.Config{Faults: []sandbox.Fault{submission(sandbox.Fault{When: tt.when, Status: 503})}})
		if got := strikes(t, s, 10); got != tt.want {
			t.Errorf("%+v: got %s, want %s", tt.when, got, tt.want)
		}
		s.Reset()
		if got := strikes(t, s, 10); got != tt.want {
			t.Errorf("%+v: after a reset got %s, want %s", tt.when, got, tt.want)
		}
	}
}

func TestChance(t *testing.T) {
	with := func(seed uint64, more ...sandbox.Fault) *sandbox.Server {
		rule := submission(sandbox.Fault{Name: "chance", When: sandbox.When{Probability: 0.3}, Status: 503})
		return sandbox.New(sandbox.Config{Seed: seed, Faults: append(more, rule)})
	}
	const n = 1000
	one := strikes(t, with(1), n)
	if again := strikes(t, with(1), n); again != one {
		t.Error("the same seed chooses other requests")
	}
	other := submission(sandbox.Fault{Name: "other", When: sandbox.When{Probability: 0.5}, Headers: map[string]string{"X": "y"}})
	if beside := strikes(t, with(1, other), n); beside != one {
		t.Error("another rule changes what this one chooses")
	}
	renamed := with(1)
	renamed.RemoveFaults()
	if err := renamed.AddFaults(submission(sandbox.Fault{Name: "luck", When: sandbox.When{Probability: 0.3}, Status: 503})); err != nil {
		t.Fatal(err)
	}
	if strikes(t, renamed, n) == one {
		t.Error("rules of two names choose the same requests")
	}
	if two := strikes(t, with(2), n); two == one {
		t.Error("another seed chooses the same requests")
	}
	// The standard deviation is 14.5.
	if hits := strings.Count(one, "x"); hits < 300-60 || hits > 300+60 {
		t.Errorf("%d of %d requests at a chance of 0.3", hits, n)
	}
}

func TestGarbageBySeed(t *testing.T) {
	answers := map[string]bool{}
	for _, seed := range []uint64{1, 1, 2} {
		s := sandbox.New(sandbox.Config{Seed: seed, Faults: []sandbox.Fault{{Garbage: 100}}})
		w := direct(s, "", nil)
		if w.Code != 200 || w.Body.Len() != 100 {
			t.Fatalf("got %d and %d bytes", w.Code, w.Body.Len())
		}
		answers[w.Body.String()] = true
	}
	if len(answers) != 2 {
		t.Errorf("got %d different answers of seeds 1, 1 and 2", len(answers))
	}
}

func TestWindowsOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Config{ClockRate: 60, Faults: []sandbox.Fault{
			submission(sandbox.Fault{Name: "outage", When: sandbox.When{After: 10 * time.Minute, For: time.Hour}, Status: 503}),
		}})
		token := tokenOf(t, s)()
		each := func(want int) {
			t.Helper()
			if got := direct(s, token, []byte(envelope(plainUsage))).Code; got != want {
				t.Errorf("after %v: got %d, want %d", s.Now().Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), got, want)
			}
		}
		each(200)
		time.Sleep(9999 * time.Millisecond) // an hour of the outage is a minute here
		each(200)
		time.Sleep(time.Millisecond)
		each(503)
		time.Sleep(59 * time.Second)
		each(503)
		time.Sleep(time.Second)
		each(200)

		// Added now, it counts from now; or else from the start, long ago.
		added := submission(sandbox.Fault{Name: "added", When: sandbox.When{For: time.Minute}, Status: 503})
		added.When.SinceStart = true
		if err := s.AddFaults(added); err != nil {
			t.Fatal(err)
		}
		each(200)
		added.Name, added.When.SinceStart = "again", false
		if err := s.AddFaults(added); err != nil {
			t.Fatal(err)
		}
		each(503)
		s.Advance(time.Minute)
		each(200)
	})
}

func TestFirewall(t *testing.T) {
	p := start(t, sandbox.Config{Faults: []sandbox.Fault{sandbox.Firewall(8 << 10)}})
	// body has text end at byte end.
	body := func(text string, end int) string {
		const head = `{"measurements":[{"meter":"m","account":"a","ts":"2024-05-01T00:00:00Z","other":{"x":"`
		return head + strings.Repeat("-", end-len(head)-len(text)) + text + `"}}]}`
	}
	for _, text := range sandbox.FirewallTexts() {
		for _, text := range []string{text, strings.ToUpper(text), strings.ToLower(text)} {
			if a := p.submit(body(text, 8<<10)); a.status != 403 || a.body != `{"message":"Forbidden"}` {
				t.Errorf("%s: got %d %s", text, a.status, a.body)
			}
			if a := p.submit(body(text, 8<<10+1)); a.status != 200 {
				t.Errorf("%s past what is inspected: got %d %s", text, a.status, a.body)
			}
		}
	}
	if a := p.submit(body(`\u003cscript>`, 100)); a.status != 200 {
		t.Errorf("escaped: got %d %s", a.status, a.body)
	}
	if a := p.send(p.request("POST", orgPath+"/accounts", `{"name":"<script>","code":"x","emailAddress":"a@b.example"}`)); a.status != 200 {
		t.Errorf("another operation: got %d %s", a.status, a.body)
	}
}

func TestRefusedMeasurement(t *testing.T) {
	p := start(t, sandbox.Config{Faults: []sandbox.Fault{{
		When:   sandbox.When{Match: &sandbox.Match{Account: "closed"}},
		Status: 400, Message: `measurements[{item}] ("{uid}"): the account is closed`,
	}}})
	bad := envelope(usage("1", "a", "1"), usage("2", "b", "1"), usage("3", "closed", "1"))
	if a := p.submit(bad); a.status != 400 || a.body != `{"message":"measurements[2] (\"3\"): the account is closed"}` {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if n := p.Totals().Submitted; n != 0 {
		t.Errorf("%d of the request were taken", n)
	}
	p.mustSubmit(usage("1", "a", "1"), usage("2", "closely", "1"))
	if err := p.AddFaults(sandbox.Fault{When: sandbox.When{Match: &sandbox.Match{Account: "a"}}, Status: 400, Message: "{item}"}); err != nil {
		t.Fatal(err)
	}
	if a := p.submit(bad); !strings.Contains(a.body, "measurements[2]") {
		t.Errorf("the second rule has a say in the words of the first: %s", a.body)
	}
	// What the platform itself refuses does not come as far.
	r := p.request("POST", orgPath+"/measurements", bad)
	r.Header.Set("Authorization", "Bearer other")
	if a := p.send(r); a.status != 403 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if got := p.Faults()[0]; got.Counted != 2 || got.Struck != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestTokensThatEnd(t *testing.T) {
	p := start(t, sandbox.Config{})
	if err := p.AddFaults(
		sandbox.Fault{Name: "early", On: []string{"GenerateToken"}, When: sandbox.When{Times: 1}, TokenLife: time.Minute},
		submission(sandbox.Fault{Name: "revoked", When: sandbox.When{From: 3, To: 3}, Revoke: true}),
	); err != nil {
		t.Fatal(err)
	}
	r := p.request("POST", "/oauth/token", `{"grant_type":"client_credentials"}`)
	r.SetBasicAuth(p.key, p.secret)
	var token struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	p.decode(p.send(r), &token)
	if token.ExpiresIn != 18000 {
		t.Errorf("the answer says %d seconds, want 18000", token.ExpiresIn)
	}
	good := p.token
	p.token = token.AccessToken
	p.mustSubmit(plainUsage)
	p.Advance(time.Minute)
	if a := p.submit(envelope(plainUsage)); a.status != 403 || !strings.Contains(a.body, "expired") {
		t.Errorf("after a minute: got %d %s", a.status, a.body)
	}
	p.token = good
	if a := p.submit(envelope(plainUsage)); a.status != 403 || !strings.Contains(a.body, "unknown bearer token") {
		t.Errorf("revoked: got %d %s", a.status, a.body)
	}
	p.token = p.newToken()
	p.mustSubmit(plainUsage)
}
