package uploader

import (
	"cmp"
	"context"
	"errors"
	"iter"
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
// The window need not wait for the answer's way back. Let every trip take at
// least a to the server and b back. A request was counted no later than b
// before it was over, and the next one is counted no earlier than a after it
// left; so the window may begin to run a+b before the request is over, and a+b
// is the least that a trip takes, which can be measured (see trips). Where all
// trips take the same, departures are then as far apart as arrivals have to
// be, and nothing is lost. Where they vary, what is lost is what they vary by,
// once per window: nothing in five minutes, but as much as a fifth of the 50 a
// second in a burst over a bad network. Who does not know where in its trip a
// request is counted cannot do better and be sure.
//
// Token buckets were not used: one that never breaks a rolling window gives up
// its burst or half the rate.
//
// Who waits is served first come, first served. There is no goroutine: the
// waiter at the front of the queue keeps the time for all.
//
// What other processes do is in the book that the pacer shares with them, see
// share; what other machines do the server answers with 429. That shuts the
// gate for all, see gate, and teaches the real limit, see finding.
type pacer struct {
	mu       sync.Mutex
	limits   []limit
	queue    []*waiter
	inFlight int
	own      ledger // what this pacer did
	book     book   // as of the last look
	clock    clock
	trips    trips
	share    *share // nil: alone
	epoch    int    // of the gate when the queue was last told
}

// limit is a window to keep to: span is its length with the margin added.
type limit struct {
	Window
	span time.Duration
}

// marginPart is the part of a window that is added to it: clocks differ in
// rate (one that is being corrected, by up to 0.05 %), and servers may count
// in whole milliseconds. It costs a thousandth of the rate.
const marginPart = 1000

const never = time.Duration(math.MaxInt64)

// Where a wait depends on another process, its end is not told: it is looked
// for so often.
const (
	pollGate = 20 * time.Millisecond
	pollTrip = 5 * time.Millisecond
)

var errGateShut = errors.New("throttled for longer than retries may last")

type waiter struct {
	wake chan struct{} // buffered, 1: a nudge to look again
}

// A permit is the right to make one request, and the duty to say how it ended,
// by exactly one call of over, throttled or unused.
type permit struct {
	epoch int
	left  time.Time
	// How long it was waited for: for the windows, and for the gate.
	paced, gated time.Duration
}

func newPacer(windows []Window) *pacer {
	p := &pacer{clock: newClock()}
	p.setLimits(windows)
	return p
}

func (p *pacer) setLimits(windows []Window) {
	p.limits = make([]limit, len(windows))
	size := 0
	for i, w := range windows {
		p.limits[i] = limit{w, w.Per + w.Per/marginPart}
		size = max(size, w.Requests)
	}
	p.own = p.own.resized(size, 0)
}

// look calls f with the book and all ledgers up to date. f is called once.
func (p *pacer) look(f func(now instant)) {
	if p.share == nil || len(p.limits) == 0 || p.share.look(p, f) != nil {
		f(p.clock.now())
	}
	if p.epoch != p.book.gate.epoch {
		p.epoch = p.book.gate.epoch
		p.nudge(len(p.queue)) // everybody's patience may be too short now
	}
}

func (p *pacer) sharing() bool { return p.share != nil && p.share.joined }

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
	if len(p.queue) == 0 {
		if t, wait := p.try(); wait <= 0 {
			return t, nil
		}
	}

	w := &waiter{wake: make(chan struct{}, 1)}
	p.queue = append(p.queue, w)
	shut := p.book.gate.shutTime(p.clock.now())
	for {
		wait := never
		var t permit
		if p.queue[0] == w {
			t, wait = p.try()
		}
		now := p.clock.now()
		gated := max(0, p.book.gate.shutTime(now)-shut)
		if wait <= 0 {
			p.leave(w)
			t.gated, t.paced = gated, time.Since(entered)-gated
			return t, nil
		}
		if p.book.gate.hopeless(now, patience-gated) {
			p.leave(w)
			return permit{gated: gated}, errGateShut
		}
		if p.book.gate.state != open {
			wait = min(wait, patience-gated)
		}
		p.mu.Unlock()
		err := sleep(ctx, wait, w.wake)
		p.mu.Lock()
		if err != nil {
			p.leave(w)
			return permit{gated: max(0, p.book.gate.shutTime(p.clock.now())-shut)}, err
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

// try gives a permit when the wait for it is over, and otherwise says how long
// to wait before trying again.
func (p *pacer) try() (t permit, wait time.Duration) {
	p.look(func(now instant) {
		wait = p.delay(now)
		if wait > 0 {
			if p.sharing() {
				p.book.members[p.share.place].wants = now.add(min(wait, time.Hour))
			}
			return
		}
		p.book.gate.admit(now)
		p.book.grants++
		p.inFlight++
		if p.sharing() {
			m := &p.book.members[p.share.place]
			m.turn, m.wants = p.book.grants, 0
		}
		t = permit{epoch: p.book.gate.epoch, left: time.Now()}
	})
	return t, wait
}

// delay is how long the next request has to wait at least: 0 when it may go,
// never when that depends on a request of this pacer that is under way.
func (p *pacer) delay(now instant) time.Duration {
	wait := p.book.gate.delay(now)
	if wait == never && p.sharing() {
		wait = pollGate
	}
	free := now.add(-time.Hour) // since when there is room in all windows
	floor := p.trips.floor()
	if p.sharing() {
		floor = p.book.floor()
	}
	for v := range p.views() {
		room := v.requests - v.inFlight
		if v.learns {
			room = v.ledger.finding(v.Per).budget(now, v.requests) - v.inFlight
		}
		span := v.span - min(floor, v.span)
		if room > 0 {
			if end, ok := v.ledger.latest(room); ok {
				free = max(free, end.add(span))
			}
		} else if p.sharing() {
			wait = max(wait, pollTrip)
		} else {
			return never
		}
	}
	if p.sharing() {
		free = free.add(time.Duration(p.book.rank(p.share.place, now)) * yield)
	}
	return max(wait, free.sub(now))
}

// A view is a window to look at, in a ledger.
type view struct {
	limit
	ledger   *ledger
	requests int // that it may hold
	inFlight int
	learns   bool
}

// views are the windows to keep to: those of this pacer, and, where the book
// is shared, the same for all who share it. What 429s teach is about the
// latter.
func (p *pacer) views() iter.Seq[view] {
	return func(yield func(view) bool) {
		for i, w := range p.limits {
			shared := p.sharing() && i < maxShared
			if !yield(view{w, &p.own, w.Requests, p.inFlight, !shared}) {
				return
			}
			if !shared {
				continue
			}
			org, sheet := ofOrganization(w.Window), &p.share.address
			if org {
				sheet = &p.share.org
			}
			if !yield(view{w, &sheet.ledger, p.share.shared(&p.book, w.Window), p.share.inFlight(&p.book, p, org), true}) {
				return
			}
		}
	}
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
	p.look(func(now instant) {
		p.passed(now, t, answered)
		p.end(now, t, answered, true)
	})
	p.nudge(1)
}

// unused gives a permit back for a request that was not made.
func (p *pacer) unused(t permit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look(func(now instant) {
		p.inFlight--
		p.book.gate.passed(now, t.epoch, false)
	})
	p.nudge(1)
}

// throttled gives a permit back after a 429, and shuts the gate. after is the
// time that the server asked for, or 0 when it did not.
func (p *pacer) throttled(t permit, after time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look(func(now instant) {
		if news, first := p.book.gate.refuse(now, t.epoch, after); news {
			for v := range p.views() {
				if v.learns {
					v.ledger.finding(v.Per).refused(now, v.ledger.within(now, v.Per), v.requests, first)
				}
			}
		}
		p.end(now, t, true, false)
	})
	p.nudge(len(p.queue))
}

func (p *pacer) passed(now instant, t permit, answered bool) {
	late := p.book.gate.state == closed && t.epoch != p.book.gate.epoch
	first := p.book.gate.passed(now, t.epoch, answered)
	if !late && !first {
		return
	}
	// The shortest window first: when more than one could have been met, the
	// error of having taken a short one for it is soon undone.
	blamed := false
	for _, v := range slices.SortedFunc(p.views(), func(a, b view) int { return cmp.Compare(a.Per, b.Per) }) {
		if !v.learns {
			continue
		}
		switch f := v.ledger.finding(v.Per); {
		case late:
			f.late()
		case blamed:
			f.forget()
		default:
			blamed = f.passed(now, v.ledger.within(now, v.Per), v.requests)
		}
	}
}

// end enters a request that was made.
func (p *pacer) end(now instant, t permit, answered, accepted bool) {
	p.inFlight--
	p.own.push(now, accepted)
	if p.sharing() {
		p.share.address.push(now, accepted)
		p.share.org.push(now, accepted)
	}
	for v := range p.views() {
		if f := v.ledger.known(v.Per); v.learns && f != nil {
			f.reached = max(f.reached, v.ledger.within(now, v.Per))
		}
	}
	if answered {
		left := time.Now()
		p.trips.add(left, left.Sub(t.left))
	}
}

// shutUntil is when the gate lets a probe through, and zero when it is not
// closed.
func (p *pacer) shutUntil() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.book.gate.state != closed {
		return time.Time{}
	}
	return time.Now().Add(p.book.gate.until.sub(p.clock.now()))
}
