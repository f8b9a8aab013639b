package sandbox_test

import (
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/m3import/m3import/sandbox"
)

func TestClockRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		s := sandbox.New(sandbox.Config{ClockStart: began, ClockRate: 60})
		at := func(want time.Duration) {
			t.Helper()
			if got := s.Now().Sub(began); got != want {
				t.Errorf("the clock is at %v, want %v", got, want)
			}
		}
		at(0)
		time.Sleep(time.Minute)
		at(time.Hour)
		if err := s.SetClockRate(0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		at(time.Hour)
		s.Advance(time.Hour)
		at(2 * time.Hour)
		s.SetClockRate(0.5)
		time.Sleep(time.Hour)
		at(150 * time.Minute)
		s.SetClock(began)
		time.Sleep(2 * time.Minute)
		at(time.Minute)
		s.SetClockRate(sandbox.MaxClockRate)
		time.Sleep(35 * time.Second)
		at(sandbox.UIDWindow + time.Minute)
	})
}

func TestClockRateErrors(t *testing.T) {
	s := sandbox.New(sandbox.Config{ClockRate: 1e-9})
	for _, rate := range []float64{-1, sandbox.MaxClockRate + 1, math.Inf(1), math.NaN()} {
		if err := s.SetClockRate(rate); err == nil {
			t.Errorf("a rate of %g was taken", rate)
		}
	}
}

// TestClockGoesOn: it never goes back by itself, and what it shows does not
// jump when its rate changes.
func TestClockGoesOn(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		base := time.Unix(1e9, 0)
		s := sandbox.New(sandbox.Config{Now: func() time.Time { return base }})
		last := s.Now()
		for range rapid.IntRange(1, 30).Draw(r, "steps") {
			if rapid.Bool().Draw(r, "rate") {
				if err := s.SetClockRate(rapid.Float64Range(0, sandbox.MaxClockRate).Draw(r, "to")); err != nil {
					r.Fatal(err)
				}
				if now := s.Now(); !now.Equal(last) {
					r.Fatalf("a change of the rate took %v", now.Sub(last))
				}
			}
			base = base.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)*24*365).Draw(r, "passes")))
			now := s.Now()
			if now.Before(last) {
				r.Fatalf("went back from %v to %v", last, now)
			}
			last = now
		}
	})
}

func TestClockPageRate(t *testing.T) {
	p := start(t, sandbox.Config{})
	if a := p.send(p.request("POST", "/_sandbox/clock", `{"now":"2030-01-01T00:00:00Z","rate":0}`)); a.status != 200 || a.body != `{"now":"2030-01-01T00:00:00Z","rate":0}` {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := p.send(p.request("POST", "/_sandbox/clock", `{"advance":"-1h"}`)); a.body != `{"now":"2029-12-31T23:00:00Z","rate":0}` {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := p.send(p.request("POST", "/_sandbox/clock", `{"rate":60,"advance":"1h"}`)); a.status != 200 || p.Now().Year() != 2030 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for _, body := range []string{`{"rate":-1}`, `{"rate":1e9}`, `{"rate":"60"}`, `{"rate":-1,"advance":"1h"}`} {
		if a := p.send(p.request("POST", "/_sandbox/clock", body)); a.status != 400 {
			t.Errorf("%s: got %d %s, want 400", body, a.status, a.body)
		}
	}
	if now := p.Now(); now.Year() != 2030 || now.Hour() > 1 {
		t.Errorf("a request that was refused has set the clock to %v", now)
	}
}

// TestLimitsOnAFastClock: the limits go by the sandbox's clock, what they say
// about it by the client's.
func TestLimitsOnAFastClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Config{
			ClockRate: 10, RetryAfter: true,
			PerAddress: sandbox.Limit{Requests: 2, Per: 5 * time.Minute},
		})
		token := tokenOf(t, s)()
		send := func() *httptest.ResponseRecorder { return direct(s, token, []byte(envelope(plainUsage))) }
		send()
		time.Sleep(100 * time.Millisecond)
		send()
		w := send()
		if got := w.Header().Get("Retry-After"); w.Code != 429 || got != "30" {
			t.Errorf("got %d, Retry-After %q; want 30, which is 29.9 rounded up", w.Code, got)
		}
		time.Sleep(29_899 * time.Millisecond)
		if w := send(); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("a millisecond too early: got %d", w.Code)
		}
		time.Sleep(time.Millisecond)
		if w := send(); w.Code != 200 {
			t.Errorf("on time: got %d", w.Code)
		}
	})
}

