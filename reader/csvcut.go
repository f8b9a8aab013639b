package reader

import "bytes"

// dialect is the grammar of a CSV text. It is the only place that knows what a
// record is: cut finds borders with it, csvRows finds fields with it.
//
// The grammar is RFC 4180's, taken strictly: a quote opens a quoted field only
// as the first byte of the field, two quotes inside one stand for one, and
// what closes it is followed by a delimiter or the end of the line. A text
// that breaks the grammar has to be given borders all the same, and every
// chunking has to find the same ones. Hence one rule for all faults:
//
//	A record that is not well formed within max bytes, its line ending
//	counted, is its first physical line; the next line starts afresh.
//
// So a stray quote costs the line it stands on and never the lines after it,
// and whether a record is well formed depends on its own first max bytes only,
// not on where a buffer happens to end.
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
	max      int  // longest record, line ending included
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
			for i < len(text) && text[i] != d.delim && text[i] != d.nl {
				if text[i] == d.quote && d.quoted {
					return i, bareQuote
				}
				i++
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

// closing finds the quote that closes a field whose text starts at text[i]. It
// returns the index after it.
func (d *dialect) closing(text []byte, i int) (end int, esc, ok bool) {
	for {
		k := bytes.IndexByte(text[i:], d.quote)
		if k < 0 {
			return len(text), esc, false
		}
		i += k + 1
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
// well formed; the end is 0 when more text is needed to tell.
func (d *dialect) record(text []byte, s int, final bool, f *fields) (end int, ok bool) {
	window, atEnd := text, final
	if len(text)-s > d.max {
		window, atEnd = text[:s+d.max], false
	}
	end, v := d.split(window, s, atEnd, f)
	switch {
	case v == whole:
		return end, true
	case v == more && len(text)-s <= d.max && !final:
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
// It goes from quote to quote, so that it runs at the speed of IndexByte where
// there are few. Only two things need a second look: a quoted field with a
// line ending in it, which joins lines to one record, and a fault. They are
// left to record, from the start of the record they stand in.
func (d *dialect) cut(buf []byte, final bool) int {
	rec := 0 // a record starts here, and every nl in buf[rec:pos] ends one
	for pos := 0; d.quoted; {
		k := bytes.IndexByte(buf[pos:], d.quote)
		if k < 0 {
			break
		}
		q := pos + k
		if d.plainField(buf, q) {
			if end, _, ok := d.closing(buf, q+1); ok && end < len(buf) &&
				(buf[end] == d.delim || buf[end] == d.nl) && bytes.IndexByte(buf[q:end], d.nl) < 0 {
				pos = end
				continue
			}
		}
		s := rec + bytes.LastIndexByte(buf[rec:q], d.nl) + 1
		var end int
		if d.comments && buf[s] == d.comment {
			end = d.line(buf, s, final)
		} else {
			end, _ = d.record(buf, s, final, nil)
		}
		if end == 0 {
			return s
		}
		rec, pos = end, end
	}
	if final {
		return len(buf)
	}
	return rec + bytes.LastIndexByte(buf[rec:], d.nl) + 1
}

// plainField reports whether the quote at buf[q], which is outside of quotes,
// surely opens a field. Behind a comment byte nothing is sure.
func (d *dialect) plainField(buf []byte, q int) bool {
	return !d.comments && (q == 0 || buf[q-1] == d.delim || buf[q-1] == d.nl)
}
