package uploader

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// rollingLimiter is an exact server: it keeps the time of every request that
// it counted, and refuses one that would make a window hold too many.
type rollingLimiter struct {
	mu      sync.Mutex
	windows []Window
	counted []time.Time
	firsts  []int // of each window, the oldest request in it
	refused int
	// countsRefused makes refused requests count like others.
	countsRefused bool
}

func (l *rollingLimiter) arrive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.firsts == nil {
		l.firsts = make([]int, len(l.windows))
	}
	now := time.Now()
	for i, w := range l.windows {
		for l.firsts[i] < len(l.counted) && now.Sub(l.counted[l.firsts[i]]) >= w.Per {
			l.firsts[i]++
		}
		if len(l.counted)-l.firsts[i] >= w.Requests {
			l.refused++
			if l.countsRefused {
				l.counted = append(l.counted, now)
			}
			return false
		}
	}
	l.counted = append(l.counted, now)
	return true
}

// optimum is the time that requests take at the least, when each takes as long
// as latency and there are so many workers.
func optimum(requests, workers int, latency time.Duration, windows []Window) time.Duration {
	starts := make([]time.Duration, requests)
	for n := range starts {
		for _, w := range windows {
			if n >= w.Requests {
				starts[n] = max(starts[n], starts[n-w.Requests]+w.Per)
			}
		}
		if n >= workers {
			starts[n] = max(starts[n], starts[n-workers]+latency)
		}
	}
	return starts[requests-1] + latency
}

func TestPacerNeverMeetsTheLimit(t *testing.T) {
	for _, test := range []struct {
		requests, workers int
		base, jitter      time.Duration // of a round trip
		share             float64       // of the optimum that must be reached
	}{
		{1_000, 1, 0, 0, 0.99},
		{1_000, 64, 0, 0, 0.99},
		{5_000, 8, 0, 0, 0.99},
		{5_000, 64, 0, 0, 0.99},
		{20_000, 1, 0, 0, 0.99},
		{20_000, 64, 0, 0, 0.99},
		{1_000, 1, 9 * time.Millisecond, 2 * time.Millisecond, 0.98},
		{1_000, 8, 9 * time.Millisecond, 2 * time.Millisecond, 0.98},
		{20_000, 8, 0, 100 * time.Millisecond, 0.98},
		{5_000, 64, 0, 400 * time.Millisecond, 0.80},
		{20_000, 64, 0, 400 * time.Millisecond, 0.95},
	} {
		name := fmt.Sprintf("%d by %d in %s to %s", test.requests, test.workers, test.base, test.base+test.jitter)
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				testPacer(t, test.requests, test.workers, test.base, test.jitter, test.share)
			})
		})
	}
}

func testPacer(t *testing.T, requests, workers int, base, jitter time.Duration, share float64) {
	windows := DefaultRate()
	server := &rollingLimiter{windows: windows}
	p := newPacer(windows)
	delay := func(rng *rand.Rand) {
		if jitter > 0 {
			time.Sleep(base/2 + time.Duration(rng.Int64N(int64(jitter)/2+1)))
		}
	}
	start := time.Now()
	var left atomic.Int64
	left.Store(int64(requests))
	var wg sync.WaitGroup
	for n := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(n)))
			for left.Add(-1) >= 0 {
				permit, err := p.acquire(t.Context(), time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				delay(rng) // on the way there
				ok := server.arrive()
				delay(rng) // and back
				if ok {
					p.over(permit, true)
				} else {
					p.throttled(permit, 0)
				}
			}
		})
	}
	wg.Wait()
	if server.refused > 0 || len(server.counted) != requests {
		t.Errorf("%d refused, %d counted, want 0 and %d", server.refused, len(server.counted), requests)
	}
	took, best := time.Since(start), optimum(requests, workers, base+jitter/2, windows)
	got := float64(best) / float64(took)
	t.Logf("took %s, the optimum is %s: %.4f", took, best, got)
	if got < share {
		t.Errorf("took %s, the optimum is %s: %.4f, want %.2f", took, best, got, share)
	}
}

func TestPacerIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer([]Window{{1, time.Second}})
		var order []int
		for n := range 20 {
			go func() {
				permit, err := p.acquire(t.Context(), time.Hour)
				if err != nil {
					t.Error(err)
				}
				order = append(order, n) // one at a time, by the window
				p.over(permit, true)
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(order) != 20 {
			t.Fatalf("%d of 20 let through", len(order))
		}
		for i, n := range order {
			if i != n {
				t.Fatalf("let through as %v, want the order of coming", order)
			}
		}
	})
}

func TestPacerCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer([]Window{{1, time.Minute}})
		permit, _ := p.acquire(t.Context(), time.Hour)
		p.over(permit, true)

		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		var first, second error
		go func() { _, first = p.acquire(ctx, time.Hour) }()
		synctest.Wait()
		var secondAt time.Time
		go func() {
			_, second = p.acquire(t.Context(), time.Hour)
			secondAt = time.Now()
		}()
		synctest.Wait()
		start := time.Now()
		cancel(why)
		synctest.Wait()
		if first != why {
			t.Errorf("cancelled waiter: %v, want the cause", first)
		}
		if _, err := p.acquire(ctx, time.Hour); err != why {
			t.Errorf("acquire with a cancelled context: %v, want the cause", err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if second != nil || secondAt.Sub(start) > 61*time.Second {
			t.Errorf("the next in the queue: %v after %s, want to be let through in its turn", second, secondAt.Sub(start))
		}
	})
}

