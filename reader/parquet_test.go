package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

var (
	required = parquet.Repetitions.Required
	optional = parquet.Repetitions.Optional
	repeated = parquet.Repetitions.Repeated
	text     = schema.StringLogicalType{}
)

func list(name string, element schema.Node) schema.Node {
	inner := group("list", repeated, element)
	return schema.Must(schema.NewGroupNodeLogical(name, optional, schema.FieldList{inner}, schema.ListLogicalType{}, -1))
}

func mapOf(name string) schema.Node {
	inner := group("key_value", repeated, node("key", required, text, bin, 0), node("value", optional, nil, i64, 0))
	return schema.Must(schema.NewGroupNodeLogical(name, optional, schema.FieldList{inner}, schema.MapLogicalType{}, -1))
}

// nestedFile has a null at every level of a nested column, beside lists, maps
// and repeated fields.
func nestedFile(t testing.TB) []byte {
	fields := schema.FieldList{
		node("id", required, nil, i32, 0),
		list("tags", node("element", optional, text, bin, 0)),
		group("a", optional,
			group("b", required,
				group("c", optional, node("v", optional, nil, i64, 0), node("w", required, text, bin, 0)),
				node("x.y", optional, nil, dbl, 0))),
		mapOf("m"),
		node("old", repeated, nil, i32, 0),
		group("lines", repeated, node("n", required, nil, i32, 0)),
		node("last", optional, text, bin, 0),
	}
	leaves := []leafData{
		{[]int32{1, 2, 3, 4}, nil, nil},
		{texts("p", "q", "r"), []int16{3, 3, 1, 0, 3}, []int16{0, 1, 0, 0, 0}},   // tags
		{[]int64{7}, []int16{0, 1, 2, 3}, nil},                                   // a.b.c.v
		{texts("w3", "w4"), []int16{0, 1, 2, 2}, nil},                            // a.b.c.w
		{[]float64{1.5, 2.5}, []int16{0, 1, 2, 2}, nil},                          // a.b.x.y
		{texts("k", "l"), []int16{0, 1, 2, 2}, []int16{0, 0, 0, 0}},              // m.key
		{[]int64{1}, []int16{0, 1, 2, 3}, []int16{0, 0, 0, 0}},                   // m.value
		{[]int32{1, 2}, []int16{1, 1, 0, 0, 0}, []int16{0, 1, 0, 0, 0}},          // old
		{[]int32{1, 2, 3, 4, 5}, []int16{1, 1, 1, 1, 1}, []int16{0, 0, 0, 0, 1}}, // lines.n
		{texts("e1", "e3"), []int16{1, 0, 1, 0}, nil},
	}
	return writeParquet(t, fields, [][]leafData{leaves, leaves}, parquet.WithDataPageVersion(parquet.DataPageV2))
}

func TestParquetNested(t *testing.T) {
	b := nestedFile(t)
	got := readParquet(t, b, Options{Columns: wantColumns("id", "a.b.c.v", "a.b.c.w", "a.b.x.y", "last")})
	want := []string{
		"[n:1 null null null s:e1]",
		"[n:2 null null null null]",
		"[n:3 null s:w3 n:1.5 s:e3]",
		"[n:4 n:7 s:w4 n:2.5 null]",
	}
	if want = append(want, want...); !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	// Optional columns that are not there, the order asked for, and no column at all.
	got = readParquet(t, b, Options{Columns: []Column{{Name: "nope", Optional: true}, {Name: "last"}, {Name: "id"}}})
	if got[0] != "[missing s:e1 n:1]" || len(got) != 8 {
		t.Errorf("%v", got)
	}
	if got = readParquet(t, b, Options{}); len(got) != 8 {
		t.Errorf("%d rows without columns", len(got))
	}
}

