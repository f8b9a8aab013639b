package reader

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var (
	errDeltaShort = errors.New("delta-encoded values that end too early")
	errDeltaHead  = errors.New("delta header that is impossible")
)

// The decoders here rewrite an encoding as PLAIN, which is what Arrow then
// reads. Its own decoders of these encodings believe every number that a page
// holds: block sizes, of which they allocate as many entries as it says, and
// prefix lengths, with which a few bytes become gigabytes. It has none for
// BYTE_STREAM_SPLIT.

// plainFromDelta appends to dst n values of DELTA_BINARY_PACKED as PLAIN values
// of size bytes.
func plainFromDelta(dst, src []byte, size, n int) ([]byte, error) {
	d, err := newDeltaReader(src, n)
	if err != nil {
		return nil, err
	}
	for range n {
		v, err := d.next()
		if err != nil {
			return nil, err
		}
		if size == 4 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
		} else {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
		}
	}
	return dst, nil
}

// deltaReader reads DELTA_BINARY_PACKED: a header (block size, miniblocks in a
// block, number of values, first value), then blocks of bit-packed differences
// (Encodings.md of apache/parquet-format).
type deltaReader struct {
	b        []byte // after the header of the current block: from its current miniblock on
	perMini  int
	minis    int
	left     int // values not yet read, the first included
	first    bool
	value    int64
	minDelta int64
	widths   []byte // of the miniblocks of the block that are not yet begun
	width    int    // of the current miniblock
	at       int    // value in the current miniblock; perMini when it is used up
}

func newDeltaReader(src []byte, n int) (*deltaReader, error) {
	r := thriftReader{b: src} // the same varints as Thrift's
	block, minis, total := r.uvarint(), r.uvarint(), r.uvarint()
	first := r.int()
	if r.err != nil {
		return nil, errDeltaShort
	}
	// The specification wants blocks of a multiple of 128 values and
	// miniblocks of a multiple of 32; 8 keeps the miniblocks on byte borders.
	if minis == 0 || minis > 1<<16 || block > 1<<24 || block%minis != 0 || block/minis%8 != 0 || block == 0 {
		return nil, errDeltaHead
	}
	if total != uint64(n) {
		return nil, fmt.Errorf("%d delta-encoded values, where the page header says %d", total, n)
	}
	per := int(block / minis)
	return &deltaReader{b: src[r.pos:], perMini: per, minis: int(minis), left: n, first: true, value: first, at: per}, nil
}

func (d *deltaReader) next() (int64, error) {
	if d.left == 0 {
		return 0, errDeltaShort
	}
	d.left--
	if d.first {
		d.first = false
		return d.value, nil
	}
	if d.at == d.perMini {
		if err := d.nextMini(); err != nil {
			return 0, err
		}
	}
	bit := d.at * d.width
	// The bytes of a last miniblock that hold no value may be missing.
	if (bit+d.width+7)/8 > len(d.b) {
		return 0, errDeltaShort
	}
	d.at++
	d.value += d.minDelta + int64(loadBits(d.b, bit, d.width))
	return d.value, nil
}

func (d *deltaReader) nextMini() error {
	d.b = d.b[min(len(d.b), d.perMini*d.width/8):]
	if len(d.widths) == 0 {
		r := thriftReader{b: d.b}
		d.minDelta = r.int()
		if r.err != nil || len(d.b)-r.pos < d.minis {
			return errDeltaShort
		}
		d.widths, d.b = d.b[r.pos:r.pos+d.minis], d.b[r.pos+d.minis:]
	}
	d.width, d.widths, d.at = int(d.widths[0]), d.widths[1:], 0
	if d.width > 64 {
		return errDeltaHead
	}
	return nil
}

// rest returns what follows the values, once all are read: the miniblocks of
// the last block that hold none take no bytes, whatever their widths say.
func (d *deltaReader) rest() []byte {
	return d.b[min(len(d.b), d.perMini*d.width/8):]
}

func loadBits(b []byte, bit, width int) uint64 {
	if width == 0 {
		return 0
	}
	off, shift := bit/8, bit%8
	v := load64(b, off) >> shift
	if shift+width > 64 {
		v |= uint64(b[off+8]) << (64 - shift)
	}
	return v & (^uint64(0) >> (64 - width))
}

// deltaLengths reads the lengths at the start of both byte array encodings.
func deltaLengths(dst []int32, src []byte, n int) (lengths []int32, rest []byte, err error) {
	d, err := newDeltaReader(src, n)
	if err != nil {
		return nil, nil, err
	}
	for range n {
		v, err := d.next()
		if err != nil {
			return nil, nil, err
		}
		if v < 0 || v > maxPageBytes {
			return nil, nil, fmt.Errorf("value of %d bytes, which is impossible", v)
		}
		dst = append(dst, int32(v))
	}
	return dst, d.rest(), nil
}

// plainFromDeltaLength rewrites n values of DELTA_LENGTH_BYTE_ARRAY.
func plainFromDeltaLength(dst, src []byte, n int) ([]byte, error) {
	lengths, data, err := deltaLengths(nil, src, n)
	if err != nil {
		return nil, err
	}
	for _, l := range lengths {
		if int(l) > len(data) {
			return nil, errDeltaShort
		}
		dst = binary.LittleEndian.AppendUint32(dst, uint32(l))
		dst = append(dst, data[:l]...)
		data = data[l:]
	}
	return dst, nil
}

// plainFromDeltaBytes rewrites n values of DELTA_BYTE_ARRAY, each of which is a
// prefix of the one before and a suffix of its own. fixed is the length that
// the values of a FIXED_LEN_BYTE_ARRAY have, or 0 for a BYTE_ARRAY.
func plainFromDeltaBytes(dst, src []byte, n, fixed int) ([]byte, error) {
	prefixes, rest, err := deltaLengths(nil, src, n)
	if err != nil {
		return nil, err
	}
	suffixes, data, err := deltaLengths(nil, rest, n)
	if err != nil {
		return nil, err
	}
	last, lastLen := 0, 0 // where in dst the value before stands
	for i, prefix := range prefixes {
		size := int(prefix) + int(suffixes[i])
		switch {
		case int(prefix) > lastLen:
			return nil, fmt.Errorf("prefix of %d bytes of a value of %d", prefix, lastLen)
		case int(suffixes[i]) > len(data):
			return nil, errDeltaShort
		case fixed > 0 && size != fixed:
			return nil, fmt.Errorf("value of %d bytes in a column of values of %d", size, fixed)
		case len(dst)+size+4 > maxPageBytes:
			return nil, fmt.Errorf("page that unpacks to more than %d bytes", maxPageBytes)
		}
		if fixed == 0 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
		}
		start := len(dst)
		dst = append(dst, dst[last:last+int(prefix)]...)
		dst = append(dst, data[:suffixes[i]]...)
		data = data[suffixes[i]:]
		last, lastLen = start, size
	}
	return dst, nil
}

// plainFromStreamSplit rewrites n values of BYTE_STREAM_SPLIT, which holds all
// first bytes of the values, then all second bytes, and so on.
func plainFromStreamSplit(dst, src []byte, size, n int) ([]byte, error) {
	if len(src) < size*n {
		return nil, errors.New("fewer values than the page header says")
	}
	stride := len(src) / size // the values may be padded
	for i := range n {
		for k := range size {
			dst = append(dst, src[k*stride+i])
		}
	}
	return dst, nil
}
