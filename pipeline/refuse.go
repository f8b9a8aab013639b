package pipeline

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
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
// measurements landed is a reject all the same, and says which: when it is mended
// and imported again, those are not made again.
func (im *Import) refuse(p *parcel, refusals []uploader.Refusal) error {
	first := 0
	for i := range p.runs {
		r := &p.runs[i]
		n := sort.Search(len(refusals), func(i int) bool { return refusals[i].Item >= r.end })
		if n > 0 {
			in := &refusal{im: im, parcel: p, run: r, next: first, refused: refusals[:n]}
			if err := in.rows(); err != nil {
				return err
			}
		}
		refusals, first = refusals[n:], r.end
	}
	if len(refusals) > 0 {
		return fmt.Errorf("measurement %d was refused in a request of %d", refusals[0].Item, p.batch.Len())
	}
	slices.SortStableFunc(p.rejects, func(a, b rejectDraft) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.record, b.record))
	})
	return nil
}

// refusal is the search for the rows of a run that the platform refused. All
// rows of the run are mapped once more: that is pure, so the same measurements
// come out, and nothing had to be kept for rows that are not refused.
type refusal struct {
	im      *Import
	parcel  *parcel
	run     *stretch
	mapper  *mapper.Mapper
	out     mapper.Output
	next    int // the measurement of the batch that comes next
	refused []uploader.Refusal
}

// rows rejects the rows that were refused.
func (r *refusal) rows() error {
	return r.im.again(r.parcel, r.run, func(m *mapper.Mapper, records iter.Seq2[*reader.Record, error]) error {
		r.mapper = m
		return r.walk(records)
	})
}

// again gives the records of a run once more to do, with the mapper that they had:
// from the chunk, where it was kept, and from the source otherwise. There may be
// others behind those of the run.
func (im *Import) again(p *parcel, run *stretch, do func(*mapper.Mapper, iter.Seq2[*reader.Record, error]) error) error {
	if run.lease >= 0 {
		l := p.leases[run.lease]
		l.again.Lock()
		defer l.again.Unlock()
		return do(p.mappers[run.lease], skipping(l.Records(), run.nth))
	}
	path := im.Sources[run.source].Path
	if path == "-" {
		return fmt.Errorf("standard input: a row from %v on was refused, and cannot be read again for the reject file: import from a file instead", run.start)
	}
	err := im.readAgain(path, run, do)
	if err != nil && !errors.Is(err, ErrSourceChanged) {
		// Whatever is wrong with a source that was read whole before comes from
		// a change, when there was one.
		err = cmp.Or(im.unchanged(run.source), err)
	}
	return err
}

func (im *Import) readAgain(path string, run *stretch, do func(*mapper.Mapper, iter.Seq2[*reader.Record, error]) error) error {
	src, m, err := im.open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	return do(m, recordsFrom(src, run.start))
}

// walk maps the rows of the run, which are the first of records.
func (r *refusal) walk(records iter.Seq2[*reader.Record, error]) error {
	row := 0
	for rec, err := range records {
		if row == r.run.rows || len(r.refused) == 0 {
			break
		}
		if err == nil {
			err = r.row(rec, r.run.record+int64(row))
		} else if _, ok := errors.AsType[*reader.RowError](err); ok {
			err = nil // it was a reject the first time, too
		}
		if err != nil {
			return err
		}
		row++
	}
	if len(r.refused) > 0 {
		return r.im.anotherRow(r.run.source, r.run.record+int64(row))
	}
	return nil
}

