package reader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/apache/arrow/go/v17/parquet"
)

var errValuesShort = errors.New("page with fewer values than its header says")

// checkLevels returns how many values of a page are not null, and how many
// bytes stand before them. levels is that number where the page header says.
func (p *parquetPages) checkLevels(h pageHeader, data []byte, levels int) (present, size int, err error) {
	top := p.col.maxDef
	if top == 0 {
		return int(h.values), levels, nil
	}
	def := data[:levels]
	if h.typ == pageDataV2 {
		def = def[h.repLen:]
	} else {
		if h.levelEncoding != encRLE {
			return 0, 0, unsupported("encoding %d (BIT_PACKED is deprecated) is not supported: write the file again", h.levelEncoding)
		}
		if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
			return 0, 0, errHybridShort
		}
		levels = 4 + int(binary.LittleEndian.Uint32(data))
		def = data[4:levels]
	}
	present, err = scanHybrid(def, bits.Len16(uint16(top)), int(h.values), uint32(top))
	return present, levels, err
}

// checkValues makes sure that Arrow can read the n values of a data page,
// which follow levels bytes of levels, and returns the page in an encoding
// that it reads safely.
func (p *parquetPages) checkValues(encoding int32, data []byte, levels, n int) (int32, []byte, error) {
	values := data[levels:]
	if n == 0 { // what writers leave behind the levels then varies
		return encPlain, data[:levels], nil
	}
	switch encoding {
	case encPlain:
		return encPlain, data, checkPlain(p.col, values, n)
	case encPlainDict, encRLEDict:
		if err := p.checkIndexes(values, n); err != nil {
			return 0, nil, fmt.Errorf("dictionary indexes: %w", err)
		}
		return encRLEDict, data, nil
	case encRLE:
		if p.col.physical != parquet.Types.Boolean {
			break
		}
		if len(values) < 4 || uint64(binary.LittleEndian.Uint32(values)) > uint64(len(values)-4) {
			return 0, nil, errValuesShort
		}
		_, err := scanHybrid(values[4:4+binary.LittleEndian.Uint32(values)], 1, n, 1)
		return encRLE, data, err
	}
	return p.rewrite(encoding, data, levels, n)
}

// checkIndexes checks a page of dictionary indexes: their width in one byte,
// then the indexes.
func (p *parquetPages) checkIndexes(values []byte, n int) error {
	switch {
	case p.entries < 0:
		return errors.New("there is no dictionary before them")
	case p.entries == 0 || len(values) == 0:
		return errValuesShort
	case values[0] > 32:
		return fmt.Errorf("width of %d bits", values[0])
	}
	_, err := scanHybrid(values[1:], int(values[0]), n, uint32(p.entries-1))
	return err
}

// rewrite turns the values of a page into PLAIN ones.
func (p *parquetPages) rewrite(encoding int32, data []byte, levels, n int) (int32, []byte, error) {
	values := data[levels:]
	t, size := p.col.physical, plainSize(p.col.physical, p.col.length)
	// 16 bytes a value leave room for the lengths that the decoders keep.
	if n > maxPageBytes/16 {
		return 0, nil, unsupported("page of %d values in encoding %d; the limit is %d: write the file again with smaller pages", n, encoding, maxPageBytes/16)
	}
	isInt := t == parquet.Types.Int32 || t == parquet.Types.Int64
	isBytes := t == parquet.Types.ByteArray
	var err error
	if p.plain, err = p.store.room(p.plain, levels+max(size*n, len(values))); err != nil {
		return 0, nil, err
	}
	had := cap(p.plain)
	out := append(p.plain[:0], data[:levels]...)
	switch {
	case encoding == encDeltaPacked && isInt:
		out, err = plainFromDelta(out, values, size, n)
	case encoding == encDeltaLength && isBytes:
		out, err = plainFromDeltaLength(out, values, n)
	case encoding == encDeltaBytes && (isBytes || size > 0 && t == parquet.Types.FixedLenByteArray):
		out, err = plainFromDeltaBytes(out, values, n, size)
	case encoding == encStreamSplit && size > 0 && t != parquet.Types.Int96:
		out, err = plainFromStreamSplit(out, values, size, n)
	default:
		return 0, nil, unsupported("encoding %d of %v values, which is not supported", encoding, t)
	}
	if err == nil {
		err = p.store.claim(cap(out) - had)
	}
	if err != nil {
		return 0, nil, err
	}
	p.plain = out
	return encPlain, out, nil
}

// checkPlain makes sure that values holds n PLAIN values of the column.
func checkPlain(col *parquetColumn, values []byte, n int) error {
	size := plainSize(col.physical, col.length)
	if size > 0 {
		if hi, need := bits.Mul64(uint64(size), uint64(n)); hi != 0 || need > uint64(len(values)) {
			return errValuesShort
		}
		return nil
	}
	if col.physical == parquet.Types.Boolean {
		if (n+7)/8 > len(values) {
			return errValuesShort
		}
		return nil
	}
	for range n {
		if len(values) < 4 {
			return errValuesShort
		}
		l := binary.LittleEndian.Uint32(values)
		if uint64(l) > uint64(len(values)-4) {
			return fmt.Errorf("value of %d bytes, where %d are left", l, len(values)-4)
		}
		values = values[4+l:]
	}
	return nil
}

// plainSize is the number of bytes of a PLAIN value, 0 when that varies (or is
// a bit). length is what FIXED_LEN_BYTE_ARRAYs have.
func plainSize(t parquet.Type, length int) int {
	switch t {
	case parquet.Types.Int32, parquet.Types.Float:
		return 4
	case parquet.Types.Int64, parquet.Types.Double:
		return 8
	case parquet.Types.Int96:
		return 12
	case parquet.Types.FixedLenByteArray:
		return length
	}
	return 0
}
