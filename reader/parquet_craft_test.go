package reader

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// thriftBuf writes Thrift's compact protocol, right or wrong as told.
type thriftBuf struct {
	b    []byte
	last []int64 // ids of the fields before, one for each open struct
}

func (w *thriftBuf) begin() *thriftBuf { w.last = append(w.last, 0); return w }
func (w *thriftBuf) end() *thriftBuf {
	w.b, w.last = append(w.b, 0), w.last[:len(w.last)-1]
	return w
}

func (w *thriftBuf) varint(v int64) { w.b = binary.AppendUvarint(w.b, uint64(v<<1)^uint64(v>>63)) }

func (w *thriftBuf) field(id int64, typ byte) {
	last := &w.last[len(w.last)-1]
	if d := id - *last; d > 0 && d < 16 {
		w.b = append(w.b, byte(d)<<4|typ)
	} else {
		w.b = append(w.b, typ)
		w.varint(id)
	}
	*last = id
}

func (w *thriftBuf) i32(id, v int64) *thriftBuf { w.field(id, thriftI32); w.varint(v); return w }
func (w *thriftBuf) i64(id, v int64) *thriftBuf { w.field(id, thriftI64); w.varint(v); return w }

func (w *thriftBuf) text(id int64, s string) *thriftBuf {
	w.field(id, thriftBinary)
	w.b = append(binary.AppendUvarint(w.b, uint64(len(s))), s...)
	return w
}

func (w *thriftBuf) list(id int64, elem byte, n int) *thriftBuf {
	w.field(id, thriftList)
	w.b = binary.AppendUvarint(append(w.b, 0xf0|elem), uint64(n))
	return w
}

func (w *thriftBuf) strct(id int64) *thriftBuf { w.field(id, thriftStruct); return w.begin() }

// craftPage is a page as it stands in a file.
type craftPage struct {
	typ, values, encoding int64
	data                  []byte // as stored
	plain                 int64  // claimed size; -1: len(data)
	defLen                int64
	packed                bool
	crc                   *uint32
}

func (p craftPage) append(b []byte) []byte {
	w := &thriftBuf{b: b}
	if p.plain < 0 {
		p.plain = int64(len(p.data))
	}
	w.begin().i32(1, p.typ).i32(2, p.plain).i32(3, int64(len(p.data)))
	if p.crc != nil {
		w.i32(4, int64(int32(*p.crc)))
	}
	switch p.typ {
	case pageData:
		w.strct(5).i32(1, p.values).i32(2, p.encoding).i32(3, encRLE).i32(4, encRLE).end()
	case pageDictionary:
		w.strct(7).i32(1, p.values).i32(2, p.encoding).end()
	case pageDataV2:
		w.strct(8).i32(1, p.values).i32(2, 0).i32(3, p.values).i32(4, p.encoding).i32(5, p.defLen).i32(6, 0)
		if p.packed {
			w.field(7, thriftTrue)
		} else {
			w.field(7, thriftFalse)
		}
		w.end()
	}
	return append(w.end().b, p.data...)
}

// craftLeaf is a file's only column.
type craftLeaf struct {
	name                                string
	typ, length, converted, scale       int64
	precision, repetition, codec, depth int64
	values                              int64 // claimed; 0: the number of rows
	encrypted, elsewhere                bool
	logical                             int64 // an empty member of LogicalType
	pages                               []craftPage
}

// craftFile writes a file of one column and one row group. depth groups stand
// around the column.
func craftFile(leaf craftLeaf, rows int64) []byte {
	b := []byte("PAR1")
	for _, p := range leaf.pages {
		b = p.append(b)
	}
	size := int64(len(b) - 4)
	footer := craftFooter(leaf, rows, size)
	b = append(b, footer...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(footer)))
	return append(b, "PAR1"...)
}

func craftFooter(leaf craftLeaf, rows, size int64) []byte {
	w := &thriftBuf{}
	w.begin().i32(1, 1).list(2, thriftStruct, int(leaf.depth)+2)
	w.begin().text(4, "schema").i32(5, 1).end()
	for range leaf.depth {
		w.begin().i32(3, repOptional).text(4, "g").i32(5, 1).end()
	}
	w.begin().i32(1, leaf.typ).i32(2, leaf.length).i32(3, leaf.repetition).text(4, leaf.name)
	if leaf.converted >= 0 {
		w.i32(6, leaf.converted).i32(7, leaf.scale).i32(8, leaf.precision)
	}
	if leaf.logical > 0 {
		w.strct(10).strct(leaf.logical).end().end()
	}
	w.end()
	if leaf.values == 0 {
		leaf.values = rows
	}
	w.i64(3, rows).list(4, thriftStruct, 1)
	w.begin().list(1, thriftStruct, 1).begin()
	if leaf.elsewhere {
		w.text(1, "other.parquet")
	}
	w.i64(2, 4).strct(3).i32(1, leaf.typ).list(2, thriftI32, 0).list(3, thriftBinary, 0).i32(4, leaf.codec).
		i64(5, leaf.values).i64(6, size).i64(7, size).i64(9, 4).end()
	if leaf.encrypted {
		w.strct(8).end()
	}
	w.end().i64(2, size).i64(3, rows).end()
	return w.end().b
}

// plainPages is a PLAIN page of values.
func plainPages(t testing.TB, n schema.Node, values any) []craftPage {
	t.Helper()
	var b bytes.Buffer
	count := 1
	switch v := values.(type) {
	case []parquet.ByteArray:
		count = len(v)
		for _, s := range v {
			binary.Write(&b, binary.LittleEndian, uint32(len(s)))
			b.Write(s)
		}
	case []parquet.FixedLenByteArray:
		count = len(v)
		for _, s := range v {
			b.Write(s)
		}
	case []int32:
		count = len(v)
		binary.Write(&b, binary.LittleEndian, v)
	case []int64:
		count = len(v)
		binary.Write(&b, binary.LittleEndian, v)
	case []float64:
		count = len(v)
		for _, f := range v {
			binary.Write(&b, binary.LittleEndian, math.Float64bits(f))
		}
	default:
		t.Fatalf("no PLAIN form of %T (%v)", values, n)
	}
	return []craftPage{{typ: pageData, values: int64(count), data: b.Bytes(), plain: -1}}
}

func checksum(b []byte) *uint32 { c := crc32.ChecksumIEEE(b); return &c }
