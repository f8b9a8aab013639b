package pipeline

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
)

// Try opens a source as Run would, and closes it: what is wrong with its
// columns, format or mapping shows before anything is sent.
func (im *Import) Try(path string) error {
	src, _, err := im.open(path)
	if err != nil {
		return err
	}
	return src.Close()
}

// TryFile is Try of a file that is open already, at its start. It closes it.
func (im *Import) TryFile(path string, f reader.File) error {
	w, err := im.wayOf(path)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	src, err := w.opener.OpenFile(path, f)
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

// open opens a source with the columns that its mapping asks for. Several may be
// opened at once.
func (im *Import) open(path string) (*reader.Source, *mapper.Mapper, error) {
	w, err := im.wayOf(path)
	if err != nil {
		return nil, nil, err
	}
	var src *reader.Source
	if path == "-" {
		src, err = reader.OpenReader("-", im.Stdin, w.opt)
	} else {
		src, err = w.opener.Open(path)
	}
	return src, w.mapper, err
}

// way is how sources are read and mapped.
type way struct {
	mapper *mapper.Mapper
	opt    reader.Options
	opener *reader.Opener
}

// wayOf is the way of a source: of all the same one, when there is a mapping.
func (im *Import) wayOf(path string) (way, error) {
	if im.Mapping != nil {
		im.wayOnce.Do(func() { im.way, im.wayErr = im.newWay(im.Mapping) })
		return im.way, im.wayErr
	}
	mapping, err := im.shape(path, im.Reader)
	if err != nil {
		return way{}, err
	}
	return im.newWay(mapping)
}

func (im *Import) newWay(mapping *mapper.Mapping) (w way, err error) {
	if w.mapper, err = mapping.Compile(); err != nil {
		return way{}, err
	}
	now := im.Now
	if now == nil {
		now = time.Now
	}
	w.mapper = w.mapper.Flagging(now())
	w.opt = merge(mapping.ReaderOptions(), im.Reader)
	w.opt.Columns = withOrigin(w.opt.Columns)
	w.opener = reader.NewOpener(w.opt)
	return w, nil
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
