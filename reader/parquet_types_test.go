package reader

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// typeCase is a type of column, some values of it, and their text.
type typeCase struct {
	name    string
	logical schema.LogicalType
	typ     parquet.Type
	length  int
	values  any
	want    []string
}

var (
	i32, i64, i96 = parquet.Types.Int32, parquet.Types.Int64, parquet.Types.Int96
	bin, flba     = parquet.Types.ByteArray, parquet.Types.FixedLenByteArray
	flt, dbl      = parquet.Types.Float, parquet.Types.Double
	millis        = schema.TimeUnitMillis
	micros        = schema.TimeUnitMicros
	nanos         = schema.TimeUnitNanos
)

func int96(day uint32, nanos int64) (v parquet.Int96) {
	binary.LittleEndian.PutUint64(v[:], uint64(nanos))
	binary.LittleEndian.PutUint32(v[8:], day)
	return v
}

var typeCases = []typeCase{
	{"boolean", nil, parquet.Types.Boolean, 0, []bool{true, false, false, true, true}, []string{"b:true", "b:false", "b:false", "b:true", "b:true"}},
	{"int32", nil, i32, 0, []int32{0, -1, math.MaxInt32, math.MinInt32}, []string{"n:0", "n:-1", "n:2147483647", "n:-2147483648"}},
	{"int64", nil, i64, 0, []int64{0, -1, math.MaxInt64, math.MinInt64}, []string{"n:0", "n:-1", "n:9223372036854775807", "n:-9223372036854775808"}},
	{"int8", schema.NewIntLogicalType(8, true), i32, 0, []int32{-128, 127}, []string{"n:-128", "n:127"}},
	{"int16", schema.NewIntLogicalType(16, true), i32, 0, []int32{-32768, 32767}, []string{"n:-32768", "n:32767"}},
	{"int32 logical", schema.NewIntLogicalType(32, true), i32, 0, []int32{-5, 5}, []string{"n:-5", "n:5"}},
	{"int64 logical", schema.NewIntLogicalType(64, true), i64, 0, []int64{-5, 5}, []string{"n:-5", "n:5"}},
	{"uint8", schema.NewIntLogicalType(8, false), i32, 0, []int32{0, 255}, []string{"n:0", "n:255"}},
	{"uint16", schema.NewIntLogicalType(16, false), i32, 0, []int32{65535}, []string{"n:65535"}},
	{"uint32", schema.NewIntLogicalType(32, false), i32, 0, []int32{1, -1}, []string{"n:1", "n:4294967295"}},
	{"uint64", schema.NewIntLogicalType(64, false), i64, 0, []int64{1, -1, math.MinInt64}, []string{"n:1", "n:18446744073709551615", "n:9223372036854775808"}},
	{"float", nil, flt, 0, []float32{0, 0.1, -1.5, 16777216, 1e30, 1e-7, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))},
		[]string{"n:0", "n:0.1", "n:-1.5", "n:16777216", "n:1e+30", "n:1e-07", "n:NaN", "n:Inf", "n:-Inf"}},
	{"double", nil, dbl, 0, []float64{0, 0.1, 1.0 / 3, 1e20, 1e21, 1e300, 0.000001, 1e-7, 5e-324, math.NaN(), math.Inf(-1)},
		[]string{"n:0", "n:0.1", "n:0.3333333333333333", "n:100000000000000000000", "n:1e+21", "n:1e+300", "n:0.000001", "n:1e-07", "n:5e-324", "n:NaN", "n:-Inf"}},
	{"string", schema.StringLogicalType{}, bin, 0, texts("", "a", "größe", "line\nbreak", "  kept  "), []string{"s:", "s:a", "s:größe", "s:line\nbreak", "s:  kept  "}},
	{"enum", schema.EnumLogicalType{}, bin, 0, texts("RED", "BLUE"), []string{"s:RED", "s:BLUE"}},
	{"json", schema.JSONLogicalType{}, bin, 0, texts(`{"a":1}`), []string{`s:{"a":1}`}},
	{"bytes", nil, bin, 0, texts("raw", "text"), []string{"s:raw", "s:text"}},
	{"fixed", nil, flba, 3, fixeds("abc", "def"), []string{"s:abc", "s:def"}},
	{"uuid", schema.UUIDLogicalType{}, flba, 16, fixeds("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"), []string{"s:00112233-4455-6677-8899-aabbccddeeff"}},
	{"float16", schema.Float16LogicalType{}, flba, 2, fixeds("\x00\x3c", "\x66\x2e", "\x00\x7c", "\xff\x7b", "\x01\x00"), []string{"n:1", "n:0.1", "n:Inf", "n:65500", "n:6e-08"}},
	{"date", schema.DateLogicalType{}, i32, 0, []int32{0, -1, 19789, 10957}, []string{"t:1970-01-01", "t:1969-12-31", "t:2024-03-07", "t:2000-01-01"}},
	{"time ms", schema.NewTimeLogicalType(true, millis), i32, 0, []int32{0, 86399999, 3600000}, []string{"t:00:00:00Z", "t:23:59:59.999Z", "t:01:00:00Z"}},
	{"time us", schema.NewTimeLogicalType(false, micros), i64, 0, []int64{1, 1000, 1000000}, []string{"t:00:00:00.000001", "t:00:00:00.001", "t:00:00:01"}},
	{"time ns", schema.NewTimeLogicalType(true, nanos), i64, 0, []int64{1, 86399999999999}, []string{"t:00:00:00.000000001Z", "t:23:59:59.999999999Z"}},
	{"timestamp ms", schema.NewTimestampLogicalType(true, millis), i64, 0, []int64{0, -1, 1704164645123, 253402300800000},
		[]string{"t:1970-01-01T00:00:00Z", "t:1969-12-31T23:59:59.999Z", "t:2024-01-02T03:04:05.123Z", "t:+10000-01-01T00:00:00Z"}},
	{"timestamp us", schema.NewTimestampLogicalType(false, micros), i64, 0, []int64{1704164645123456, 1704164645120000, 1704164645000000},
		[]string{"t:2024-01-02T03:04:05.123456", "t:2024-01-02T03:04:05.120", "t:2024-01-02T03:04:05"}},
	{"timestamp ns", schema.NewTimestampLogicalType(true, nanos), i64, 0, []int64{1704164645123456789, math.MinInt64},
		[]string{"t:2024-01-02T03:04:05.123456789Z", "t:1677-09-21T00:12:43.145224192Z"}},
	{"int96", nil, i96, 0, []parquet.Int96{int96(2440588, 0), int96(2460312, 11045123456789)}, []string{"t:1970-01-01T00:00:00", "t:2024-01-02T03:04:05.123456789"}},
	{"decimal int32", schema.NewDecimalLogicalType(9, 4), i32, 0, []int32{1000, -500, 0, math.MinInt32}, []string{"n:0.1000", "n:-0.0500", "n:0.0000", "n:-214748.3648"}},
	{"decimal int64", schema.NewDecimalLogicalType(18, 2), i64, 0, []int64{-5, 12345, math.MinInt64}, []string{"n:-0.05", "n:123.45", "n:-92233720368547758.08"}},
	{"decimal no scale", schema.NewDecimalLogicalType(18, 0), i64, 0, []int64{-5, 0}, []string{"n:-5", "n:0"}},
	{"decimal fixed", schema.NewDecimalLogicalType(38, 15), flba, 16, fixeds("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x8d\x7e\xa4\xc6\x80\x00",
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x4b\x3b\x4c\xa8\x5a\x86\xc4\x7a\x09\x8a\x22\x3f\xff\xff\xff\xff"),
		[]string{"n:1.000000000000000", "n:-0.000000000000001", "n:99999999999999999999999.999999999999999"}},
	{"decimal bytes", schema.NewDecimalLogicalType(20, 2), bin, 0, texts("\x01", "\xff", "\x00\x80", "\x80", "\x01\x00\x00\x00\x00\x00\x00\x00\x00"),
		[]string{"n:0.01", "n:-0.01", "n:1.28", "n:-1.28", "n:184467440737095516.16"}},
}

