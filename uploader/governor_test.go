package uploader

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A trial is a run of pacers against an exact server, in virtual time.
type trial struct {
	requests  int
	processes int // 0: one pacer that shares with nobody
	workers   int // per process
	least     time.Duration
	most      time.Duration // of a round trip; the time there and back vary apart
	told      []Window      // nil: DefaultRate
	real      []Window      // nil: what is told
	counts    bool          // the server counts refused requests, too
}

type outcomes struct {
	took    time.Duration
	refused int
	looks   int
	done    []int // requests accepted per process
	longest []time.Duration
}

func (tr trial) String() string {
	s := fmt.Sprintf("%d requests by %d workers, %s to %s", tr.requests, tr.workers, tr.least, tr.most)
	if tr.processes > 0 {
		s += fmt.Sprintf(", %d processes", tr.processes)
	}
	if tr.real != nil {
		s += fmt.Sprintf(", really %s", tr.real)
	}
	if tr.counts {
		s += ", refused ones count"
	}
	return s
}

func (tr trial) run(t *testing.T) (out outcomes) {
	if tr.told == nil {
		tr.told = DefaultRate()
	}
	if tr.real == nil {
		tr.real = tr.told
	}
	synctest.Test(t, func(t *testing.T) {
		server := &rollingLimiter{windows: tr.real, countsRefused: tr.counts}
		shelf := newMemShelf()
		out.done = make([]int, max(1, tr.processes))
		out.longest = make([]time.Duration, max(1, tr.processes))
		var left atomic.Int64
		left.Store(int64(tr.requests))
		var wg sync.WaitGroup
		start := time.Now()
		for proc := range max(1, tr.processes) {
			p := newPacer(tr.told)
			if tr.processes > 0 {
				p = shelf.process().pacer("org", tr.told)
			}
			var mu sync.Mutex
			last := start
			for n := range tr.workers {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(proc), uint64(n)))
					for left.Add(-1) >= 0 {
						for {
							permit, err := p.acquire(t.Context(), 1000*time.Hour)
							if err != nil {
								t.Error(err)
								return
							}
							tr.travel(rng)
							ok := server.arrive()
							tr.travel(rng)
							if !ok {
								p.throttled(permit, 0)
								continue
							}
							p.over(permit, true)
							mu.Lock()
							out.done[proc]++
							out.longest[proc] = max(out.longest[proc], time.Since(last))
							last = time.Now()
							mu.Unlock()
							break
						}
					}
				})
			}
			defer func() {
				if note := p.note(); note != "" {
					t.Errorf("note: %s", note)
				}
			}()
		}
		wg.Wait()
		out.took, out.refused, out.looks = time.Since(start), server.refused, shelf.looks
	})
	return out
}

func (tr trial) travel(rng *rand.Rand) {
	time.Sleep(tr.least/2 + time.Duration(rng.Int64N(int64(tr.most-tr.least)/2+1)))
}

// share is the part of the best rate that was reached, best meaning by one who
// knows when each request is counted.
func (tr trial) share(out outcomes) float64 {
	windows := tr.real
	if windows == nil {
		windows = DefaultRate()
	}
	latency := (tr.least + tr.most) / 2
	return float64(optimum(tr.requests, max(1, tr.processes)*tr.workers, latency, windows)) / float64(out.took)
}

// sureShare is the same against the best who does not know when in its trip a
// request is counted, and never takes the risk: each window then lasts longer
// by what the trips vary.
func (tr trial) sureShare(out outcomes) float64 {
	mean := (tr.least + tr.most) / 2
	var windows []Window
	for _, w := range DefaultRate() {
		windows = append(windows, Window{w.Requests, w.Per + mean - tr.least})
	}
	return float64(optimum(tr.requests, max(1, tr.processes)*tr.workers, mean, windows)) / float64(out.took)
}

// check is what must hold where the limits are as documented.
func (tr trial) check(t *testing.T) {
	out := tr.run(t)
	share, sure := tr.share(out), tr.sureShare(out)
	t.Logf("%.4f of the best, %.4f of the sure best, %d refused, per process %v, longest pause %v, %d looks", share, sure, out.refused, out.done, out.longest, out.looks)
	if out.refused > 0 {
		t.Errorf("%d refused", out.refused)
	}
	want := 0.99 // of one who knows when each request is counted
	if tr.most > tr.least {
		want = 0
	}
	if share < want || sure < 0.96 {
		t.Errorf("%.4f of the best, %.4f of the sure best, want %.2f and 0.96", share, sure, want)
	}
	for _, n := range out.done {
		if fair := tr.requests / len(out.done); n < fair*6/10 {
			t.Errorf("requests per process %v: one is starved", out.done)
		}
	}
}

const ms = time.Millisecond

func TestGovernorReachesTheRate(t *testing.T) {
	for _, tr := range []trial{
		{requests: 1_000, workers: 1, least: 5 * ms, most: 5 * ms},
		{requests: 1_000, workers: 64, least: 500 * ms, most: 500 * ms},
		{requests: 5_000, workers: 8, least: 50 * ms, most: 60 * ms},
		{requests: 5_000, workers: 64, least: 5 * ms, most: 500 * ms},
		{requests: 20_000, workers: 1, least: 50 * ms, most: 50 * ms},
		{requests: 20_000, workers: 64, least: 500 * ms, most: 500 * ms},
		{requests: 20_000, workers: 64, least: 5 * ms, most: 500 * ms},
		{requests: 1_000, processes: 2, workers: 64, least: 5 * ms, most: 5 * ms},
		{requests: 5_000, processes: 2, workers: 8, least: 50 * ms, most: 60 * ms},
		{requests: 20_000, processes: 2, workers: 8, least: 5 * ms, most: 500 * ms},
		{requests: 5_000, processes: 3, workers: 64, least: 500 * ms, most: 500 * ms},
	} {
		if tr.requests > 5_000 && raced {
			continue
		}
		t.Run(tr.String(), tr.check)
	}
}
