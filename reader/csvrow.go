package reader

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"github.com/m3import/m3import/internal/jsonx"
)

// csvRows is what reading one chunk needs: the fields of the row at hand and
// the memory for what has to be unescaped. It is made anew for each loop, a
// handful of allocations for some thousand rows, so that the record of a loop
// that was left early stays what it was.
type csvRows struct {
	csv    *csvFormat
	text   []byte // the chunk's
	fields fields
	values []Value
	arena  []byte // unescaped fields of the row at hand
	quote  int    // index of the first quote at or after the row at hand
	plain  span   // the row at hand, when fields has only those up to the last one that is wanted
	valid  bool   // all of text is UTF-8
	rec    Record
}

// records implements textFormat.
func (c *csvFormat) records(chunk *Chunk, text []byte) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		r := &csvRows{
			csv: c, text: text, quote: -1,
			fields: fields{spans: make([]span, len(c.names))},
			values: make([]Value, c.columns),
			// Delimiters and line endings are ASCII, so the parts of a valid
			// text are valid too: one pass over the chunk spares one for each row.
			valid: utf8.Valid(text),
		}
		r.rec = Record{Source: c.source, Values: r.values, row: r}
		r.rows(chunk.Start, yield)
	}
}

// rows yields the records of r.text, which starts at start.
func (r *csvRows) rows(start Pos, yield func(*Record, error) bool) {
	pos := start
	for s, stop := 0, 0; s < len(r.text); s, pos = stop, r.rec.End {
		var kind rowKind
		var lines int
		stop, lines, kind = r.split(s)
		r.rec.Pos, r.rec.End = pos, Pos{start.Offset + int64(stop), pos.Line + int64(lines)}
		var fault *RowError
		switch kind {
		case noRow:
			continue
		case goodRow:
			fault = r.fill(s, stop)
		case badRow:
			fault = r.broken(s, stop)
		}
		if fault != nil {
			if !yield(nil, fault) {
				return
			}
		} else if !yield(&r.rec, nil) {
			return
		}
	}
}

// rowKind is what stands between two borders.
type rowKind uint8

const (
	goodRow rowKind = iota // well formed, its fields in r.fields
	badRow                 // a record that is too long, or one physical line that is no record
	noRow                  // a blank line or a comment
)

// split finds the fields of what starts at text[s], and where it ends, so many
// lines further on.
func (r *csvRows) split(s int) (stop, lines int, kind rowKind) {
	d, text := &r.csv.dialect, r.text
	stop = d.line(text, s, true)
	end := trimLineEnd(text, s, stop, d.nl)
	switch {
	case end == s:
		return stop, 1, noRow
	case d.comments && text[s] == d.comment:
		// What is too long for a record is too long for a comment, lest it
		// depend on the chunk whether the comment byte is looked at.
		if stop-s > d.max {
			return stop, 1, badRow
		}
		return stop, 1, noRow
	}
	if d.quoted && r.quote < s {
		r.quote = indexFrom(text, s, d.quote)
	}
	if !d.quoted || r.quote >= stop {
		if stop-s > d.max {
			return stop, 1, badRow
		}
		r.plain = span{start: uint32(s), end: uint32(end)}
		r.splitPlain(s, end, r.csv.upto)
		return stop, 1, goodRow
	}
	r.plain = span{}
	line := stop
	stop, ok := d.record(text, s, true, &r.fields)
	lines = 1
	if stop > line {
		lines = countLines(text[s:stop], d.nl)
	}
	if !ok {
		return stop, lines, badRow
	}
	return stop, lines, goodRow
}

// splitPlain finds the first most fields of a line without quotes, text[s:end],
// and counts the others: of files with hundreds of columns a few are mapped, and
// to count is many times faster.
func (r *csvRows) splitPlain(s, end, most int) {
	const low = ^uint64(eachHigh)
	delim := r.csv.dialect.delim
	delims := uint64(delim) * eachByte
	spans, n, start, i := r.fields.spans[:min(most, len(r.fields.spans))], 0, s, s
	line := r.text[:end]
	for ; len(line)-i >= 8; i += 8 {
		// A byte of x is zero where the delimiter stands. The sum sets the
		// high bit of every byte that is not zero, without a carry into the
		// next one, so each bit of hits is exact.
		x := binary.LittleEndian.Uint64(line[i:]) ^ delims
		for hits := ^((x&low + low) | x | low); hits != 0; hits &= hits - 1 {
			at := i + bits.TrailingZeros64(hits)/8
			if n == len(spans) {
				r.fields.n = n + 1 + bytes.Count(line[start:], []byte{delim})
				return
			}
			spans[n] = span{uint32(start), uint32(at), false}
			n++
			start = at + 1
		}
	}
	for ; i < len(line); i++ {
		if line[i] == delim {
			if n < len(spans) {
				spans[n] = span{uint32(start), uint32(i), false}
			}
			n++
			start = i + 1
		}
	}
	if n < len(spans) {
		spans[n] = span{uint32(start), uint32(end), false}
	}
	r.fields.n = n + 1
}

