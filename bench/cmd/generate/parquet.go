package main

import (
	"io"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/m3import/m3import/bench/internal/usage"
)

// types are those of the columns that are not plain text.
var types = map[string]arrow.DataType{
	"ts":       &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	"duration": arrow.PrimitiveTypes.Float64,
	"bytes":    arrow.PrimitiveTypes.Int64,
	"amount":   &arrow.Decimal128Type{Precision: 18, Scale: 4},
	"status":   arrow.PrimitiveTypes.Int64,
}

// distinct are columns whose values hardly repeat, so that a dictionary of
// them would be a waste.
var distinct = []string{"event_id", "ts", "duration", "bytes", "amount"}

// required are columns that are never null.
var required = []string{"event_id", "account", "meter", "ts"}

func (m *made) schema() *arrow.Schema {
	fields := make([]arrow.Field, 0, len(usage.Columns)+m.extra)
	for _, name := range usage.Columns {
		t := types[name]
		if t == nil {
			t = arrow.BinaryTypes.String
		}
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: !slices.Contains(required, name)})
	}
	for n := range m.extra {
		fields = append(fields, arrow.Field{Name: usage.Extra(n), Type: arrow.PrimitiveTypes.Int64, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

func (m *made) parquet(w io.Writer, maker *usage.Maker) error {
	codec := compress.Codecs.Snappy
	if m.plain {
		codec = compress.Codecs.Uncompressed
	}
	properties := []parquet.WriterProperty{
		parquet.WithCompression(codec), parquet.WithMaxRowGroupLength(m.group), parquet.WithDictionaryDefault(true),
	}
	for _, name := range distinct {
		properties = append(properties, parquet.WithDictionaryFor(name, false))
	}
	schema := m.schema()
	out, err := pqarrow.NewFileWriter(schema, w, parquet.NewWriterProperties(properties...), pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	build := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer build.Release()
	// A batch is small where rows are wide.
	batch := int64(max(64, 1<<23/(128+m.text+8*m.extra)))
	var row usage.Row
	for nth := int64(0); nth < m.rows; nth++ {
		maker.Make(&row)
		m.append(build, &row, nth)
		if (nth+1)%batch == 0 || nth+1 == m.rows {
			rec := build.NewRecord()
			err := out.WriteBuffered(rec)
			rec.Release()
			if err != nil {
				return err
			}
		}
	}
	return out.Close()
}

func (m *made) append(build *array.RecordBuilder, row *usage.Row, nth int64) {
	text := func(i int, s string) { build.Field(i).(*array.StringBuilder).Append(s) }
	whole := func(i int, n int64) { build.Field(i).(*array.Int64Builder).Append(n) }
	text(0, row.ID)
	text(1, row.Account)
	text(2, row.Meter)
	build.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(row.Time.UnixMicro()))
	build.Field(4).(*array.Float64Builder).Append(float64(row.Millis) / 1000)
	whole(5, row.Bytes)
	build.Field(6).(*array.Decimal128Builder).Append(decimal128.FromI64(row.Amount))
	text(7, row.Region)
	text(8, row.Service)
	text(9, row.Description)
	whole(10, row.Status)
	text(11, row.Tags)
	for n := range m.extra {
		whole(len(usage.Columns)+n, usage.ExtraValue(nth, n))
	}
}