// repeat makes n values out of a few.
func repeat(values any, n int) any {
	in := reflect.ValueOf(values)
	out := reflect.MakeSlice(in.Type(), n, n)
	for i := range n {
		out.Index(i).Set(in.Index(i * 7 % in.Len()))
	}
	return out.Interface()
}

// encodingsOf are the encodings that the writer has for a type; Plain also
// stands for itself under a dictionary.
func encodingsOf(t parquet.Type) []parquet.Encoding {
	e := parquet.Encodings
	switch t {
	case parquet.Types.Boolean:
		return []parquet.Encoding{e.Plain, e.RLE}
	case i32, i64:
		return []parquet.Encoding{e.Plain, e.RLEDict, e.DeltaBinaryPacked}
	case bin:
		return []parquet.Encoding{e.Plain, e.RLEDict, e.DeltaLengthByteArray, e.DeltaByteArray}
	}
	return []parquet.Encoding{e.Plain, e.RLEDict}
}

// TestParquetTypes compares every type in every encoding, compression, page
// version and repetition with what was written.
func TestParquetTypes(t *testing.T) {
	codecs := []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Zstd, compress.Codecs.Brotli}
	for _, test := range typeCases {
		t.Run(test.name, func(t *testing.T) {
			if n := reflect.ValueOf(test.values).Len(); n != len(test.want) {
				t.Fatalf("%d values, %d texts", n, len(test.want))
			}
			for _, enc := range encodingsOf(test.typ) {
				for i, codec := range codecs {
					if i > 1 { // the other writers are slow: one file each
						testType(t, test, enc, codec, parquet.DataPageVersion(i%2), i%3 == 0)
						continue
					}
					for combination := range 4 {
						testType(t, test, enc, codec, parquet.DataPageVersion(combination%2), combination > 1)
					}
				}
			}
		})
	}
}

