// Package reader turns usage files into chunks of whole records, and chunks
// into records. It knows CSV, NDJSON and Parquet, their compression, and where
// in a file a record stands.
//
// It does not know what a measurement is, and it starts no goroutines: a
// [Source] is read by one caller, and the [Chunk]s that it hands out are
// parsed wherever that caller wants, several at a time.
package reader

import (
	"fmt"
	"iter"
)

// Pos says where a record starts.
type Pos struct {
	// Offset is a byte offset into the uncompressed text of a source, or,
	// for Parquet, the number of rows before the record.
	Offset int64 `json:"offset"`
	// Line is for people: the line of the uncompressed text, counted from 1,
	// on which the record starts; for Parquet the row, counted from 1.
	Line int64 `json:"line"`
}

// String gives the position as messages show it.
func (p Pos) String() string { return fmt.Sprintf("line %d (offset %d)", p.Line, p.Offset) }

// Format is a file format.
type Format string

// The formats. The zero value means: find out from the content.
const (
	Auto    Format = ""
	CSV     Format = "csv"
	NDJSON  Format = "ndjson"
	Parquet Format = "parquet"
)

// Compression is how the bytes of a source are packed.
type Compression string

// The compressions. The zero value means: find out from the content.
const (
	CompressionAuto Compression = ""
	None            Compression = "none"
	Gzip            Compression = "gzip"
	Zstd            Compression = "zstd"
)

// Column asks for one column of a source.
type Column struct {
	// Name is a CSV header name, or a path: a key, or keys and indexes
	// ("usage.bytes", "tags[0]"). A literal top-level key (or CSV header) of
	// that whole name is always a match too; both present in one record is a
	// fault of the row.
	Name string `json:"name"`
	// Optional columns may be absent from a CSV header or a Parquet schema;
	// their values are then Missing. Default: the source is refused.
	Optional bool `json:"optional,omitempty"`
}

// Options say how to read a source. The zero value reads every supported
// format with its usual settings. They are plain data: JSON-able, comparable
// across processes.
type Options struct {
	// Columns are the columns that records carry, in this order. Default: none.
	Columns []Column `json:"columns,omitempty"`
	// Format forces a format. Default: from the content, then the name.
	Format Format `json:"format,omitempty"`
	// Compression forces a compression. Default: from the content.
	Compression Compression `json:"compression,omitempty"`
	// ChunkBytes is the aimed size of a chunk of text. Default: 256 KiB.
	ChunkBytes int `json:"chunk_bytes,omitempty"`
	// MaxRecordBytes is the longest record accepted; a longer one is a row
	// error and reading goes on at the next line. Default: 1 MiB.
	MaxRecordBytes int `json:"max_record_bytes,omitempty"`
	// Null are the texts that mean "no value" besides the empty one; they
	// apply to the text values of every format. Default: none.
	Null []string `json:"null,omitempty"`
	// Trim strips spaces and tabs around text values (after unquoting).
	// Default: values are kept as they are.
	Trim bool `json:"trim,omitempty"`
	// CSV holds what only CSV needs.
	CSV CSVOptions `json:"csv,omitzero"`
}

// CSVOptions are the dialect of a CSV source.
type CSVOptions struct {
	// Delimiter is one byte. Default: ",".
	Delimiter string `json:"delimiter,omitempty"`
	// Quote is one byte, or "none". Default: `"`.
	Quote string `json:"quote,omitempty"`
	// Names are the column names of a file that has no header line.
	// Default: the first record is the header.
	Names []string `json:"names,omitempty"`
	// SkipLines is the number of lines before the header (or the first
	// record) to pass over. Default: 0.
	SkipLines int `json:"skip_lines,omitempty"`
	// Comment starts a line that is passed over; one byte, at the first
	// position of a record. Default: no comments.
	Comment string `json:"comment,omitempty"`
	// Newline forces the line ending: "lf" (which takes CRLF too) or "cr".
	// Default: from the content.
	Newline string `json:"newline,omitempty"`
}

// Kind says what a Value is.
type Kind uint8

