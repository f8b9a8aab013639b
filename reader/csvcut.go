package reader

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// dialect is the grammar of a CSV text. It is the only place that knows what a
// record is: cut finds borders with it, csvRows finds fields with it.
//
// The grammar is RFC 4180's, taken strictly: a quote opens a quoted field only
// as the first byte of the field, two quotes inside one stand for one, and
// what closes it is followed by a delimiter or the end of the line. A text
// that breaks the grammar has to be given borders all the same, and every
// chunking has to find the same ones. Hence one rule for all faults:
//
//	A record that is not well formed within far() bytes, its line ending
//	counted, is its first physical line; the next line starts afresh.
//
// So a stray quote costs the line it stands on and not the lines after it, and
// whether a record is well formed depends on its own first bytes only, not on
// where a buffer happens to end. A record may have max bytes; the look ahead
// goes further, because the lines of a quoted text that is merely too long must
// not be taken for records: they could bill what nobody used.
//
// A line ends with nl. When nl is LF, a CR before it belongs to the line
// ending, as does a CR that is the very last byte of the text (half of a CRLF).
type dialect struct {
	delim    byte
	quote    byte
	quoted   bool // there is a quote byte
	comment  byte
	comments bool // there is a comment byte
	nl       byte // '\n', or '\r' for the files of old
	max      int  // longest record to take, line ending included
}

// farther is how many times the longest record the look ahead goes.
const farther = 16

// far is how far to look for the end of a record.
func (d *dialect) far() int {
	if !d.quoted {
		return d.max // nothing is longer than its line
	}
	return farther * d.max
}

// span is where a field's text stands: without the quotes around it.
type span struct {
	start, end uint32
	esc        bool // doubled quotes inside
}

// fields collects the fields of one record: as many as the header has, plus
// the count of all.
type fields struct {
	spans []span // len is the number of fields wanted
	n     int    // number of fields found
}

func (f *fields) add(start, end int, esc bool) {
	if f == nil {
		return
	}
	if f.n < len(f.spans) {
		f.spans[f.n] = span{uint32(start), uint32(end), esc}
	}
	f.n++
}

// For looking at eight bytes at once: a byte times eachByte is a word of it,
// eachHigh are the high bits.
const (
	eachByte = 0x0101010101010101
	eachHigh = 0x8080808080808080
)

// verdict is what split knows about a record.
type verdict uint8

const (
	whole      verdict = iota // well formed
	more                      // undecided: the text ends first
	bareQuote                 // a quote inside an unquoted field
	afterQuote                // text after a closing quote
	openQuote                 // the text ends inside a quoted field
)

// split reads one record that starts at text[s], within text. atEnd says that
// the text ends where the slice does; otherwise a record that is not decided
// within it is undecided. It returns where the record, line ending included,
// ends, or for a fault where the fault is. f may be nil.
func (d *dialect) split(text []byte, s int, atEnd bool, f *fields) (int, verdict) {
	if f != nil {
		f.n = 0
	}
	i := s
	for {
		if i < len(text) && d.quoted && text[i] == d.quote {
			end, esc, closed := d.closing(text, i+1)
			if !closed {
				if atEnd {
					return i, openQuote
				}
				return i, more
			}
			f.add(i+1, end-1, esc)
			i = end
		} else {
			start := i
			i = d.special(text, i)
			if i < len(text) && d.quoted && text[i] == d.quote {
				return i, bareQuote
			}
			end := i
			if end > start && text[end-1] == '\r' && d.nl == '\n' && (i == len(text) || text[i] == d.nl) {
				end--
			}
			f.add(start, end, false)
		}
		n := d.lineEnd(text, i, atEnd)
		switch {
		case n > 0 || i == len(text) && atEnd:
			return i + n, whole
		case n < 0 || i == len(text):
			return i, more
		case text[i] == d.delim:
			i++
		default:
			return i, afterQuote
		}
	}
}

