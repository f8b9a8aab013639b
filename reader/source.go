package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// Source is an opened source. It is for one caller at a time; the chunks that
// it hands out are not bound to it. Close it when done, also when chunks of it
// are still being read.
type Source struct {
	in     *input
	base   string
	format Format
	reader formatReader
}

// File is a file that is open. *os.File is one.
type File interface {
	io.ReadSeekCloser
	io.ReaderAt
	Stat() (fs.FileInfo, error)
}

// Opener opens sources that are to be read with the same options. It remembers
// the header of one: of ten thousand files most have the same. It may be used by
// several callers at once.
type Opener struct {
	opt  Options
	last atomic.Pointer[csvHeader]
}

// NewOpener makes an Opener.
func NewOpener(opt Options) *Opener { return &Opener{opt: opt} }

// Open opens the file at path. It reads as much as is needed to know the format
// and the columns; errors name the file.
func Open(path string, opt Options) (*Source, error) { return NewOpener(opt).Open(path) }

// Open is the function of that name.
func (o *Opener) Open(path string) (*Source, error) {
	f, err := OpenRegular(path)
	if err != nil {
		var bad *fs.PathError
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o.OpenFile(path, f)
}

// OpenFile is Open of a file that is open already, at its start, and called
// name. The source closes it; when OpenFile fails it is closed, too.
func (o *Opener) OpenFile(name string, f File) (*Source, error) {
	in := &input{name: name, stored: f, size: -1, closeStored: true}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = errors.New("a directory, not a file")
	case info.Mode().IsRegular():
		in.file, in.size, in.time = f, info.Size(), info.ModTime()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return o.open(in)
}

// OpenReader opens what r yields as a source called name, whose suffixes count
// like a file's. It cannot be sought. Closing the source does not close r.
func OpenReader(name string, r io.Reader, opt Options) (*Source, error) {
	return NewOpener(opt).open(&input{name: name, stored: r, size: -1})
}

// Name is the name that the source was opened by.
func (s *Source) Name() string { return s.in.name }

// Base is Record.Source: the base name without a compression suffix.
func (s *Source) Base() string { return s.base }

// Format is the source's format, never Auto.
func (s *Source) Format() Format { return s.format }

// Compression is the source's compression, never CompressionAuto.
func (s *Source) Compression() Compression { return s.in.compression }

// Columns are the names of all columns in the source's order; nil for NDJSON,
// which has no such list, and for an empty CSV file.
func (s *Source) Columns() []string { return s.reader.columns() }

// Size is the size of the file as it is stored, in bytes; -1 when unknown.
func (s *Source) Size() int64 { return s.in.size }

// Modified is when the file was written to last, as it was when it was opened;
// zero when unknown.
func (s *Source) Modified() time.Time { return s.in.time }

// Ended reports whether all of a file is read, and it was at its end what it was
// when it was opened: Next will return io.EOF. It may be false where Next returns
// io.EOF all the same, and is for what is not a regular file.
func (s *Source) Ended() bool {
	t, ok := s.reader.(*textSource)
	return ok && s.in.file != nil && t.ended()
}

// SeekTo makes p, which must be the Pos or End of a record or the Start or End
// of a chunk of this source, the start of the next chunk. The zero Pos is the
// first record. Uncompressed files and Parquet are sought at no cost,
// compressed text is unpacked up to p. What is not a regular file can only be
// read from its start. After an error the source is good for SeekTo and Close
// only.
func (s *Source) SeekTo(p Pos) error { return s.reader.seek(p) }

// Next returns the next chunk, or io.EOF when all were read. Any other error
// ends the source: it names the file, and wraps io.ErrUnexpectedEOF when the
// file is truncated or changes while it is read. All whole records before the
// fault have been handed out by then, and nothing of the one that it cut.
func (s *Source) Next() (*Chunk, error) { return s.reader.next() }

// Close closes the source. Chunks that were handed out stay good.
func (s *Source) Close() error { return s.reader.close() }

// withDefaults fills in the defaults and checks what can be checked without a
// source.
func (opt Options) withDefaults() (Options, error) {
	const most = 1 << 30 // offsets within a buffer are 32 bits wide
	if opt.ChunkBytes == 0 {
		opt.ChunkBytes = 256 << 10
	}
	if opt.MaxRecordBytes == 0 {
		opt.MaxRecordBytes = 1 << 20
	}
	if n := opt.ChunkBytes; n < 0 || n > most {
		return opt, fmt.Errorf("chunk_bytes %d: must be from 1 to %d", n, most)
	}
	if n := opt.MaxRecordBytes; n < 0 || n > most {
		return opt, fmt.Errorf("max_record_bytes %d: must be from 1 to %d", n, most)
	}
	return opt, nil
}

// open finds out what in is. It closes in when it fails.
func (o *Opener) open(in *input) (s *Source, err error) {
	defer func() {
		if err != nil {
			in.close()
			err = in.named(err)
		}
	}()
	opt, err := o.opt.withDefaults()
	if err != nil {
		return nil, err
	}
	base, namedCompression, named := splitName(in.name)
	in.compression = None // until it is known, for the words of errors
	raw := &peeker{r: rawReader{in}}
	if in.file != nil {
		in.room = newRoom(min(in.size+1, sniffBytes)) // one byte more, to see the end
		raw.head = in.room.bytes[:0]
	}
	head := raw.peek(4)
	if len(head) == 0 && raw.err != io.EOF {
		return nil, raw.err
	}
	if in.compression, err = chooseCompression(head, namedCompression, opt.Compression); err != nil {
		return nil, err
	}
	if err = in.unpack(raw); err != nil {
		return nil, err
	}
	head = in.text.peek(sniffBytes)
	if len(head) == 0 && in.text.err != io.EOF {
		return nil, in.wrap(in.text.err)
	}
	s = &Source{in: in, base: base}
	if s.format, err = sniffFormat(head, named, opt.Format); err != nil {
		return nil, err
	}
	switch s.format {
	case Parquet:
		s.reader, err = openParquet(in, opt)
	case NDJSON:
		s.reader, err = openNDJSON(in, base, opt)
	default:
		if strings.EqualFold(filepath.Ext(base), ".tsv") && opt.CSV.Delimiter == "" {
			opt.CSV.Delimiter = "\t"
		}
		s.reader, err = openCSV(in, base, opt, &o.last)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// skipBOM passes over a byte order mark and returns its length.
func skipBOM(in *input) int64 {
	if string(in.text.peek(len(utf8BOM))) != string(utf8BOM) {
		return 0
	}
	in.text.discard(len(utf8BOM))
	return int64(len(utf8BOM))
}

func openNDJSON(in *input, base string, opt Options) (formatReader, error) {
	format, err := newNDJSON(base, opt)
	if err != nil {
		return nil, err
	}
	return newTextSource(in, format, nil, '\n', Pos{skipBOM(in), 1}, opt), nil
}

// openCSV reads the header, for which it looks as far ahead as it must. last is
// one that was read under the same options, if there is one.
func openCSV(in *input, base string, opt Options, last *atomic.Pointer[csvHeader]) (formatReader, error) {
	bom := skipBOM(in)
	text := &in.text
	head := text.peek(sniffBytes)
	d, err := newDialect(opt, sniffNewline(head, text.err == io.EOF))
	if err != nil {
		return nil, err
	}
	if h := last.Load(); h.begins(head, &d) {
		text.discard(len(h.text))
		return newTextSource(in, h.format.of(base), h.format.names, d.nl, Pos{bom + int64(len(h.text)), 1 + h.lines}, opt), nil
	}
	limit := opt.MaxRecordBytes + 1<<20
	for {
		n, lines, names, err := d.header(head, text.err == io.EOF, opt.CSV)
		switch {
		case err != nil:
			return nil, err
		case n < 0 && len(head) > limit:
			return nil, fmt.Errorf("csv header: not complete within the first %d bytes; check skip_lines and the line ends", limit)
		case n < 0 && text.err != nil:
			return nil, in.wrap(text.err)
		case n < 0:
			head = text.peek(min(2*len(head), limit+1))
			continue
		}
		if names == nil {
			opt.Columns = nil // an empty file lacks no column
		}
		format, err := newCSV(base, d, names, opt)
		if err != nil {
			return nil, err
		}
		if n > 0 && head[n-1] == d.nl && names != nil {
			last.Store(&csvHeader{bytes.Clone(head[:n]), lines, format})
		}
		text.discard(n)
		return newTextSource(in, format, names, d.nl, Pos{bom + int64(n), 1 + lines}, opt), nil
	}
}
