package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

// flights are the batches that were handed to the Submitter and are not yet
// committed. They know since when some may have been sent, and which must not
// leave any more when the import is to end.
//
// A stop keeps every batch that has not left, but for those before one that
// has: what follows a batch that stays would be sent twice, as the mark can
// never be behind a gap. So what has left when all is said is a prefix of the
// input, as always.
//
// It also gives up what has left and waits for another try, as it does in an
// outage, for minutes perhaps, or to be taken apart: whether it was taken stays
// uncertain, and the next run sends it again, with all that has left behind it. No
// other has to leave for its sake.
//
// Where a batch is the last that the mark can come to, as it fails or has more
// rejects than are allowed, all of this happens to those behind it, at once.
//
// As long as nothing was ever taken, whatever is refused may be refused to all:
// then only the first one in line goes into that, and the others wait for what
// comes of it.
type flights struct {
	mu      sync.Mutex
	all     map[int64]*flight
	stopped bool
	last    int64 // the number of the last one that the mark can come to; 0: not known
	why     error // of that
	fatal   error // no request has a chance, for that
	budget  Budget
	spent   int64 // rows of committed flights that were refused, at least
	taken   bool  // something was, in this run
	turn    int64 // the flights up to this number have landed
	arrived map[int64]bool
	news    chan struct{} // for the next change of the last three; nil: nobody waits
}

// flight is one batch on its way. It is its own [uploader.Departure].
type flight struct {
	of      *flights
	number  int64               // in the order of the input, from 1
	end     checkpoint.Position // where its parcel ends
	papers  papers
	began   time.Time // it was handed over; it left no earlier
	left    bool      // some of it may have been taken
	paused  bool      // that, and nothing of it is under way
	landed  bool      // its submission has ended
	refused int       // measurements of it, so far
	ctx     context.Context
	keep    context.CancelCauseFunc
	kept    error // it must not leave, for that
	givenUp error // it has left, and is not tried again, for that
}

// papers are what is known of the rows of a parcel before they are sent.
type papers struct {
	before checkpoint.Counts // rows read and rejected before it
	upTo   checkpoint.Counts // and with it
	widest int               // the most measurements of one of its rows
}

// errGivenUp ends the submission of a batch that is given up.
var errGivenUp = fmt.Errorf("%w: what waited for another try is sent again by the next run", ErrStopped)

// start begins the flight of p. The context is for its submission, and ends
// with a cause when it must not leave: now, or as long as it has not.
func (f *flights) start(ctx context.Context, p *parcel, now time.Time) context.Context {
	ctx, keep := context.WithCancelCause(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all, f.arrived = make(map[int64]*flight), make(map[int64]bool)
	}
	one := &flight{of: f, number: p.sent, end: p.end, papers: p.papers, began: now, ctx: ctx, keep: keep}
	f.all[p.sent] = one
	f.hold()
	// Whoever submits it and says nothing of departures sends it right away.
	one.left = one.kept == nil
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
	if one.givenUp != nil {
		one.left = one.left && left // nothing of it leaves any more
		return
	}
	one.left, one.paused = left && one.kept == nil, paused && one.kept == nil
	one.of.hold()
}

// Allowed is how many measurements may be refused.
func (one *flight) Allowed() (most int, said bool) {
	return one.papers.allowed(one.of.budget), one.of.budget.Limited
}

// allowed is how many measurements of a parcel may be refused before that alone is
// more than b allows, however many are refused of the parcels before it, and
// wherever in the parcel the rows that are rejected anyway stand. All rows of the
// refused measurements but the last are then whole.
func (p papers) allowed(b Budget) int {
	if b.Percent > 0 && p.before.Read < MinSample {
		return math.MaxInt // it may end before the share counts
	}
	for n := 1; n <= uploader.MaxItems; n++ {
		if b.Exceeded(checkpoint.Counts{Read: p.upTo.Read, Rejected: p.before.Rejected + int64(n)}) {
			return n*p.widest - 1
		}
	}
	return math.MaxInt
}

// Again waits until something was taken from any flight, or this is the first in
// line.
func (one *flight) Again() {
	for {
		goOn, news := one.mayTryAgain()
		if goOn {
			return
		}
		select {
		case <-news:
		case <-one.ctx.Done():
			return
		}
	}
}

// mayTryAgain reports that Again may return; news come when it must be asked anew.
func (one *flight) mayTryAgain() (yes bool, news <-chan struct{}) {
	f := one.of
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.taken || f.turn == one.number-1 {
		return true, nil
	}
	return false, f.await()
}

// await is closed when there are news.
func (f *flights) await() <-chan struct{} {
	if f.news == nil {
		f.news = make(chan struct{})
	}
	return f.news
}

