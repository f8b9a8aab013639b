package reader

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// input is the stored bytes of a source and, read through it, the text in
// them.
type input struct {
	name   string // for messages
	stored io.Reader
	file   File  // stored, when it is a regular file: then it can be sought
	size   int64 // of the file when it was opened, -1 when unknown
	time   time.Time

	compression Compression
	read        int64 // bytes of stored that were read
	text        peeker
	last        byte        // of the text that was read after the header, 0 for none
	gzip        *gzipReader // that unpacks, when it is gzip
	unpacker    io.Closer   // what text reads from, when it must be closed
	temp        *os.File    // a spooled Parquet file
	closeStored bool
	room        *room // that text was read into first, nil when that is not to be used again
}

// rawReader is an input's stored bytes, counted.
type rawReader struct{ in *input }

func (r rawReader) Read(p []byte) (int, error) {
	in := r.in
	n, err := in.stored.Read(p)
	in.read += int64(n)
	// A file that gives less than it was asked for, up to its size, has ended there
	// if that is still its size.
	if in.file != nil && (err == io.EOF || err == nil && n < len(p) && in.read == in.size) {
		if changed := in.changed(in.read); changed != nil {
			return n, changed
		}
		err = io.EOF
	}
	return n, err
}

// changed tells at the end of a file, after read bytes, whether somebody wrote
// to it meanwhile. Its last line is then perhaps half a line, which must not
// pass for a row.
func (in *input) changed(read int64) error {
	info, err := in.file.Stat()
	if err != nil {
		return err
	}
	if read != in.size || info.Size() != in.size || !info.ModTime().Equal(in.time) {
		return &changedError{fmt.Sprintf("%d bytes of %s when it was opened, now %d of %s, and %d were read",
			in.size, in.time.Format(time.RFC3339), info.Size(), info.ModTime().Format(time.RFC3339), read)}
	}
	return nil
}

// changedError says that a file changed while it was read. For whoever asks,
// it is a file that is not all there.
type changedError struct{ how string }

func (e *changedError) Error() string {
	return "file changed while it was read: " + e.how + "; run again when nobody writes to it"
}

func (*changedError) Unwrap() error { return io.ErrUnexpectedEOF }

// Read reads text. Errors other than io.EOF name the source.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.text.Read(p)
	if n > 0 {
		in.last = p[n-1]
	}
	if err != nil && err != io.EOF {
		err = in.wrap(err)
	}
	return n, err
}

// wrap names the source of a reading error, and says what it means that a
// compressed stream is broken.
func (in *input) wrap(err error) error {
	var changed *changedError
	var system *fs.PathError
	switch {
	case in.compression == None || errors.As(err, &changed) || errors.As(err, &system):
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("%s data ends in the middle, %w: %w", in.compression, ErrIncomplete, err)
	default:
		err = damagedError{fmt.Errorf("%s data damaged: %w", in.compression, err)}
	}
	return in.named(err)
}

// ErrDamaged is what the error of packed data is that is not as it was packed.
// Where it went wrong is not known: text that was unpacked before may be wrong,
// as the checksum that tells comes behind it.
var ErrDamaged = errors.New("damaged")

// ErrIncomplete is what the error of packed data is that ends too early. What was
// read of it is as it was packed.
var ErrIncomplete = errors.New("the file is incomplete")

// damagedError is an error that is ErrDamaged, too.
type damagedError struct{ error }

func (e damagedError) Unwrap() []error { return []error{e.error, ErrDamaged} }

// named puts the name of the source before err, once.
func (in *input) named(err error) error {
	if err == nil || errors.As(err, new(namedError)) {
		return err
	}
	return namedError{fmt.Errorf("%s: %w", in.name, err)}
}

// namedError is an error whose text starts with the source's name.
type namedError struct{ error }

func (e namedError) Unwrap() error { return e.error }

func (in *input) consumed() int64 { return in.read }

