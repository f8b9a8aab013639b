package uploader

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Nothing is refused when it is we who are not wanted, and it takes a handful
// of requests to find out.
func TestForbiddenForUs(t *testing.T) {
	forbidden := status(403, "Forbidden")
	for _, test := range []struct {
		name     string
		n        int
		before   int // batches that were taken first
		given    bool
		answer   answer
		requests int
		code     int
		hint     string
	}{
		{"no permission from the start", 1000, 0, false, forbidden, 5, 403, "permission"},
		{"no permission, two rows", 2, 0, false, forbidden, 4, 403, "permission"},
		{"no permission, one row", 1, 0, false, forbidden, 2, 403, "permission"},
		{"a given token from the start", 1000, 0, true, forbidden, 4, 403, envToken},
		{"permission taken away", 1000, 3, false, forbidden, 7, 403, "permission"},
		{"permission taken away, one row left", 1, 3, false, forbidden, 4, 403, "permission"},
		{"a given token has ended", 1000, 3, true, forbidden, 5, 403, envToken},
		{"a given token has ended, 401", 1000, 3, true, status(401, "no"), 1, 401, envToken},
		{"key taken away, 401", 1000, 3, false, status(401, "no"), 2, 401, "token"},
		{"another organization", 1000, 0, false, status(404, "no"), 1, 404, envOrgID},
		{"a gateway of another type", 1000, 0, false, status(415, "no"), 4, 415, envIngestURL},
		{"a proxy that takes nothing", 1000, 0, false, status(413, "no"), 20, 413, "proxy"},
	} {
		p := newBooks()
		cred := Credentials{Key: "k", Secret: "s"}
		if test.given {
			cred = Credentials{Token: "given"}
		}
		c, err := newClient(Config{OrgID: "org", Rate: []Window{}}, cred, p)
		if err != nil {
			t.Fatal(err)
		}
		for range test.before {
			mustSubmit(t, c, batchOf(`{"uid":"before"}`))
		}
		p.requests = 0
		p.rule = func(int, sent, []string) answer { return test.answer }
		refusals, err := c.Submit(t.Context(), numbered(test.n))
		e, ok := errors.AsType[*Error](err)
		if !ok || refusals != nil || e.Kind != Fatal || e.Status != test.code || !strings.Contains(e.Hint, test.hint) {
			t.Errorf("%s: refused %v, %#v, hint %q", test.name, refusals, err, e.Hint)
		}
		if p.requests > test.requests {
			t.Errorf("%s: %d requests, want at most %d", test.name, p.requests, test.requests)
		}
	}
}

// A 403 for one measurement alone is a refusal when the platform takes others.
func TestForbiddenAlone(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5} {
		p := newBooks()
		c := p.client(t, nil)
		mustSubmit(t, c, batchOf(`{"uid":"before"}`, `{"uid":"another"}`))
		var all []int
		for i := range n {
			all = append(all, i)
		}
		bad := guilty(403, all...)
		p.rule = func(_ int, _ sent, items []string) answer { return bad(items) }
		p.requests = 0
		refusals, err := c.Submit(t.Context(), numbered(n))
		if wrong := p.check(n, 403, all, refusals, err); wrong != "" {
			t.Errorf("all of %d: %s", n, wrong)
		}
		if p.requests > 2*n-1+3 || p.taken[`{"uid":"before"}`] < 2 || p.taken[`{"uid":"another"}`] != 1 {
			t.Errorf("all of %d: %d requests, taken %v", n, p.requests, p.taken)
		}
	}
}

// Credentials end at any request of a delivery: what is refused is only what
// is guilty, and what is not is delivered, or it stops.
func TestCredentialsEndInsideDelivery(t *testing.T) {
	const n = 40
	for name, end := range map[string]struct {
		given   bool
		forGood bool // the new tokens are not taken either
		code    int
	}{
		"token revoked":                     {code: 403},
		"token revoked, 401":                {code: 401},
		"permission taken away":             {code: 403, forGood: true},
		"permission taken away, 401":        {code: 401, forGood: true},
		"given token has ended":             {code: 403, forGood: true, given: true},
		"given token has ended, with a 401": {code: 401, forGood: true, given: true},
	} {
		for _, numbers := range [][]int{{0}, {17}, {n - 1}, {3, 4}, {0, n - 1}, {5, 15, 25, 35}} {
			for _, code := range []int{400, 403} {
				for _, known := range []bool{false, true} {
					over := false
					for at := 0; !over && at < 200; at++ {
						p := newBooks()
						cred := Credentials{Key: "k", Secret: "s"}
						if end.given {
							cred = Credentials{Token: "given"}
						}
						c, err := newClient(Config{OrgID: "org", Rate: []Window{}}, cred, p)
						if err != nil {
							t.Fatal(err)
						}
						if known {
							mustSubmit(t, c, batchOf(`{"uid":"before"}`))
						}
						p.requests = 0
						bad := guilty(code, numbers...)
						dead := map[string]bool{}
						p.rule = func(i int, s sent, items []string) answer {
							if i == at {
								dead[s.token] = true
							}
							if dead[s.token] || end.forGood && i >= at {
								return status(end.code, "you have no right")
							}
							return bad(items)
						}
						refusals, err := c.Submit(t.Context(), numbered(n))
						over = p.requests <= at
						after := p.requests - at
						at := fmt.Sprintf("%s, %v of %d refused with %d, known %v, at request %d", name, numbers, n, code, known, at)
						if e, ok := errors.AsType[*Error](err); ok && e.Kind == Fatal && refusals == nil && len(p.taken) == 0 {
							continue // nothing shows that we are wanted at all
						}
						if !end.forGood || over {
							if wrong := p.check(n, code, numbers, refusals, err); wrong != "" {
								t.Fatalf("%s: %s", at, wrong)
							}
							continue
						}
						if after > 2*firstCredit+2 {
							t.Fatalf("%s: %d requests more", at, after)
						}
						e, ok := errors.AsType[*Error](err)
						if err == nil && p.check(n, code, numbers, refusals, err) == "" {
							continue // everything was known by then
						}
						if !ok || e.Kind != Fatal || refusals != nil {
							t.Fatalf("%s: refused %v, %#v", at, refusals, err)
						}
					}
				}
			}
		}
	}
}

