package reader

import "iter"

// formatReader is one opened source, whatever its format: what Source drives.
type formatReader interface {
	// columns are the names of all columns in the source's own order, nil
	// when the format has no such list (NDJSON).
	columns() []string
	// start is the position of the first record.
	start() Pos
	// seek makes p the start of the next chunk.
	seek(p Pos) error
	// next returns the next chunk, or io.EOF.
	next() (*Chunk, error)
	close() error
}

// textFormat is what CSV and NDJSON tell the text source, which owns the
// buffers, the decompression and the positions. Implementations are immutable
// and safe for concurrent use.
type textFormat interface {
	// cut returns how many bytes at the start of buf, which starts at a
	// record, are whole records. It returns 0 when the first record does not
	// end within buf; final says that the text ends with buf.
	cut(buf []byte, final bool) int
	// records yields the records of text, which is a whole number of records
	// and starts at c.Start. It must find the same borders as cut.
	records(c *Chunk, text []byte) iter.Seq2[*Record, error]
}

// farSighted is a textFormat that has to look further than the longest record
// to tell where one ends.
type farSighted interface {
	// far is how far to look for the end of a record.
	far() int
	// first is where the record that buf starts with ends; 0 when more has to be
	// seen. final says that the text ends with buf.
	first(buf []byte, final bool) int
}
