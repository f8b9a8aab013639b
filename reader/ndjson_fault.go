package reader

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ndjsonFault is why a line is refused.
type ndjsonFault struct {
	at     int // where in the text of the chunk
	code   string
	column string
	value  []byte
	reason string
}

// rowError makes the RowError of the line that starts at index start of the
// chunk's text.
func (f *ndjsonFault) rowError(start int) *RowError {
	return &RowError{
		Code: f.code, Column: f.column, Value: shorten(f.value),
		Reason: fmt.Sprintf("%s (byte %d of the line)", f.reason, f.at-start+1),
	}
}

// fail notes a fault of the syntax at i and returns a negative index. Bytes
// that are not UTF-8 are never what was expected, and say more than the rule
// that they broke.
func (s *ndjsonScan) fail(i int, reason string) int {
	s.fault = ndjsonFault{at: i, code: CodeSyntax, value: excerpt(s.b, i), reason: reason}
	if r, size := utf8.DecodeRune(s.b[min(i, len(s.b)):]); r == utf8.RuneError && size == 1 {
		s.fault.code = CodeUTF8
		s.fault.reason = fmt.Sprintf("bytes that are not UTF-8, the first is 0x%02X; convert the file to UTF-8", s.b[i])
	}
	return -1
}

// failExpected is fail for what should have stood at i.
func (s *ndjsonScan) failExpected(i int, expected string) int {
	return s.fail(i, "expected "+expected+", found "+describe(s.b, i))
}

// failIn names the innermost column, or way to one, in which the fault is.
func (s *ndjsonScan) failIn(edge *pathEdge) int {
	if s.fault.column == "" {
		s.fault.column = edge.name
	}
	return -1
}

// failLine: no object starts at i.
func (s *ndjsonScan) failLine(i int) int {
	found := describe(s.b, i)
	if _, kind, _ := scanScalar(s.b, i); s.b[i] == '[' {
		found = "an array"
	} else if kind != Missing && kind != Null && kind != Bool {
		found = map[Kind]string{String: "a string", Number: "a number"}[kind]
	}
	return s.fail(i, "expected an object, found "+found)
}

// failAfter: something stands behind the object of the line.
func (s *ndjsonScan) failAfter(i int) int {
	return s.failExpected(i, "the end of the line after the object")
}

// failNext: after a value, neither a comma nor the end of what it stands in.
func (s *ndjsonScan) failNext(i int, end byte) int {
	if start := numberBefore(s.b, i); start < i {
		s.failNumber(start)
		s.fault.column = s.columnFrom(start)
		return -1
	}
	return s.failExpected(i, fmt.Sprintf(`a comma or "%c"`, end))
}

// failKey: no key at i.
func (s *ndjsonScan) failKey(i int) int {
	return s.failExpected(i, "a key in double quotes")
}

// failColon: no colon behind a key.
func (s *ndjsonScan) failColon(i int) int {
	return s.failExpected(i, `":" after the key`)
}

// failValue: no value at i.
func (s *ndjsonScan) failValue(i int) int {
	if i < len(s.b) {
		switch c := s.b[i]; {
		case c == '"':
			return s.failString(i)
		case isNumeric(c) && c|0x20 != 'e':
			return s.failNumber(i)
		}
	}
	return s.failExpected(i, "a value")
}

// failNumber: what starts like a number at i is none.
func (s *ndjsonScan) failNumber(i int) int {
	return s.fail(i, fmt.Sprintf("%q is not a number by the rules of JSON", shortenTo(maxFound, wordAt(s.b, i))))
}

// failDepth: one level too many is opened at i.
func (s *ndjsonScan) failDepth(i int) int {
	return s.fail(i, fmt.Sprintf("objects and arrays are nested deeper than %d levels", ndjsonMaxDepth))
}

// failString finds what is wrong with the string whose opening quote stands at
// i: the first fault, byte by byte.
func (s *ndjsonScan) failString(i int) int {
	b := s.b
	for at := i + 1; at < len(b) && b[at] != '\n'; {
		switch c := b[at]; {
		case c == '"':
			panic("reader: internal error: a string was refused without a fault")
		case c < ' ':
			return s.fail(at, fmt.Sprintf("control character U+%04X in a string; it must be escaped", c))
		case c == '\\':
			next := scanEscape(b, at)
			if next < 0 {
				return s.failEscape(at)
			}
			at = next
		default:
			r, size := utf8.DecodeRune(b[at:])
			if r == utf8.RuneError && size == 1 {
				return s.fail(at, "")
			}
			at += size
		}
	}
	return s.fail(i, "a string is not closed before the end of the line")
}

