package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/m3import/m3import/sandbox"
)

func TestCombinations(t *testing.T) {
	const held, none = 1, 0
	tests := []struct {
		name  string
		rules []sandbox.Fault
		held  int64
		want  string // the end of what comes
	}{
		{"drip and cut", []sandbox.Fault{{Drip: &sandbox.Drip{Bytes: 3}}, {Cut: new(7)}}, held, "\r\n\r\n" + `{"resul`},
		{"the earliest cut", []sandbox.Fault{{Cut: new(9)}, {Cut: new(4)}, {Cut: new(6)}}, held, "\r\n\r\n" + `{"re`},
		{"status and cut", []sandbox.Fault{{Status: 503}, {Cut: new(5)}}, none, "\r\n\r\n" + `{"mes`},
		{"the first status", []sandbox.Fault{{Status: 503, Body: "A"}, {Status: 502, Body: "B"}}, none, "\r\n\r\nA"},
		{"reset before the answer", []sandbox.Fault{{At: sandbox.Committed, Reset: true}, {Status: 503}}, none, `{"message":"Service Unavailable"}`},
		{"an earlier point first", []sandbox.Fault{{At: sandbox.Committed, Status: 500}, {At: sandbox.Arrival, Status: 501, Body: "A"}}, none, "\r\n\r\nA"},
		{"answer, then a reset", []sandbox.Fault{{Status: 500, At: sandbox.Committed}, {At: sandbox.Committed, Reset: true}}, held, `{"message":"Internal Server Error"}`},
		{"reset, then answer", []sandbox.Fault{{At: sandbox.Committed, Reset: true}, {Status: 500, At: sandbox.Committed}}, held, ""},
		{"a measurement's answer, then a reset", []sandbox.Fault{{At: sandbox.Committed, Reset: true}, {Status: 400, Body: "no", When: sandbox.When{Match: &sandbox.Match{UID: "u"}}}}, none, "\r\n\r\nno"},
		{"a measurement's reset", []sandbox.Fault{{At: sandbox.Committed, Reset: true, When: sandbox.When{Match: &sandbox.Match{UID: "u"}}}}, held, ""},
		{"headers of all", []sandbox.Fault{{Headers: map[string]string{"A": "1"}}, {Headers: map[string]string{"B": "2"}, Status: 500, Body: "A: 1"}}, none, "A: 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := make([]sandbox.Fault, len(tt.rules))
			for i := range rules {
				rules[i] = submission(tt.rules[i])
			}
			p := start(t, sandbox.Config{Faults: rules})
			got, _ := p.raw(envelope(plainUsage))
			if !strings.HasSuffix(got, tt.want) || tt.want == "" && got != "" {
				t.Errorf("got %q, want it to end in %q", got, tt.want)
			}
			if held := p.Totals().Measurements; held != tt.held {
				t.Errorf("holds %d measurements, want %d", held, tt.held)
			}
		})
	}
}

// TestTwoRulesOneAnswer: what rules do to an answer shows in its headers.
func TestTwoRulesOneAnswer(t *testing.T) {
	p := start(t, sandbox.Config{Faults: []sandbox.Fault{
		{Name: "a", Headers: map[string]string{"X-A": "1"}, On: []string{"ListMeters"}},
		{Name: "b", RetryAfter: time.Minute, On: []string{"ListMeters", "ListAccounts"}},
	}})
	a := p.send(p.request("GET", orgPath+"/meters", ""))
	if h := a.header; a.status != 200 || h.Get("X-A") != "1" || h.Get("Retry-After") != "60" || h.Get(sandbox.FaultHeader) != "a, b" {
		t.Errorf("got %d %v", a.status, h)
	}
	if h := p.send(p.request("GET", orgPath+"/accounts", "")).header; h.Get("X-A") != "" || h.Get(sandbox.FaultHeader) != "b" {
		t.Errorf("got %v", h)
	}
	if h := p.send(p.request("GET", orgPath+"/events", "")).header; h.Get(sandbox.FaultHeader) != "" {
		t.Errorf("got %v", h)
	}
}

// TestLargeBodyPastRules: the limit of a body holds with rules in the way.
func TestLargeBodyPastRules(t *testing.T) {
	p := start(t, sandbox.Config{Faults: []sandbox.Fault{{Headers: map[string]string{"X": "1"}}}})
	for _, tt := range []struct{ bytes, want int }{{sandbox.MaxBytes, 200}, {sandbox.MaxBytes + 1, 403}} {
		body := envelope(plainUsage)
		body += strings.Repeat(" ", tt.bytes-len(body))
		if a := p.submit(body); a.status != tt.want || a.header.Get("X") != "1" {
			t.Errorf("%d bytes: got %d %s", tt.bytes, a.status, a.body)
		}
	}
}

// TestManyClients: counts are exact whoever comes first, while rules come and go.
func TestManyClients(t *testing.T) {
	const clients, each = 8, 50
	s := sandbox.New(sandbox.Config{Faults: []sandbox.Fault{
		submission(sandbox.Fault{Name: "some", When: sandbox.When{From: 11, Every: 3, Times: 60}, Status: 503}),
	}})
	token := tokenOf(t, s)()
	var refused atomic.Int64
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for j := range each {
				name := fmt.Sprintf("%d-%d", i, j)
				if err := s.AddFaults(submission(sandbox.Fault{Name: name, Headers: map[string]string{"X": "y"}})); err != nil {
					t.Error(err)
				}
				if direct(s, token, []byte(envelope(usage(name, "a", "1")))).Code == 503 {
					refused.Add(1)
				}
				if s.RemoveFaults(name) != 1 {
					t.Errorf("the rule %s was gone", name)
				}
			}
		})
	}
	all.Wait()
	rules := s.Faults()
	if len(rules) != 1 || rules[0].Counted != clients*each || rules[0].Struck != 60 || refused.Load() != 60 {
		t.Errorf("got %+v, and %d refused", rules, refused.Load())
	}
	if got := s.Totals().Measurements; got != clients*each-60 {
		t.Errorf("holds %d measurements", got)
	}
}