// TestWhatCountsForALimit follows docs/sandbox.md.
func TestWhatCountsForALimit(t *testing.T) {
	perOrganization := sandbox.Limit{Requests: 1, Per: time.Hour}
	perAddress := sandbox.Limit{Requests: 2, Per: time.Hour}
	refused := []sandbox.Fault{submission(sandbox.Fault{When: sandbox.When{To: 1}, Status: 503})}
	early := []sandbox.Fault{submission(sandbox.Fault{When: sandbox.When{To: 1}, Status: 503, At: sandbox.Arrival})}
	tests := []struct {
		name   string
		config sandbox.Config
		token  string // of the first request; "" is a good one
		want   []int
	}{
		{"bad token, address", sandbox.Config{PerAddress: perAddress}, "x", []int{403, 200, 429}},
		{"bad token, organization", sandbox.Config{PerOrganization: perOrganization}, "x", []int{403, 200, 429}},
		{"fault, address", sandbox.Config{PerAddress: perAddress, Faults: refused}, "", []int{503, 200, 429}},
		{"fault, organization", sandbox.Config{PerOrganization: perOrganization, Faults: refused}, "", []int{503, 200, 429}},
		{"fault on arrival, address", sandbox.Config{PerAddress: perAddress, Faults: early}, "", []int{503, 200, 200, 429}},
		{"refused by the address", sandbox.Config{PerAddress: perAddress, PerOrganization: sandbox.Limit{Requests: 3, Per: time.Hour}}, "", []int{200, 200, 429, 429}},
	}
	for _, tt := range tests {
		s := sandbox.New(tt.config)
		good := tokenOf(t, s)()
		for i, want := range tt.want {
			token := good
			if i == 0 && tt.token != "" {
				token = tt.token
			}
			if got := direct(s, token, []byte(envelope(plainUsage))).Code; got != want {
				t.Errorf("%s: request %d: got %d, want %d", tt.name, i+1, got, want)
			}
		}
	}
}

func TestLimitsPage(t *testing.T) {
	p := start(t, sandbox.Config{})
	post := func(body string) answer { return p.send(p.request("POST", "/_sandbox/limits", body)) }
	p.mustSubmit(plainUsage)
	if a := post(`{"per_address":{"requests":2,"per":"1h"}}`); a.status != 200 || a.body != `{"per_address":{"requests":2,"per":"1h0m0s"},"per_organization":{"requests":0,"per":"0s"}}` {
		t.Errorf("got %d %s", a.status, a.body)
	}
	status := func(want int) {
		t.Helper()
		if a := p.submit(envelope(plainUsage)); a.status != want {
			t.Errorf("got %d %s, want %d", a.status, a.body, want)
		}
	}
	status(200) // the first request was under no limit, and is not remembered
	status(200)
	status(429)
	post(`{"per_address":{"requests":3,"per":"1h"}}`)
	status(200)
	status(429)
	post(`{"per_address":{"requests":1,"per":"1h"},"per_organization":{"requests":1,"per":"1s"}}`)
	status(429)
	p.Advance(time.Hour)
	status(200)
	status(429)
	post(`{"per_address":{}}`)
	if a := p.submit(envelope(plainUsage)); a.status != 429 || !strings.Contains(a.body, "one organization") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for _, body := range []string{``, `{}`, `{"per_address":{"requests":1}}`, `{"per_address":{"requests":-1,"per":"1s"}}`, `{"per_host":{}}`} {
		if a := post(body); a.status != 400 {
			t.Errorf("%s: got %d %s, want 400", body, a.status, a.body)
		}
	}
	if got := p.Limits(); got.PerAddress != (sandbox.Limit{}) || got.PerOrganization.Requests != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestWindowAfterAChange compares limits that change with their definition:
// what was let in under a limit counts on, as far as it was remembered.
func TestWindowAfterAChange(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		now := time.Unix(1e9, 0)
		const per = 10 * time.Second
		limit := sandbox.Limit{Requests: rapid.IntRange(1, 5).Draw(r, "requests"), Per: per}
		s := sandbox.New(sandbox.Config{PerAddress: limit, Now: func() time.Time { return now }})
		var admitted []time.Time
		for i := range rapid.IntRange(1, 60).Draw(r, "requests sent") {
			if rapid.IntRange(0, 9).Draw(r, "change") == 0 {
				limit.Requests = rapid.IntRange(1, 5).Draw(r, "requests")
				if err := s.SetLimits(sandbox.Limits{PerAddress: limit}); err != nil {
					r.Fatal(err)
				}
				admitted = admitted[max(0, len(admitted)-limit.Requests):]
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 4).Draw(r, "seconds")) * time.Second)
			within := 0
			for _, earlier := range admitted {
				if now.Sub(earlier) < per {
					within++
				}
			}
			got := direct(s, "no token", nil).Code != 429
			if want := within < limit.Requests; got != want {
				r.Fatalf("request %d: let in %v, want %v", i, got, want)
			}
			if got {
				admitted = append(admitted, now)
			}
		}
	})
}
