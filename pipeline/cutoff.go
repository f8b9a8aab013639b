package pipeline

import (
	"fmt"
	"iter"
	"slices"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// partly settles the first rows of a parcel whose submission ended early: those of
// which every measurement is settled, and what stands between them. It reports
// whether there is such a row. After false or an error nothing of the parcel may
// be committed.
func (im *Import) partly(p *parcel, known *uploader.Partly) (bool, error) {
	if known.Settled < p.batch.Len() {
		c := &cutoff{im: im, parcel: p, settled: known.Settled}
		if err := c.cut(); err != nil {
			return false, err
		}
		if c.kept == 0 {
			return false, nil
		}
		p.kept = c.kept
	} else {
		p.kept = p.batch.Len()
	}
	refusals := known.Refusals
	for n := len(refusals); n > 0 && refusals[n-1].Item >= p.kept; n = len(refusals) {
		refusals = refusals[:n-1] // of a row that is not settled as a whole
	}
	return true, im.refuse(p, refusals)
}

// cutoff takes the rows of a parcel that are not settled out of it: out of its
// counts, totals, rejects and sources, so that the parcel ends before the first
// of them. They are mapped once more, which gives what they counted for.
type cutoff struct {
	im      *Import
	parcel  *parcel
	settled int // measurements
	next    int // the measurement of the batch that comes next
	kept    int // measurements, once found is true
	found   bool
	out     mapper.Output
}

// cut does it.
func (c *cutoff) cut() error {
	p := c.parcel
	first := len(p.runs)
	for i := range p.runs {
		r := &p.runs[i]
		if c.settled >= r.end {
			c.next = r.end
			continue
		}
		first = min(first, i)
		err := c.im.again(p, r, func(m *mapper.Mapper, records iter.Seq2[*reader.Record, error]) error {
			return c.run(r, m, records)
		})
		if err != nil {
			return err
		}
	}
	if first == len(p.runs) || !c.found {
		return fmt.Errorf("%d measurements of a request of %d are settled, and no row stands behind them", c.settled, p.batch.Len())
	}
	r := &p.runs[first]
	r.rows, r.end = int(p.end.Record+1-r.record), c.kept
	p.runs = p.runs[:first+1]
	return nil
}

// run takes the rows of a run out, from the first that is not settled on.
func (c *cutoff) run(r *stretch, m *mapper.Mapper, records iter.Seq2[*reader.Record, error]) error {
	row := int64(0)
	path := c.im.Sources[r.source].Path
	for rec, err := range records {
		if row == int64(r.rows) {
			break
		}
		record := r.record + row
		row++
		if _, bad := err.(*reader.RowError); bad {
			continue // a reject the first time, too
		}
		if err != nil {
			return err
		}
		c.out.Reset()
		skip, err := m.Append(&c.out, rec)
		if err == nil && !skip {
			skip, err = c.im.admit(path, &c.out, rec, extent{})
		}
		if err != nil || skip {
			continue // it is in no batch
		}
		if !c.parcel.holds(&c.out, c.next, r.end) {
			return c.im.anotherRow(r.source, record)
		}
		c.row(r.source, rec, record)
	}
	if c.next != r.end {
		return c.im.anotherRow(r.source, r.record+row)
	}
	return nil
}

// row takes one row out, unless it is settled.
func (c *cutoff) row(source int, rec *reader.Record, record int64) {
	p, from := c.parcel, c.next
	c.next += len(c.out.Items)
	if !c.found && c.next <= c.settled {
		return
	}
	if !c.found {
		c.found, c.kept = true, from
		p.endBefore(checkpoint.Position{Source: source, Offset: rec.Pos.Offset, Line: rec.Pos.Line, Record: record - 1})
	}
	i := slices.IndexFunc(p.stays, func(s stay) bool { return s.source == source })
	if i >= 0 {
		p.stays[i].counts.Accepted--
		p.stays[i].counts.Filtered++ // so that they sum; endBefore counted it as read no more
	}
	for item := range c.out.Items {
		p.uncount(source, &c.out, item)
	}
}

// endBefore makes the parcel end at a place: what it holds of rejects, rows read
// and sources behind that goes. Accepted rows behind it are the caller's to take
// out.
func (p *parcel) endBefore(end checkpoint.Position) {
	p.rejects = slices.DeleteFunc(p.rejects, func(d rejectDraft) bool {
		return d.source > end.Source || d.source == end.Source && d.record > end.Record
	})
	p.stays = slices.DeleteFunc(p.stays, func(s stay) bool { return s.source > end.Source })
	last := &p.stays[len(p.stays)-1]
	last.done = false
	n := &last.counts
	n.Read = end.Record
	if p.begin.Source == end.Source {
		n.Read -= p.begin.Record
	}
	n.Rejected = 0
	for i := range p.rejects {
		if p.rejects[i].source == end.Source {
			n.Rejected++
		}
	}
	n.Filtered = n.Read - n.Accepted - n.Rejected
	if p.end.Source != end.Source {
		p.consumed = 0 // of another source
	}
	p.end = end
}

// uncount takes a measurement out of the counts of its source, if it is still
// there, and out of the totals.
func (p *parcel) uncount(source int, out *mapper.Output, item int) {
	from := uint32(0)
	if item > 0 {
		from = out.Items[item-1].AmountsEnd
	}
	if i := slices.IndexFunc(p.stays, func(s stay) bool { return s.source == source }); i >= 0 {
		counts := &p.stays[i].counts
		counts.Measurements--
		countFlags(counts, out.Items[item].Flags, -1)
	}
	for _, a := range out.Amounts[from:out.Items[item].AmountsEnd] {
		p.subtract(out.Keys[a.Key], a)
	}
}
