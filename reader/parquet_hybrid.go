package reader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

var errHybridShort = errors.New("fewer values than the page header says")

// scanHybrid walks n values of the RLE / bit-packing hybrid (Encodings.md of
// apache/parquet-format) of the given width and makes sure that they are all
// there and none is above limit. It returns how many are equal to limit, which
// for definition levels is the number of values that are not null.
//
// Arrow's decoders read zeros past the end of the bytes, and go round for ever
// at a dictionary index without an entry: both must be found here.
func scanHybrid(b []byte, width, n int, limit uint32) (atLimit int, err error) {
	for n > 0 {
		head, size := binary.Uvarint(b)
		if size <= 0 {
			return 0, errHybridShort
		}
		b = b[size:]
		count := head >> 1
		if count == 0 || count > math.MaxInt32/8 {
			return 0, fmt.Errorf("run of %d values, which is impossible", count)
		}
		if head&1 == 0 {
			v, ok := hybridRunValue(b, width)
			if !ok {
				return 0, errHybridShort
			}
			if v > limit {
				return 0, fmt.Errorf("value %d, where the greatest possible is %d", v, limit)
			}
			k := min(n, int(count))
			if v == limit {
				atLimit += k
			}
			b, n = b[(width+7)/8:], n-k
			continue
		}
		// The padding of the last group may be left out.
		k := int(min(uint64(n), count*8))
		need := (k*width + 7) / 8
		if need > len(b) {
			return 0, errHybridShort
		}
		c, above := scanPacked(b[:need], width, k, limit)
		if above > limit {
			return 0, fmt.Errorf("value %d, where the greatest possible is %d", above, limit)
		}
		atLimit += c
		b, n = b[min(len(b), int(count)*width):], n-k
	}
	return atLimit, nil
}

func hybridRunValue(b []byte, width int) (v uint32, ok bool) {
	size := (width + 7) / 8
	if len(b) < size {
		return 0, false
	}
	for i := size - 1; i >= 0; i-- {
		v = v<<8 | uint32(b[i])
	}
	return v, true
}

// scanPacked looks at n bit-packed values: how many are equal to limit, and a
// value above it when there is one (0 otherwise).
func scanPacked(b []byte, width, n int, limit uint32) (atLimit int, above uint32) {
	switch {
	case width == 0:
		if limit == 0 {
			return n, 0
		}
		return 0, 0
	case width == 1 && limit == 1: // the levels of an optional column
		for len(b) >= 8 && n >= 64 {
			atLimit += bits.OnesCount64(binary.LittleEndian.Uint64(b))
			b, n = b[8:], n-64
		}
	}
	mask := uint64(1)<<width - 1
	for i := range n {
		bit := i * width
		v := uint32(load64(b, bit/8) >> (bit % 8) & mask)
		if v == limit {
			atLimit++
		} else if v > limit {
			return 0, v
		}
	}
	return atLimit, 0
}

// load64 reads 8 bytes at off, with zeros for those past the end of b.
func load64(b []byte, off int) uint64 {
	if off+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[off:])
	}
	var tail [8]byte
	copy(tail[:], b[min(off, len(b)):])
	return binary.LittleEndian.Uint64(tail[:])
}
