package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// atMost is how many requests taking k guilty of n measurements out may cost:
// the first one, and two for each refused one with more than a measurement in
// it. Of those there are, in a tree of n leaves, no more than k paths that have
// met in its upper log2(k) levels.
func atMost(n, k int) int {
	if k == 0 {
		return 1
	}
	levels := bits.Len(uint(n-1)) - (bits.Len(uint(k)) - 1)
	return min(1+2*(k-1+k*max(levels, 0)), 2*n-1)
}

// about403 is what a 403 costs beyond that: once more with a new token, the
// first, last and middle one alone, and the pieces between them, and proofs.
func about403(requests int) int { return 1 + 3 + 3 + bits.Len(uint(requests)) + 1 }

// The guilty measurement stands alone in the end, wherever it is; the others
// land, each exactly once.
func TestOneGuilty(t *testing.T) {
	for _, code := range []int{400, 422, 403, 415} {
		for _, n := range []int{1, 2, 3, 4, 7, 64, 999, 1000} {
			for _, at := range []int{0, 1, n / 3, n / 2, n - 2, n - 1} {
				for _, known := range []bool{false, true} {
					if at < 0 || at >= n || n == 1 && !known && (code == 403 || code == 415) {
						continue
					}
					p := newBooks()
					c := p.client(t, nil)
					if known {
						mustSubmit(t, c, batchOf(`{"uid":"before"}`))
					}
					p.requests = 0
					bad := guilty(code, at)
					p.rule = func(_ int, _ sent, items []string) answer { return bad(items) }
					refusals, err := c.Submit(t.Context(), numbered(n))
					name := fmt.Sprintf("%d, number %d of %d, known %v", code, at, n, known)
					if wrong := p.check(n, code, []int{at}, refusals, err); wrong != "" {
						t.Fatalf("%s: %s", name, wrong)
					}
					most := atMost(n, 1)
					if code == 403 || code == 415 {
						most += 4
					}
					if at == n-1 && code == 400 {
						most = 2 + bits.Len(uint(n-1)) // what is left when a half was taken is not sent whole
					}
					if p.requests > most {
						t.Errorf("%s: %d requests, want at most %d", name, p.requests, most)
					}
					if s := c.Stats(); s.Refused != 1 || s.Bisecting+s.Retries != int64(p.requests)-1 || n > 1 && s.Bisecting == 0 {
						t.Errorf("%s: %d requests, %+v; all but the first are to find what was refused, or again", name, p.requests, s)
					}
					twice := 0
					for i := range n {
						twice += p.taken[itemNo(i)] - 1
					}
					if twice > 1 && code != 400 {
						t.Errorf("%s: %d measurements taken twice, want only one to prove the credentials", name, twice)
					}
				}
			}
		}
	}
}

func mustSubmit(t testing.TB, c *Client, b *Batch) {
	t.Helper()
	if refusals, err := c.Submit(t.Context(), b); err != nil || refusals != nil {
		t.Fatalf("refused %v, %v", refusals, err)
	}
}

// Whatever is guilty, and whatever goes wrong on the way: each innocent
// measurement lands, each guilty one is refused, and no request is wasted.
func TestDeliveryProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(rt, "measurements")
		numbers := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, min(n, 40), rapid.ID[int]).Draw(rt, "guilty")
		code := rapid.SampledFrom([]int{400, 422, 403, 415}).Draw(rt, "status")
		noise := rapid.SampledFrom([]int{0, 0, 5, 30}).Draw(rt, "noise in percent")
		seed := rapid.Uint64().Draw(rt, "seed")
		wrong := ""
		synctest.Test(t, func(t *testing.T) { wrong = deliverInNoise(t, n, numbers, code, noise, seed) })
		if wrong != "" {
			rt.Fatal(wrong)
		}
	})
}

