package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/m3import/m3import/checkpoint"
)

// benchRows is how many rows a file of a benchmark has.
const benchRows = 100_000

// benchRow is a row of what the stages are measured with: ten columns, of
// which seven are mapped.
type benchRow struct {
	ID, Account, Meter    string
	Time                  time.Time
	Duration              float64
	Bytes                 int64
	Region, Service, Text string
	Status                int64
}

func benchRowOf(i int) benchRow {
	return benchRow{
		ID: fmt.Sprintf("ev-%016x", uint64(i+1)*0xD1342543DE82EF95), Account: fmt.Sprintf("customer-%05d", i*7919%5000),
		Meter: fmt.Sprintf("meter_%d", i%4), Time: time.UnixMicro(1_780_000_000_000_000 + int64(i)*150_001).UTC(),
		Duration: float64(i*7919%10_000_000) / 1000, Bytes: int64(i) * 104_729 % 5_000_000,
		Region: fmt.Sprintf("eu-west-%d", i%5), Service: "tables", Text: fmt.Sprintf("ordinary usage number %d", i%1000), Status: 200,
	}
}

// benchText makes a line of text of row i.
func benchText(format string, i int) string {
	r := benchRowOf(i)
	ts := r.Time.Format("2006-01-02T15:04:05.000000Z")
	if format == "ndjson" {
		return fmt.Sprintf(`{"event_id":"%s","account":"%s","meter":"%s","ts":"%s","duration":%v,"bytes":%d,"region":"%s","service":"%s","description":"%s","status":%d}`+"\n",
			r.ID, r.Account, r.Meter, ts, r.Duration, r.Bytes, r.Region, r.Service, r.Text, r.Status)
	}
	if i%20 == 0 {
		r.Text = "\"the \"\"silver\"\" plan,\nsecond year\""
	}
	return fmt.Sprintf("%s,%s,%s,%s,%v,%d,%s,%s,%s,%d\n", r.ID, r.Account, r.Meter, ts, r.Duration, r.Bytes, r.Region, r.Service, r.Text, r.Status)
}

// benchParquet writes the rows as Arrow's writer does, in one row group.
func benchParquet(w io.Writer) error {
	leaf := func(name string, logical schema.LogicalType, t parquet.Type) schema.Node {
		return schema.Must(schema.NewPrimitiveNodeLogical(name, parquet.Repetitions.Required, logical, t, 0, -1))
	}
	text, whole := schema.StringLogicalType{}, schema.NoLogicalType{}
	root := schema.Must(schema.NewGroupNode("schema", parquet.Repetitions.Required, schema.FieldList{
		leaf("event_id", text, parquet.Types.ByteArray), leaf("account", text, parquet.Types.ByteArray), leaf("meter", text, parquet.Types.ByteArray),
		leaf("ts", schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64),
		leaf("duration", whole, parquet.Types.Double), leaf("bytes", whole, parquet.Types.Int64),
		leaf("region", text, parquet.Types.ByteArray), leaf("service", text, parquet.Types.ByteArray), leaf("description", text, parquet.Types.ByteArray),
		leaf("status", whole, parquet.Types.Int64),
	}, -1))
	out := file.NewParquetWriter(w, root.(*schema.GroupNode), file.WithWriterProps(parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Snappy), parquet.WithDictionaryFor("event_id", false))))
	group := out.AppendRowGroup()
	for i := range root.(*schema.GroupNode).NumFields() {
		column, err := group.NextColumn()
		if err != nil {
			return err
		}
		switch c := column.(type) {
		case *file.ByteArrayColumnChunkWriter:
			_, err = c.WriteBatch(benchColumn(func(r benchRow) parquet.ByteArray {
				return parquet.ByteArray([...]string{0: r.ID, 1: r.Account, 2: r.Meter, 6: r.Region, 7: r.Service, 8: r.Text}[i])
			}), nil, nil)
		case *file.Int64ColumnChunkWriter:
			_, err = c.WriteBatch(benchColumn(func(r benchRow) int64 { return [...]int64{3: r.Time.UnixMicro(), 5: r.Bytes, 9: r.Status}[i] }), nil, nil)
		case *file.Float64ColumnChunkWriter:
			_, err = c.WriteBatch(benchColumn(func(r benchRow) float64 { return r.Duration }), nil, nil)
		}
		if err := errors.Join(err, column.Close()); err != nil {
			return err
		}
	}
	return errors.Join(group.Close(), out.Close())
}

// benchColumn is one value of each row.
func benchColumn[T any](of func(benchRow) T) []T {
	all := make([]T, benchRows)
	for i := range all {
		all[i] = of(benchRowOf(i))
	}
	return all
}

// benchSource makes a file of benchRows rows. Its rate is told in bytes of the
// text, uncompressed, or of the Parquet file.
func benchSource(b *testing.B, format, compression string) (src checkpoint.Source, size int64) {
	b.Helper()
	var plain bytes.Buffer
	if format == "parquet" {
		if err := benchParquet(&plain); err != nil {
			b.Fatal(err)
		}
	} else {
		if format == "csv" {
			plain.WriteString("event_id,account,meter,ts,duration,bytes,region,service,description,status\n")
		}
		for i := range benchRows {
			plain.WriteString(benchText(format, i))
		}
	}
	return writeFile(b, "usage."+format, benchPacked(b, plain.Bytes(), compression)), int64(plain.Len())
}

func benchPacked(b *testing.B, plain []byte, compression string) string {
	b.Helper()
	var packed bytes.Buffer
	var z io.WriteCloser
	var err error
	switch compression {
	case "gzip":
		z = gzip.NewWriter(&packed)
	case "zstd":
		if z, err = zstd.NewWriter(&packed); err != nil {
			b.Fatal(err)
		}
	default:
		return string(plain)
	}
	if _, err = z.Write(plain); err == nil {
		err = z.Close()
	}
	if err != nil {
		b.Fatal(err)
	}
	return packed.String()
}
