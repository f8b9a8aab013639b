package uploader

import (
	"container/heap"
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
	trips   []time.Duration // in the order in which the requests left
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
		var trips sync.Mutex
		note := func(trip time.Duration) {
			trips.Lock()
			defer trips.Unlock()
			out.trips = append(out.trips, trip)
		}
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
							there, back := tr.travel(rng), tr.travel(rng)
							note(there + back)
							time.Sleep(there)
							ok := server.arrive()
							time.Sleep(back)
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

func (tr trial) travel(rng *rand.Rand) time.Duration {
	return tr.least/2 + time.Duration(rng.Int64N(int64(tr.most-tr.least)/2+1))
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

// sureShare is the same against the best who never takes a risk, and does not
// know when in its trip a request is counted: see sureOptimum.
func (tr trial) sureShare(out outcomes) float64 {
	return float64(sureOptimum(out.trips, max(1, tr.processes)*tr.workers, tr.least, DefaultRate())) / float64(out.took)
}

// sureOptimum is the time that requests with these trips take at the least, by
// so many workers, if no order of arrivals may break a window.
//
// A request may be counted as late as its answer's shortest way back before the
// answer, and another as early as its own shortest way there after it has left;
// together that is the least that a trip takes. So a request has a place in a
// window from when it leaves until its answer is here, and for the window's
// length less the least trip after that; of places there are as many as
// requests in the window. Who lets one more through can be refused: there is an
// order of arrivals in which all of them are counted within the window. And to
// let one through later than there is a place for it helps nobody.
func sureOptimum(trips []time.Duration, workers int, least time.Duration, windows []Window) time.Duration {
	free := make([]times, len(windows)+1) // when each place, and each worker, is free again
	for i, w := range windows {
		free[i] = make(times, min(w.Requests, len(trips)))
	}
	free[len(windows)] = make(times, min(workers, len(trips)))
	end := time.Duration(0)
	for _, trip := range trips {
		leaves := time.Duration(0)
		for _, f := range free {
			leaves = max(leaves, f[0])
		}
		answered := leaves + trip
		for i, f := range free {
			f[0] = answered
			if i < len(windows) {
				f[0] += windows[i].Per - least
			}
			heap.Fix(&free[i], 0)
		}
		end = max(end, answered)
	}
	return end
}

// times are a heap with the earliest on top.
type times []time.Duration

func (h times) Len() int           { return len(h) }
func (h times) Less(i, k int) bool { return h[i] < h[k] }
func (h times) Swap(i, k int)      { h[i], h[k] = h[k], h[i] }
func (h times) Push(any)           { panic("uploader: a window has no more places") }
func (h times) Pop() any           { panic("uploader: a window has no fewer places") }

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
	if share < want || sure < 0.99 {
		t.Errorf("%.4f of the best, %.4f of the sure best, want %.2f and 0.99", share, sure, want)
	}
	// The first seconds go to whoever comes first; of a short run they are much.
	least := 6
	if tr.requests < 5000 {
		least = 4
	}
	for _, n := range out.done {
		if fair := tr.requests / len(out.done); n < fair*least/10 {
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
