package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// maxRejectBytes is how many bytes of reject lines a parcel gathers before it
// is sent on although its batch is not full: rows that are all bad must not
// gather in memory.
const maxRejectBytes = 256 << 10

// parcel is a batch with its papers.
type parcel struct {
	batch    *uploader.Batch
	end      checkpoint.Position // everything before it is in this parcel or an earlier one
	consumed int64               // of the source at end, in bytes as stored
	stays    []stay              // the sources that its rows came from, in order
	totals   []total             // what its measurements sum to
	rejects  []rejectDraft
	held     int              // bytes in rejects
	rows     []packedRow      // those in the batch, in order
	leases   []*lease         // chunks that rows point into, at most maxLeases
	mappers  []*mapper.Mapper // of each lease
	sent     int64            // the flight, once there is one
	err      error            // ends the import here
}

// packedRow is a row whose measurements are in a batch, with what it takes to
// find it again should the platform refuse it.
type packedRow struct {
	end    int        // its measurements end here in the batch
	lease  int        // into parcel.leases; -1: it has to be read again from the source
	nth    int        // row of that chunk
	start  reader.Pos // of the row
	source int
	record int64
}

// maxLeases is how many chunks a parcel keeps. Rows that stand densely come
// from one or two; where few rows of a chunk are taken, or sources are small,
// keeping them all would hold a multiple of what is sent.
const maxLeases = 3

// stay is what a parcel holds of one source.
type stay struct {
	source int
	counts checkpoint.Counts
	done   bool // the source ends in this parcel
}

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
	items  [][]byte
}

// span is how far into the parts of an Output the rows up to one reach.
type span struct{ items, json, amounts uint32 }

// pack turns encoded chunks into parcels. It returns early when nobody takes
// them any more.
func (im *Import) pack(ctx context.Context, in <-chan *encoded, out chan<- *parcel) error {
	p := &packer{im: im, ctx: ctx, out: out, at: im.Mark.Position}
	p.ledger.init()
	if !p.begin() {
		return nil
	}
	for {
		e, ok := receive(ctx, in)
		if !ok {
			break
		}
		goOn := p.chunk(e)
		if e.chunk != nil {
			e.chunk.free() // parcels hold what they took rows of
		}
		im.reuse(e)
		if !goOn {
			return nil
		}
	}
	if len(p.cur.stays) > 0 {
		send(ctx, out, p.cur)
	}
	return nil
}

// chunk packs the rows of one chunk; false when the pipeline is ending.
func (p *packer) chunk(e *encoded) bool {
	if p.at.Source != e.source {
		p.at, p.read = checkpoint.Position{Source: e.source}, 0
	}
	p.done = span{}
	var err error
	if p.keys, err = p.ledger.intern(p.keys[:0], e.out.Keys); err != nil {
		return p.fail(fmt.Errorf("%s: %w", p.im.Sources[e.source].Path, err))
	}
	for i := range e.rows {
		if !p.row(e, i) {
			return false
		}
	}
	if e.chunk != nil {
		p.read = e.chunk.Consumed
		p.cur.consumed = p.read
	}
	if e.last {
		p.stay(e.source).done = true
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

// row packs one row: all of it into one batch, or none.
func (p *packer) row(e *encoded, nth int) bool {
	r := &e.rows[nth]
	first, end := p.done, p.endOf(e, r)
	if r.fate == mapped {
		if ok := p.add(e, first, end); !ok {
			return false
		}
	}
	p.at.Record++
	p.at.Offset, p.at.Line = r.end.Offset, r.end.Line
	p.cur.end, p.done = p.at, end

	counts := &p.stay(e.source).counts
	counts.Read++
	switch r.fate {
	case mapped:
		counts.Accepted++
		p.count(e, first, end, counts)
		p.cur.rows = append(p.cur.rows, packedRow{
			end: p.cur.batch.Len(), lease: p.lease(e), nth: nth, start: r.start, source: e.source, record: p.at.Record,
		})
	case filtered:
		counts.Filtered++
	case rejected:
		counts.Rejected++
		draft := e.rejects[r.reject]
		draft.place(e.source, p.at.Record)
		p.cur.rejects = append(p.cur.rejects, draft)
		p.cur.held += len(draft.row)
	}
	return true
}

// endOf is where the row's span of the Output ends.
func (p *packer) endOf(e *encoded, r *row) span {
	if r.items == 0 {
		return span{}
	}
	last := e.out.Items[r.items-1]
	return span{items: r.items, json: last.End, amounts: last.AmountsEnd}
}

// add puts the row's measurements into the batch, into the next one when this
// one is full; false when the pipeline is ending.
func (p *packer) add(e *encoded, first, end span) bool {
	p.items = p.items[:0]
	from := first.json
	for _, item := range e.out.Items[first.items:end.items] {
		p.items = append(p.items, e.out.JSON[from:item.End])
		from = item.End
	}
	err := p.cur.batch.Add(p.items...)
	if errors.Is(err, uploader.ErrFull) {
		if !p.flush() {
			return false
		}
		err = p.cur.batch.Add(p.items...)
	}
	if err != nil {
		panic("pipeline: encode let a row pass that fits into no batch: " + err.Error())
	}
	return true
}

// count adds up what the accepted row holds.
func (p *packer) count(e *encoded, first, end span, counts *checkpoint.Counts) {
	for _, item := range e.out.Items[first.items:end.items] {
		counts.Measurements++
		countFlags(counts, item.Flags, 1)
	}
	for _, a := range e.out.Amounts[first.amounts:end.amounts] {
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
}

// lease makes the current parcel hold the chunk until it is settled.
func (p *packer) lease(e *encoded) int {
	if n := len(p.cur.leases); n == 0 || p.cur.leases[n-1] != e.chunk {
		if n == maxLeases {
			return -1
		}
		e.chunk.hold()
		p.cur.leases = append(p.cur.leases, e.chunk)
		p.cur.mappers = append(p.cur.mappers, e.mapper)
	}
	return len(p.cur.leases) - 1
}

// stay is the account of the source in the current parcel.
func (p *packer) stay(source int) *stay {
	stays := p.cur.stays
	if n := len(stays); n == 0 || stays[n-1].source != source {
		p.cur.stays = append(stays, stay{source: source})
	}
	return &p.cur.stays[len(p.cur.stays)-1]
}

// flush hands the current parcel on and begins the next one; false when the
// pipeline is ending.
func (p *packer) flush() bool {
	return send(p.ctx, p.out, p.cur) && p.begin()
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
	batch, ok := p.im.batches.Get().(*uploader.Batch)
	if !ok {
		batch = new(uploader.Batch)
	}
	batch.Reset(p.im.Limits)
	p.cur = &parcel{batch: batch, end: p.at, consumed: p.read}
	p.ledger.next()
	return true
}
