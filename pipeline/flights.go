package pipeline

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

// flights are the batches that were handed to the Submitter and are not yet
// committed. They know since when some may have been sent, and which must not
// leave any more when the import is to stop.
//
// A stop keeps every batch that has not left, but for those before one that
// has: what follows a batch that stays would be sent twice, as the mark can
// never be behind a gap. So what has left when all is said is a prefix of the
// input, as always.
//
// It also gives up what has left and waits for another try, as it does in an
// outage, for minutes perhaps: whether it was taken stays uncertain, and the
// next run sends it again, with all that has left behind it. No other has to
// leave for its sake.
type flights struct {
	mu      sync.Mutex
	all     map[int64]*flight
	next    int64
	stopped bool
}

// flight is one batch on its way. It is its own [uploader.Departure].
type flight struct {
	of      *flights
	end     checkpoint.Position // where its parcel ends
	began   time.Time           // it was handed over; it left no earlier
	left    bool                // some of it may have been taken
	paused  bool                // that, and nothing of it is under way
	landed  bool                // its submission has ended
	keep    context.CancelCauseFunc
	kept    bool // it must not leave
	givenUp bool // it has left, and is not tried again
}

// errGivenUp ends the submission of a batch that is given up.
var errGivenUp = fmt.Errorf("%w: what waited for another try is sent again by the next run", ErrStopped)

// start begins the flight of p. The context is for its submission, and ends
// with ErrStopped when it must not leave: now, or as long as it has not.
func (f *flights) start(ctx context.Context, p *parcel, now time.Time) context.Context {
	ctx, keep := context.WithCancelCause(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = make(map[int64]*flight)
	}
	f.next++
	p.sent = f.next
	one := &flight{of: f, end: p.end, began: now, keep: keep}
	f.all[p.sent] = one
	f.hold()
	// Whoever submits it and says nothing of departures sends it right away.
	one.left = !one.kept
	return uploader.WithDeparture(ctx, one)
}

// Waiting, Leaving and Pausing note that a flight waits, or is back and does, that
// it leaves, and that it is back and will have to leave once more.
func (one *flight) Waiting() { one.now(false, false) }
func (one *flight) Leaving() { one.now(true, false) }
func (one *flight) Pausing() { one.now(true, true) }

func (one *flight) now(left, paused bool) {
	one.of.mu.Lock()
	defer one.of.mu.Unlock()
	if one.givenUp {
		return
	}
	one.left, one.paused = left && !one.kept, paused && !one.kept
	one.of.hold()
}

// end notes that the submission of p has come to an end, and reports whether it
// was kept.
func (f *flights) end(p *parcel) (kept bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.all[p.sent]
	one.landed = true
	one.keep(nil) // which frees what the context holds
	return one.kept
}

// stop keeps what has not left, gives up what waits for another try, and returns
// how many batches are under way, or will be.
func (f *flights) stop() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	f.hold()
	return f.inAir()
}

// hold gives up what waits for another try, and keeps all that is behind the last
// flight that has left and that the mark can still come to: behind one that is
// given up, it cannot.
func (f *flights) hold() {
	if !f.stopped {
		return
	}
	var gap *flight // the first one that is given up
	for _, one := range f.all {
		if one.paused && !one.landed && !one.givenUp {
			one.givenUp = true
			one.keep(errGivenUp)
		}
		if one.givenUp && (gap == nil || one.end.Before(gap.end)) {
			gap = one
		}
	}
	var last checkpoint.Position
	for _, one := range f.all {
		if one.left && last.Before(one.end) && (gap == nil || one.end.Before(gap.end)) {
			last = one.end
		}
	}
	for _, one := range f.all {
		if !one.left && last.Before(one.end) {
			one.kept = true
			one.keep(ErrStopped)
		}
	}
}

// inAir is how many batches have left and not landed; of an import that is to
// stop also those that must leave.
func (f *flights) inAir() (n int) {
	for _, one := range f.all {
		if !one.landed && !one.kept && !one.givenUp && (one.left || f.stopped) {
			n++
		}
	}
	return n
}

// count is inAir, for everybody.
func (f *flights) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.inAir()
}

// none reports that nothing was handed over that is not committed.
func (f *flights) none() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all) == 0
}

// uncertain is when the oldest flight began of which some may have been taken and
// which is not committed, and false when there is none.
func (f *flights) uncertain() (since time.Time, any bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.all {
		if one.left && (!any || one.began.Before(since)) {
			since, any = one.began, true
		}
	}
	return since, any
}

// committed forgets a flight.
func (f *flights) committed(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, id)
}

// oldestExcept is when the oldest flight began that is not among the settled
// ones, or now when there is none.
func (f *flights) oldestExcept(settled []*parcel, now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, one := range f.all {
		if one.began.Before(now) && !slices.ContainsFunc(settled, func(p *parcel) bool { return p.sent == id }) {
			now = one.began
		}
	}
	return now
}
