package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/uploader"
)

// committer makes durable what has settled, in the order of the input.
type committer struct {
	im    *Import
	mark  checkpoint.Mark // as it will be
	saved checkpoint.Mark // as it was committed last
	sums  sums
	group []*parcel // settled, not yet durable
	line  []byte
	told  []Reject
	doubt doubt
}

// doubt is what earlier runs left behind that may have been sent: so many
// measurements after the mark, since a time. It shrinks as the mark goes on.
type doubt struct {
	since time.Time
	left  int64
}

// begin puts a mark down before anything is sent, so that even the first crash
// finds when the sending began.
func (im *Import) begin() (*committer, error) {
	c := &committer{im: im, mark: im.Mark, saved: im.Mark}
	c.mark.RejectCodes = maps.Clone(im.Mark.RejectCodes)
	if err := c.sums.load(im.Mark.Totals); err != nil {
		return nil, err
	}
	c.mark.Runs++
	if !c.mark.FirstSent.IsZero() {
		c.doubt = doubt{c.mark.FirstSent, c.mark.MaxUncertain}
	}
	c.sending(im.Now(), im.mostInAir())
	return c, c.commit()
}

// mostInAir is how many measurements can be sent and not committed.
func (im *Import) mostInAir() int64 {
	items := im.Limits.Items
	if items <= 0 {
		items = uploader.MaxItems
	}
	return int64(im.Window) * int64(items)
}

// sending notes that up to n measurements after the mark may have been sent,
// since a time; what earlier runs left in doubt is older.
func (c *committer) sending(since time.Time, n int64) {
	if c.doubt.left > 0 {
		if since.IsZero() || c.doubt.since.Before(since) {
			since = c.doubt.since
		}
		n = max(n, c.doubt.left)
	}
	c.mark.FirstSent, c.mark.MaxUncertain = since, n
}

// commitDelay is how long what has settled may wait for company. A commit costs
// the same for one batch as for ten, and where the platform answers at once, a
// commit for each would be a tenth of all the work.
const commitDelay = 50 * time.Millisecond

// run commits parcels as they settle, until the last one, an error in line, or
// the end of ctx. What settles during a commit goes into the next one: the
// sending waits for the disk only where the window is full.
func (c *committer) run(ctx context.Context, settled <-chan *parcel) error {
	for {
		p, ok := receive(ctx, settled)
		due := time.NewTimer(commitDelay)
		var why error // it ends here, however many happen to have settled behind it
		for ok && p != nil {
			if why = p.err; why != nil {
				break
			}
			c.take(p)
			if why = cmp.Or(c.im.tooMany(c.mark.Counts), p.then); why != nil {
				break
			}
			p, ok = c.more(ctx, settled, due.C)
		}
		due.Stop()
		if len(c.group) > 0 {
			c.sending(c.im.flights.oldestExcept(c.group, c.im.Now()), c.im.mostInAir())
			if err := c.commit(); err != nil {
				return err
			}
		}
		switch {
		case why != nil:
			return c.ends(ctx, why)
		case !ok:
			return context.Cause(ctx) // nil at the end of the input
		}
	}
}

// ends makes the last mark of a run that ends before the input does. Nothing leaves
// any more, so that it says what may have been sent of what is behind it: of a
// clean stop, and where the source is at fault, nothing, and in five weeks nobody
// needs to ask.
func (c *committer) ends(ctx context.Context, why error) error {
	if ctx.Err() != nil {
		return why // what is in the air was cut off
	}
	c.im.flights.halt(why)
	c.im.flights.settle(ctx, c.im.Drain)
	if since, any := c.im.flights.uncertain(); any {
		c.sending(since, c.im.mostInAir())
	} else {
		c.sending(time.Time{}, 0)
	}
	err := c.commit()
	if err != nil && !errors.Is(why, ErrStopped) {
		return errors.Join(why, err)
	}
	return cmp.Or(err, why)
}

// tooMany is ErrTooManyRejects once n has more rejects than are allowed. It is
// asked at the ends of parcels in the order of the input, so that an import ends
// at the same row whatever the timing.
func (im *Import) tooMany(n checkpoint.Counts) error {
	if !im.MaxRejects.Exceeded(n) {
		return nil
	}
	return fmt.Errorf("%w: %s of %s rows, allowed are %v", ErrTooManyRejects, decimal.Grouped(n.Rejected), decimal.Grouped(n.Read), im.MaxRejects)
}

// more waits for one more parcel that goes into the same commit. It returns
// (nil, true) when the commit must not wait: it is due, or few places are left
// in the window.
func (c *committer) more(ctx context.Context, settled <-chan *parcel, due <-chan time.Time) (*parcel, bool) {
	if len(c.im.slots) >= cap(c.im.slots)-cap(c.im.slots)/8 {
		select {
		case p, ok := <-settled:
			return p, ok
		default:
			return nil, true
		}
	}
	select {
	case p, ok := <-settled:
		return p, ok
	case <-due:
		return nil, true
	case <-ctx.Done():
		return nil, false
	}
}

// take adds a settled parcel to the mark that the next commit writes.
func (c *committer) take(p *parcel) {
	c.group = append(c.group, p)
	for i := range p.rejects {
		if d := &p.rejects[i]; d.Stage == StageSend && c.doubt.left > 0 {
			d.maySent(c.doubt.since)
		}
		c.line = p.rejects[i].appendLine(c.line[:0])
		c.im.Journal.Reject(c.line)
		if c.mark.RejectCodes == nil {
			c.mark.RejectCodes = make(map[string]int64)
		}
		c.mark.RejectCodes[p.rejects[i].Code]++
		if c.im.OnReject != nil {
			c.told = append(c.told, p.rejects[i].Reject)
		}
	}
	for i := range p.totals {
		c.sums.add(&p.totals[i])
	}
	for _, s := range p.stays {
		c.mark.Counts.Add(s.counts)
		c.mark.Current.Add(s.counts)
		if s.done {
			done := checkpoint.SourceCounts{Path: c.im.Sources[s.source].Path, Counts: c.mark.Current}
			c.line = done.Append(c.line[:0])
			c.im.Journal.SourceDone(c.line)
			c.mark.Current = checkpoint.Counts{}
		}
	}
	c.mark.Position = p.end
	c.doubt.left -= int64(p.kept)
	c.im.status.settled(p)
}

// commit makes the mark durable, then frees the places of its parcels.
func (c *committer) commit() error {
	c.mark.Totals = c.sums.totals()
	c.mark.Updated = c.im.Now()
	if err := c.im.Journal.Commit(c.mark); err != nil {
		return fmt.Errorf("the state could not be written, so the import stops: %w", err)
	}
	c.saved = c.mark
	c.saved.RejectCodes = maps.Clone(c.mark.RejectCodes)
	c.im.status.committed(c.mark)
	for _, r := range c.told {
		c.im.OnReject(r)
	}
	c.told = c.told[:0]
	for _, p := range c.group {
		c.im.flights.committed(p)
		c.im.unpack(p)
		<-c.im.slots
	}
	c.group = c.group[:0]
	return nil
}