// A hundred workers meet a limit that another process has used up.
func TestGateProbes(t *testing.T) {
	for _, after := range []time.Duration{0, 20 * time.Second} {
		t.Run(fmt.Sprint("Retry-After ", after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const outage = 3 * time.Minute
				p := newPacer(nil)
				start := time.Now()
				refused, accepted, lastRefused := 0, 0, time.Duration(0)
				var mu sync.Mutex
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() {
						for {
							permit, err := p.acquire(t.Context(), time.Hour)
							if err != nil {
								t.Error(err)
								return
							}
							time.Sleep(50 * time.Millisecond)
							mu.Lock()
							if time.Since(start) < outage {
								refused++
								lastRefused = time.Since(start)
								mu.Unlock()
								p.throttled(permit, after)
								continue
							}
							accepted++
							mu.Unlock()
							p.over(permit, true)
							return
						}
					})
				}
				wg.Wait()
				took := time.Since(start)
				if accepted != 100 || refused < 102 || refused > 150 {
					t.Errorf("%d accepted, %d refused (last after %s): want 100, and 2 to 50 more than the first 100", accepted, refused, lastRefused)
				}
				if took > outage+35*time.Second {
					t.Errorf("took %s, want little more than %s", took, outage)
				}
			})
		})
	}
}

func TestGatePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(nil)
		a, _ := p.acquire(t.Context(), time.Minute)
		b, _ := p.acquire(t.Context(), time.Minute)
		var waiting error
		start, waited := time.Now(), time.Duration(0)
		p.throttled(a, 30*time.Second)
		go func() {
			_, waiting = p.acquire(t.Context(), time.Minute)
			waited = time.Since(start)
		}()
		synctest.Wait()
		if waiting != nil {
			t.Fatalf("gave up at once: %v", waiting)
		}
		// Longer than anybody's patience: nobody waits for nothing.
		time.Sleep(time.Second)
		p.throttled(b, time.Hour)
		synctest.Wait()
		if waiting != errGateShut || waited != time.Second {
			t.Errorf("after Retry-After of an hour: %v after %s, want errGateShut at once", waiting, waited)
		}
		if _, err := p.acquire(t.Context(), time.Minute); err != errGateShut {
			t.Errorf("a new one: %v, want errGateShut", err)
		}
		if left := time.Until(p.shutUntil()); left < time.Hour || left > time.Hour+time.Second {
			t.Errorf("shut for %s, want an hour and at most a second", left)
		}
	})
}

// Fifty workers that were under way get their 429s together: that is one
// throttling, and the next wait is that of the first. Then one request tries,
// then two, then four, and so on up to as many as were refused together. When
// tries are refused for long, it was not their number: four are enough.
func TestGateOpensStepByStep(t *testing.T) {
	for _, c := range []struct {
		name   string
		probes int // that are refused
		steps  []int
	}{{"a crowd", 0, []int{1, 2, 4, 8, 16, 50 - 31}}, {"a crowd that counts", 3, []int{1, 2, 4, 8, 16, 50 - 31}}, {"a storm", 5, []int{1, 2, 4, 50 - 7}}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPacer(nil)
				let := make(chan permit, 50)
				for range 50 {
					permit, _ := p.acquire(t.Context(), time.Hour)
					let <- permit
				}
				for range 50 {
					p.throttled(<-let, 0)
				}
				if wait := time.Until(p.shutUntil()); wait < gateFloor || wait > gateFloor+firstBackoff {
					t.Errorf("shut for %s after one round of 429s, want %s and at most %s", wait, gateFloor, firstBackoff)
				}
				for range c.probes {
					probe, _ := p.acquire(t.Context(), time.Hour)
					p.throttled(probe, 0)
				}
				for range 50 {
					go func() {
						if permit, err := p.acquire(t.Context(), time.Hour); err == nil {
							let <- permit
						}
					}()
				}
				synctest.Wait()
				if len(let) != 0 {
					t.Fatalf("%d let through while it is shut", len(let))
				}
				time.Sleep(gateFloor + firstBackoff)
				for _, want := range c.steps {
					synctest.Wait()
					if len(let) != want {
						t.Fatalf("%d let through, want %d", len(let), want)
					}
					for range want {
						p.over(<-let, true)
					}
				}
			})
		})
	}
}

// A probe without an answer says nothing: the next one tries.
func TestGateProbeLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(nil)
		a, _ := p.acquire(t.Context(), time.Hour)
		p.throttled(a, time.Second)
		probe, _ := p.acquire(t.Context(), time.Hour)
		let := 0
		for range 3 {
			go func() {
				if _, err := p.acquire(t.Context(), time.Hour); err == nil {
					let++
				}
			}()
		}
		synctest.Wait()
		if let != 0 {
			t.Fatalf("%d let through beside the probe", let)
		}
		p.over(probe, false)
		synctest.Wait()
		if let != 1 {
			t.Errorf("%d let through after the probe was lost, want 1", let)
		}
	})
}

func TestPacerWithoutWindows(t *testing.T) {
	p := newPacer(nil)
	if n := testing.AllocsPerRun(100, func() {
		permit, err := p.acquire(context.Background(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		p.over(permit, true)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
