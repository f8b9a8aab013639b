package sandbox_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/m3import/m3import/sandbox"
)

// TestRollingWindow compares a limit with its definition: a request is let in
// when fewer than the limit were let in during the time before it.
func TestRollingWindow(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		limit := sandbox.Limit{Requests: rapid.IntRange(1, 5).Draw(r, "requests"), Per: 10 * time.Second}
		now := time.Unix(1e9, 0)
		s := sandbox.New(sandbox.Config{PerAddress: limit, Now: func() time.Time { return now }})
		var admitted []time.Time
		for i, wait := range rapid.SliceOfN(rapid.IntRange(0, 6), 1, 50).Draw(r, "seconds between") {
			now = now.Add(time.Duration(wait) * time.Second)
			within := 0
			for _, earlier := range admitted {
				if now.Sub(earlier) < limit.Per {
					within++
				}
			}
			got := direct(s, "no token", nil).Code != 429 // the address is looked at before the token
			if want := within < limit.Requests; got != want {
				r.Fatalf("request %d: let in %v, want %v; %d in the window of %v", i, got, want, within, limit)
			}
			if got {
				admitted = append(admitted, now)
			}
		}
	})
}

func TestDocumentedLimits(t *testing.T) {
	perAddress, perOrganization := sandbox.DocumentedLimits()
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Config{PerAddress: perAddress, PerOrganization: perOrganization})
		token := tokenOf(t, s)()
		counts, sent := map[int]int{}, 0
		for second := range 300 {
			burst := 51
			if second >= 100 { // locked out by then
				burst = 1
			}
			for range burst {
				sent++
				r := httptest.NewRequest("POST", orgPath+"/measurements", strings.NewReader(envelope(plainUsage)))
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("User-Agent", "test")
				r.Header.Set("Authorization", "Bearer "+token)
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				counts[w.Code]++
				if second == 0 && counts[200] == 50 && w.Code == 429 && !strings.Contains(w.Body.String(), "50 in 1s from one organization") {
					t.Errorf("got %s", w.Body)
				}
			}
			time.Sleep(time.Second) // of the bubble: no time passes
		}
		// 51 a second use up the 5,000 of the address in 98 seconds and two
		// requests; of each 51 the organization is refused one.
		if counts[200] != 98*50+2 || counts[429] != sent-counts[200] {
			t.Errorf("got %v", counts)
		}
		if w := direct(s, token, []byte(envelope(plainUsage))); w.Code != 200 {
			t.Errorf("5 minutes after the first request: got %d %s", w.Code, w.Body)
		}
	})
}

// TestClockPutBack: requests that now lie in the future must not lock out.
func TestClockPutBack(t *testing.T) {
	s := sandbox.New(sandbox.Config{PerAddress: sandbox.Limit{Requests: 1, Per: time.Minute}})
	for _, back := range []time.Duration{0, 24 * time.Hour} {
		s.Advance(-back)
		if w := direct(s, "no token", nil); w.Code == 429 {
			t.Errorf("%v back: got 429", back)
		}
	}
	if w := direct(s, "no token", nil); w.Code != 429 {
		t.Errorf("got %d, want 429", w.Code)
	}
}