func TestParquetColumnErrors(t *testing.T) {
	b := nestedFile(t)
	for name, want := range map[string]string{
		"tags":              "a list",
		"tags[0]":           "a list",
		"tags.list.element": `part of "tags"`,
		"m":                 "a map",
		"m.key_value.key":   `part of "m"`,
		"old":               "a list",
		"lines":             "a list",
		"lines.n":           `part of "lines"`,
		"a":                 `a group of columns, not one of them; it has "a.b.c.v", "a.b.c.w", "a.b.x.y"`,
		"a.b.c":             "a group",
		"Last":              `did you mean "last"?`,
		"nothing like it":   `it has "id", "a.b.c.v"`,
	} {
		for _, opt := range []bool{false, true} {
			_, err := openParquetBytes(b, Options{Columns: []Column{{Name: name, Optional: opt}}})
			if opt && (name == "Last" || name == "nothing like it") {
				if err != nil {
					t.Errorf("optional %q: %v", name, err)
				}
				continue
			}
			want = strings.Replace(want, "it has \"id\"", "which has \"id\"", 1)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), fmt.Sprintf("dir/test.parquet: column %q: ", name)) {
				t.Errorf("%q: %v, want %q", name, err, want)
			}
		}
	}
}

// TestParquetTwice: a nested leaf and one that has the same path as its name.
func TestParquetTwice(t *testing.T) {
	b := writeParquet(t, schema.FieldList{group("a", required, node("b", required, nil, i32, 0)), node("a.b", required, nil, i32, 0), node("c.d", required, nil, i32, 0)},
		[][]leafData{{{[]int32{1}, nil, nil}, {[]int32{2}, nil, nil}, {[]int32{3}, nil, nil}}})
	if _, err := openParquetBytes(b, Options{Columns: wantColumns("a.b")}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("%v", err)
	}
	if got := readParquet(t, b, Options{Columns: wantColumns("c.d")}); got[0] != "[n:3]" {
		t.Errorf("%v", got)
	}
}

// wideFile has three row groups of columns with pages of different sizes: the
// rows of a chunk lie on pages that end anywhere.
func wideFile(t testing.TB) (b []byte, rows int) {
	fields := schema.FieldList{
		node("n", required, nil, i64, 0),
		node("s", optional, text, bin, 0),
		node("long", required, text, bin, 0),
		node("b", optional, nil, parquet.Types.Boolean, 0),
		node("f", required, nil, flba, 5),
	}
	var groups [][]leafData
	for g, n := range []int{900, 0, 77, 1500} {
		var ints []int64
		var short, long []parquet.ByteArray
		var fixed []parquet.FixedLenByteArray
		var bools []bool
		var defs, bdefs []int16
		for i := range n {
			ints = append(ints, int64(g*10000+i))
			if defs = append(defs, int16(i%3/2)); i%3 == 2 {
				short = append(short, parquet.ByteArray(fmt.Sprint("s", i%17)))
			}
			if bdefs = append(bdefs, int16(i/100%2)); i/100%2 == 1 {
				bools = append(bools, i%5 == 0)
			}
			long = append(long, bytes.Repeat([]byte{'a' + byte(i%26)}, 1+i%200))
			fixed = append(fixed, fmt.Appendf(nil, "%05d", i))
		}
		groups = append(groups, []leafData{{ints, nil, nil}, {short, defs, nil}, {long, nil, nil}, {bools, bdefs, nil}, {fixed, nil, nil}})
		rows += n
	}
	return writeParquet(t, fields, groups, parquet.WithDataPageSize(3000), parquet.WithBatchSize(64),
		parquet.WithDictionaryFor("long", false), parquet.WithDictionaryFor("n", false), parquet.WithDictionaryFor("f", false)), rows
}