// quoteFrom returns the index of the first quote at or after text[i],
// len(text) when there is none. Most fields are short: for them a look at 16
// bytes costs less than the call of IndexByte.
func (d *dialect) quoteFrom(text []byte, i int) int {
	quotes := uint64(d.quote) * eachByte
	for stop := i + 16; i < stop && len(text)-i >= 8; i += 8 {
		// Only the first hit is sure, see special.
		x := binary.LittleEndian.Uint64(text[i:]) ^ quotes
		if hit := (x - eachByte) & ^x & eachHigh; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	if k := bytes.IndexByte(text[i:], d.quote); k >= 0 {
		return i + k
	}
	return len(text)
}

// special returns the index of the first delimiter, nl or quote at or after
// text[i], len(text) when there is none.
func (d *dialect) special(text []byte, i int) int {
	delims, nls, quotes := uint64(d.delim)*eachByte, uint64(d.nl)*eachByte, uint64(d.nl)*eachByte
	if d.quoted {
		quotes = uint64(d.quote) * eachByte
	}
	for ; len(text)-i >= 8; i += 8 {
		// Each term has the high bit set in the bytes that are zero, those
		// that were equal. A borrow may set it further up too, but never
		// below the first, and only the first counts.
		w := binary.LittleEndian.Uint64(text[i:])
		a, b, c := w^delims, w^nls, w^quotes
		if hit := ((a-eachByte)&^a | (b-eachByte)&^b | (c-eachByte)&^c) & eachHigh; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(text); i++ {
		if b := text[i]; b == d.delim || b == d.nl || b == d.quote && d.quoted {
			break
		}
	}
	return i
}

// closing finds the quote that closes a field whose text starts at text[i]. It
// returns the index after it.
func (d *dialect) closing(text []byte, i int) (end int, esc, ok bool) {
	for {
		i = d.quoteFrom(text, i) + 1
		if i > len(text) {
			return len(text), esc, false
		}
		if i == len(text) || text[i] != d.quote {
			return i, esc, true
		}
		i++
		esc = true
	}
}

// lineEnd returns the length of the line ending at text[i], 0 when there is
// none, and -1 when a CR there may or may not be the half of one.
func (d *dialect) lineEnd(text []byte, i int, atEnd bool) int {
	switch {
	case i == len(text):
		return 0
	case text[i] == d.nl:
		return 1
	case text[i] != '\r' || d.nl != '\n':
		return 0
	case i+1 < len(text):
		if text[i+1] == '\n' {
			return 2
		}
		return 0
	case atEnd:
		return 1
	}
	return -1
}

// record applies the rule of the type comment to the record at text[s]. final
// says that nothing follows text. It returns the record's end and whether it is
// well formed and no longer than max; the end is 0 when more text is needed to
// tell.
func (d *dialect) record(text []byte, s int, final bool, f *fields) (end int, ok bool) {
	window, atEnd := text, final
	if len(text)-s > d.far() {
		window, atEnd = text[:s+d.far()], false
	}
	end, v := d.split(window, s, atEnd, f)
	switch {
	case v == whole:
		return end, end-s <= d.max
	case v == more && len(text)-s <= d.far() && !final:
		return 0, false
	}
	return d.line(text, s, final), false
}

// line returns where the physical line at text[s] ends, its ending included;
// 0 when more text is needed to tell.
func (d *dialect) line(text []byte, s int, final bool) int {
	if k := bytes.IndexByte(text[s:], d.nl); k >= 0 {
		return s + k + 1
	}
	if final {
		return len(text)
	}
	return 0
}

// cut returns how many bytes at the start of buf, which starts at a record,
// are whole records.
//
// It goes from record with a quote to record with a quote, so that it runs at
// the speed of IndexByte where there are few: without a quote, every nl ends a
// record.
func (d *dialect) cut(buf []byte, final bool) int {
	rec := 0 // a record starts here, and nothing before it is of interest
	for d.quoted {
		k := bytes.IndexByte(buf[rec:], d.quote)
		if k < 0 {
			break
		}
		s := rec + bytes.LastIndexByte(buf[rec:rec+k], d.nl) + 1
		if d.comments && buf[s] == d.comment {
			rec = d.line(buf, s, final)
		} else {
			rec, _ = d.record(buf, s, final, nil)
		}
		if rec == 0 {
			return s
		}
	}
	if final {
		return len(buf)
	}
	return rec + bytes.LastIndexByte(buf[rec:], d.nl) + 1
}

// first returns where the first record of buf ends; 0 when more text is needed
// to tell.
func (d *dialect) first(buf []byte, final bool) int {
	if len(buf) > 0 && d.comments && buf[0] == d.comment {
		return d.line(buf, 0, final)
	}
	end, _ := d.record(buf, 0, final, nil)
	return end
}
