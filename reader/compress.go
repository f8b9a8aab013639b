package reader

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// gzipReader reads all members of a gzip file (RFC 1952 §2.2).
//
// It walks from member to member itself. The library can do that too, but
// takes a file that ends inside the name field of a later member's header for
// one that ends before that member; a truncated file must never look whole.
type gzipReader struct {
	in     *bufio.Reader
	member *gzip.Reader // nil before the first member
	padded bool         // with zeros behind the last member
	err    error
}

func newGzip(r io.Reader) *gzipReader {
	return &gzipReader{in: bufio.NewReaderSize(r, 64<<10)}
}

func (z *gzipReader) Read(p []byte) (int, error) {
	for z.err == nil {
		if z.member == nil {
			z.member = new(gzip.Reader)
			z.header()
			continue
		}
		n, err := z.member.Read(p)
		if err == io.EOF { // of the member, its checksum verified
			err = nil
			z.next()
		}
		if err != nil {
			z.err = err
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, z.err
}

// errBehindGzip is what bytes behind the last member give. gzip(1) warns of them
// and goes on; but they may have been members, and their rows are missing.
var errBehindGzip = errors.New("bytes that are no gzip data behind the last of it")

// next goes on behind a member: with another one, or to the end of the file.
// Zeros up to there are the padding of blocks, as tapes have them.
func (z *gzipReader) next() {
	first, err := z.in.Peek(1)
	switch {
	case err != nil:
		z.err = err
		return
	case first[0] == gzipMagic[0]:
		z.header()
		return
	}
	for z.err == nil {
		var b byte
		if b, z.err = z.in.ReadByte(); z.err == nil && b != 0 {
			z.err = errBehindGzip
		}
	}
	z.padded = z.err == io.EOF
}

// header reads the header of a member, of which there must be one.
func (z *gzipReader) header() {
	err := z.member.Reset(z.in)
	switch err {
	case nil:
		z.member.Multistream(false)
	case io.EOF:
		z.err = io.ErrUnexpectedEOF
	default:
		z.err = err
	}
}

// maxWindow bounds the memory of zstd. The zstd tool refuses larger windows by
// default too (ZSTD_WINDOWLOG_LIMIT_DEFAULT, 27).
const maxWindow = 128 << 20

// zstdReader reads all frames of a zstd file (RFC 8878 §3), skippable ones
// included, on the caller's goroutine.
type zstdReader struct {
	frames *zstdFrames
	dec    *zstd.Decoder
}

func newZstd(r io.Reader) (*zstdReader, error) {
	frames := &zstdFrames{in: bufio.NewReaderSize(r, 64<<10)}
	dec, err := zstd.NewReader(frames,
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	return &zstdReader{frames, dec}, err
}

func (z *zstdReader) Read(p []byte) (int, error) {
	n, err := z.dec.Read(p)
	switch {
	case err == nil:
	case z.frames.err != nil && z.frames.err != io.EOF:
		err = z.frames.err // the decoder may have made an end of it
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		err = errors.New("packed with a window of more than 128 MiB (zstd --long); pack it again without that")
	}
	return n, err
}

func (z *zstdReader) Close() error {
	z.dec.Close()
	return nil
}