// TestParquetSeek: what follows any row is what follows it in order.
func TestParquetSeek(t *testing.T) {
	b, rows := wideFile(t)
	opt := Options{Columns: wantColumns("n", "s", "long", "b", "f")}
	all := readParquet(t, b, opt)
	if len(all) != rows {
		t.Fatalf("%d rows, want %d", len(all), rows)
	}
	opt.ChunkBytes = 600
	r, err := openParquetBytes(b, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for row := range rows {
		if err := r.seek(Pos{Offset: int64(row), Line: int64(row) + 1}); err != nil {
			t.Fatalf("row %d: %v", row, err)
		}
		c, err := r.next()
		if err != nil || c.Start != rowPos(int64(row)) {
			t.Fatalf("row %d: chunk at %v, %v", row, c.Start, err)
		}
		i := row
		for rec, err := range c.Records() {
			if got := fmt.Sprint(valueTexts(rec)); err != nil || rec.Pos != rowPos(int64(i)) || got != all[i] {
				t.Fatalf("after seeking row %d: row %d is %v %v, want %v", row, i, got, err, all[i])
			}
			i++
		}
		if i == row {
			t.Fatalf("row %d: empty chunk", row)
		}
		c.Release()
	}
	if err := r.seek(rowPos(int64(rows))); err != nil {
		t.Error(err)
	}
	if _, err := r.next(); err != io.EOF {
		t.Errorf("after the last row: %v", err)
	}
	for _, n := range []int64{-1, int64(rows) + 1} {
		if err := r.seek(rowPos(n)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the file has %d rows", rows)) {
			t.Errorf("row %d: %v", n, err)
		}
	}
	if err := r.seek(r.start()); err != nil {
		t.Error(err)
	}
	if rest, err := restOf(t, r); err != nil || !slices.Equal(rest, all) {
		t.Errorf("%d rows after seeking the start, %v", len(rest), err)
	}
}

// TestParquetChunks: the size of chunks changes nothing but their size.
func TestParquetChunks(t *testing.T) {
	b, rows := wideFile(t)
	opt := Options{Columns: wantColumns("n", "s", "long", "b", "f")}
	want := readParquet(t, b, opt)
	for _, size := range []int{1, 7, 40, 500, 9999, 1 << 20} {
		opt.ChunkBytes = size
		if got := readParquet(t, b, opt); !slices.Equal(got, want) {
			t.Errorf("chunks of %d bytes: other rows", size)
		}
		r, err := openParquetBytes(b, opt)
		if err != nil {
			t.Fatal(err)
		}
		chunks, last := 0, int64(0)
		for c, err := r.next(); err == nil; c, err = r.next() {
			chunks++
			if c.Consumed < last {
				t.Errorf("consumed went from %d to %d", last, c.Consumed)
			}
			last = c.Consumed
			c.Release()
		}
		if size == 1 && chunks != rows || size == 1<<20 && chunks != 1 || last != int64(len(b)) {
			t.Errorf("chunks of %d bytes: %d of them, %d of %d bytes consumed", size, chunks, last, len(b))
		}
	}
}

// TestParquetConcurrent reads the records of several chunks at a time, while
// the file is read on.
func TestParquetConcurrent(t *testing.T) {
	b, rows := wideFile(t)
	opt := Options{Columns: wantColumns("n", "s", "long"), ChunkBytes: 2000}
	want := readParquet(t, b, opt)
	r, err := openParquetBytes(b, opt)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]string, rows)
	var wg sync.WaitGroup
	for {
		c, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for rec, err := range c.Records() {
				if err != nil {
					t.Error(err)
				}
				got[rec.Pos.Offset] = fmt.Sprint(valueTexts(rec))
			}
			c.Release()
		})
	}
	wg.Wait()
	if !slices.Equal(got, want) {
		t.Error("other rows")
	}
}