func testType(t *testing.T, test typeCase, enc parquet.Encoding, codec compress.Compression, version parquet.DataPageVersion, optional bool) {
	t.Helper()
	const rows = 400
	rep := parquet.Repetitions.Required
	var defs []int16
	var want []string
	n := 0
	for i := range rows {
		if optional && (i%3 == 1 || i >= 300 && i < 400) {
			defs, want = append(defs, 0), append(want, "[null]")
			continue
		}
		defs = append(defs, 1)
		want = append(want, "["+test.want[n*7%len(test.want)]+"]")
		n++
	}
	if optional {
		rep = parquet.Repetitions.Optional
	} else {
		defs = nil
	}
	props := []parquet.WriterProperty{
		parquet.WithCompression(codec), parquet.WithDataPageVersion(version),
		parquet.WithDataPageSize(1024), parquet.WithBatchSize(90),
	}
	if enc == parquet.Encodings.RLEDict {
		props = append(props, parquet.WithDictionaryDefault(true))
	} else {
		props = append(props, parquet.WithDictionaryDefault(false), parquet.WithEncoding(enc))
	}
	b := writeParquet(t, schema.FieldList{node("v", rep, test.logical, test.typ, test.length)},
		[][]leafData{{{repeat(test.values, n), defs, nil}}}, props...)
	got := readParquet(t, b, Options{Columns: wantColumns("v")})
	if !slices.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Fatalf("%v, %v, v%d, optional %v: %d rows, want %d; row %d: %v, want %v", enc, codec, version+1, optional,
			len(got), len(want), i, got[min(i, len(got)-1)], want[min(i, len(want)-1)])
	}
}

// TestParquetConverted reads the types that LogicalType replaced.
func TestParquetConverted(t *testing.T) {
	c := schema.ConvertedTypes
	for _, test := range []struct {
		converted        schema.ConvertedType
		typ              parquet.Type
		length           int
		precision, scale int
		values           any
		want             string
	}{
		{c.UTF8, bin, -1, 0, 0, texts("x"), "s:x"},
		{c.Enum, bin, -1, 0, 0, texts("x"), "s:x"},
		{c.JSON, bin, -1, 0, 0, texts("{}"), "s:{}"},
		{c.Decimal, i32, -1, 9, 2, []int32{-5}, "n:-0.05"},
		{c.Decimal, flba, 2, 4, 2, fixeds("\xff\xfb"), "n:-0.05"},
		{c.Decimal, flba, 25, 60, 1, fixeds("\x01" + string(make([]byte, 24))), "n:627710173538668076383578942320766641610235544446403451289.6"},
		{c.Decimal, flba, 25, 60, 1, fixeds("\xff" + string(make([]byte, 24))), "n:-627710173538668076383578942320766641610235544446403451289.6"},
		{c.Date, i32, -1, 0, 0, []int32{1}, "t:1970-01-02"},
		{c.TimeMillis, i32, -1, 0, 0, []int32{1}, "t:00:00:00.001Z"},
		{c.TimeMicros, i64, -1, 0, 0, []int64{1}, "t:00:00:00.000001Z"},
		{c.TimestampMillis, i64, -1, 0, 0, []int64{1}, "t:1970-01-01T00:00:00.001Z"},
		{c.TimestampMicros, i64, -1, 0, 0, []int64{1}, "t:1970-01-01T00:00:00.000001Z"},
		{c.Int8, i32, -1, 0, 0, []int32{-1}, "n:-1"},
		{c.Int64, i64, -1, 0, 0, []int64{-1}, "n:-1"},
		{c.Uint8, i32, -1, 0, 0, []int32{200}, "n:200"},
		{c.Uint32, i32, -1, 0, 0, []int32{-1}, "n:4294967295"},
		{c.Uint64, i64, -1, 0, 0, []int64{-1}, "n:18446744073709551615"},
	} {
		n, err := schema.NewPrimitiveNodeConverted("v", parquet.Repetitions.Required, test.typ, test.converted, test.length, test.precision, test.scale, -1)
		if err != nil {
			t.Fatal(err)
		}
		// The footer must hold the converted type alone.
		b := craftFile(craftLeaf{name: "v", typ: int64(test.typ), length: int64(max(test.length, 0)), converted: int64(test.converted),
			scale: int64(test.scale), precision: int64(test.precision), pages: plainPages(t, n, test.values)}, 1)
		if got := fmt.Sprint(readParquet(t, b, Options{Columns: wantColumns("v")})); got != "[["+test.want+"]]" {
			t.Errorf("%v: %s, want %s", test.converted, got, test.want)
		}
	}
}
