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

// piece is what cut hands on: a chunk with the mapper for it, the end of a
// source, or the error that ends the input here.
type piece struct {
	source int
	base   string // of the source: Record.Source
	chunk  *lease // nil at the end of a source and for an error
	mapper *mapper.Mapper
	last   bool // the source ended with the piece before this one
	err    error
}

// cut reads the sources one after the other, from the mark on, and cuts them
// into chunks. reading ends the loop early and cleanly; sending ends it because
// nobody takes the chunks any more. What goes wrong is the last piece in line,
// so that everything before it is settled first.
func (im *Import) cut(reading, sending context.Context, pieces chan<- piece) error {
	for i := im.Mark.Position.Source; i < len(im.Sources) && sending.Err() == nil; i++ {
		from := checkpoint.Position{}
		if i == im.Mark.Position.Source {
			from = im.Mark.Position
		}
		if err := im.cutSource(reading, sending, i, from, pieces); err != nil {
			send(sending, pieces, piece{source: i, err: err})
			return nil
		}
	}
	return nil
}

func (im *Import) cutSource(reading, sending context.Context, i int, from checkpoint.Position, pieces chan<- piece) (err error) {
	if reading.Err() != nil {
		return ErrStopped
	}
	if err := im.unchanged(i); err != nil {
		return err
	}
	src, m, err := im.open(im.Sources[i].Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	if from.Offset > 0 {
		if err := src.SeekTo(reader.Pos{Offset: from.Offset, Line: from.Line}); err != nil {
			return err
		}
	}
	for {
		if reading.Err() != nil {
			return ErrStopped
		}
		chunk, err := src.Next()
		if reading.Err() != nil {
			// Whoever is stopped may have had its producer stopped with it: what
			// came last can be half a row that looks like a whole one. It was
			// never packed, so it is read again.
			return ErrStopped
		}
		// Whatever else is wrong with a source that somebody writes to comes from
		// that; and nothing that was read since may be sent, as it can be half of
		// the old row and half of the new.
		if err := im.unchanged(i); err != nil {
			return err
		}
		if err == io.EOF {
			for _, r := range src.Remarks() {
				if im.OnRemark != nil {
					im.OnRemark(im.Sources[i].Path, r)
				}
			}
			send(sending, pieces, piece{source: i, last: true})
			return nil
		}
		if err != nil {
			return err
		}
		if !send(sending, pieces, piece{source: i, base: src.Base(), chunk: newLease(chunk), mapper: m}) {
			return nil
		}
	}
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
		return fmt.Errorf("%s: %w: %d bytes of %s when it began, %d bytes of %s now", src.Path, ErrSourceChanged,
			src.Size, src.Modified.UTC().Format(time.RFC3339Nano), info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
	}
	return nil
}
