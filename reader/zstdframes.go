package reader

import (
	"encoding/binary"
	"errors"
	"io"
)

// errTrailing is what bytes after the last frame give.
var errTrailing = errors.New("bytes that are no zstd frame after the last frame")

// zstdFrames passes a zstd file through and follows its structure (RFC 8878
// §3.1) far enough to know whether it ends between two frames. The decoder
// behind it takes one to three bytes of a frame's magic number for the end of
// the file; a truncated file must never look whole.
type zstdFrames struct {
	in    io.Reader
	state frameState
	elem  []byte // what was read of the element that state waits for
	skip  int64  // bytes up to that element
	sum   int64  // size of the checksum at the end of the frame
	any   bool   // a frame was seen
	err   error
}

// frameState is the element of a frame that comes next.
type frameState uint8

const (
	atMagic frameState = iota // or at the end of the file
	atSkippable
	atDescriptor
	atBlock
)

// size is how many bytes the element takes.
func (s frameState) size() int { return [...]int{4, 4, 1, 3}[s] }

func (z *zstdFrames) Read(p []byte) (int, error) {
	if z.err != nil {
		return 0, z.err
	}
	n, err := z.in.Read(p)
	if z.follow(p[:n]); z.err != nil {
		return 0, z.err
	}
	if err == io.EOF && (z.state != atMagic || z.skip > 0 || len(z.elem) > 0 || !z.any) {
		err = io.ErrUnexpectedEOF
	}
	z.err = err
	return n, err
}

// follow takes note of p.
func (z *zstdFrames) follow(p []byte) {
	for len(p) > 0 && z.err == nil {
		if z.skip > 0 {
			n := min(z.skip, int64(len(p)))
			z.skip -= n
			p = p[n:]
			continue
		}
		n := min(z.state.size()-len(z.elem), len(p))
		z.elem = append(z.elem, p[:n]...)
		p = p[n:]
		if len(z.elem) == z.state.size() {
			z.element()
			z.elem = z.elem[:0]
		}
	}
}

// element reads an element that is complete.
func (z *zstdFrames) element() {
	e := z.elem
	switch z.state {
	case atMagic: // §3.1.1, and §3.1.2 for skippable frames
		switch m := binary.LittleEndian.Uint32(e); {
		case m == 0xFD2FB528:
			z.state = atDescriptor
		case m&^0xF == 0x184D2A50:
			z.state = atSkippable
		default:
			z.err = errTrailing
		}
		z.any = true
	case atSkippable:
		z.skip = int64(binary.LittleEndian.Uint32(e))
		z.state = atMagic
	case atDescriptor: // §3.1.1.1.1: what follows in the header
		single := e[0]&0x20 != 0
		size := [...]int64{0, 2, 4, 8}[e[0]>>6]
		if single && size == 0 {
			size = 1
		}
		z.skip = size + [...]int64{0, 1, 2, 4}[e[0]&3]
		if !single {
			z.skip++ // the window descriptor
		}
		z.sum = int64(e[0] & 4)
		z.state = atBlock
	case atBlock: // §3.1.1.2
		h := uint32(e[0]) | uint32(e[1])<<8 | uint32(e[2])<<16
		z.skip = int64(h >> 3)
		if h>>1&3 == 1 { // one byte, repeated
			z.skip = 1
		}
		if h&1 != 0 {
			z.skip += z.sum
			z.state = atMagic
		}
	}
}