func deliverInNoise(t *testing.T, n int, numbers []int, code, noise int, seed uint64) string {
	p := newBooks()
	c := p.client(t, nil)
	mustSubmit(t, c, batchOf(`{"uid":"before"}`))
	random := rand.New(rand.NewPCG(seed, 1))
	bad := guilty(code, numbers...)
	heard := 0
	p.rule = func(_ int, _ sent, items []string) answer {
		if random.IntN(100) >= noise {
			heard++
			return bad(items)
		}
		switch random.IntN(6) {
		case 0:
			return status(429, "slow down")
		case 1:
			return status(503, "no")
		case 2:
			return answer{err: syscall.ECONNRESET}
		case 3:
			return answer{delay: time.Hour}
		case 4:
			return status(502, "no")
		}
		a := bad(items)
		if a.status == 0 {
			a = accepted // committed, and the answer is lost
		}
		a.err = io.ErrUnexpectedEOF
		return a
	}
	b := numbered(n)
	text := string(b.Body())
	refusals, err := c.Submit(t.Context(), b)
	if string(b.Body()) != text {
		return "the batch has changed"
	}
	most := atMost(n, len(numbers))
	if code == 403 || code == 415 {
		most += about403(heard)
	}
	if heard > most {
		return fmt.Sprintf("%d requests answered, want at most %d", heard, most)
	}
	s := c.Stats()
	if err == nil && s.Measurements != int64(1+n-len(numbers)) {
		return fmt.Sprintf("counted %d measurements as accepted, want %d", s.Measurements, 1+n-len(numbers))
	}
	if s.Requests != int64(p.requests) {
		return fmt.Sprintf("counted %d requests, the platform %d", s.Requests, p.requests)
	}
	return p.check(n, code, numbers, refusals, err)
}

// Different measurements are refused for different reasons; each has its own
// words, in the order of the batch.
func TestRefusalsKeepTheirWords(t *testing.T) {
	p := newBooks()
	c := p.client(t, nil)
	a, b, d := guilty(400, 10), guilty(403, 3, 700), guilty(422, 999)
	p.rule = func(_ int, _ sent, items []string) answer {
		for _, bad := range []func([]string) answer{a, b, d} {
			if a := bad(items); a.status != 0 {
				return a
			}
		}
		return answer{}
	}
	refusals, err := c.Submit(t.Context(), numbered(1000))
	want := fmt.Sprint([]Refusal{{Item: 3, Status: 403, Message: "no " + itemNo(3), Hint: hintFilter}, {Item: 10, Status: 400, Message: "no " + itemNo(10)},
		{Item: 700, Status: 403, Message: "no " + itemNo(700), Hint: hintFilter}, {Item: 999, Status: 422, Message: "no " + itemNo(999)}})
	if err != nil || fmt.Sprint(refusals) != want {
		t.Errorf("%v, %v; want %s", refusals, err, want)
	}
}

// When most of a batch is refused, it stops after so many, and says so; when a
// large part is, it goes on.
func TestManyGuilty(t *testing.T) {
	every := func(n, step int) (list []int) {
		for i := 0; i < n; i += step {
			list = append(list, i)
		}
		return list
	}
	for _, code := range []int{400, 403} {
		for _, test := range []struct {
			n, step, most int
			stops         bool
		}{
			{1000, 1, 250, true},
			{101, 1, 250, true},
			{99, 1, 99*2 + 15, false},
			{1000, 3, atMost(1000, 334) + 20, false},
			{1000, 10, atMost(1000, 100) + 20, false},
		} {
			p := newBooks()
			c := p.client(t, nil)
			mustSubmit(t, c, batchOf(`{"uid":"before"}`))
			p.requests = 0
			bad := guilty(code, every(test.n, test.step)...)
			p.rule = func(_ int, _ sent, items []string) answer { return bad(items) }
			refusals, err := c.Submit(t.Context(), numbered(test.n))
			name := fmt.Sprintf("%d, every %d of %d", code, test.step, test.n)
			if p.requests > test.most {
				t.Errorf("%s: %d requests, want at most %d", name, p.requests, test.most)
			}
			if !test.stops {
				if wrong := p.check(test.n, code, every(test.n, test.step), refusals, err); wrong != "" {
					t.Errorf("%s: %s", name, wrong)
				}
				continue
			}
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != Refused || e.Status != code || refusals != nil ||
				!strings.Contains(e.Message, "most of a request is refused, 100 measurements of") ||
				!strings.Contains(e.Message, "no {") || !strings.Contains(e.Hint, "mapping") {
				t.Errorf("%s: refused %v, %#v", name, refusals, err)
			}
		}
	}
}

