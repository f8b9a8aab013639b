package pipeline

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"

	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// CodeRefused is the code of a reject that the platform refused.
const CodeRefused = "refused"

// refuse turns measurements that the platform refused into rejects of their
// rows, and takes them out of what the parcel counts. A row of which other
// measurements landed is a reject all the same, and says so: when it is mended
// and imported again, those have the uids that the platform knows.
func (im *Import) refuse(p *parcel, refusals []uploader.Refusal) error {
	for len(refusals) > 0 {
		at := sort.Search(len(p.rows), func(i int) bool { return p.rows[i].end > refusals[0].Item })
		if at == len(p.rows) {
			return fmt.Errorf("measurement %d was refused in a request of %d", refusals[0].Item, p.batch.Len())
		}
		n := 1
		for n < len(refusals) && refusals[n].Item < p.rows[at].end {
			n++
		}
		if err := im.refuseRow(p, at, refusals[:n]); err != nil {
			return err
		}
		refusals = refusals[n:]
	}
	slices.SortStableFunc(p.rejects, func(a, b rejectDraft) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.record, b.record))
	})
	return nil
}

// refuseRow rejects one row, of which the platform refused some measurements.
func (im *Import) refuseRow(p *parcel, at int, refused []uploader.Refusal) error {
	row := p.rows[at]
	first := 0
	if at > 0 {
		first = p.rows[at-1].end
	}
	// The row is mapped once more: that is pure, so the same measurements come
	// out, and nothing had to be kept for rows that are not refused.
	again := func(rec *reader.Record, m *mapper.Mapper) error {
		var out mapper.Output
		if _, err := m.Append(&out, rec); err != nil || !p.sentAs(&out, first, row.end) {
			return fmt.Errorf("%s: %w: row %d was refused, and is another one now", im.Sources[row.source].Path, ErrSourceChanged, row.record)
		}
		draft := draftFromMap(im.Sources[row.source].Path, m, rec, nil)
		draft.Stage, draft.Code = StageSend, CodeRefused
		draft.Reason = refusalText(refused, row.end-first)
		draft.UID = uidOf(p.batch.Item(refused[0].Item))
		draft.place(row.source, row.record)
		p.rejects = append(p.rejects, draft)
		p.unaccept(row.source, &out, refused, first)
		return nil
	}
	if row.lease >= 0 {
		return p.leases[row.lease].nth(row.nth, p.mappers[row.lease], again)
	}
	return im.reread(row.source, row.start, again)
}

// sentAs reports whether the measurements from first to end of the batch are
// those of out.
func (p *parcel) sentAs(out *mapper.Output, first, end int) bool {
	if len(out.Items) != end-first {
		return false
	}
	from := uint32(0)
	for i, item := range out.Items {
		if !bytes.Equal(out.JSON[from:item.End], p.batch.Item(first+i)) {
			return false
		}
		from = item.End
	}
	return true
}

// nth gives a record of the chunk, which is parsed again for it.
func (l *lease) nth(n int, m *mapper.Mapper, again func(*reader.Record, *mapper.Mapper) error) error {
	l.again.Lock()
	defer l.again.Unlock()
	for rec, err := range l.Records() {
		if n--; n < 0 {
			if err != nil {
				return err
			}
			return again(&rec, m)
		}
	}
	panic("pipeline: a chunk has fewer records than it had")
}

// reread gives the record at a position of a source, which is opened again for
// it. Standard input cannot be.
func (im *Import) reread(source int, at reader.Pos, again func(*reader.Record, *mapper.Mapper) error) error {
	path := im.Sources[source].Path
	if path == "-" {
		return fmt.Errorf("standard input: a row was refused that cannot be read again for the reject file (%v): import from a file instead", at)
	}
	src, m, err := im.open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := src.SeekTo(at); err != nil {
		return err
	}
	chunk, err := src.Next()
	if err != nil {
		return err
	}
	defer chunk.Release()
	for rec, err := range chunk.Records() {
		if err != nil {
			return err
		}
		return again(&rec, m)
	}
	return fmt.Errorf("%s: no record at %v any more", path, at)
}

// refusalText gives the server's words, and which measurements of the row they
// are about when it made several.
func refusalText(refused []uploader.Refusal, of int) string {
	text := fmt.Sprintf("the platform refused it with status %d: %s", refused[0].Status, refused[0].Message)
	if of == 1 {
		return text
	}
	return fmt.Sprintf("the platform refused %d of its %d measurements and took the others; of the first refused one: %s", len(refused), of, text)
}

// unaccept takes a refused row out of the parcel's counts and totals.
func (p *parcel) unaccept(source int, out *mapper.Output, refused []uploader.Refusal, first int) {
	i := slices.IndexFunc(p.stays, func(s stay) bool { return s.source == source })
	counts := &p.stays[i].counts
	counts.Accepted--
	counts.Rejected++
	for _, r := range refused {
		item := r.Item - first
		from := uint32(0)
		if item > 0 {
			from = out.Items[item-1].AmountsEnd
		}
		counts.Measurements--
		countFlags(counts, out.Items[item].Flags, -1)
		for _, a := range out.Amounts[from:out.Items[item].AmountsEnd] {
			p.subtract(out.Keys[a.Key], a)
		}
	}
}

func (p *parcel) subtract(key mapper.Key, a mapper.Amount) {
	i := slices.IndexFunc(p.totals, func(t total) bool { return t.key == key })
	t := &p.totals[i]
	t.sum.Sub(a.Value)
	t.count--
}

// uidOf is the uid of a measurement as it was sent.
func uidOf(item []byte) string {
	uid, _ := splitUID(item)
	return string(uid)
}
