package reader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/schema"
	"github.com/klauspost/compress/zstd"
)

// allocated runs f and returns how many bytes it asked for.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// readV reads the column "v" of a file, damaged or not.
func readV(t testing.TB, b []byte) (rows []string, err error) {
	r, err := openParquetBytes(b, Options{Columns: wantColumns("v")})
	if err != nil {
		return nil, err
	}
	defer r.close()
	return restOf(t, r)
}

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// uvarints encodes numbers as ULEB128, one after the other.
func uvarints(v ...uint64) (b []byte) {
	for _, n := range v {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

func zstdOf(b []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(b, nil)
}

func gzipOf(b []byte) []byte {
	c, _ := compress.GetCodec(compress.Codecs.Gzip)
	return c.Encode(nil, b)
}

// TestParquetDamage: what a file may not claim. Everything is refused with
// words, and with little memory.
func TestParquetDamage(t *testing.T) {
	const snappy, gzip, lz4, zst = 1, 2, 5, 6
	data := func(values, encoding int64, b ...byte) craftPage {
		return craftPage{typ: pageData, values: values, encoding: encoding, data: b, plain: -1}
	}
	dict := func(values int64, b ...byte) craftPage {
		return craftPage{typ: pageDictionary, values: values, data: b, plain: -1}
	}
	two := dict(2, 1, 0, 0, 0, 2, 0, 0, 0)
	good := data(2, encPlain, 1, 0, 0, 0, 2, 0, 0, 0)
	bad := uint32(1)
	for name, test := range map[string]struct {
		leaf craftLeaf
		want string
	}{
		"literal index past the dictionary": {craftLeaf{typ: 1, pages: []craftPage{two, data(2, encRLEDict, 2, 3, 0xff, 0xff)}}, "value 3, where the greatest possible is 1"},
		"run index past the dictionary":     {craftLeaf{typ: 1, pages: []craftPage{two, data(2, encRLEDict, 2, 4, 3)}}, "value 3, where the greatest possible is 1"},
		"indexes that end":                  {craftLeaf{typ: 1, pages: []craftPage{two, data(2, encRLEDict, 2, 2, 1)}}, "fewer values"},
		"a run of none":                     {craftLeaf{typ: 1, pages: []craftPage{two, data(2, encRLEDict, 2, 0, 1)}}, "run of 0 values"},
		"indexes of 40 bits":                {craftLeaf{typ: 1, pages: []craftPage{two, data(2, encRLEDict, 40, 4, 1)}}, "width of 40 bits"},
		"no dictionary":                     {craftLeaf{typ: 1, pages: []craftPage{data(2, encRLEDict, 1, 4, 0)}}, "no dictionary"},
		"an empty dictionary":               {craftLeaf{typ: 1, pages: []craftPage{dict(0), data(2, encRLEDict, 1, 4, 0)}}, "fewer values"},
		"a dictionary of many":              {craftLeaf{typ: 1, pages: []craftPage{dict(1<<31-1, 0), data(2, encRLEDict, 1, 4, 0)}}, "fewer values"},
		"a dictionary of short texts":       {craftLeaf{typ: 6, pages: []craftPage{dict(2, 1, 0, 0, 0, 'x', 9, 0, 0, 0), data(2, encRLEDict, 1, 4, 0)}}, "value of 9 bytes"},
		"two dictionaries":                  {craftLeaf{typ: 1, pages: []craftPage{two, two, data(2, encRLEDict, 1, 4, 0)}}, "twice"},
		"a late dictionary":                 {craftLeaf{typ: 1, pages: []craftPage{data(1, encPlain, 1, 0, 0, 0), two, good}}, "after other pages"},
		"a dictionary of booleans":          {craftLeaf{typ: 0, pages: []craftPage{dict(2, 3), data(2, encRLEDict, 1, 4, 0)}}, "BOOLEAN"},
		"values that end":                   {craftLeaf{typ: 1, pages: []craftPage{data(2, encPlain, 1, 0, 0, 0, 2, 0, 0)}}, "fewer values"},
		"a text that ends":                  {craftLeaf{typ: 6, pages: []craftPage{data(2, encPlain, 0, 0, 0, 0, 1, 0, 0, 0)}}, "value of 1 bytes, where 0 are left"},
		"a text of 4 GiB":                   {craftLeaf{typ: 6, pages: []craftPage{data(2, encPlain, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)}}, "value of 4294967295 bytes"},
		"booleans that end":                 {craftLeaf{typ: 0, pages: []craftPage{data(2, encRLE, 1, 0, 0, 0, 2)}}, "fewer values"},
		"levels that end":                   {craftLeaf{typ: 1, repetition: repOptional, pages: []craftPage{data(2, encPlain, 2, 0, 0, 0, 2, 1, 1, 0, 0, 0)}}, "definition levels: fewer"},
		"levels longer than the page":       {craftLeaf{typ: 1, repetition: repOptional, pages: []craftPage{data(2, encPlain, 0xff, 0xff, 0xff, 0xff)}}, "definition levels: fewer"},
		"a level that is too high":          {craftLeaf{typ: 1, repetition: repOptional, pages: []craftPage{data(2, encPlain, 2, 0, 0, 0, 4, 2)}}, "value 2, where the greatest possible is 1"},
		"more levels than the page (v2)":    {craftLeaf{typ: 1, repetition: repOptional, pages: []craftPage{{typ: pageDataV2, values: 2, data: []byte{4, 1}, plain: -1, defLen: 9}}}, "page shorter than its levels"},
		"a page with too many values":       {craftLeaf{typ: 1, pages: []craftPage{data(3, encPlain, make([]byte, 12)...)}}, "page of 3 values, where the row group has only 2"},
		"a column with too few":             {craftLeaf{typ: 1, pages: []craftPage{data(1, encPlain, 1, 0, 0, 0)}}, "column that ends 1 rows before the row group does"},
		"no pages":                          {craftLeaf{typ: 1}, "column that ends 2 rows before the row group does"},
		"a wrong checksum":                  {craftLeaf{typ: 1, pages: []craftPage{{typ: pageData, values: 2, data: good.data, plain: -1, crc: &bad}}}, "checksum"},
		"a page of 1 GiB":                   {craftLeaf{typ: 1, codec: snappy, pages: []craftPage{{typ: pageData, values: 2, plain: 1 << 30, data: []byte{1, 2}}}}, "page of 1073741824 bytes; the limit is 67108864"},
		"snappy of 2 GiB":                   {craftLeaf{typ: 1, codec: snappy, pages: []craftPage{{typ: pageData, values: 2, plain: 8, data: uvarints(1 << 31)}}}, "it makes 2147483648 bytes"},
		"snappy of nothing":                 {craftLeaf{typ: 1, codec: snappy, pages: []craftPage{{typ: pageData, values: 2, plain: 8, data: []byte{8, 0xff, 0xff}}}}, "SNAPPY data that do not unpack"},
		"zstd of 100 MiB":                   {craftLeaf{typ: 1, codec: zst, pages: []craftPage{{typ: pageData, values: 2, plain: 8, data: zstdOf(make([]byte, 100<<20))}}}, "size"},
		"gzip of 100 MiB":                   {craftLeaf{typ: 1, codec: gzip, pages: []craftPage{{typ: pageData, values: 2, plain: 8, data: gzipOf(make([]byte, 100<<20))}}}, "more than the 8 bytes"},
		"gzip of too little":                {craftLeaf{typ: 1, codec: gzip, pages: []craftPage{{typ: pageData, values: 2, plain: 8, data: gzipOf([]byte{1})}}}, "ends after 1 of 8 bytes"},
		"plain of another size":             {craftLeaf{typ: 1, pages: []craftPage{{typ: pageData, values: 2, plain: 9, data: good.data}}}, "8 bytes, where the header says 9"},
		"lz4":                               {craftLeaf{typ: 1, codec: lz4, pages: []craftPage{good}}, "compression LZ4, which is not supported"},
		"a codec of the future":             {craftLeaf{typ: 1, codec: 99, pages: []craftPage{good}}, "which is not supported"},
		"an encoding of the future":         {craftLeaf{typ: 1, pages: []craftPage{data(2, 77, 1, 2)}}, "encoding 77"},
		"delta blocks of 2^62":              {craftLeaf{typ: 1, pages: []craftPage{data(2, encDeltaPacked, uvarints(1<<62, 1, 2, 0, 0)...)}}, "delta header"},
		"delta miniblocks of 2^62":          {craftLeaf{typ: 1, pages: []craftPage{data(2, encDeltaPacked, uvarints(1<<62, 1<<62, 2, 0, 0)...)}}, "delta header"},
		"delta of none":                     {craftLeaf{typ: 1, pages: []craftPage{data(2, encDeltaPacked, uvarints(128, 4, 0, 0)...)}}, "0 delta-encoded values, where the page header says 2"},
		"delta that ends":                   {craftLeaf{typ: 1, pages: []craftPage{data(2, encDeltaPacked, uvarints(128, 4, 2, 0, 0, 9)...)}}, "end too early"},
		"delta of 99 bits":                  {craftLeaf{typ: 1, pages: []craftPage{data(2, encDeltaPacked, append(uvarints(128, 4, 2, 0, 0), 99, 99, 99, 99, 0, 0, 0)...)}}, "delta header"},
		"a prefix of nothing":               {craftLeaf{typ: 6, pages: []craftPage{data(1, encDeltaBytes, append(uvarints(128, 4, 1, 10), uvarints(128, 4, 1, 0)...)...), good}}, "prefix of 5 bytes of a value of 0"},
		"claims of other rows":              {craftLeaf{typ: 1, values: 3, pages: []craftPage{good}}, "3 values for 2 rows"},
		"encrypted":                         {craftLeaf{typ: 1, encrypted: true, pages: []craftPage{good}}, "encrypted"},
		"elsewhere":                         {craftLeaf{typ: 1, elsewhere: true, pages: []craftPage{good}}, "another file"},
		"a schema of 5000 levels":           {craftLeaf{typ: 1, depth: 5000, pages: []craftPage{good}}, "fits nowhere"},
		"a type of the future":              {craftLeaf{typ: 8, pages: []craftPage{good}}, "physical type 8, which is unknown"},
		"an impossible length":              {craftLeaf{typ: 7, length: -4, pages: []craftPage{good}}, "FIXED_LEN_BYTE_ARRAY of -4 bytes"},
		"variant":                           {craftLeaf{typ: 6, logical: logicalVariant, pages: []craftPage{good}}, "VARIANT"},
		"bson":                              {craftLeaf{typ: 6, logical: logicalBSON, pages: []craftPage{good}}, "BSON"},
	} {
		t.Run(name, func(t *testing.T) {
			test.leaf.name = "v"
			if test.leaf.converted == 0 {
				test.leaf.converted = -1
			}
			b := craftFile(test.leaf, 2)
			if test.leaf.depth > 0 { // the name is a long path there
				test.leaf.name = "?"
			}
			var rows []string
			var err error
			n := allocated(func() { rows, err = readV(t, b) })
			switch {
			case err == nil:
				t.Errorf("no error, rows %v", rows)
			case !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "dir/test.parquet: "):
				t.Errorf("%v, want %q", err, test.want)
			case n > 24<<20:
				t.Errorf("%d bytes allocated", n)
			}
		})
	}
}

// TestParquetOddities: files that look strange and are right.
func TestParquetOddities(t *testing.T) {
	split := make([]byte, 16) // 1.5 and -2 as BYTE_STREAM_SPLIT
	split[13], split[15], split[14] = 0x00, 0xc0, 0x3f
	split[12] = 0xf8
	for name, test := range map[string]struct {
		leaf craftLeaf
		want string
	}{
		"a logical type of the future": {craftLeaf{typ: 1, logical: 99, pages: plainPages(t, nil, []int32{1, 2})}, "[[n:1] [n:2]]"},
		"pages without values": {craftLeaf{typ: 1, pages: slices.Concat([]craftPage{{typ: pageData, plain: -1}}, plainPages(t, nil, []int32{1}),
			[]craftPage{{typ: pageData, plain: -1}}, plainPages(t, nil, []int32{2}), []craftPage{{typ: pageData, plain: -1}})}, "[[n:1] [n:2]]"},
		"an index page":         {craftLeaf{typ: 1, pages: slices.Concat([]craftPage{{typ: 1, data: []byte("index"), plain: -1}}, plainPages(t, nil, []int32{1, 2}))}, "[[n:1] [n:2]]"},
		"byte stream split":     {craftLeaf{typ: 5, pages: []craftPage{{typ: pageData, values: 2, encoding: encStreamSplit, data: split, plain: -1}}}, "[[n:1.5] [n:-2]]"},
		"the right checksum":    {craftLeaf{typ: 1, pages: []craftPage{{typ: pageData, values: 2, data: append(le32(1), le32(2)...), plain: -1, crc: checksum(append(le32(1), le32(2)...))}}}, "[[n:1] [n:2]]"},
		"indexes of 0 bits":     {craftLeaf{typ: 1, pages: []craftPage{{typ: pageDictionary, values: 1, data: le32(7), plain: -1}, {typ: pageData, values: 2, encoding: encPlainDict, data: []byte{0, 4}, plain: -1}}}, "[[n:7] [n:7]]"},
		"a long run":            {craftLeaf{typ: 1, pages: []craftPage{{typ: pageDictionary, values: 2, data: append(le32(7), le32(8)...), plain: -1}, {typ: pageData, values: 2, encoding: encRLEDict, data: append([]byte{1}, append(uvarints(1<<20<<1), 1)...), plain: -1}}}, "[[n:8] [n:8]]"},
		"a group without types": {craftLeaf{typ: 1, pages: plainPages(t, nil, []int32{1, 2})}, "[[n:1] [n:2]]"},
		"only nulls, no values": {craftLeaf{typ: 6, repetition: repOptional, pages: []craftPage{{typ: pageDataV2, values: 2, data: []byte{4, 0}, plain: -1, defLen: 2, encoding: encDeltaBytes}}}, "[[null] [null]]"},
	} {
		t.Run(name, func(t *testing.T) {
			test.leaf.name, test.leaf.converted = "v", -1
			rows, err := readV(t, craftFile(test.leaf, 2))
			if err != nil || fmt.Sprint(rows) != test.want {
				t.Errorf("%v, %v, want %s", rows, err, test.want)
			}
		})
	}
}

// TestParquetPrefixOfRows: the rows before the damage come, then the error.
func TestParquetPrefixOfRows(t *testing.T) {
	wrong := uint32(1)
	pages := slices.Concat(plainPages(t, nil, []int32{1, 2}), plainPages(t, nil, []int32{3}), plainPages(t, nil, []int32{4, 5}))
	pages[2].crc = &wrong
	b := craftFile(craftLeaf{name: "v", typ: 1, converted: -1, pages: pages}, 5)
	rows, err := readV(t, b)
	if fmt.Sprint(rows) != "[[n:1] [n:2] [n:3]]" || err == nil || !strings.Contains(err.Error(), `dir/test.parquet: row group 0, from row 4 on: column "v": page whose checksum`) {
		t.Errorf("%v, %v", rows, err)
	}
	r, err := openParquetBytes(b, Options{Columns: wantColumns("v")})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.seek(rowPos(3)); err == nil {
		_, err = r.next()
		if err == nil {
			t.Error("no error after seeking the damaged page")
		}
	}
	if _, err := r.next(); err == nil || err == io.EOF {
		t.Errorf("the error does not last: %v", err)
	}
	if err := r.seek(rowPos(1)); err != nil {
		t.Error(err)
	}
	if rows, _ := restOf(t, r); fmt.Sprint(rows) != "[[n:2] [n:3]]" {
		t.Errorf("%v after seeking back", rows)
	}
}

func TestParquetTruncated(t *testing.T) {
	b := writeParquet(t, schema.FieldList{node("v", required, text, bin, 0)}, [][]leafData{{{texts("a", "b"), nil, nil}}})
	for n := range len(b) {
		_, err := readV(t, b[:n])
		if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), "dir/test.parquet: ") {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := readV(t, append([]byte("PARE"), b[4:]...)); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("%v", err)
	}
	if _, err := readV(t, append(bytes.Clone(b[:len(b)-4]), "PARE"...)); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("%v", err)
	}
	if _, err := readV(t, append([]byte("XXXX"), b[4:]...)); err == nil || !strings.Contains(err.Error(), "not a Parquet file") {
		t.Errorf("%v", err)
	}
}

// TestParquetFooterBytes: whatever one byte of a footer becomes, no row goes
// missing without an error.
func TestParquetFooterBytes(t *testing.T) {
	good := craftFile(craftLeaf{name: "v", typ: 1, converted: -1, pages: []craftPage{
		{typ: pageData, values: 2, encoding: encPlain, data: []byte{1, 0, 0, 0, 2, 0, 0, 0}, plain: -1},
	}}, 2)
	want, err := readV(t, good)
	if err != nil || len(want) != 2 {
		t.Fatal(want, err)
	}
	footer := int(binary.LittleEndian.Uint32(good[len(good)-8:]))
	for at := len(good) - 8 - footer; at < len(good)-8; at++ {
		for b := range 256 {
			bad := bytes.Clone(good)
			bad[at] = byte(b)
			if rows, err := readV(t, bad); err == nil && len(rows) != len(want) {
				t.Errorf("byte %d of the footer as %#x: %d rows and no error", at, b, len(rows))
			}
		}
	}
}