func TestParquetRowErrors(t *testing.T) {
	b := writeParquet(t, schema.FieldList{node("id", required, nil, i32, 0), node("s", optional, text, bin, 0), node("clock", required, schema.NewTimeLogicalType(true, millis), i32, 0), node("d", required, schema.NewDecimalLogicalType(5, 2), bin, 0)},
		[][]leafData{{
			{[]int32{1, 2, 3, 4, 5}, nil, nil},
			{texts("ok", "ab\xff", strings.Repeat("x", 101), ""), []int16{1, 1, 1, 0, 1}, nil},
			{[]int32{0, 0, 0, 86400000, 0}, nil, nil},
			{texts("\x01", "\x02", "\x03", "\x04", ""), nil, nil}}})
	got := readParquet(t, b, Options{Columns: wantColumns("id", "s", "clock", "d"), MaxRecordBytes: 100})
	want := []string{
		"[n:1 s:ok t:00:00:00Z n:0.01]",
		"utf-8 s: bytes that are not UTF-8 text, from byte 2 on",
		"record-too-large : " + tooLarge(100, 1),
		"syntax clock: a time of day outside of the day",
		"syntax d: a DECIMAL of no bytes",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	r, err := openParquetBytes(b, Options{Columns: wantColumns("id", "s", "clock")})
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.next()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Records() {
		if e, ok := errors.AsType[*RowError](err); ok && e.Code == CodeUTF8 {
			if e.Value != "ab\uFFFD" || string(e.Raw) != `{"id":2,"s":"ab`+"\uFFFD"+`","clock":"00:00:00Z"}` {
				t.Errorf("value %q, raw %q", e.Value, e.Raw)
			}
		}
	}
}

func TestParquetNullAndTrim(t *testing.T) {
	b := writeParquet(t, schema.FieldList{node("s", required, text, bin, 0), node("n", required, nil, i32, 0)},
		[][]leafData{{{texts("NULL", " NULL\t", " a b ", "", "7"), nil, nil}, {[]int32{7, 7, 7, 7, 7}, nil, nil}}})
	got := readParquet(t, b, Options{Columns: wantColumns("s", "n"), Null: []string{"NULL", "7"}})
	if fmt.Sprint(got) != "[[null n:7] [s: NULL\t n:7] [s: a b  n:7] [s: n:7] [null n:7]]" {
		t.Errorf("%q", got)
	}
	got = readParquet(t, b, Options{Columns: wantColumns("s", "n"), Null: []string{"NULL"}, Trim: true})
	if fmt.Sprint(got) != "[[null n:7] [null n:7] [s:a b n:7] [s: n:7] [s:7 n:7]]" {
		t.Errorf("%q", got)
	}
}

// TestParquetAppendJSON: the object of a row, and that NDJSON reads the same
// values out of it.
func TestParquetAppendJSON(t *testing.T) {
	b := writeParquet(t, schema.FieldList{
		group("a", optional, node("b", optional, nil, i64, 0)), node("s", required, text, bin, 0), node("f", required, nil, dbl, 0),
		node("ok", required, nil, parquet.Types.Boolean, 0), node("t", required, schema.NewTimestampLogicalType(true, millis), i64, 0)},
		[][]leafData{{{[]int64{9007199254740993}, []int16{2, 1}, nil}, {texts("q\"\n", ""), nil, nil}, {[]float64{0.1, math.NaN()}, nil, nil}, {[]bool{true, false}, nil, nil}, {[]int64{0, 1}, nil, nil}}})
	opt := Options{Columns: []Column{{Name: "a.b"}, {Name: "s"}, {Name: "gone", Optional: true}, {Name: "f"}, {Name: "ok"}, {Name: "t"}}}
	r, err := openParquetBytes(b, opt)
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.next()
	if err != nil {
		t.Fatal(err)
	}
	var got, values []string
	for rec, err := range c.Records() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(rec.AppendJSON([]byte("x"))))
		values = append(values, textsOnly(rec))
	}
	want := []string{
		`x{"a.b":9007199254740993,"s":"q\"\n","f":0.1,"ok":true,"t":"1970-01-01T00:00:00Z"}`,
		`x{"a.b":null,"s":"","f":"NaN","ok":false,"t":"1970-01-01T00:00:00.001Z"}`,
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s", strings.Join(got, "\n"))
	}
	s, err := OpenReader("r.ndjson", strings.NewReader(got[0][1:]+"\n"+got[1][1:]+"\n"), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if c, err = s.Next(); err != nil {
		t.Fatal(err)
	}
	i := 0
	for rec, err := range c.Records() {
		if err != nil || textsOnly(rec) != values[i] {
			t.Errorf("row %d comes back as %s, %v, want %s", i, textsOnly(rec), err, values[i])
		}
		i++
	}
}

func textsOnly(rec *Record) string {
	var out []string
	for _, v := range rec.Values {
		out = append(out, fmt.Sprintf("%q %v", v.Text, v.Empty()))
	}
	return strings.Join(out, " ")
}