// fill makes the values of the well-formed record text[s:stop], or its fault.
func (r *csvRows) fill(s, stop int) *RowError {
	c := r.csv
	if r.fields.n != len(r.fields.spans) {
		return r.fault(s, stop, CodeFieldCount, "", nil, fmt.Sprintf("%s, but the header has %d",
			plural(r.fields.n, "field"), len(r.fields.spans)))
	}
	if !r.valid && !utf8.Valid(r.text[s:stop]) {
		r.splitAll()
		for i, sp := range r.fields.spans {
			if field := r.text[sp.start:sp.end]; !utf8.Valid(field) {
				return r.fault(s, stop, CodeUTF8, c.names[i], field, "bytes that are not UTF-8; convert the file to UTF-8")
			}
		}
	}
	r.arena = r.arena[:0]
	for _, w := range c.wanted { // others are Missing, as the values were made
		sp := r.fields.spans[w.field]
		text := r.text[sp.start:sp.end:sp.end]
		if sp.esc {
			text = r.unescape(text)
		}
		r.values[w.value] = c.rules.value(text)
	}
	return nil
}

// splitAll finds the fields of the row at hand that nobody has wanted so far.
func (r *csvRows) splitAll() {
	if r.plain.end > 0 {
		r.splitPlain(int(r.plain.start), int(r.plain.end), len(r.fields.spans))
	}
}

// unescape returns text with its doubled quotes made single, in the arena. The
// arena may move while it grows; what was handed out before stays where it was.
func (r *csvRows) unescape(text []byte) []byte {
	start, quote := len(r.arena), r.csv.dialect.quote
	for {
		k := bytes.IndexByte(text, quote)
		if k < 0 {
			break
		}
		r.arena = append(r.arena, text[:k+1]...)
		text = text[k+2:]
	}
	r.arena = append(r.arena, text...)
	return r.arena[start:len(r.arena):len(r.arena)]
}

// broken explains the record text[s:stop]: it is too long, or the dialect cut
// it down to its first physical line. It looks at that line only, so that the
// words are the same whatever else is in the chunk.
func (r *csvRows) broken(s, stop int) *RowError {
	d := &r.csv.dialect
	if stop-s > d.max {
		return r.fault(s, stop, CodeTooLarge, "", nil, tooLarge(d.max, int(r.rec.End.Line-r.rec.Pos.Line)))
	}
	at, v := d.split(r.text[:stop], s, true, &r.fields)
	column := ""
	if n := r.fields.n; v == afterQuote && n > 0 && n <= len(r.csv.names) {
		column = r.csv.names[n-1]
	} else if n < len(r.csv.names) {
		column = r.csv.names[n]
	}
	q := string(rune(d.quote))
	var reason string
	switch v {
	case bareQuote:
		reason = "a " + q + " inside an unquoted field; quote the field and double the " + q
	case afterQuote:
		reason = "text after a closing " + q + "; a " + q + " inside a quoted field must be doubled"
	default:
		reason = fmt.Sprintf("a quote opened on line %d is not closed, with a delimiter or a line end behind it, within %d bytes or before the end of the file",
			r.rec.Pos.Line, d.far())
	}
	end := trimLineEnd(r.text, s, stop, d.nl)
	return r.fault(s, stop, CodeQuote, column, r.text[min(at, end):end], reason)
}

// fault makes the RowError of the record text[s:stop].
func (r *csvRows) fault(s, stop int, code, column string, value []byte, reason string) *RowError {
	raw := r.text[s:trimLineEnd(r.text, s, stop, r.csv.dialect.nl)]
	return &RowError{
		Pos: r.rec.Pos, End: r.rec.End, Code: code, Column: column, Reason: reason,
		Value: shorten(value), Raw: raw[:min(len(raw), maxRaw)],
	}
}

// appendRow implements rowText: all columns, as strings, under names that are
// unique.
func (r *csvRows) appendRow(dst []byte, _ *Record) []byte {
	r.splitAll()
	for i, sp := range r.fields.spans {
		dst = append(dst, "{,"[min(i, 1)])
		dst = append(dst, r.csv.keys[i]...)
		text := r.text[sp.start:sp.end]
		if sp.esc {
			text = r.unescape(text)
		}
		dst = jsonx.AppendString(dst, text)
	}
	return append(dst, '}')
}

// indexFrom returns the index of the first b in text at or after i, len(text)
// when there is none.
func indexFrom(text []byte, i int, b byte) int {
	if k := bytes.IndexByte(text[i:], b); k >= 0 {
		return i + k
	}
	return len(text)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
