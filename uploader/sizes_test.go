package uploader

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// sized is a batch of measurements that are about size bytes together, each of
// each bytes, told apart by a number counted from first.
func sized(first, size, each int) *Batch {
	var b Batch
	for i := first; ; i++ {
		item := fmt.Sprintf(`{"uid":"item-%d","x":"`, i)
		item += strings.Repeat("x", each-len(item)-2) + `"}`
		if b.Len() > 0 && len(b.Body())+len(item) > size || b.Add([]byte(item)) != nil {
			return &b
		}
	}
}

// narrow is a proxy that takes bodies of less than limit bytes.
func narrow(limit *int, code int) func(int, sent, []string) answer {
	return func(_ int, s sent, _ []string) answer {
		if len(s.body) >= *limit {
			return status(code, "too large")
		}
		return answer{}
	}
}

// Behind a proxy with a limit of its own, everything is delivered in parts,
// nothing is refused, and after the first batch the limit is known.
func TestSizeLimitIsLearned(t *testing.T) {
	for _, code := range []int{413, 403} {
		for _, limit := range []int{400_000, 256_000, 40_000} {
			p := newBooks()
			c := p.client(t, nil)
			p.rule = narrow(&limit, code)
			wasted, worth := 0, 0
			for i := range 8 {
				p.requests, p.refused = 0, 0
				b := sized(i*1000, 505_000+i*200, 2000)
				mustSubmit(t, c, b)
				for i := range b.Len() {
					if p.taken[string(b.Item(i))] == 0 {
						t.Fatalf("%d, limit %d: a measurement was not delivered", code, limit)
					}
				}
				if i >= 2 {
					wasted += p.refused
					worth += p.requests
				}
			}
			least := 6 * (510_000 + limit - 1) / limit
			if wasted > 3 || worth > least*3/2+6 {
				t.Errorf("%d, limit %d: from the third batch on %d requests, %d of them refused; want at most 3 refused, and about %d", code, limit, worth, wasted, least)
			}
		}
	}
}

// A limit is forgotten when it is gone: after ten minutes one batch tries.
func TestSizeLimitIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newBooks()
		c := p.client(t, nil)
		limit := 300_000
		p.rule = narrow(&limit, 413)
		submit := func() (requests int) {
			p.requests = 0
			mustSubmit(t, c, sized(0, 510_000, 1000))
			return p.requests
		}
		for i, want := range []int{3, 2, 2} {
			if n := submit(); n != want {
				t.Errorf("batch %d: %d requests, want %d", i, n, want)
			}
		}
		time.Sleep(sizeMemory + time.Second)
		for i, want := range []int{3, 2} {
			if n := submit(); n != want {
				t.Errorf("ten minutes later, batch %d: %d requests, want %d", i, n, want)
			}
		}
		limit = MaxBytes + 1
		time.Sleep(sizeMemory + time.Second)
		for i := range 2 {
			if n := submit(); n != 1 {
				t.Errorf("mended, batch %d: %d requests, want 1", i, n)
			}
		}
		p.requests = 0
		if mustSubmit(t, c, sized(0, MaxBytes, 600)); p.requests != 1 {
			t.Errorf("mended, a larger batch: %d requests, want 1", p.requests)
		}
		limit = 100_000 // lower than what has passed
		submit()
		p.refused = 0
		for range 3 {
			submit()
		}
		if p.refused > 3 {
			t.Errorf("after a new limit was met, %d requests were refused", p.refused)
		}
	})
}

// What is refused for what it holds, or for a moment, says nothing about sizes.
func TestSizeLimitIsNotInvented(t *testing.T) {
	for name, rule := range map[string]func(n int, items []string) answer{
		"a guilty measurement": func(n int, items []string) answer {
			return guilty(403, 3)(items)
		},
		"a bad moment of a 400": func(n int, items []string) answer {
			if n == 1 {
				return status(400, "oops")
			}
			return answer{}
		},
		"a bad moment of a 403, of a size that has passed": func(n int, items []string) answer {
			if n == 2 || n == 3 {
				return status(403, "oops")
			}
			return answer{}
		},
	} {
		p := newBooks()
		c := p.client(t, nil)
		n := 0
		p.rule = func(_ int, _ sent, items []string) answer {
			n++
			return rule(n, items)
		}
		for range 3 {
			if _, err := c.Submit(t.Context(), numbered(1000)); err != nil {
				t.Fatal(err)
			}
		}
		if limit := c.sizes.limit(); limit != MaxBytes {
			t.Errorf("%s: learned a limit of %d", name, limit)
		}
	}
}

// One measurement that a proxy does not take is no fault of the measurement.
func TestTooLargeAlone(t *testing.T) {
	p := newBooks()
	c := p.client(t, nil)
	limit := 100_000
	p.rule = narrow(&limit, 413)
	b := sized(0, 50_000, 1000)
	b.Add(measurementOf(200_000))
	refusals, err := c.Submit(t.Context(), b)
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Fatal || e.Status != 413 || refusals != nil || !strings.Contains(e.Hint, "proxy") {
		t.Errorf("%v, %#v", refusals, err)
	}
}

// Pieces are the batch, in order, none larger than the limit if it is not one
// measurement, and about as few as can be.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b Batch
		longest := 0
		for _, size := range rapid.SliceOfN(rapid.IntRange(2, 3000), 1, 60).Draw(t, "sizes") {
			b.Add([]byte(strings.Repeat("x", size)))
			longest = max(longest, size)
		}
		limit := rapid.IntRange(30, 200_000).Draw(t, "limit")
		d := delivery{b: &b}
		next, pieces := 0, 0
		for s := range d.pieces(func() int { return limit }) {
			if s.from != next || s.len() < 1 {
				t.Fatalf("piece %v after %d", s, next)
			}
			if s.len() > 1 && len(d.body(s)) > limit {
				t.Fatalf("piece %v has %d bytes, limit %d", s, len(d.body(s)), limit)
			}
			if len(d.body(s)) != d.size(s) {
				t.Fatalf("piece %v has %d bytes, said to be %d", s, len(d.body(s)), d.size(s))
			}
			next, pieces = s.to, pieces+1
		}
		if next != b.Len() {
			t.Fatalf("pieces end at %d of %d", next, b.Len())
		}
		if room := limit - longest - 20; room > 0 && pieces > 1+len(b.Body())/room {
			t.Fatalf("%d pieces of %d bytes, limit %d, longest measurement %d", pieces, len(b.Body()), limit, longest)
		}
	})
}