// tell wakes up who waits for news.
func (f *flights) tell() {
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

// Settled notes that something of a flight was taken, and how much refused. With
// what is known of those before it, that may be more than is allowed: then nothing
// behind it has to leave.
func (one *flight) Settled(taken, refused int) {
	f := one.of
	f.mu.Lock()
	defer f.mu.Unlock()
	if taken > 0 && !f.taken {
		f.taken = true
		f.tell()
	}
	if refused <= one.refused {
		return
	}
	one.refused = refused
	n := f.spent
	for _, other := range slices.SortedFunc(maps.Values(f.all), inOrder) {
		n += other.rows()
		upTo := other.papers.upTo
		if upTo.Rejected += n; f.budget.Exceeded(upTo) {
			f.ends(other.number, ErrTooManyRejects)
			return
		}
	}
}

func inOrder(a, b *flight) int { return int(a.number - b.number) }

// rows is how many rows of a flight were refused, at least.
func (one *flight) rows() int64 {
	if one.refused == 0 {
		return 0
	}
	return int64((one.refused-1)/one.papers.widest + 1)
}

// fail notes that the mark can not come past p. Where that is because no request
// has a chance, what is before it does not leave either, nor is it gone into, if
// nothing was ever taken; and that is what it ends for.
func (f *flights) fail(p *parcel, why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e, ok := errors.AsType[*uploader.Error](why); ok && e.Kind == uploader.Fatal && f.fatal == nil {
		f.fatal = why
	}
	f.ends(p.sent, why)
}

// halt keeps all that has not left.
func (f *flights) halt(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends(0, why)
}

// ends keeps what is behind a flight.
func (f *flights) ends(number int64, why error) {
	if f.why == nil || number < f.last {
		f.last, f.why = number, why
	}
	f.hold()
}

// end notes that the submission of p has come to an end. The error is why it did,
// when that was not its own.
func (f *flights) end(p *parcel) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.all[p.sent]
	one.landed = true
	one.keep(nil) // which frees what the context holds
	if one.kept != nil {
		return one.kept
	}
	return one.givenUp
}

// next lets the one behind p go on, if that waits for it: what came of p is known.
func (f *flights) next(p *parcel) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.arrived[p.sent] = true; f.arrived[f.turn+1]; f.turn++ {
		delete(f.arrived, f.turn+1)
	}
	f.tell()
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

// past reports that the mark cannot come to a flight.
func (f *flights) past(one *flight) bool { return f.why != nil && one.number > f.last }

// hold gives up what waits for another try, and keeps all that is behind the last
// flight that has left and that the mark can still come to: behind one that is
// given up, it cannot.
func (f *flights) hold() {
	if !f.stopped && f.why == nil {
		return
	}
	for _, one := range f.all {
		switch {
		case f.fatal != nil && (!one.left || one.paused && !f.taken):
			f.drop(one, f.fatal)
		case !one.paused || one.landed:
		case f.stopped:
			f.drop(one, errGivenUp)
		case f.past(one):
			f.drop(one, f.why)
		}
	}
	last := f.lastToLeave()
	for _, one := range f.all {
		switch {
		case one.left:
		case f.past(one):
			f.drop(one, f.why)
		case f.stopped && last.Before(one.end):
			f.drop(one, ErrStopped)
		}
	}
}

// drop gives a flight up if it has left, and keeps it if it has not.
func (f *flights) drop(one *flight, why error) {
	switch {
	case one.landed || one.kept != nil || one.givenUp != nil:
		return
	case one.left:
		one.givenUp = why
	default:
		one.kept = why
	}
	one.keep(why)
}

// lastToLeave is where the last flight ends that has left and that the mark can
// still come to.
func (f *flights) lastToLeave() (last checkpoint.Position) {
	var gap *flight // the first one that is given up
	for _, one := range f.all {
		if one.givenUp != nil && (gap == nil || one.end.Before(gap.end)) {
			gap = one
		}
	}
	for _, one := range f.all {
		if one.left && last.Before(one.end) && !f.past(one) && (gap == nil || one.end.Before(gap.end)) {
			last = one.end
		}
	}
	return last
}

// inAir is how many batches have left and not landed; of an import that is to
// stop also those that must leave.
func (f *flights) inAir() (n int) {
	for _, one := range f.all {
		if !one.landed && one.kept == nil && one.givenUp == nil && (one.left || f.stopped) {
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

// settle waits for what is in the air, no longer than atMost, if nothing else may
// have been taken: when every answer is a refusal, nothing is uncertain.
func (f *flights) settle(ctx context.Context, atMost time.Duration) {
	over := time.NewTimer(atMost)
	defer over.Stop()
	for {
		inAir, news := f.onlyInAir()
		if !inAir {
			return
		}
		select {
		case <-news:
		case <-over.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// onlyInAir reports that something may have been taken, and that all of it has not
// landed; news comes when that changes.
func (f *flights) onlyInAir() (yes bool, news <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.all {
		if one.left && one.landed {
			return false, nil
		}
		yes = yes || one.left
	}
	if yes {
		news = f.await()
	}
	return yes, news
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

// committed forgets a flight, unless only a part of it is committed.
func (f *flights) committed(p *parcel) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one := f.all[p.sent]; one != nil && p.then == nil {
		f.spent += one.rows()
		delete(f.all, p.sent)
	}
}

// oldestExcept is when the oldest flight began that is not among the settled
// ones, or now when there is none.
func (f *flights) oldestExcept(settled []*parcel, now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, one := range f.all {
		if one.began.Before(now) && !slices.ContainsFunc(settled, func(p *parcel) bool { return p.sent == id && p.then == nil }) {
			now = one.began
		}
	}
	return now
}
