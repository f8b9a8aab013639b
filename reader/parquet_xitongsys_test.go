package reader

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	xparquet "github.com/xitongsys/parquet-go/parquet"
	"github.com/xitongsys/parquet-go/writer"
)

// usageRow is a row as another writer than Arrow's writes it: with converted
// types alone, columns whose names it changes internally, and lists between.
type usageRow struct {
	ID     string            `parquet:"name=id, type=BYTE_ARRAY, convertedtype=UTF8"`
	Meter  string            `parquet:"name=meter, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
	At     int64             `parquet:"name=at, type=INT64, convertedtype=TIMESTAMP_MICROS"`
	Amount int64             `parquet:"name=amount, type=INT64, convertedtype=DECIMAL, scale=4, precision=18"`
	Exact  string            `parquet:"name=exact, type=FIXED_LEN_BYTE_ARRAY, convertedtype=DECIMAL, scale=2, precision=28, length=12"`
	Bytes  string            `parquet:"name=bytes, type=BYTE_ARRAY, convertedtype=DECIMAL, scale=2, precision=28"`
	Small  int32             `parquet:"name=small, type=INT32, convertedtype=UINT_8"`
	Delta  int64             `parquet:"name=delta, type=INT64, encoding=DELTA_BINARY_PACKED"`
	Prefix string            `parquet:"name=prefix, type=BYTE_ARRAY, convertedtype=UTF8, encoding=DELTA_BYTE_ARRAY"`
	Note   *string           `parquet:"name=note, type=BYTE_ARRAY, convertedtype=UTF8"`
	Day    int32             `parquet:"name=day, type=INT32, convertedtype=DATE"`
	Tags   []string          `parquet:"name=tags, type=MAP, convertedtype=LIST, valuetype=BYTE_ARRAY, valueconvertedtype=UTF8"`
	Labels map[string]string `parquet:"name=labels, type=MAP, convertedtype=MAP, keytype=BYTE_ARRAY, keyconvertedtype=UTF8, valuetype=BYTE_ARRAY, valueconvertedtype=UTF8"`
	Usage  *struct {
		Gb *float64 `parquet:"name=gb, type=DOUBLE"`
	} `parquet:"name=usage"`
}

func TestParquetOtherWriter(t *testing.T) {
	names := []string{"id", "meter", "at", "amount", "exact", "bytes", "small", "delta", "prefix", "note", "day", "usage.gb"}
	for _, codec := range []xparquet.CompressionCodec{xparquet.CompressionCodec_UNCOMPRESSED, xparquet.CompressionCodec_SNAPPY, xparquet.CompressionCodec_GZIP, xparquet.CompressionCodec_ZSTD} {
		var out bytes.Buffer
		w, err := writer.NewParquetWriterFromWriter(&out, new(usageRow), 1)
		if err != nil {
			t.Fatal(err)
		}
		w.CompressionType, w.PageSize, w.RowGroupSize = codec, 2000, 40000
		var want []string
		for i := range 1500 {
			note, gb := "note", float64(i)/8
			row := usageRow{
				ID: fmt.Sprintf("id-%05d", i), Meter: fmt.Sprint("m", i%4), At: 1704164645000000 + int64(i),
				Amount: int64(i) - 700, Exact: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" + string([]byte{0xff - byte(i%50)}), Bytes: string([]byte{byte(i % 100)}),
				Small: int32(i % 256), Delta: int64(i) * int64(i) * 1000003, Prefix: fmt.Sprintf("/usage/%d/%d", i/100, i), Day: int32(i),
			}
			wantNote, wantGB := "null", "null"
			if i%3 == 0 {
				row.Note, row.Tags, row.Labels, wantNote = &note, []string{"a", "b"}, map[string]string{"k": "v"}, "s:note"
			}
			if i%2 == 0 {
				row.Usage = &struct {
					Gb *float64 `parquet:"name=gb, type=DOUBLE"`
				}{}
				if i%4 == 0 {
					row.Usage.Gb, wantGB = &gb, "n:"+string(appendFloat(nil, gb, 64))
				}
			}
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
			// The writer adds a LogicalType that is not UTC-adjusted, which counts
			// for more than the converted type.
			at := textForm{kind: formTimestamp, digits: 6}
			when, _ := at.appendInt(nil, row.At)
			want = append(want, fmt.Sprintf("[s:%s s:%s t:%s n:%s n:-0.%02d n:%d.%02d n:%d n:%d s:%s %s t:%s %s]",
				row.ID, row.Meter, when, appendDecimal(row.Amount, 4), i%50+1, i%100/100, i%100, i%256, row.Delta, row.Prefix,
				wantNote, appendDate(nil, int64(i)), wantGB))
		}
		if err := w.WriteStop(); err != nil {
			t.Fatal(err)
		}
		got := readParquet(t, out.Bytes(), Options{Columns: wantColumns(names...)})
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("%v: row %d: %v, want %v", codec, i, got[i], want[i])
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v: %d rows, want %d", codec, len(got), len(want))
		}
	}
}

func appendDecimal(v int64, scale int) string {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	return fmt.Sprintf("%s%d.%0*d", sign, v/pow10[scale], scale, v%pow10[scale])
}
