package reader

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// leafData is what one leaf holds in a row group: its values without the
// nulls, and the levels of all rows (nil for a required leaf).
type leafData struct {
	values     any
	defs, reps []int16
}

// writeParquet writes a file by Arrow's own writer, a row group for each of
// groups, with the leaves in the order of the schema.
func writeParquet(t testing.TB, fields schema.FieldList, groups [][]leafData, props ...parquet.WriterProperty) []byte {
	t.Helper()
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := file.NewParquetWriter(&out, root, file.WithWriterProps(parquet.NewWriterProperties(props...)))
	for _, leaves := range groups {
		g := w.AppendRowGroup()
		for _, leaf := range leaves {
			c, err := g.NextColumn()
			if err != nil {
				t.Fatal(err)
			}
			if err := writeLeaf(c, leaf); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeLeaf(c file.ColumnChunkWriter, d leafData) (err error) {
	switch w := c.(type) {
	case *file.BooleanColumnChunkWriter:
		_, err = w.WriteBatch(d.values.([]bool), d.defs, d.reps)
	case *file.Int32ColumnChunkWriter:
		_, err = w.WriteBatch(d.values.([]int32), d.defs, d.reps)
	case *file.Int64ColumnChunkWriter:
		_, err = w.WriteBatch(d.values.([]int64), d.defs, d.reps)
	case *file.Int96ColumnChunkWriter:
		_, err = w.WriteBatch(d.values.([]parquet.Int96), d.defs, d.reps)
	case *file.Float32ColumnChunkWriter:
		_, err = w.WriteBatch(d.values.([]float32), d.defs, d.reps)
	case *file.Float64ColumnChunkWriter:
		_, err = w.WriteBatch(d.values.([]float64), d.defs, d.reps)
	case *file.ByteArrayColumnChunkWriter:
		_, err = w.WriteBatch(d.values.([]parquet.ByteArray), d.defs, d.reps)
	case *file.FixedLenByteArrayColumnChunkWriter:
		_, err = w.WriteBatch(d.values.([]parquet.FixedLenByteArray), d.defs, d.reps)
	default:
		err = fmt.Errorf("no such writer: %T", c)
	}
	return err
}

// texts are byte arrays from strings.
func texts(s ...string) (out []parquet.ByteArray) {
	for _, v := range s {
		out = append(out, parquet.ByteArray(v))
	}
	return out
}

// fixeds are fixed byte arrays from strings.
func fixeds(s ...string) (out []parquet.FixedLenByteArray) {
	for _, v := range s {
		out = append(out, parquet.FixedLenByteArray(v))
	}
	return out
}

// node is a leaf of a schema.
func node(name string, rep parquet.Repetition, logical schema.LogicalType, t parquet.Type, length int) schema.Node {
	return schema.Must(schema.NewPrimitiveNodeLogical(name, rep, logical, t, length, -1))
}

// group is a group of a schema.
func group(name string, rep parquet.Repetition, fields ...schema.Node) schema.Node {
	return schema.Must(schema.NewGroupNode(name, rep, fields, -1))
}

func wantColumns(names ...string) (cols []Column) {
	for _, n := range names {
		cols = append(cols, Column{Name: n})
	}
	return cols
}

// openParquetBytes opens a Parquet file that is in memory.
func openParquetBytes(b []byte, opt Options) (formatReader, error) {
	return newParquet("dir/test.parquet", bytes.NewReader(b), int64(len(b)), opt)
}

// readParquet reads a file to its end, each row as one string.
func readParquet(t testing.TB, b []byte, opt Options) []string {
	t.Helper()
	r, err := openParquetBytes(b, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	rows, err := restOf(t, r)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// restOf reads what is left of r, and checks the positions on the way. It
// returns the rows before an error together with the error.
func restOf(t testing.TB, r formatReader) (rows []string, err error) {
	t.Helper()
	next := Pos{-1, 0}
	for {
		c, err := r.next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		if next.Offset >= 0 && c.Start != next {
			t.Fatalf("chunk starts at %v, the one before ended at %v", c.Start, next)
		}
		next = c.Start
		for rec, err := range c.Records() {
			var pos, end Pos
			var row string
			if err != nil {
				e := err.(*RowError)
				pos, end, row = e.Pos, e.End, fmt.Sprintf("%s %s: %s", e.Code, e.Column, e.Reason)
			} else {
				pos, end, row = rec.Pos, rec.End, fmt.Sprint(valueTexts(rec))
			}
			if pos != next || end.Offset != pos.Offset+1 || pos.Line != pos.Offset+1 {
				t.Fatalf("row at %v to %v, want %v", pos, end, next)
			}
			rows = append(rows, row)
			next = end
		}
		if c.End != next {
			t.Fatalf("chunk ends at %v, its last row at %v", c.End, next)
		}
		c.Release()
	}
}

// valueTexts are the values of a record: their kind and their text.
func valueTexts(rec *Record) (out []string) {
	for _, v := range rec.Values {
		switch v.Kind {
		case Missing:
			out = append(out, "missing")
		case Null:
			out = append(out, "null")
		default:
			out = append(out, fmt.Sprintf("%s:%s", kindLetters[v.Kind], v.Text))
		}
		if (v.Kind == Missing || v.Kind == Null) != (v.Text == nil) && len(v.Text) > 0 {
			panic("a null with a text")
		}
	}
	return out
}

var kindLetters = [...]string{String: "s", Number: "n", Bool: "b", Time: "t", Object: "o", Array: "a"}
