package reader

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/m3import/m3import/internal/jsonx"
)

// csvFormat is the text format CSV, with its header read. It is immutable.
type csvFormat struct {
	dialect dialect
	source  string   // Record.Source
	names   []string // the header
	keys    [][]byte // the same as JSON keys, unique, each with its colon
	columns int      // Options.Columns, how many
	wanted  []wanted // those of them that are there
	upto    int      // fields of a row up to the last one that is wanted, at least 1
	rules   textRules
}

// of is the same format of another source.
func (c *csvFormat) of(source string) *csvFormat {
	other := *c
	other.source = source
	return &other
}

// csvHeader is what stands before the first record of a source, as it was read:
// text, so many lines of it, which ends with a line. Where another source begins
// with the same text, in the same dialect and under the same options, it is the
// same: nothing behind its end has a part in it.
type csvHeader struct {
	text   []byte
	lines  int64
	format *csvFormat
}

// begins reports whether a source that starts with head starts with the header.
func (h *csvHeader) begins(head []byte, d *dialect) bool {
	return h != nil && h.format.dialect == *d && bytes.HasPrefix(head, h.text)
}

// newDialect checks the options and fills in the defaults. nl is the line
// ending to use when the options leave it to the content.
func newDialect(opt Options, nl byte) (dialect, error) {
	d := dialect{delim: ',', quote: '"', quoted: true, nl: nl, max: opt.MaxRecordBytes}
	o := opt.CSV
	for _, b := range []struct {
		name, text string
		to         *byte
	}{{"delimiter", o.Delimiter, &d.delim}, {"quote", o.Quote, &d.quote}, {"comment", o.Comment, &d.comment}} {
		switch {
		case b.text == "", b.name == "quote" && b.text == "none":
		case len(b.text) == 1 && b.text[0] < utf8.RuneSelf && b.text[0] != '\n' && b.text[0] != '\r' && b.text[0] != 0:
			*b.to = b.text[0]
		default:
			return d, fmt.Errorf("csv %s %q: must be one ASCII character other than a line end", b.name, b.text)
		}
	}
	d.quoted = o.Quote != "none"
	d.comments = o.Comment != ""
	switch {
	case d.quoted && d.quote == d.delim:
		return d, fmt.Errorf("csv delimiter and quote are both %q: they must differ", d.delim)
	case d.comments && (d.comment == d.delim || d.quoted && d.comment == d.quote):
		return d, fmt.Errorf("csv comment %q: must differ from the delimiter and the quote", d.comment)
	case o.SkipLines < 0:
		return d, fmt.Errorf("csv skip_lines %d: must not be negative", o.SkipLines)
	}
	switch o.Newline {
	case "":
	case "lf":
		d.nl = '\n'
	case "cr":
		d.nl = '\r'
	default:
		return d, fmt.Errorf("csv newline %q: must be lf or cr", o.Newline)
	}
	return d, nil
}

// newCSV makes the format of a source with the columns names.
func newCSV(source string, d dialect, names []string, opt Options) (*csvFormat, error) {
	c := &csvFormat{dialect: d, source: source, names: names, keys: uniqueKeys(names), rules: textRules{null: opt.Null, trim: opt.Trim}}
	index, err := findColumns(names, opt.Columns)
	if err != nil {
		return nil, err
	}
	c.want(index)
	return c, nil
}

// want says which field each column that is asked for is in, -1 for none.
func (c *csvFormat) want(fields []int) {
	c.columns, c.wanted, c.upto = len(fields), nil, 1
	for i, field := range fields {
		if field >= 0 {
			c.wanted = append(c.wanted, wanted{i, field})
			c.upto = max(c.upto, field+1)
		}
	}
}

// wanted is a column that is asked for: its place in Record.Values, and that of
// its field in a row.
type wanted struct{ value, field int }

// cut implements textFormat.
func (c *csvFormat) cut(buf []byte, final bool) int { return c.dialect.cut(buf, final) }

// far and first implement farSighted.
func (c *csvFormat) far() int { return c.dialect.far() }

func (c *csvFormat) first(buf []byte, final bool) int { return c.dialect.first(buf, final) }

// header reads what stands before the first record: skipped lines, blank
// lines and comments, and the header itself unless names are given. n is the
// length of it all, lines the number of lines in it; n is -1 when more text is
// needed. Without a header (an empty text) names is nil.
func (d *dialect) header(text []byte, final bool, o CSVOptions) (n int, lines int64, names []string, err error) {
	s := 0
	next := func() bool {
		stop := d.line(text, s, final)
		if stop == 0 {
			return false
		}
		s = stop
		lines++
		return true
	}
	for range o.SkipLines {
		if s < len(text) && !next() || s == len(text) && !final {
			return -1, 0, nil, nil
		}
	}
	if len(o.Names) > 0 {
		return s, lines, o.Names, nil
	}
	for s < len(text) {
		stop := d.line(text, s, final)
		if stop == 0 {
			return -1, 0, nil, nil
		}
		if trimLineEnd(text, s, stop, d.nl) > s && !(d.comments && text[s] == d.comment) {
			break
		}
		next()
	}
	if s == len(text) {
		if final {
			return s, lines, nil, nil
		}
		return -1, 0, nil, nil
	}
	end, ok := d.record(text, s, final, nil)
	if end == 0 {
		return -1, 0, nil, nil
	}
	if !ok {
		return 0, 0, nil, fmt.Errorf("csv header on line %d: a quote in it is bare, unclosed, or followed by text, or it is longer than %d bytes; check the delimiter, the quote and skip_lines",
			lines+1, d.max)
	}
	f := fields{spans: make([]span, strings.Count(string(text[s:end]), string(rune(d.delim)))+1)}
	d.split(text[:end], s, true, &f)
	for _, sp := range f.spans[:f.n] {
		name := string(text[sp.start:sp.end])
		if sp.esc {
			q := string(rune(d.quote))
			name = strings.ReplaceAll(name, q+q, q)
		}
		if !utf8.ValidString(name) {
			return 0, 0, nil, fmt.Errorf("csv header on line %d: name %q is not UTF-8; convert the file to UTF-8", lines+1, name)
		}
		names = append(names, name)
	}
	return end, lines + int64(countLines(text[s:end], d.nl)), names, nil
}

// uniqueKeys gives each name a JSON key of its own, colon included: a name
// that is blank, stands there before, or is the reserved key of the reject
// file gets a number.
func uniqueKeys(names []string) [][]byte {
	taken := map[string]bool{"": true, "_reject": true, "_raw": true, "_raw_base64": true}
	first := make([]bool, len(names))
	for i, name := range names {
		first[i] = !taken[name]
		taken[name] = true
	}
	keys := make([][]byte, len(names))
	for i, name := range names {
		if !first[i] {
			base := name
			for k := 2; taken[name]; k++ {
				name = fmt.Sprintf("%s#%d", base, k)
			}
			taken[name] = true
		}
		keys[i] = append(jsonx.AppendStringS(nil, name), ':')
	}
	return keys
}