// failEscape: the backslash at i does not start an escape.
func (s *ndjsonScan) failEscape(i int) int {
	end := i + 1
	for end < len(s.b) && end < i+6 && s.b[end] > ' ' && s.b[end] < utf8.RuneSelf && s.b[end] != '"' {
		end++
	}
	escape := s.b[i:end]
	if r := hex4(s.b, i+2); len(escape) == 6 && escape[1] == 'u' && r >= 0 {
		return s.fail(i, fmt.Sprintf("escape %s is one half of a surrogate pair and stands for no character", escape))
	}
	if len(escape) > 2 && escape[1] != 'u' {
		escape = escape[:2]
	}
	return s.fail(i, fmt.Sprintf("escape %s is not one of JSON's", escape))
}

// failRepeated: the member that edge stands for is there a second time, with
// its value at i.
func (s *ndjsonScan) failRepeated(edge *pathEdge, i int) int {
	return s.failDuplicate(edge, i, fmt.Sprintf("the key %q stands twice in its object", edge.key))
}

// failTwoWays: a key that is the whole name of a column and a path of that
// name are both there.
func (s *ndjsonScan) failTwoWays(edge *pathEdge, i int) int {
	return s.failDuplicate(edge, i, "the column is there twice: as a key of this name and as a path of this name")
}

// failInside: the object that edge stands for has a key twice.
func (s *ndjsonScan) failInside(edge *pathEdge, key []byte, i int) int {
	return s.failDuplicate(edge, i, fmt.Sprintf("the key %q stands twice in this object", shorten(key)))
}

func (s *ndjsonScan) failDuplicate(edge *pathEdge, i int, reason string) int {
	s.fault = ndjsonFault{at: i, code: CodeDuplicate, column: edge.name, value: excerpt(s.b, i), reason: reason}
	return -1
}

// columnFrom returns the name of the column whose value in the line at hand was
// taken from s.b[i:], or "".
func (s *ndjsonScan) columnFrom(i int) string {
	for slot, v := range s.values {
		if v.Kind == Number && &v.Text[0] == &s.b[i] {
			return s.paths.root.nameOf(slot)
		}
	}
	return ""
}

// nameOf returns the name of the column of a slot, or "" when no edge of t and
// below leads there.
func (t *pathTree) nameOf(slot int) string {
	for _, edges := range append(t.members[:len(t.members):len(t.members)], t.elements) {
		for _, e := range edges {
			if e.slot == slot {
				return e.name
			}
			if e.inner != nil {
				if name := e.inner.nameOf(slot); name != "" {
					return name
				}
			}
		}
	}
	return ""
}

// numberBefore returns where the number starts that the bytes before and at i
// look like a part of; i when they do not.
func numberBefore(b []byte, i int) int {
	if i >= len(b) || !isNumeric(b[i]) || b[i-1]-'0' > 9 {
		return i
	}
	for i > 0 && isNumeric(b[i-1]) {
		i--
	}
	return i
}

// isNumeric reports whether c could stand in something meant as a number.
func isNumeric(c byte) bool { return c-'0' <= 9 || strings.IndexByte("+-.eExX_", c) >= 0 }

// describe says what stands at b[i:], for a message.
func describe(b []byte, i int) string {
	if i >= len(b) || b[i] == '\n' {
		return "the end of the line"
	}
	if strings.HasPrefix(string(b[i:min(len(b), i+3)]), "\uFEFF") {
		return "a byte order mark"
	}
	return fmt.Sprintf("%q", shortenTo(maxFound, wordAt(b, i))) // which makes up to four of a byte
}

// excerpt is what stands at b[i:], for a message: a value from its bracket or
// quote on to its end, as far as the line goes, and else a word.
func excerpt(b []byte, i int) []byte {
	if i >= len(b) || strings.IndexByte(`{["`, b[i]) < 0 {
		return wordAt(b, i)
	}
	line, _, _ := bytes.Cut(b[i:], []byte("\n"))
	end, _, _ := scanScalar(line, 0)
	if end < 0 {
		end, _ = skipNested(line, 0)
	}
	if end < 0 {
		end = len(line)
	}
	return line[:min(end, maxValue+1)]
}

// wordAt returns the token, or what looks like one, at b[i:]: at least one
// byte of it unless the line ends there.
func wordAt(b []byte, i int) []byte {
	end := i
	for end < len(b) && end < i+maxValue+1 && strings.IndexByte(" \t\r\n,:[]{}\"", b[end]) < 0 {
		end++
	}
	if end == i && i < len(b) && b[i] != '\n' {
		end++
	}
	return b[min(i, len(b)):end]
}