// A delivery is cancelled at once wherever it is.
func TestCancelInsideDelivery(t *testing.T) {
	why := errors.New("the user said so")
	for name, stuck := range map[string]answer{
		"in the request":  {delay: time.Hour},
		"in the back-off": {status: 503, header: map[string]string{"Retry-After": "600"}},
		"at the gate":     {status: 429, header: map[string]string{"Retry-After": "600"}},
	} {
		for _, code := range []int{400, 403} {
			for at := range 12 {
				synctest.Test(t, func(t *testing.T) {
					p := newBooks()
					c := p.client(t, nil)
					bad := guilty(code, 3)
					p.rule = func(n int, _ sent, items []string) answer {
						if n >= at {
							return stuck
						}
						return bad(items)
					}
					ctx, cancel := context.WithCancelCause(t.Context())
					time.AfterFunc(5*time.Second, func() { cancel(why) })
					began := time.Now()
					refusals, err := c.Submit(ctx, numbered(64))
					if p.requests <= at {
						cancel(nil) // it was over before it could get stuck
						return
					}
					if took := time.Since(began); took != 5*time.Second || refusals != nil || !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
						t.Errorf("%d, %s at request %d: %v, %v after %s; want the cause after 5s", code, name, at, refusals, err, took)
					}
				})
			}
		}
	}
}

// An outage in the middle is waited for; one that is too long ends in a
// temporary error, and nothing is refused.
func TestOutageInsideDelivery(t *testing.T) {
	for _, code := range []int{400, 403} {
		for at := range 16 {
			for _, lasts := range []time.Duration{10 * time.Minute, time.Hour} {
				synctest.Test(t, func(t *testing.T) {
					p := newBooks()
					c := p.client(t, nil)
					bad := guilty(code, 3)
					var until time.Time
					p.rule = func(n int, _ sent, items []string) answer {
						if n == at {
							until = time.Now().Add(lasts)
						}
						if time.Now().Before(until) {
							return status(503, "down")
						}
						return bad(items)
					}
					refusals, err := c.Submit(t.Context(), numbered(64))
					if lasts < time.Hour || until.IsZero() {
						if wrong := p.check(64, code, []int{3}, refusals, err); wrong != "" {
							t.Errorf("%d, outage of %s at request %d: %s", code, lasts, at, wrong)
						}
						return
					}
					if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Temporary || e.Status != 503 || refusals != nil {
						t.Errorf("%d, outage of %s at request %d: %v, %#v", code, lasts, at, refusals, err)
					}
				})
			}
		}
	}
}

// While one batch is taken apart, the others go on, and all of them keep to
// the same windows.
func TestDeliveriesSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newBooks()
		windows := []Window{{20, time.Second}}
		c := p.client(t, func(cfg *Config) { cfg.Rate = windows })
		bad := guilty(403, 7, 501)
		var times []time.Time
		p.rule = func(_ int, _ sent, items []string) answer {
			times = append(times, time.Now())
			a := bad(items)
			if a.status == 0 {
				a = accepted
			}
			return a
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 5 {
					refusals, err := c.Submit(t.Context(), numbered(1000))
					if err != nil || len(refusals) != 2 || refusals[0].Item != 7 || refusals[1].Item != 501 {
						t.Errorf("%v, %v", refusals, err)
					}
				}
			})
		}
		wg.Wait()
		for i := range times {
			if i >= 20 && times[i].Sub(times[i-20]) < time.Second {
				t.Fatalf("request %d came %s after the one 20 before it", i, times[i].Sub(times[i-20]))
			}
		}
		if most := 40 * (atMost(1000, 2) + 10); p.requests > most {
			t.Errorf("%d requests, want at most %d", p.requests, most)
		}
		if s := c.Stats(); s.Requests != int64(p.requests) || s.Measurements != 40*998 {
			t.Errorf("%+v; the platform counted %d", s, p.requests)
		}
	})
}

