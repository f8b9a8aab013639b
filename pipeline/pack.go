package pipeline

import (
	"context"
	"fmt"
	"sort"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
)

// maxRejectBytes is how many bytes of reject lines a parcel gathers before it
// is sent on although its batch is not full: rows that are all bad must not
// gather in memory.
const maxRejectBytes = 256 << 10

// packer fills batches in the order of the input. A batch may span chunks and
// sources: small requests waste the only scarce thing, the request budget.
type packer struct {
	im     *Import
	ctx    context.Context
	out    chan<- *parcel
	cur    *parcel
	at     checkpoint.Position // after the last row that was packed
	read   int64               // of that source, in bytes as stored
	done   span                // of the chunk at hand
	keys   []int               // of the chunk at hand: Output.Keys -> ledger
	ledger ledger
	ends   []int // of measurements on their way into the batch
	// known counts what is certain of the rows up to there before the platform is
	// asked: those read, and those rejected.
	known checkpoint.Counts
	flown int64 // parcels that hold something to send
}

// span is how far into the parts of an Output the rows up to one reach.
type span struct{ items, json, amounts int }

// pack turns encoded chunks into parcels. It returns early when nobody takes
// them any more.
func (im *Import) pack(ctx context.Context, in <-chan []*encoded, out chan<- *parcel) error {
	p := &packer{im: im, ctx: ctx, out: out, at: im.Mark.Position}
	p.known.Read, p.known.Rejected = im.Mark.Counts.Read, im.Mark.Counts.Rejected
	p.ledger.init()
	if !p.begin() {
		return nil
	}
	for {
		bundle, ok := receive(ctx, in)
		if !ok {
			break
		}
		for _, e := range bundle {
			goOn := p.chunk(e)
			if e.chunk != nil {
				e.chunk.free() // parcels hold what they took rows of
			}
			im.reuse(e)
			if !goOn {
				return nil
			}
		}
	}
	if len(p.cur.stays) > 0 {
		p.hand()
	}
	return nil
}

// chunk packs the rows of one chunk; false when the pipeline is ending.
func (p *packer) chunk(e *encoded) bool {
	if p.at.Source != e.source {
		p.at, p.read = checkpoint.Position{Source: e.source}, 0
	}
	if e.chunk != nil {
		p.im.status.goesOn(e.source, e.chunk.Begun)
	}
	p.done = span{}
	var err error
	if p.keys, err = p.ledger.intern(p.keys[:0], e.out.Keys); err != nil {
		return p.fail(fmt.Errorf("%s: %w", p.im.Sources[e.source].Path, err))
	}
	if !p.rows(e) {
		return false
	}
	if e.chunk != nil {
		p.read = e.chunk.Consumed
		p.cur.consumed = p.read
	}
	if e.last && e.err == nil {
		p.cur.stay(e.source).done = true
		p.at, p.read = checkpoint.Position{Source: e.source + 1}, 0
		p.cur.end, p.cur.consumed = p.at, 0
	}
	if e.err != nil {
		return p.fail(e.err)
	}
	// Rows that are all rejects or filtered fill no batch; the mark must go on
	// all the same.
	if p.cur.batch.Len() == 0 && len(p.cur.stays) > 0 || p.cur.held > maxRejectBytes {
		return p.flush()
	}
	return true
}

// rows packs all rows of a chunk, as many at a time as fit into the batch;
// false when the pipeline is ending.
func (p *packer) rows(e *encoded) bool {
	for i := 0; i < len(e.rows); {
		n := p.fit(e, i)
		if n == 0 {
			if !p.flush() {
				return false
			}
			if n = p.fit(e, i); n == 0 {
				panic("pipeline: encode let a row pass that fits into no batch")
			}
		}
		p.take(e, i, i+n)
		i += n
	}
	return true
}

// fit is how many of the rows from one on the batch has room for: of each row
// all measurements, or none.
func (p *packer) fit(e *encoded, from int) int {
	items, bytes := p.cur.batch.Room()
	return sort.Search(len(e.rows)-from, func(n int) bool {
		end := e.until(from + n)
		return end.items-p.done.items > items || end.json-p.done.json-len(",") > bytes
	})
}

// until is how far into the Output the rows up to the nth, it included, reach.
func (e *encoded) until(nth int) span {
	items := int(e.rows[nth].items)
	if items == 0 {
		return span{}
	}
	last := e.out.Items[items-1]
	return span{items: items, json: int(last.End) + len(","), amounts: int(last.AmountsEnd)}
}