// row maps one row, and rejects it if measurements of it were refused.
func (r *refusal) row(rec *reader.Record, record int64) error {
	r.out.Reset()
	skip, err := r.mapper.Append(&r.out, rec)
	if err == nil && !skip {
		skip, err = r.im.admit(r.im.Sources[r.run.source].Path, &r.out, rec, extent{})
	}
	if err != nil || skip {
		return nil // it is in no batch
	}
	first := r.next
	r.next += len(r.out.Items)
	n := sort.Search(len(r.refused), func(i int) bool { return r.refused[i].Item >= r.next })
	if n == 0 {
		return nil
	}
	refused := r.refused[:n]
	r.refused = r.refused[n:]
	if !r.parcel.holds(&r.out, first, r.run.end) {
		return r.im.anotherRow(r.run.source, record)
	}
	draft := draftFromMap(r.im.Sources[r.run.source].Path, r.mapper, rec, nil)
	draft.Stage, draft.Code = StageSend, CodeRefused
	draft.Reason = refusalText(refused, len(r.out.Items))
	for i, item := range r.out.Items {
		if !slices.ContainsFunc(refused, func(no uploader.Refusal) bool { return no.Item == first+i }) {
			draft.Landed = append(draft.Landed, r.mapper.Made(item))
		}
	}
	if slices.ContainsFunc(refused, func(no uploader.Refusal) bool { return no.Unsure }) {
		draft.maySent(r.parcel.began)
	}
	draft.UID = uidOf(r.parcel.batch.Item(refused[0].Item))
	draft.place(r.run.source, record)
	r.parcel.rejects = append(r.parcel.rejects, draft)
	r.parcel.unaccept(r.run.source, &r.out, refused, first)
	return nil
}

// holds reports whether the measurements of the batch from first on, and before
// end, are those of a row that was mapped again.
func (p *parcel) holds(row *mapper.Output, first, end int) bool {
	for i := range row.Items {
		if first+i >= end || !bytes.Equal(row.Measurement(i), p.batch.Item(first+i)) {
			return false
		}
	}
	return true
}

func (im *Import) anotherRow(source int, record int64) error {
	return fmt.Errorf("%s: %w: row %d was refused, and is another one now", im.Sources[source].Path, ErrSourceChanged, record)
}

// skipping leaves out the first n records.
func skipping(records iter.Seq2[*reader.Record, error], n int) iter.Seq2[*reader.Record, error] {
	return func(yield func(*reader.Record, error) bool) {
		for rec, err := range records {
			if n--; n < 0 && !yield(rec, err) {
				return
			}
		}
	}
}

// recordsFrom gives the records of a source from a position on. An error that
// is no *reader.RowError is the last thing that it yields.
func recordsFrom(src *reader.Source, at reader.Pos) iter.Seq2[*reader.Record, error] {
	return func(yield func(*reader.Record, error) bool) {
		err := src.SeekTo(at)
		for err == nil {
			var chunk *reader.Chunk
			if chunk, err = src.Next(); err != nil {
				break
			}
			for rec, fault := range chunk.Records() {
				if _, ok := fault.(*reader.RowError); fault != nil && !ok {
					err = fault
					break
				}
				if !yield(rec, fault) {
					chunk.Release()
					return
				}
			}
			chunk.Release()
		}
		if err != io.EOF {
			yield(nil, err)
		}
	}
}

// refusalText gives the server's words, and which measurements of the row they
// are about when it made several.
func refusalText(refused []uploader.Refusal, of int) string {
	text := fmt.Sprintf("the platform refused it with status %d: %s", refused[0].Status, refused[0].Message)
	if refused[0].Hint != "" {
		text += " (" + refused[0].Hint + ")"
	}
	switch {
	case of == 1:
		return text
	case of == len(refused):
		return fmt.Sprintf("the platform refused all of its %d measurements; of the first one: %s", of, text)
	}
	return fmt.Sprintf("the platform refused %d of its %d measurements and took the others; of the first refused one: %s", len(refused), of, text)
}

// unaccept takes a refused row out of the parcel's counts and totals. Its
// measurements are in out; the first of them is the first-th of the batch.
func (p *parcel) unaccept(source int, out *mapper.Output, refused []uploader.Refusal, first int) {
	i := slices.IndexFunc(p.stays, func(s stay) bool { return s.source == source })
	counts := &p.stays[i].counts
	counts.Accepted--
	counts.Rejected++
	for _, r := range refused {
		p.uncount(source, out, r.Item-first)
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
	raw, _ := splitUID(item)
	var uid string
	if err := json.Unmarshal(item[uidStart-1:uidStart+len(raw)+1], &uid); err != nil {
		panic("pipeline: a uid that is no JSON string: " + err.Error())
	}
	return uid
}
