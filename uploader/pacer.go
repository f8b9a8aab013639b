package uploader

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"
)

// A pacer lets requests through so that a server which counts them on arrival,
// in rolling windows, never counts too many.
//
// Between the moment a request leaves and the moment the server counts it lies
// an unknown time, so pacing the departures is not enough: a slow request and
// a fast one behind it arrive closer together than they left. But a request
// has been counted by the time its answer is here. Therefore a request takes a
// place in every window when it is let through, and the window of that place
// begins to run only when the request is over. Proof: of more than N requests
// that the server counts within one window, let x be the last to leave. The
// others left before it and were over no earlier than they were counted, so
// when x left, N of them were under way or had been over for less than the
// window, and x was not let through.
//
// So there is no assumption about latency or its jitter. The price is one
// round trip per window: nothing in five minutes, some percent of the 50 a
// second while a burst lasts. Token buckets were not used: one that never
// breaks a rolling window gives up its burst or half the rate.
//
// What this cannot see, other processes and earlier runs that share the limit,
// the server answers with 429. That shuts the gate for all: see throttled.
//
// Who waits is served first come, first served. There is no goroutine: the
// waiter at the front of the queue keeps the time for all.
type pacer struct {
	windows []Window // with the margin added
	start   time.Time

	mu       sync.Mutex
	queue    []*waiter
	inFlight int
	ended    ring
	gate
}

// marginPart is the part of a window that is added to it: clocks differ in
// rate (one that is being corrected, by up to 0.05 %), and servers may count
// in whole milliseconds. It costs a thousandth of the rate.
const marginPart = 1000

const never = time.Duration(math.MaxInt64)

var errGateShut = errors.New("throttled for longer than retries may last")

type waiter struct {
	wake chan struct{} // buffered, 1: a nudge to look again
}

// A permit is the right to make one request, and the duty to say how it ended,
// by exactly one call of over, throttled or unused.
type permit struct {
	epoch int
	// How long it was waited for: for the windows, and for the gate.
	paced, gated time.Duration
}

func newPacer(windows []Window) *pacer {
	p := &pacer{start: time.Now(), windows: slices.Clone(windows)}
	for i, w := range p.windows {
		p.windows[i].Per += w.Per / marginPart
		p.ended.limit = max(p.ended.limit, w.Requests)
	}
	return p
}

// acquire waits for a permit. patience is how long the gate may keep it
// waiting; as soon as it is known that this will not do, the error is
// errGateShut. A cancelled ctx ends the wait at once, with its cause.
func (p *pacer) acquire(ctx context.Context, patience time.Duration) (permit, error) {
	if ctx.Err() != nil {
		return permit{}, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	entered := time.Now()
	if len(p.queue) == 0 && p.delay(entered) <= 0 {
		return p.admit(), nil
	}

	w := &waiter{wake: make(chan struct{}, 1)}
	p.queue = append(p.queue, w)
	shut := p.shutTime(entered)
	for now := entered; ; now = time.Now() {
		gated := p.shutTime(now) - shut
		wait := never
		if p.queue[0] == w {
			if wait = p.delay(now); wait <= 0 {
				admitted := p.admit()
				p.leave(w)
				admitted.gated, admitted.paced = gated, now.Sub(entered)-gated
				return admitted, nil
			}
		}
		if p.hopeless(now, patience-gated) {
			p.leave(w)
			return permit{gated: gated}, errGateShut
		}
		if p.state != open {
			wait = min(wait, patience-gated)
		}
		p.mu.Unlock()
		err := sleep(ctx, wait, w.wake)
		p.mu.Lock()
		if err != nil {
			p.leave(w)
			return permit{gated: p.shutTime(time.Now()) - shut}, err
		}
	}
}

// sleep returns nil after a wait or a nudge, and the cause when ctx is done.
func sleep(ctx context.Context, wait time.Duration, nudge <-chan struct{}) error {
	var alarm <-chan time.Time
	if wait != never {
		t := time.NewTimer(wait)
		defer t.Stop()
		alarm = t.C
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-alarm:
	case <-nudge:
	}
	return nil
}

// delay is how long the next request has to wait at least: 0 when it may go,
// never when that depends on a request that is under way.
func (p *pacer) delay(now time.Time) time.Duration {
	wait := p.gate.delay(now)
	for _, w := range p.windows {
		free := w.Requests - p.inFlight
		if free <= 0 {
			return never
		}
		if end, ok := p.ended.latest(free); ok {
			wait = max(wait, end+w.Per-now.Sub(p.start))
		}
	}
	return wait
}

func (p *pacer) admit() permit {
	p.gate.admit()
	p.inFlight++
	return permit{epoch: p.epoch}
}

// leave takes w out of the queue; whoever is at the front now looks anew.
func (p *pacer) leave(w *waiter) {
	p.queue = slices.DeleteFunc(p.queue, func(other *waiter) bool { return other == w })
	p.nudge(1)
}

// nudge wakes the first n waiters.
func (p *pacer) nudge(n int) {
	for _, w := range p.queue[:min(n, len(p.queue))] {
		select {
		case w.wake <- struct{}{}:
		default: // it has a nudge that it has not seen yet
		}
	}
}

// over gives a permit back after a request that was not answered by a 429.
// answered tells whether it was answered at all.
func (p *pacer) over(t permit, answered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.end(now)
	p.gate.passed(now, t.epoch, answered)
	p.nudge(1)
}

// unused gives a permit back for a request that was not made.
func (p *pacer) unused(t permit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	p.gate.passed(time.Now(), t.epoch, false)
	p.nudge(1)
}

// throttled gives a permit back after a 429, and shuts the gate. after is the
// time that the server asked for, or 0 when it did not.
func (p *pacer) throttled(t permit, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.end(now)
	p.gate.refused(now, t.epoch, after)
	p.nudge(len(p.queue)) // everybody's patience may be too short now
}

func (p *pacer) end(now time.Time) {
	p.inFlight--
	p.ended.push(now.Sub(p.start))
}

// shutUntil is when the gate lets a probe through, and zero when it is not
// closed.
func (p *pacer) shutUntil() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != closed {
		return time.Time{}
	}
	return p.until
}

// ring keeps the last limit times pushed.
type ring struct {
	times []time.Duration // grows to limit, then wraps
	next  int
	limit int
}

func (r *ring) push(t time.Duration) {
	switch {
	case r.limit == 0:
	case len(r.times) < r.limit:
		r.times = append(r.times, t)
	default:
		r.times[r.next] = t
		r.next = (r.next + 1) % r.limit
	}
}

// latest is the n-th last time, counted from 1, when there are so many.
func (r *ring) latest(n int) (time.Duration, bool) {
	if n > len(r.times) {
		return 0, false
	}
	i := r.next - n
	if i < 0 {
		i += len(r.times)
	}
	return r.times[i], true
}
