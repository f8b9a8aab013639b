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

// Try opens a source as Run would, and closes it: what is wrong with its
// columns, format or mapping shows before anything is sent.
func (im *Import) Try(path string) error {
	src, _, err := im.open(path)
	if err != nil {
		return err
	}
	return src.Close()
}

// Look opens a source as Run would, and closes it: base is its Record.Source,
// and rows whether there is anything in it but a header.
func (im *Import) Look(path string) (base string, rows bool, err error) {
	src, _, err := im.open(path)
	if err != nil {
		return "", false, err
	}
	defer src.Close()
	_, err = src.Next()
	if err == io.EOF {
		return src.Base(), false, nil
	}
	return src.Base(), err == nil, err
}

// open opens a source with the columns that its mapping asks for.
func (im *Import) open(path string) (*reader.Source, *mapper.Mapper, error) {
	mapping, m := im.Mapping, im.mapper
	if mapping == nil {
		var err error
		if mapping, err = im.shape(path, im.Reader); err != nil {
			return nil, nil, err
		}
	}
	if m == nil {
		var err error
		if m, err = mapping.Compile(); err != nil {
			return nil, nil, err
		}
		now := im.Now
		if now == nil {
			now = time.Now
		}
		m = m.Flagging(now())
		if im.Mapping != nil {
			im.mapper = m
		}
	}
	opt := merge(mapping.ReaderOptions(), im.Reader)
	opt.Columns = withOrigin(opt.Columns)
	src, err := im.openSource(path, opt)
	return src, m, err
}

func (im *Import) openSource(path string, opt reader.Options) (*reader.Source, error) {
	if path == "-" {
		return reader.OpenReader("-", im.Stdin, opt)
	}
	return reader.Open(path, opt)
}

// ErrNoShape says that standard input was to be read without a mapping.
var ErrNoShape = errors.New("standard input: a mapping is needed, as its shape cannot be looked at twice")

// shape finds the mapping for a source in one of the shapes that need none:
// CSV (or Parquet) with the columns of the m3ter Console's template, and
// NDJSON lines that are measurements already.
func (im *Import) shape(path string, opt reader.Options) (*mapper.Mapping, error) {
	if path == "-" {
		return nil, ErrNoShape
	}
	src, err := reader.Open(path, opt)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if src.Format() == reader.NDJSON {
		return mapper.Native(), nil
	}
	mapping, err := mapper.ForColumns(src.Columns())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return mapping, nil
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

// merge lays what was said on the command line over what the mapping says.
func merge(opt, over reader.Options) reader.Options {
	if over.Format != "" {
		opt.Format = over.Format
	}
	if over.Compression != "" {
		opt.Compression = over.Compression
	}
	if over.ChunkBytes != 0 {
		opt.ChunkBytes = over.ChunkBytes
	}
	if over.MaxRecordBytes != 0 {
		opt.MaxRecordBytes = over.MaxRecordBytes
	}
	return opt
}
