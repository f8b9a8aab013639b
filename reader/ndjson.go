package reader

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
)

// rejectKey is the member that a reject file adds to a row.
const rejectKey = "_reject"

// ndjson is the text format NDJSON: one JSON object (RFC 8259, of the strict
// kind that RFC 7493 asks for) on each line. Lines end with LF; a CR before it
// is JSON white space, and so are lines of nothing else passed over. It is
// immutable.
//
// Stricter than many parsers, because each of these changes a bill somewhere:
// text that is not UTF-8, escapes of half a surrogate pair, numbers like 01 or
// NaN, control characters in strings, anything behind the object, and a second
// member with the key of one that a column or the way to it needs, or within
// an object that is itself a column. Keys are compared exactly, after
// unescaping. Two members of the same key that nobody asked for are let pass:
// they change no value. Objects and arrays may be nested ndjsonMaxDepth deep.
type ndjson struct {
	source  string // Record.Source
	paths   *pathSet
	columns int
	rules   textRules
	max     int
}

// newNDJSON makes the format of a source for the columns of opt.
func newNDJSON(source string, opt Options) (textFormat, error) {
	return &ndjson{
		source:  source,
		paths:   compilePaths(opt.Columns),
		columns: len(opt.Columns),
		rules:   textRules{null: opt.Null, trim: opt.Trim},
		max:     cmp.Or(opt.MaxRecordBytes, 1<<20),
	}, nil
}

// cut implements textFormat: a line feed can stand nowhere but at the end of a
// line, whatever else is wrong with the line.
func (f *ndjson) cut(buf []byte, final bool) int {
	if final {
		return len(buf)
	}
	return bytes.LastIndexByte(buf, '\n') + 1
}

// records implements textFormat.
func (f *ndjson) records(c *Chunk, text []byte) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		rows := &ndjsonRows{scan: newNDJSONScan(f.paths, f.rules, text, f.columns), max: f.max}
		rows.each(Record{Source: f.source, End: c.Start, Values: rows.scan.values, row: rows}, yield)
	}
}

// ndjsonRows walks the lines of one chunk. It is made anew for each loop, three
// allocations for some hundred rows, so that a record of a loop that was left
// early stays what it was.
type ndjsonRows struct {
	scan   *ndjsonScan
	max    int
	object []byte // of the row at hand
}

// each yields the rows. rec is what they have in common, and its End is where
// the first one starts.
func (r *ndjsonRows) each(rec Record, yield func(*Record, error) bool) {
	text := r.scan.b
	for start, stop := 0, 0; start < len(text); start = stop {
		i := skipSpace(text, start)
		blank := i == len(text) || text[i] == '\n'
		object, end := i, i
		if !blank {
			object, end = r.scan.line(i)
		}
		stop = end + 1
		if end < 0 {
			stop = lineStop(text, i)
		}
		stop = min(stop, len(text))
		rec.Pos = rec.End
		rec.End = Pos{rec.Pos.Offset + int64(stop-start), rec.Pos.Line + 1}
		more := true
		switch {
		case stop-start > r.max:
			more = yield(nil, r.reject(&RowError{Code: CodeTooLarge, Reason: tooLarge(r.max, 1)}, &rec, text[start:stop]))
		case blank:
		case end < 0:
			more = yield(nil, r.reject(r.scan.fault.rowError(start), &rec, text[start:stop]))
		default:
			r.object = text[i:object]
			more = yield(&rec, nil)
		}
		if !more {
			return
		}
	}
}

// lineStop returns where the line at i ends, its line feed included.
func lineStop(text []byte, i int) int {
	if n := bytes.IndexByte(text[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(text)
}

// reject fills in where the line is that e refuses, and its text.
func (r *ndjsonRows) reject(e *RowError, rec *Record, line []byte) *RowError {
	e.Pos, e.End = rec.Pos, rec.End
	e.Raw = line[:min(maxRaw, trimLineEnd(line, 0, len(line), '\n'))]
	return e
}

// appendRow implements rowText: the object as it stands in the file, byte for
// byte, less what an earlier rejection added to it.
func (r *ndjsonRows) appendRow(dst []byte, _ *Record) []byte {
	return appendWithout(dst, r.object, rejectKey)
}

// textRules say how a text value is understood.
type textRules struct {
	null []string
	trim bool
}

// value makes the value of a string.
func (r *textRules) value(text []byte) Value {
	if r.trim || len(r.null) > 0 {
		return r.ruled(text)
	}
	return Value{String, text}
}

// ruled is value where there are rules.
func (r *textRules) ruled(text []byte) Value {
	if r.trim {
		text = bytes.Trim(text, " \t")
	}
	if slices.ContainsFunc(r.null, func(null string) bool { return null == string(text) }) {
		return Value{Kind: Null}
	}
	return Value{String, text}
}