// anyFault draws a rule that lets a patient client through in the end.
func anyFault(r *rapid.T) sandbox.Fault {
	f := sandbox.Fault{
		On: rapid.SampledFrom([][]string{nil, {"SubmitMeasurements"}, {"GenerateToken"}}).Draw(r, "on"),
		At: rapid.SampledFrom([]sandbox.Point{"", sandbox.Arrival, sandbox.Read, sandbox.Committed}).Draw(r, "at"),
		When: sandbox.When{
			From:        rapid.IntRange(0, 4).Draw(r, "from"),
			Every:       rapid.IntRange(0, 3).Draw(r, "every"),
			Probability: rapid.SampledFrom([]float64{0, 0.2, 0.9}).Draw(r, "probability"),
			Times:       rapid.IntRange(1, 6).Draw(r, "times"),
		},
	}
	if f.At != sandbox.Arrival {
		f.When.Contains = rapid.SampledFrom([][]string{nil, {"storage"}, {"nowhere"}}).Draw(r, "contains")
	}
	switch rapid.IntRange(0, 8).Draw(r, "what") {
	case 0:
		f.Reset = true
	case 1:
		f.Status = rapid.SampledFrom([]int{400, 403, 408, 429, 500, 502, 503, 504}).Draw(r, "status")
	case 2:
		f.Status, f.Garbage = 200, rapid.IntRange(1, 50).Draw(r, "garbage")
	case 3:
		f.Body = "<html>hello"
	case 4:
		f.Drip, f.Cut = &sandbox.Drip{Bytes: 4}, new(rapid.IntRange(0, 30).Draw(r, "cut"))
	case 5:
		f.Status, f.Cut = 503, new(rapid.IntRange(0, 30).Draw(r, "cut"))
	case 6:
		f.Hang = true
	case 7:
		f.At = sandbox.Read
		f.Revoke = true
	case 8:
		f.TokenLife, f.Delay = time.Nanosecond, time.Microsecond
	}
	return f
}

// TestOnceWhateverHappens: a client that sends the same bytes until they are
// accepted leaves each measurement exactly once, whatever goes wrong.
func TestOnceWhateverHappens(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rules := rapid.SliceOfN(rapid.Custom(anyFault), 1, 6).Draw(r, "rules")
		s := sandbox.New(sandbox.Config{Seed: rapid.Uint64().Draw(r, "seed"), Faults: rules})
		server := httptest.NewServer(s)
		defer server.Close()
		c := &stubborn{url: server.URL, server: s}
		defer c.client.CloseIdleConnections()
		want := map[string]bool{}
		for i := range rapid.IntRange(1, 3).Draw(r, "batches") {
			var items []string
			for j := range 3 {
				items = append(items, usage(fmt.Sprintf("%d-%d", i, j), "acme", "0.1"))
				want[items[j]] = true
			}
			if err := c.deliver(envelope(items...)); err != nil {
				r.Fatal(err)
			}
		}
		for m := range s.Measurements() {
			if !want[string(m)] {
				r.Errorf("holds %s twice, or it was never sent", m)
			}
			delete(want, string(m))
		}
		if len(want) > 0 {
			r.Errorf("lost %v", want)
		}
		got := s.Totals()
		if got.Submitted != got.Measurements+got.Duplicates || got.Conflicts+got.Failed != 0 {
			r.Errorf("got %+v", got)
		}
	})
}

// stubborn is the simplest client that cannot lose a measurement. It sends on
// a connection of its own each time, so that net/http repeats nothing by itself.
type stubborn struct {
	client http.Client
	server *sandbox.Server
	url    string
	token  string
}

func (c *stubborn) deliver(body string) error {
	for range 200 {
		if status, text := c.post(orgPath+"/measurements", body); status == 200 && text == `{"result":"accepted"}` {
			return nil
		}
		if status, text := c.post("/oauth/token", `{"grant_type":"client_credentials"}`); status == 200 {
			_, rest, _ := strings.Cut(text, `"access_token":"`)
			c.token, _, _ = strings.Cut(rest, `"`)
		}
	}
	return fmt.Errorf("not delivered in 200 rounds; the rules: %+v", c.server.Faults())
}

func (c *stubborn) post(path, body string) (int, string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", c.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		panic(err)
	}
	r.Close, r.GetBody = true, nil
	r.Header.Set("Content-Type", "application/json")
	if path == "/oauth/token" {
		r.SetBasicAuth(sandbox.DefaultKey, sandbox.DefaultSecret)
	} else {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if before := c.hung(); before >= 0 {
		go func() { // loses patience when a rule has chosen to hang, not by time
			for ctx.Err() == nil && c.hung() == before {
				runtime.Gosched()
			}
			cancel()
		}()
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(text)
}

// hung is how many requests were left without an answer; -1 when there is no
// rule that does so.
func (c *stubborn) hung() int64 {
	n := int64(-1)
	for _, f := range c.server.Faults() {
		if f.Hang {
			n = max(n, 0) + f.Struck
		}
	}
	return n
}