// unpack puts the decompressor over stored, which starts with head.
func (in *input) unpack(raw *peeker) error {
	in.unpacker = nil
	switch in.compression {
	case Gzip:
		in.gzip = newGzip(raw)
		in.text = peeker{r: in.gzip}
	case Zstd:
		z, err := newZstd(raw)
		if err != nil {
			return in.wrap(err)
		}
		in.text, in.unpacker = peeker{r: z}, z
	default:
		in.text = *raw
	}
	return nil
}

// seek makes the byte at offset the next one to be read. inner says that it is
// not the first of the text, so that an nl must stand before it: the one byte
// that can tell cheaply whether the position belongs to this file.
func (in *input) seek(offset int64, inner bool, nl byte) error {
	at := offset
	if inner {
		at--
	}
	if err := in.skipTo(at); err != nil {
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) && in.compression == None {
			err = in.named(fmt.Errorf("offset %d is past the end of the text: %w", offset, errNoRecord))
		}
		return err
	}
	if !inner {
		return nil
	}
	var before [1]byte
	if _, err := io.ReadFull(in, before[:]); err != nil {
		if err == io.EOF {
			err = in.named(fmt.Errorf("offset %d is past the end of the text: %w", offset, errNoRecord))
		}
		return err
	}
	// At the very end of the text the last record may lack its line ending.
	if before[0] != nl && len(in.text.peek(1)) > 0 {
		return in.named(fmt.Errorf("offset %d: %w", offset, errNoRecord))
	}
	return nil
}

// skipTo makes the byte of the text at offset the next one.
func (in *input) skipTo(offset int64) error {
	if in.file == nil {
		return in.named(fmt.Errorf("not a regular file, so that reading cannot start at offset %d", offset))
	}
	in.closeUnpacker()
	at := int64(0)
	if in.compression == None {
		at = offset
		if offset > in.size {
			return io.EOF
		}
	}
	if _, err := in.file.Seek(at, io.SeekStart); err != nil {
		return in.wrap(err)
	}
	in.read = at
	if err := in.unpack(&peeker{r: rawReader{in}}); err != nil {
		return err
	}
	if in.compression != None {
		_, err := io.CopyN(io.Discard, in, offset)
		return err
	}
	return nil
}

func (in *input) closeUnpacker() {
	if in.unpacker != nil {
		in.unpacker.Close()
		in.unpacker = nil
	}
}

func (in *input) close() error {
	in.closeUnpacker()
	var err error
	if in.temp != nil {
		err = in.temp.Close()
		os.Remove(in.temp.Name()) // where an open file could not be unlinked
		in.temp = nil
	}
	if c, ok := in.stored.(io.Closer); ok && in.closeStored {
		err = errors.Join(err, c.Close())
	}
	in.room.free()
	in.room = nil
	return err
}

// peeker is a reader whose first bytes can be looked at before they are read.
type peeker struct {
	r    io.Reader
	head []byte // read from r, not yet from the peeker
	err  error  // of r, due after head
}

// peek returns the next n bytes, fewer when there are no more. They are good
// until the next call. What a read gives beyond them is kept, when there is room.
func (p *peeker) peek(n int) []byte {
	for p.err == nil && len(p.head) < n {
		if len(p.head) == cap(p.head) {
			p.head = append(make([]byte, 0, min(n, max(2*cap(p.head), 512))), p.head...)
		}
		var k int
		k, p.err = p.r.Read(p.head[len(p.head):cap(p.head)])
		p.head = p.head[:len(p.head)+k]
	}
	return p.head[:min(n, len(p.head))]
}

// discard passes over n bytes that were peeked at.
func (p *peeker) discard(n int) { p.head = p.head[n:] }

func (p *peeker) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		if p.head = p.head[n:]; len(p.head) == 0 {
			p.head = nil
		}
		return n, nil
	}
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.r.Read(b)
	p.err = err
	return n, err
}
