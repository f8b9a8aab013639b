package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
)

// piece is what cut makes of the input: a chunk with the mapper for it, the end
// of a source, both, or the error that ends the input here.
type piece struct {
	source int
	base   string // of the source: Record.Source
	chunk  *lease // nil at the end of a source and for an error
	mapper *mapper.Mapper
	last   bool // the source ends with this piece, unless that has an error
	err    error
}

// cutter hands on the pieces of the input in bundles. A bundle is one piece, or
// as many small sources as are little work together: to pass one on costs as
// much as to parse some rows.
type cutter struct {
	im      *Import
	reading context.Context // ends the loop early and cleanly
	sending context.Context // ends it because nobody takes the chunks any more
	out     chan<- []piece
	bundle  []piece
	bytes   int64 // in it
}

// The most of a bundle, before the last piece.
const (
	maxBundleBytes  = 128 << 10
	maxBundlePieces = 32
)

// cut reads the sources one after the other, from the mark on, and cuts them
// into chunks. What goes wrong is the last piece in line, so that everything
// before it is settled first.
func (im *Import) cut(reading, sending context.Context, out chan<- []piece) error {
	c := &cutter{im: im, reading: reading, sending: sending, out: out}
	for i := im.Mark.Position.Source; i < len(im.Sources) && sending.Err() == nil; i++ {
		from := checkpoint.Position{}
		if i == im.Mark.Position.Source {
			from = im.Mark.Position
		}
		if err := c.source(i, from); err != nil {
			c.add(piece{source: i, err: err})
			break
		}
	}
	c.flush()
	return nil
}

// add puts a piece behind those before it, and hands them on unless a small
// source may follow; false when nobody takes them any more.
func (c *cutter) add(p piece) bool {
	c.bundle = append(c.bundle, p)
	if p.chunk != nil {
		c.bytes += p.chunk.End.Offset - p.chunk.Start.Offset
	}
	if p.last && c.bytes < maxBundleBytes && len(c.bundle) < maxBundlePieces {
		return true
	}
	return c.flush()
}

func (c *cutter) flush() bool {
	bundle := c.bundle
	c.bundle, c.bytes = nil, 0
	return len(bundle) == 0 || send(c.sending, c.out, bundle)
}

// source cuts one source.
func (c *cutter) source(i int, from checkpoint.Position) (err error) {
	im := c.im
	if c.reading.Err() != nil {
		return ErrStopped
	}
	src, m, err := im.open(im.Sources[i].Path)
	if err == nil {
		defer func() { err = errors.Join(err, src.Close()) }()
		if from.Offset > 0 {
			err = src.SeekTo(reader.Pos{Offset: from.Offset, Line: from.Line})
		}
	}
	if err != nil {
		// That it is another file now says more than what is wrong with that one.
		if changed := im.unchanged(i); changed != nil {
			return changed
		}
		return err
	}
	for {
		if c.reading.Err() != nil {
			return ErrStopped
		}
		chunk, err := src.Next()
		if c.reading.Err() != nil {
			// Whoever is stopped may have had its producer stopped with it: what
			// came last can be half a row that looks like a whole one. It was
			// never packed, so it is read again.
			return ErrStopped
		}
		// Whatever else is wrong with a source that somebody writes to comes from
		// that; and nothing that was read since may be sent, as it can be half of
		// the old row and half of the new.
		if err := im.unchangedBy(i, src); err != nil {
			return err
		}
		if err != nil && err != io.EOF {
			return err
		}
		p := piece{source: i, base: src.Base(), mapper: m, last: err == io.EOF || src.Ended()}
		if chunk != nil {
			p.chunk = newLease(chunk)
		}
		if p.last {
			for _, r := range src.Remarks() {
				if im.OnRemark != nil {
					im.OnRemark(im.Sources[i].Path, r)
				}
			}
		}
		if !c.add(p) || p.last {
			return nil
		}
	}
}

// encodeAll is encode of each piece of a bundle.
func (im *Import) encodeAll(bundle []piece) []*encoded {
	all := make([]*encoded, len(bundle))
	for i, p := range bundle {
		all[i] = im.encode(p)
	}
	return all
}

// ErrSourceChanged is what Run ends with when a source is not any more what it
// was when the import began. What the journal holds was read before.
var ErrSourceChanged = errors.New("changed while the import ran")

// unchanged reports that a source is not what it was when the import began. A
// look at the file's papers costs a microsecond, so there is one for each chunk.
func (im *Import) unchanged(i int) error {
	src := im.Sources[i]
	if src.Path == "-" || src.Modified.IsZero() {
		return nil
	}
	info, err := os.Stat(src.Path)
	if err != nil {
		return fmt.Errorf("%s: %w: it is gone: %w", src.Path, ErrSourceChanged, errors.Unwrap(err))
	}
	if info.Size() != src.Size || !info.ModTime().Equal(src.Modified) {
		return im.changed(i, info.Size(), info.ModTime())
	}
	return nil
}

// unchangedBy is unchanged after a look into the source. Of one that was read to
// its end the reader has seen to it that it stayed what it was when it was opened.
func (im *Import) unchangedBy(i int, src *reader.Source) error {
	was := im.Sources[i]
	switch {
	case was.Modified.IsZero() || !src.Ended():
		return im.unchanged(i)
	case src.Size() != was.Size || !src.Modified().Equal(was.Modified):
		return im.changed(i, src.Size(), src.Modified())
	}
	return nil
}

// changed says what size and time of a source were, and what they are.
func (im *Import) changed(i int, size int64, modified time.Time) error {
	src := im.Sources[i]
	return fmt.Errorf("%s: %w: %d bytes of %s when it began, %d bytes of %s now", src.Path, ErrSourceChanged,
		src.Size, src.Modified.UTC().Format(time.RFC3339Nano), size, modified.UTC().Format(time.RFC3339Nano))
}
