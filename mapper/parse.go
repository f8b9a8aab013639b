package mapper

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// MappingVersion is the version of the mapping language that Parse reads.
const MappingVersion = 1

// MaxMappingBytes is the longest mapping that Parse looks at. A mapping of
// fifteen fields takes about one kilobyte.
const MaxMappingBytes = 256 << 10

// maxNesting is how many brackets a mapping may have open at once, or dashes in
// a row. The language needs five; the YAML library takes a time that grows with
// the square of the depth, and memory that grows faster.
const maxNesting = 64

// ParseError says where a mapping file is wrong, and how.
type ParseError struct {
	// Line and Column are counted from 1; Column counts characters. They are
	// those of the key or the value at fault, or of what lacks one.
	Line, Column int
	// Excerpt is the line, with a mark under the column in a second line.
	Excerpt string
	// Reason is for people: what is wrong, and what to write instead.
	Reason string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s\n%s", e.Line, e.Column, e.Reason, e.Excerpt)
}

// Parse reads a mapping file and checks all of it that can be known before the
// first row. It is strict: a key that it does not know is an error, and so is
// a key that stands twice. Every error is a *ParseError.
func Parse(text []byte) (*Mapping, error) {
	d := &document{text: unixLines(text), at: map[string]place{}}
	if m := d.parse(); d.err == nil {
		_, err := m.Compile()
		var wrong *MappingError
		if !errors.As(err, &wrong) {
			return m, nil
		}
		d.failAt(d.find(wrong.Path), "%s", wrong.Reason)
	}
	return nil, d.err
}

// unixLines is text with each of YAML's line breaks, CR LF and CR too, as LF,
// so that everybody counts the same lines.
func unixLines(text []byte) []byte {
	if bytes.IndexByte(text, '\r') < 0 {
		return text
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
}

// place is a position in the mapping file.
type place struct{ line, column int }

// document is a mapping file while it is read. It goes on after a fault, with
// zero values, and keeps the first.
type document struct {
	text []byte
	// at has the places of the values, by the path of MappingError.
	at    map[string]place
	lines []int // see lineStarts
	err   *ParseError
}

// tooDeep is where the text is nested deeper than maxNesting, -1 for nowhere. It
// takes brackets in quotes and comments for brackets, too, as no text in a
// mapping has so many that are open.
func tooDeep(text []byte) int {
	brackets, dashes := 0, 0
	lead := true // nothing but indicators on the line yet
	for i, c := range text {
		switch c {
		case '[', '{':
			brackets++
		case ']', '}':
			brackets = max(0, brackets-1)
		case '-', '?', ':':
			dashes++
		case '\n':
			lead, dashes = true, 0
			continue
		}
		if lead = lead && bytes.IndexByte([]byte(" \t-?:"), c) >= 0; !lead {
			dashes = 0
		}
		if brackets > maxNesting || dashes > maxNesting {
			return i
		}
	}
	return -1
}

// parse returns what the text says; with a fault in d.err it means nothing.
func (d *document) parse() (m *Mapping) {
	start := place{1, 1}
	switch {
	case len(d.text) > MaxMappingBytes:
		d.failAt(start, "the file is longer than %d bytes, which no mapping is; is it the usage file?", MaxMappingBytes)
		return nil
	case tooDeep(d.text) >= 0:
		d.failAt(d.placeOf(tooDeep(d.text)), "more than %d brackets or dashes are open here, and a mapping needs five", maxNesting)
		return nil
	case !utf8.Valid(d.text):
		d.failAt(d.placeOf(validPrefix(d.text)), "the file is not UTF-8 here")
		return nil
	}
	// The YAML library is not ours, and a mapping file is anybody's: whatever
	// it trips over is a mistake in the file, not the end of the program.
	defer func() {
		if r := recover(); r != nil {
			d.failAt(start, "the file is not YAML that can be read (%v)", r)
		}
	}()
	file, err := parser.ParseBytes(d.text, 0)
	var syntax yaml.Error
	switch {
	case errors.As(err, &syntax):
		d.failAt(d.placeOfToken(syntax.GetToken()), "%s", plainer(syntax.GetMessage()))
		return nil
	case err != nil:
		d.failAt(start, "the file is not YAML: %v", err)
		return nil
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		d.failAt(start, "the mapping is empty; it starts with `version: %d`", MappingVersion)
		return nil
	case len(file.Docs) > 1:
		d.failAt(d.placeOfToken(file.Docs[1].Start), "a second document starts here, and a mapping is one")
		return nil
	}
	return d.mapping(file.Docs[0].Body)
}

// plainer says what the YAML library says, for those who do not read it.
func plainer(message string) string {
	if key, where, ok := strings.Cut(message, " already defined at "); ok {
		key = strings.TrimPrefix(key, "mapping key ")
		return "the key " + key + " stands twice, here and at " + where
	}
	return "this is not YAML: " + message
}

// fail notes a fault of the value at path.
func (d *document) fail(path, format string, args ...any) {
	d.failAt(d.find(path), format, args...)
}

func (d *document) failAt(p place, format string, args ...any) {
	if d.err == nil {
		d.err = &ParseError{Line: p.line, Column: p.column, Excerpt: d.excerpt(p), Reason: fmt.Sprintf(format, args...)}
	}
}

// find is the place of path, or of the nearest thing around it that the file
// has: what is missing is shown where it would belong.
func (d *document) find(path string) place {
	for {
		if p, ok := d.at[path]; ok {
			return p
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			break
		}
		path = path[:i]
	}
	if p, ok := d.at[""]; ok {
		return p
	}
	return place{1, 1}
}

// excerpt is the line of p, with a mark under its column.
func (d *document) excerpt(p place) string {
	var line []byte
	rest := d.text
	for n := 0; n < p.line; n++ {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
	}
	const widest = 160
	shown := []rune(strings.ToValidUTF8(string(line), "\uFFFD"))
	if len(shown) > widest {
		shown = append(shown[:widest:widest], '…')
	}
	// Tabs stay tabs under tabs, or the mark would stand elsewhere.
	under := []rune{}
	for i := 0; i < p.column-1 && i < len(shown); i++ {
		if shown[i] == '\t' {
			under = append(under, '\t')
		} else {
			under = append(under, ' ')
		}
	}
	number := fmt.Sprintf("%5d", p.line)
	return number + " | " + string(shown) + "\n" + strings.Repeat(" ", len(number)) + " | " + string(under) + "^"
}

// placeOf is the line and column of a byte offset.
func (d *document) placeOf(offset int) place {
	head := d.text[:offset]
	line := bytes.Count(head, []byte("\n")) + 1
	return place{line, utf8.RuneCount(head[bytes.LastIndexByte(head, '\n')+1:]) + 1}
}

// validPrefix is how many bytes at the start of text are UTF-8.
func validPrefix(text []byte) int {
	n := 0
	for n < len(text) {
		r, size := utf8.DecodeRune(text[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}