// Eight workers meet poison at once and each has the token renewed: that the
// token of one delivery is not the newest any more is no reason for doubt.
func TestForbiddenSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newBooks()
		c := p.client(t, nil)
		mustSubmit(t, c, numbered(100)) // so that no size is suspicious
		bad := guilty(403, 11, 12, 90, 99)
		p.rule = func(i int, _ sent, items []string) answer {
			a := bad(items)
			if a.status == 0 {
				a = accepted
			}
			a.delay = time.Duration(1+i%7) * time.Millisecond
			return a
		}
		p.requests = 0
		if refusals, err := c.Submit(t.Context(), numbered(100)); err != nil || len(refusals) != 4 {
			t.Fatal(refusals, err)
		}
		alone := p.requests
		p.requests = 0
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				for range 10 {
					refusals, err := c.Submit(t.Context(), numbered(100))
					if err != nil || len(refusals) != 4 {
						t.Errorf("%v, %v", refusals, err)
					}
				}
			})
		}
		wg.Wait()
		// One more each, where another has replaced the token that was kept.
		if most := 80 * (alone + 1); p.requests > most {
			t.Errorf("%d requests, want at most %d", p.requests, most)
		}
	})
}

// Tokens that end with each answer about a suspect leave it one for ever: that
// ends, too.
func TestForbiddenForEver(t *testing.T) {
	p := newBooks()
	c := p.client(t, nil)
	mustSubmit(t, c, batchOf(`{"uid":"before"}`))
	dead := map[string]bool{}
	p.rule = func(_ int, s sent, items []string) answer {
		if a := guilty(403, 0)(items); a.status != 0 {
			dead[s.token] = true
			return a
		}
		if dead[s.token] {
			return status(403, "ended")
		}
		return answer{}
	}
	refusals, err := c.Submit(t.Context(), numbered(1))
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Fatal || refusals != nil || p.requests > 1+2+3*maxProofs {
		t.Errorf("%v, %v after %d requests", refusals, err, p.requests)
	}
}

// The hint of every way to stop for a 403 names all of its causes.
func TestForbiddenHints(t *testing.T) {
	for _, given := range []bool{false, true} {
		p := newBooks()
		p.rule = func(int, sent, []string) answer { return status(403, "Forbidden") }
		cred := Credentials{Key: "k", Secret: "s"}
		if given {
			cred = Credentials{Token: "given"}
		}
		c, err := newClient(Config{OrgID: "org", Rate: []Window{}}, cred, p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Submit(t.Context(), numbered(10))
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Fatal(err)
		}
		for _, cause := range []string{"token", envOrgID, "permission", "firewall"} {
			if !strings.Contains(e.Hint, cause) {
				t.Errorf("given %v: %q is not in: %s", given, cause, e.Hint)
			}
		}
	}
}

// The measurement that proves the credentials is a young one: one that is older
// than 35 days would be billed again.
func TestWitnessStaysYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newBooks()
		c := p.client(t, nil)
		p.rule = func(_ int, s sent, items []string) answer {
			if strings.Contains(s.body, "poison") {
				return status(403, "Forbidden")
			}
			return answer{}
		}
		for day := range 50 {
			today := fmt.Sprintf(`{"uid":"day-%d"}`, day)
			mustSubmit(t, c, batchOf(today))
			refusals, err := c.Submit(t.Context(), batchOf(`{"uid":"poison"}`))
			if err != nil || len(refusals) != 1 || p.taken[today] != 2 {
				t.Fatalf("day %d: %v, %v, taken %v", day, refusals, err, p.taken)
			}
			time.Sleep(24 * time.Hour)
		}
		time.Sleep(35 * 24 * time.Hour)
		refusals, err := c.Submit(t.Context(), batchOf(`{"uid":"poison"}`))
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Fatal || p.taken[`{"uid":"day-49"}`] != 2 {
			t.Errorf("a month without a measurement: %v, %v; want no old one sent again", refusals, err)
		}
	})
}
