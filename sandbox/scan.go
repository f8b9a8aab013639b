package sandbox

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m3import/m3import/internal/jsonx"
)

// scanner reads JSON text (RFC 8259) front to back, each byte once. It is as
// strict as jsontext: no comments, no trailing commas, no member name twice in
// an object, no lone surrogates. That the text is UTF-8 is checked before, for
// all of it.
type scanner struct {
	text []byte
	pos  int
	// unescaped holds the strings that had escapes. Slices of it stay good
	// when it grows, because growing leaves the old memory to them.
	unescaped []byte
	where     place // for messages
}

// place is where in a request the scanner is.
type place struct {
	item   int    // of measurements; -1 outside
	member string // of the measurement
	code   []byte // of the member, when that is a map
}

func (p place) String() string {
	switch {
	case p.item < 0:
		return p.member
	case p.member == "":
		return "measurements[" + strconv.Itoa(p.item) + "]"
	case p.code == nil:
		return "measurements[" + strconv.Itoa(p.item) + "]." + p.member
	}
	return "measurements[" + strconv.Itoa(p.item) + "]." + p.member + "." + shorten(p.code)
}

// shorten keeps a message readable whatever is quoted in it.
func shorten(text []byte) string {
	const most = 80
	if utf8.RuneCount(text) <= most {
		return string(text)
	}
	return string([]rune(string(text[:most*utf8.UTFMax]))[:most]) + "…"
}

// invalid is why a request is refused: the place and the rule.
type invalid struct{ message string }

func (e *invalid) Error() string { return e.message }

func (s *scanner) fail(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	if at := s.where.String(); at != "" {
		message = at + ": " + message
	}
	return &invalid{message}
}

// syntax is a fault of the JSON itself.
func (s *scanner) syntax(expected string) error {
	if s.pos >= len(s.text) {
		return s.fail("invalid JSON at byte %d: expected %s, the body ends", s.pos, expected)
	}
	return s.fail("invalid JSON at byte %d: expected %s, found %q", s.pos, expected, s.text[s.pos])
}

// peek returns the next byte that is not white space, without passing it; 0
// at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// take passes c and the white space before it, or reports false.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.pos == len(s.text) {
		return false
	}
	s.pos++
	return true
}

// object calls member with each name of the object that comes next; member
// reads the value. name is good until the batch is. That names differ is for
// member to see to.
func (s *scanner) object(member func(name []byte) error) error {
	if !s.take('{') {
		return s.fail("must be an object, not %s", s.kind())
	}
	if s.take('}') {
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.syntax("a member name")
		}
		name, err := s.string()
		if err != nil {
			return err
		}
		if !s.take(':') {
			return s.syntax("a colon")
		}
		if err := member(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.syntax("a comma or the end of the object")
		}
	}
}

// kind names what comes next, for messages.
func (s *scanner) kind() string {
	switch c := s.peek(); {
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '"':
		return "a string"
	case c == 't' || c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	case c == '-' || c-'0' <= 9:
		return "a number"
	}
	return "invalid JSON"
}

// plain are the bytes that stand for themselves in a string.
var plain = func() (table [256]bool) {
	for c := range table {
		table[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return table
}()

// string reads a string and returns its text.
func (s *scanner) string() ([]byte, error) {
	if !s.take('"') {
		return nil, s.fail("must be a string, not %s", s.kind())
	}
	start := s.pos
	s.skipPlain()
	if s.pos < len(s.text) && s.text[s.pos] == '"' {
		s.pos++
		return s.text[start : s.pos-1 : s.pos-1], nil
	}
	from := len(s.unescaped)
	for {
		s.unescaped = append(s.unescaped, s.text[start:s.pos]...)
		if s.pos == len(s.text) || s.text[s.pos] < ' ' {
			return nil, s.syntax("the rest of a string")
		}
		s.pos++
		if s.text[s.pos-1] == '"' {
			return s.unescaped[from:len(s.unescaped):len(s.unescaped)], nil
		}
		if err := s.escape(); err != nil {
			return nil, err
		}
		start = s.pos
		s.skipPlain()
	}
}

func (s *scanner) skipPlain() {
	for s.pos < len(s.text) && plain[s.text[s.pos]] {
		s.pos++
	}
}

// escape reads what stands after a backslash.
func (s *scanner) escape() error {
	if s.pos == len(s.text) {
		return s.syntax("an escape")
	}
	c := s.text[s.pos]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return s.unicodeEscape()
	default:
		return s.syntax("an escape")
	}
	s.pos++
	s.unescaped = append(s.unescaped, c)
	return nil
}

// unicodeEscape reads uXXXX, or the two of a surrogate pair.
func (s *scanner) unicodeEscape() error {
	r, ok := s.hex()
	if !ok {
		return s.syntax("four hexadecimal digits")
	}
	if utf16.IsSurrogate(r) {
		low := rune(-1)
		if s.pos+1 < len(s.text) && s.text[s.pos] == '\\' && s.text[s.pos+1] == 'u' {
			s.pos++
			if low, ok = s.hex(); !ok {
				return s.syntax("four hexadecimal digits")
			}
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return s.syntax("the other half of a surrogate pair")
		}
	}
	s.unescaped = utf8.AppendRune(s.unescaped, r)
	return nil
}

// hex passes a "u" and four hexadecimal digits.
func (s *scanner) hex() (rune, bool) {
	if len(s.text)-s.pos < 5 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.text[s.pos+1:s.pos+5]), 16, 16)
	if err != nil {
		return 0, false
	}
	s.pos += 5
	return rune(n), true
}

// number reads a number and returns its text.
func (s *scanner) number() ([]byte, error) {
	if c := s.peek(); c != '-' && c-'0' > 9 {
		return nil, s.fail("must be a number, not %s", s.kind())
	}
	n := jsonx.Number(s.text[s.pos:])
	if n == 0 {
		return nil, s.syntax("a number")
	}
	s.pos += n
	return s.text[s.pos-n : s.pos], nil
}

// skip passes a value that the schema does not know and returns its text. It
// finds the end by brackets and strings and leaves the judgement to jsontext,
// for such values are rare.
func (s *scanner) skip() ([]byte, error) {
	s.peek()
	start, depth := s.pos, 0
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case '"':
			if _, err := s.string(); err != nil {
				return nil, err
			}
			continue
		case '{', '[':
			depth++
		case '}', ']', ',':
			if depth == 0 {
				return s.judged(start)
			}
			if c != ',' {
				depth--
			}
		}
		s.pos++
	}
	return s.judged(start)
}

func (s *scanner) judged(start int) ([]byte, error) {
	value := jsontext.Value(s.text[start:s.pos])
	if !value.IsValid() {
		s.pos = start
		return nil, s.syntax("a value")
	}
	return value, nil
}
