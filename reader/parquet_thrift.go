package reader

import (
	"encoding/binary"
	"errors"
)

// Field types of Thrift's compact protocol.
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

// maxThriftDepth is far above what Parquet's own structures nest.
const maxThriftDepth = 32

var (
	errThriftShort = errors.New("it ends too early")
	errThriftBad   = errors.New("it is not a Thrift structure")
)

// thriftReader reads Thrift's compact protocol (thrift-compact-protocol.md of
// Apache Thrift) from bytes that nobody vouches for. It allocates nothing and
// believes no length before it has seen as many bytes. The first error sticks:
// from then on every call returns zero and every field is the last one.
type thriftReader struct {
	b     []byte
	pos   int
	items int // structs and list elements seen: what a parse into memory would cost
	err   error
}

func (r *thriftReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.pos = len(r.b)
}

func (r *thriftReader) byte() byte {
	if r.pos >= len(r.b) {
		r.fail(errThriftShort)
		return 0
	}
	r.pos++
	return r.b[r.pos-1]
}

func (r *thriftReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b[r.pos:])
	switch {
	case n == 0:
		r.fail(errThriftShort)
		return 0
	case n < 0:
		r.fail(errThriftBad)
		return 0
	}
	r.pos += n
	return v
}

// int reads an i16, i32 or i64.
func (r *thriftReader) int() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// int32 reads an i32 and refuses what does not fit into one.
func (r *thriftReader) int32() int32 {
	v := r.int()
	if v != int64(int32(v)) {
		r.fail(errThriftBad)
		return 0
	}
	return int32(v)
}

func (r *thriftReader) advance(n uint64) {
	if n > uint64(len(r.b)-r.pos) {
		r.fail(errThriftShort)
		return
	}
	r.pos += int(n)
}

// text reads a binary as a string.
func (r *thriftReader) text() string {
	n := r.uvarint()
	start := r.pos
	r.advance(n)
	if r.err != nil {
		return ""
	}
	return string(r.b[start:r.pos])
}

// field reads a field header. last is the id of the field before it, 0 at the
// start of a struct.
func (r *thriftReader) field(last int64) (id int64, typ byte) {
	h := r.byte()
	typ = h & 0x0f
	if r.err != nil || typ == thriftStop {
		return 0, thriftStop
	}
	if delta := h >> 4; delta != 0 {
		return last + int64(delta), typ
	}
	id = r.int()
	if r.err != nil {
		return 0, thriftStop
	}
	return id, typ
}

// list reads the header of a list or set. A list longer than the bytes that
// are left is refused here: every element takes at least one.
func (r *thriftReader) list() (n int, elem byte) {
	h := r.byte()
	size := uint64(h >> 4)
	if size == 15 {
		size = r.uvarint()
	}
	if size > uint64(len(r.b)-r.pos) {
		r.fail(errThriftShort)
		return 0, 0
	}
	r.items += int(size)
	return int(size), h & 0x0f
}

// skip passes over the value of a field.
func (r *thriftReader) skip(typ byte) {
	if typ != thriftTrue && typ != thriftFalse { // a field's boolean is its type
		r.skipValue(typ, 0)
	}
}

// skipValue passes over a value that stands in full, as elements of lists do.
func (r *thriftReader) skipValue(typ byte, depth int) {
	if depth > maxThriftDepth {
		r.fail(errThriftBad)
	}
	if r.err != nil {
		return
	}
	switch typ {
	case thriftTrue, thriftFalse, thriftByte:
		r.advance(1)
	case thriftI16, thriftI32, thriftI64:
		r.uvarint()
	case thriftDouble:
		r.advance(8)
	case thriftUUID:
		r.advance(16)
	case thriftBinary:
		r.advance(r.uvarint())
	case thriftList, thriftSet:
		n, elem := r.list()
		for ; n > 0 && r.err == nil; n-- {
			r.skipValue(elem, depth+1)
		}
	case thriftMap:
		r.skipMap(depth)
	case thriftStruct:
		r.items++
		for id, t := r.field(0); t != thriftStop; id, t = r.field(id) {
			if t != thriftTrue && t != thriftFalse {
				r.skipValue(t, depth+1)
			}
		}
	default:
		r.fail(errThriftBad)
	}
}

func (r *thriftReader) skipMap(depth int) {
	n := r.uvarint()
	if n == 0 {
		return
	}
	if n > uint64(len(r.b)-r.pos) {
		r.fail(errThriftShort)
		return
	}
	r.items += int(n)
	types := r.byte()
	for ; n > 0 && r.err == nil; n-- {
		r.skipValue(types>>4, depth+1)
		r.skipValue(types&0x0f, depth+1)
	}
}

// Page types of parquet.thrift.
const (
	pageData       = 0
	pageDictionary = 2
	pageDataV2     = 3
)

// pageHeader is a PageHeader of parquet.thrift, as far as reading needs it.
type pageHeader struct {
	size           int // bytes of the header itself
	typ            int32
	packed, plain  int32 // bytes of the page as stored, and unpacked
	crc            uint32
	hasCRC         bool
	values         int32
	encoding       int32
	levelEncoding  int32 // version 1: of the definition levels
	defLen, repLen int32 // version 2: bytes of levels before the values
	valuesPacked   bool  // version 2: the values (never the levels) are compressed
}

// parsePageHeader reads the header at the start of b. It wants more bytes when
// it returns errThriftShort.
func parsePageHeader(b []byte) (pageHeader, error) {
	h := pageHeader{valuesPacked: true, values: -1}
	r := thriftReader{b: b}
	for id, typ := r.field(0); typ != thriftStop; id, typ = r.field(id) {
		switch {
		case id == 1 && typ == thriftI32:
			h.typ = r.int32()
		case id == 2 && typ == thriftI32:
			h.plain = r.int32()
		case id == 3 && typ == thriftI32:
			h.packed = r.int32()
		case id == 4 && typ == thriftI32:
			h.crc, h.hasCRC = uint32(r.int32()), true
		case typ == thriftStruct && (id == 5 || id == 7 || id == 8):
			h.parseKind(&r, id)
		default:
			r.skip(typ)
		}
	}
	h.size = r.pos
	if r.err != nil {
		return h, r.err
	}
	if h.packed < 0 || h.plain < 0 || h.defLen < 0 || h.repLen < 0 {
		return h, errThriftBad
	}
	if h.values < 0 && (h.typ == pageData || h.typ == pageDataV2 || h.typ == pageDictionary) {
		return h, errThriftBad
	}
	return h, nil
}

// parseKind reads a DataPageHeader (5), DictionaryPageHeader (7) or
// DataPageHeaderV2 (8).
func (h *pageHeader) parseKind(r *thriftReader, kind int64) {
	for id, typ := r.field(0); typ != thriftStop; id, typ = r.field(id) {
		switch {
		case id == 1 && typ == thriftI32:
			h.values = r.int32()
		case kind != 8 && id == 2 && typ == thriftI32, kind == 8 && id == 4 && typ == thriftI32:
			h.encoding = r.int32()
		case kind == 5 && id == 3 && typ == thriftI32:
			h.levelEncoding = r.int32()
		case kind == 8 && id == 5 && typ == thriftI32:
			h.defLen = r.int32()
		case kind == 8 && id == 6 && typ == thriftI32:
			h.repLen = r.int32()
		case kind == 8 && id == 7 && (typ == thriftTrue || typ == thriftFalse):
			h.valuesPacked = typ == thriftTrue
		default:
			r.skip(typ)
		}
	}
}
