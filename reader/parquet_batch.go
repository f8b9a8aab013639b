package reader

import (
	"bytes"
	"fmt"
	"iter"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/apache/arrow/go/v17/parquet"

	"github.com/m3import/m3import/internal/jsonx"
)

// parquetRows is what all batches of a source share. It is immutable.
type parquetRows struct {
	source  string
	names   []string // of Options.Columns
	columns []parquetColumn
	null    [][]byte
	trim    bool
	max     int // Options.MaxRecordBytes
}

// parquetBatch is the memory of a chunk: the values of its rows, column by
// column, as Parquet has them. They become text only when the records are
// read, which is not on the goroutine that reads the file.
type parquetBatch struct {
	*parquetRows
	rows  int
	bytes int // that the values take, about
	cols  []parquetVector
	big   []int // rows past the limit, in order; their bytes were left behind

	// For the loop over the records.
	values []Value
	at     []int // in each column, the next value
	text   []byte
	pool   *sync.Pool // where the batch goes when it is released
}

// parquetVector is the column of a batch. Nulls have no value in it.
type parquetVector struct {
	present []bool // for each row whether it has a value; unused when none can be null
	ints    []int64
	floats  []float64
	data    []byte
	ends    []uint32 // in data
}

func (v *parquetVector) addLevels(levels []int16, value int16) {
	for _, l := range levels {
		v.present = append(v.present, l == value)
	}
}

func (v *parquetVector) addBytes(b []byte) {
	v.data = append(v.data, b...)
	v.ends = append(v.ends, uint32(len(v.data)))
}

func (v *parquetVector) bytes(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = v.ends[i-1]
	}
	return v.data[start:v.ends[i]:v.ends[i]]
}

func (b *parquetBatch) reset() {
	b.rows, b.bytes, b.big = 0, 0, b.big[:0]
	for i := range b.cols {
		v := &b.cols[i]
		v.present, v.ints, v.floats, v.data, v.ends = v.present[:0], v.ints[:0], v.floats[:0], v.data[:0], v.ends[:0]
	}
}

// release implements chunkParser.
func (b *parquetBatch) release() {
	if pool := b.pool; pool != nil {
		b.pool = nil
		pool.Put(b)
	}
}

// records implements chunkParser.
func (b *parquetBatch) records(c *Chunk) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		clear(b.at)
		clear(b.values)
		rec := Record{Source: b.source, Values: b.values, row: b.parquetRows}
		big := b.big
		for i := range b.rows {
			n := c.Start.Offset + int64(i)
			rec.Pos, rec.End = rowPos(n), rowPos(n+1)
			var fault *RowError
			if len(big) > 0 && big[0] == i {
				big = big[1:]
				b.skipRow(i)
				fault = &RowError{Code: CodeTooLarge, Reason: tooLarge(b.max, 1)}
			} else {
				fault = b.fillRow(i)
			}
			if fault != nil {
				fault.Pos, fault.End = rec.Pos, rec.End
				if !yield(nil, fault) {
					return
				}
				continue
			}
			if !yield(&rec, nil) {
				return
			}
		}
	}
}

// rowPos is the position of the row with n rows before it.
func rowPos(n int64) Pos { return Pos{Offset: n, Line: n + 1} }

func (b *parquetBatch) skipRow(i int) {
	for k := range b.cols {
		if b.columns[k].maxDef == 0 || b.cols[k].present[i] {
			b.at[k]++
		}
	}
}

// fillRow writes row i into b.values. The first value that cannot be text is
// the row's fault; the rest is written all the same, to stand in its Raw.
func (b *parquetBatch) fillRow(i int) (fault *RowError) {
	b.text = b.text[:0]
	for k := range b.cols {
		col, v := &b.columns[k], &b.cols[k]
		if col.slot < 0 {
			continue
		}
		value := &b.values[col.slot]
		if col.maxDef > 0 && !v.present[i] {
			*value = Value{Kind: Null}
			continue
		}
		n := b.at[k]
		b.at[k]++
		reason := b.format(value, col, v, n)
		if reason != "" && fault == nil {
			fault = &RowError{Code: CodeSyntax, Column: col.name, Reason: reason}
			if col.text.kind == formString {
				fault.Code = CodeUTF8
			}
			fault.Value = shorten(value.Text)
		}
	}
	if fault != nil {
		raw := b.appendRow(nil, &Record{Values: b.values})
		fault.Raw = raw[:min(len(raw), maxRaw)]
	}
	return fault
}

// format writes the value with number n of a column. A reason is a fault; the
// value is then the best text that there is.
func (b *parquetBatch) format(value *Value, col *parquetColumn, v *parquetVector, n int) (reason string) {
	value.Kind = col.text.value()
	start := len(b.text)
	switch {
	case col.text.kind == formString:
		return b.formatString(value, v.bytes(n))
	case !col.fixed():
		b.text, reason = col.text.appendBytes(b.text, v.bytes(n))
	case col.physical == parquet.Types.Float:
		b.text = appendFloat(b.text, v.floats[n], 32)
	case col.physical == parquet.Types.Double:
		b.text = appendFloat(b.text, v.floats[n], 64)
	default:
		b.text, reason = col.text.appendInt(b.text, v.ints[n])
		if reason != "" {
			b.text = strconv.AppendInt(b.text[:start], v.ints[n], 10)
		}
	}
	value.Text = b.text[start:len(b.text):len(b.text)]
	return reason
}

// formatString takes a text as it is, in the memory of the batch.
func (b *parquetBatch) formatString(value *Value, text []byte) (reason string) {
	value.Text = text
	if !utf8.Valid(text) {
		return fmt.Sprintf("bytes that are not UTF-8 text, from byte %d on", invalidUTF8(text))
	}
	if b.trim {
		text = bytes.Trim(text, " \t")
		value.Text = text
	}
	for _, token := range b.null {
		if bytes.Equal(token, text) {
			*value = Value{Kind: Null}
			break
		}
	}
	return ""
}

// invalidUTF8 is the offset of the first byte that is not part of a character.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return len(text)
}

// appendRow implements rowText: the columns asked for, by the names that they
// were asked for by, so that reading the object gives the same values. NaN and
// the infinities, for which JSON has no number, are strings.
func (r *parquetRows) appendRow(dst []byte, rec *Record) []byte {
	dst = append(dst, '{')
	first := true
	for i, v := range rec.Values {
		if v.Kind == Missing {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(jsonx.AppendStringS(dst, r.names[i]), ':')
		switch {
		case v.Kind == Null:
			dst = append(dst, "null"...)
		case v.Kind == Bool, v.Kind == Number && jsonx.ValidNumber(v.Text):
			dst = append(dst, v.Text...)
		default:
			dst = jsonx.AppendString(dst, v.Text)
		}
	}
	return append(dst, '}')
}
