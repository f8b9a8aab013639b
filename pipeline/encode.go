package pipeline

import (
	"errors"

	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
)

// fate is what became of a row before anything was sent.
type fate uint8

const (
	mapped fate = iota
	filtered
	rejected
)

// row is one record of an encoded chunk.
type row struct {
	start  reader.Pos
	end    reader.Pos // where the next record can be read from
	items  uint32     // its measurements end here in encoded.out.Items
	reject int32      // index into encoded.rejects, or -1
	fate   fate
}

// encoded is a piece with its rows mapped.
type encoded struct {
	piece
	out     mapper.Output
	rows    []row
	rejects []rejectDraft
}

// maxReused is the largest buffer that is kept for the next chunk.
const maxReused = 4 << 20

// reuse keeps the memory of an encoded chunk: what one chunk needed, the next
// one of the same file needs too.
func (im *Import) reuse(e *encoded) {
	if cap(e.out.JSON) > maxReused {
		return
	}
	e.out.Reset()
	clear(e.rejects)
	e.rows, e.rejects = e.rows[:0], e.rejects[:0]
	e.piece = piece{}
	im.encodeds.Put(e)
}

// encode parses and maps one chunk. It is pure: the same chunk gives the same
// bytes wherever and whenever it runs.
func (im *Import) encode(p piece) *encoded {
	e, ok := im.encodeds.Get().(*encoded)
	if !ok {
		e = new(encoded)
	}
	e.piece = p
	if p.chunk == nil {
		return e
	}
	for rec, err := range p.chunk.Records() {
		if err == nil {
			e.mapRecord(im, rec)
			continue
		}
		bad, ok := errors.AsType[*reader.RowError](err)
		if !ok {
			e.err = err
			break
		}
		if im.selector.onlyPicked() {
			e.add(bad.Pos, bad.End, filtered, -1)
			continue
		}
		e.rejects = append(e.rejects, draftFromRead(p.base, im.Sources[p.source].Path, bad))
		e.add(bad.Pos, bad.End, rejected, int32(len(e.rejects)-1))
	}
	return e
}

func (e *encoded) mapRecord(im *Import, rec *reader.Record) {
	before := extent{len(e.out.JSON), len(e.out.Items), len(e.out.Amounts)}
	skip, err := e.mapper.Append(&e.out, rec)
	if err == nil && !skip {
		if skip, err = im.admit(im.Sources[e.source].Path, &e.out, rec, before); skip || err != nil {
			e.out.JSON, e.out.Items, e.out.Amounts = e.out.JSON[:before.json], e.out.Items[:before.items], e.out.Amounts[:before.amounts]
		}
	}
	switch {
	case err != nil && !im.selector.onlyPicked():
		e.rejects = append(e.rejects, draftFromMap(im.Sources[e.source].Path, e.mapper, rec, err))
		e.add(rec.Pos, rec.End, rejected, int32(len(e.rejects)-1))
	case err != nil, skip:
		e.add(rec.Pos, rec.End, filtered, -1)
	default:
		e.add(rec.Pos, rec.End, mapped, -1)
	}
}

// extent is how much an Output holds.
type extent struct{ json, items, amounts int }

// admit looks at the measurements that a row of the path made, which are those
// in out from before on: a row that was not selected is skipped, and one that does not
// fit into one request whole is no row to send.
func (im *Import) admit(path string, out *mapper.Output, rec *reader.Record, before extent) (skip bool, err error) {
	if im.selector != nil {
		if in, err := im.selector.row(path, rec, out, before.items); err != nil || !in {
			return true, err
		}
	}
	items := len(out.Items) - before.items
	return false, im.Limits.Check(items, len(out.JSON)-before.json-items)
}

func (e *encoded) add(start, end reader.Pos, f fate, reject int32) {
	e.rows = append(e.rows, row{start: start, end: end, items: uint32(len(e.out.Items)), reject: reject, fate: f})
}