// The kinds of value.
const (
	Missing Kind = iota // the record has no such column
	Null                // JSON null, a Parquet null, or one of Options.Null
	String              // text: every CSV field, a JSON string, a Parquet byte array
	Number              // a JSON number or a Parquet number, as its exact text
	Bool                // true or false
	Time                // a Parquet DATE, TIME or TIMESTAMP in ISO 8601 form; a Z only when it is UTC-adjusted
	Object              // a JSON object, as its text
	Array               // a JSON array, as its text
)

// Value is one cell: its kind and its exact text. It holds no more than a
// view of the chunk's memory: it is good until the next step of the loop over
// Records, and copying the text is the caller's affair.
type Value struct {
	Kind Kind
	// Text is the value as text, unquoted and unescaped, valid UTF-8; nil for
	// Missing and Null. Numbers keep the digits of the source; integers and
	// decimals of Parquet are written in full with their scale, floats in the
	// shortest form that reads back the same; times as
	// 2006-01-02T15:04:05[.fff[fff[fff]]][Z] with no, 3, 6 or 9 digits of
	// fraction, the fewest that lose nothing.
	Text []byte
}

// Empty reports whether there is nothing in v: no column, a null, or no text.
func (v Value) Empty() bool { return len(v.Text) == 0 }

// Record is one row, reduced to the columns asked for. It and its Values are
// good until the next step of the loop.
type Record struct {
	// Pos is where the record starts, End where the next one can be read from.
	Pos, End Pos
	// Source is the base name of the source without a compression suffix.
	Source string
	// Values hold the columns of Options.Columns, in that order.
	Values []Value

	row rowText // where the whole row can be found again, for AppendJSON
}

// rowText writes the whole row, with the columns that nobody asked for.
type rowText interface {
	// appendRow appends the row at rec as one JSON object.
	appendRow(dst []byte, rec *Record) []byte
}

// AppendJSON appends the whole row as one JSON object, for the reject file:
// every column of CSV (as strings), the original object of NDJSON less a
// top-level "_reject" key, the columns asked for of Parquet. Reading the
// object back under the same Options.Columns gives the same Values.
func (r *Record) AppendJSON(dst []byte) []byte { return r.row.appendRow(dst, r) }

// Codes of RowError.
const (
	CodeFieldCount = "field-count"      // a CSV record with fewer or more fields than the header
	CodeQuote      = "quote"            // a bare or unclosed quote
	CodeSyntax     = "syntax"           // a line that is not one strict JSON object
	CodeDuplicate  = "duplicate-key"    // a mapped key that stands twice
	CodeUTF8       = "utf-8"            // bytes that are not UTF-8
	CodeTooLarge   = "record-too-large" // past Options.MaxRecordBytes
)

// RowError concerns one row only: the records after it follow.
type RowError struct {
	Pos, End Pos
	Code     string // one of the Code constants
	Column   string // the column at fault, when one is
	Value    string // the text at fault, shortened
	Reason   string // a sentence fragment for people, with what was expected
	Raw      []byte // the record's bytes, at most 64 KiB of them; good until the next step
}

func (e *RowError) Error() string {
	if e.Column != "" {
		return fmt.Sprintf("%v, column %q: %s", e.Pos, e.Column, e.Reason)
	}
	return fmt.Sprintf("%v: %s", e.Pos, e.Reason)
}

// Chunk is a run of whole records that can be parsed alone.
type Chunk struct {
	// Start is where the first record starts, End where the next chunk does.
	Start, End Pos
	// Begun and Consumed are how much of the file as stored lies before the
	// first record and before the next chunk, in bytes: a measure of progress,
	// nothing more. Of compressed text it is what had been read.
	Begun, Consumed int64

	parse chunkParser
}

// chunkParser is what a format knows about a chunk.
type chunkParser interface {
	records(c *Chunk) iter.Seq2[*Record, error]
	release()
}

// Records yields the records of the chunk in order, or an error instead of one.
// An error that is a *RowError concerns one row and the loop goes on after it;
// any other error ends the loop. Different chunks may be read on different goroutines at once.
func (c *Chunk) Records() iter.Seq2[*Record, error] { return c.parse.records(c) }

// Release gives the chunk's memory back to be used again. The chunk and every
// value that came from it are dead afterwards. Calling it is optional.
func (c *Chunk) Release() { c.parse.release() }