// While requests are taken apart it can be told how far that is; when it is over,
// nothing is left of it, however it ended.
func TestSearchIsTold(t *testing.T) {
	for name, ended := range map[string]answer{"to its end": {}, "by a fatal answer": status(404, "no")} {
		p := newBooks()
		c := p.client(t, nil)
		bad, most := guilty(400, 3, 40, 41), Search{}
		p.rule = func(n int, _ sent, items []string) answer {
			s := c.Search()
			if s.Batches != min(int64(n), 1) || s.Requests != int64(n) || s.Refused < most.Refused {
				t.Errorf("%s, request %d: %+v, before %+v", name, n, s, most)
			}
			most = s
			if n == 20 && ended.status != 0 {
				return ended
			}
			return bad(items)
		}
		_, err := c.Submit(t.Context(), numbered(64))
		if (err != nil) != (ended.status != 0) || most.Refused == 0 {
			t.Errorf("%s: %v, at most %+v", name, err, most)
		}
		if s := c.Search(); s != (Search{}) {
			t.Errorf("%s: %+v, and nothing is under way", name, s)
		}
	}
}

// lenient is a departure that allows a number of refusals.
type lenient struct {
	nobody
	most int
}

func (l lenient) Allowed() (int, bool) { return l.most, true }

// How many measurements may be refused is the caller's to say: up to there most of
// a batch may be, next to each other; with one more it ends, and all up to that
// one is settled, whatever the order in which they are found.
func TestAllowedRefusals(t *testing.T) {
	var numbers []int
	for i := 200; i < 800; i++ {
		numbers = append(numbers, i)
	}
	for _, code := range []int{400, 403} {
		for _, most := range []int{0, 1, 50, 300, 599, 600, 1000} {
			for _, known := range []bool{false, true} {
				p := newBooks()
				c := p.client(t, nil)
				if known {
					mustSubmit(t, c, batchOf(`{"uid":"before"}`))
				}
				bad := guilty(code, numbers...)
				p.rule = func(_ int, _ sent, items []string) answer { return bad(items) }
				refusals, err := c.Submit(WithDeparture(t.Context(), lenient{most: most}), numbered(1000))
				name := fmt.Sprintf("%d, %d allowed, known %v", code, most, known)
				if most >= len(numbers) {
					if wrong := p.check(1000, code, numbers, refusals, err); wrong != "" {
						t.Errorf("%s: %s", name, wrong)
					}
					continue
				}
				part, ok := errors.AsType[*Partly](err)
				if !ok || !errors.Is(err, ErrEnough) || refusals != nil {
					t.Fatalf("%s: %v, refusals %v", name, err, refusals)
				}
				if part.Settled != 200+most+1 || len(part.Refusals) != most+1 || part.Refusals[most].Item != 200+most || part.Refusals[0].Item != 200 {
					t.Errorf("%s: %d are settled, %d refusals", name, part.Settled, len(part.Refusals))
				}
				for i := range 200 {
					if p.taken[itemNo(i)] == 0 {
						t.Errorf("%s: number %d is settled, and was not taken", name, i)
					}
				}
			}
		}
	}
}

// The words of whoever refuses a measurement are about a request of one, and a
// filter has none: what they mean for the measurement is said.
func TestRefusalsAreExplained(t *testing.T) {
	for _, test := range []struct {
		answer answer
		want   string
	}{
		{status(400, "measurements[0].uid: too long"), hintFirst},
		{status(400, "the account is closed"), ""},
		{status(403, "Forbidden"), hintFilter},
	} {
		p := newBooks()
		c := p.client(t, nil)
		p.rule = func(_ int, _ sent, items []string) answer {
			if guilty(400, 7)(items).status != 0 {
				return test.answer
			}
			return answer{}
		}
		refusals, err := c.Submit(t.Context(), numbered(20))
		if err != nil || len(refusals) != 1 || refusals[0].Hint != test.want || !strings.Contains(test.answer.body, refusals[0].Message) {
			t.Errorf("%+v: %+v, %v", test.answer, refusals, err)
		}
	}
}