// take packs rows[from:to], which fit.
func (p *packer) take(e *encoded, from, to int) {
	cur, end := p.cur, e.until(to-1)
	counts := &cur.stay(e.source).counts
	if end.items > p.done.items {
		p.measurements(e, end, counts)
		cur.runs = append(cur.runs, stretch{
			end: cur.batch.Len(), rows: to - from, lease: cur.hold(e), nth: from,
			start: e.rows[from].start, source: e.source, record: p.at.Record + 1,
		})
	}
	items := p.done.items
	for i := range e.rows[from:to] {
		r := &e.rows[from+i]
		p.at.Record++
		switch r.fate {
		case mapped:
			counts.Accepted++
			cur.papers.widest = max(cur.papers.widest, int(r.items)-items)
			items = int(r.items)
		case filtered:
			counts.Filtered++
		case rejected:
			counts.Rejected++
			p.known.Rejected++
			draft := e.rejects[r.reject]
			draft.place(e.source, p.at.Record)
			cur.rejects = append(cur.rejects, draft)
			cur.held += len(draft.row)
		}
	}
	counts.Read += int64(to - from)
	p.known.Read += int64(to - from)
	last := e.rows[to-1].end
	p.at.Offset, p.at.Line = last.Offset, last.Line
	cur.end, p.done = p.at, end
	cur.consumed = e.chunk.Begun + (e.chunk.Consumed-e.chunk.Begun)*int64(to)/int64(len(e.rows))
}

// measurements puts those up to end into the batch, and adds up what they hold.
func (p *packer) measurements(e *encoded, end span, counts *checkpoint.Counts) {
	p.ends = p.ends[:0]
	for i := range e.out.Items[p.done.items:end.items] {
		item := &e.out.Items[p.done.items+i]
		p.ends = append(p.ends, int(item.End)-p.done.json)
		if item.Flags != 0 {
			countFlags(counts, item.Flags, 1)
		}
	}
	if err := p.cur.batch.AddJoined(e.out.JSON[p.done.json:end.json-len(",")], p.ends); err != nil {
		panic("pipeline: rows that fit do not: " + err.Error())
	}
	counts.Measurements += int64(end.items - p.done.items)
	for i := range e.out.Amounts[p.done.amounts:end.amounts] {
		a := &e.out.Amounts[p.done.amounts+i]
		p.ledger.add(p.cur, p.keys[a.Key], a.Value)
	}
}

// countFlags adds n for each thing that is worth counting about a measurement.
func countFlags(counts *checkpoint.Counts, flags mapper.Flags, n int64) {
	if flags&mapper.TimeTruncated != 0 {
		counts.TimesTruncated += n
	}
	if flags&mapper.NumberInexact != 0 {
		counts.NumbersInexact += n
	}
	if flags&mapper.TimeAncient != 0 {
		counts.TimesAncient += n
	}
	if flags&mapper.TimeFuture != 0 {
		counts.TimesFuture += n
	}
	if flags&mapper.NoAmount != 0 {
		counts.WithoutAmount += n
	}
}

// flush hands the current parcel on and begins the next one; false when the
// pipeline is ending, or the input ends here: at the parcel in which rejects
// that nobody has to be asked about are more than are allowed. The commit comes to
// that parcel and no further, whatever the platform says, so that what lies
// behind it would only be sent to be sent again.
func (p *packer) flush() bool {
	if !p.hand() || !p.begin() {
		return false
	}
	if err := p.im.tooMany(p.known); err != nil {
		p.cur.err = err
		send(p.ctx, p.out, p.cur)
		p.cur = nil
		return false
	}
	return true
}

// fail ends the input here: what is packed goes out, the error in line after it.
func (p *packer) fail(err error) bool {
	if p.flush() {
		p.cur.err = err
		send(p.ctx, p.out, p.cur)
	}
	p.cur = nil
	return false
}

// begin takes a place in the window, which commit gives back, for a new parcel.
func (p *packer) begin() bool {
	if !send(p.ctx, p.im.slots, struct{}{}) {
		return false
	}
	p.cur = p.im.newParcel()
	p.cur.begin, p.cur.end, p.cur.consumed = p.at, p.at, p.read
	p.cur.papers = papers{before: p.known, widest: 1}
	p.ledger.next()
	return true
}

// hand passes the current parcel on.
func (p *packer) hand() bool {
	if p.cur.batch.Len() > 0 {
		p.flown++
		p.cur.sent = p.flown
	}
	p.cur.papers.upTo = p.known
	return send(p.ctx, p.out, p.cur)
}
