// Generate writes made usage rows to a file, or to many.
//
//	generate -format csv -rows 1000000 usage.csv
//	generate -format csv -rows 500000 -files 10000 folder
//
// The same flags make the same bytes. A file stands under its name only when
// it is whole.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/m3import/m3import/bench/internal/usage"
)

// made says what to make.
type made struct {
	format string
	rows   int64
	text   int    // bytes of a description at least
	extra  int    // columns beyond the rows' own
	group  int64  // rows of a Parquet row group
	plain  bool   // Parquet without compression
	pack   string // how text is compressed
}

func main() {
	var m made
	flag.StringVar(&m.format, "format", "csv", "csv, ndjson or parquet")
	flag.Int64Var(&m.rows, "rows", 1_000_000, "how many rows, in all files together")
	flag.IntVar(&m.text, "text", 0, "how long descriptions are at least, in bytes")
	flag.IntVar(&m.extra, "extra", 0, "columns beyond the twelve")
	flag.Int64Var(&m.group, "group", 1<<20, "rows of a Parquet row group")
	flag.BoolVar(&m.plain, "plain", false, "Parquet without compression")
	flag.StringVar(&m.pack, "pack", "", "compress a file of text: gzip or zstd")
	files := flag.Int("files", 0, "write so many CSV files into a folder")
	flag.Parse()
	if err := m.make(flag.Arg(0), *files); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func (m *made) make(path string, files int) error {
	part := path + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	write := m.one
	if files > 0 {
		write = func(dir string) error { return m.many(dir, files) }
	}
	if err := write(part); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// one writes a single file.
func (m *made) one(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	maker := &usage.Maker{Text: m.text}
	switch {
	case m.format == "parquet":
		err = m.parquet(w, maker)
	case m.pack != "":
		err = m.packed(w, maker)
	default:
		err = m.lines(w, maker, 0, m.rows)
	}
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	// Written out now, or what is measured next waits for it.
	return errors.Join(f.Sync(), f.Close())
}

// packed writes all rows as compressed text.
func (m *made) packed(w io.Writer, maker *usage.Maker) error {
	var z io.WriteCloser
	switch m.pack {
	case "gzip":
		z = gzip.NewWriter(w)
	case "zstd":
		var err error
		if z, err = zstd.NewWriter(w); err != nil {
			return err
		}
	default:
		return fmt.Errorf("compression %q: there is gzip and zstd", m.pack)
	}
	if err := m.lines(z, maker, 0, m.rows); err != nil {
		return err
	}
	return z.Close()
}

// lines writes the rows from first up to end as text.
func (m *made) lines(w io.Writer, maker *usage.Maker, first, end int64) error {
	add := usage.AppendNDJSON
	var line []byte
	switch m.format {
	case "csv":
		add = usage.AppendCSV
		line = usage.AppendHeader(line, m.extra)
	case "ndjson":
	default:
		return fmt.Errorf("format %q: there is csv, ndjson and parquet", m.format)
	}
	var row usage.Row
	for nth := first; nth < end; nth++ {
		maker.Make(&row)
		line = add(line, &row, nth, m.extra)
		if _, err := w.Write(line); err != nil {
			return err
		}
		line = line[:0]
	}
	return nil
}

// many spreads the rows evenly over the files of a folder, each with a header
// of its own.
func (m *made) many(dir string, files int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	maker := &usage.Maker{Text: m.text}
	each := m.rows / int64(files)
	for i := range int64(files) {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%06d.%s", i, m.format)))
		if err != nil {
			return err
		}
		w := bufio.NewWriter(f)
		if err := m.lines(w, maker, i*each, (i+1)*each); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
