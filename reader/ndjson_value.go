package reader

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/m3import/m3import/internal/jsonx"
)

// The functions of this file work on a text and an index into it, and return
// the index after what they found, or a negative number for none. A line feed
// needs no care: it is a control character in a string and out of place
// everywhere else, so nothing ever reaches past the end of its line.

const (
	swarOnes  = 0x0101010101010101
	swarHighs = 0x8080808080808080
)

// scanString passes over the rest of a string whose opening quote stands
// before i: to after the closing quote, or to a negative number when the text
// up to there is not strictly a string. escaped says that the text differs
// from what it stands for.
func scanString(b []byte, i int) (next int, escaped bool) {
	start, wide := i, uint64(0)
	for {
		for len(b)-i >= 8 {
			// A quote is 0x22 and the control characters end at 0x1F: swapping
			// bit 1 makes them one range below 0x21. A borrow can only come out
			// of a byte that is a hit, and the lowest hit is the one that counts.
			w := binary.LittleEndian.Uint64(b[i:])
			hit := ((w ^ 0x02*swarOnes) - 0x21*swarOnes) | ((w ^ '\\'*swarOnes) - swarOnes)
			hit &= ^w & swarHighs
			if hit != 0 {
				wide |= w & swarHighs & (hit ^ (hit - 1))
				i += bits.TrailingZeros64(hit) / 8
				break
			}
			wide |= w & swarHighs
			i += 8
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			wide |= uint64(b[i] & utf8.RuneSelf)
			i++
		}
		switch {
		case i >= len(b):
			return -1, false
		case b[i] == '"':
			if wide != 0 && !utf8.Valid(b[start:i]) {
				return -1, false
			}
			return i + 1, escaped
		case b[i] == '\\':
			escaped = true
			if i = scanEscape(b, i); i < 0 {
				return -1, false
			}
		default:
			return -1, false
		}
	}
}

// scanEscape passes over the escape at i, both halves of a surrogate pair
// included; half a pair is refused, because no text is meant by it.
func scanEscape(b []byte, i int) int {
	if i+1 >= len(b) {
		return -1
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		switch r := hex4(b, i+2); {
		case r < 0 || r >= 0xDC00 && r < 0xE000:
			return -1
		case r >= 0xD800 && r < 0xDC00:
			if i+7 >= len(b) || b[i+6] != '\\' || b[i+7] != 'u' {
				return -1
			}
			if low := hex4(b, i+8); low < 0xDC00 || low >= 0xE000 {
				return -1
			}
			return i + 12
		}
		return i + 6
	}
	return -1
}

// hex4 is the value of the four hexadecimal digits at i, or negative.
func hex4(b []byte, i int) rune {
	if len(b)-i < 4 {
		return -1
	}
	r := rune(0)
	for _, c := range b[i : i+4] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}

// appendUnescaped appends what text stands for: the inside of a string that
// scanString took.
func appendUnescaped(dst, text []byte) []byte {
	for {
		n := 0
		for n < len(text) && text[n] != '\\' {
			n++
		}
		dst = append(dst, text[:n]...)
		if n == len(text) {
			return dst
		}
		c := text[n+1]
		text = text[n+2:]
		switch c {
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
			r := hex4(text, 0)
			text = text[4:]
			if r >= 0xD800 && r < 0xDC00 {
				r = (r-0xD800)<<10 + hex4(text, 2) - 0xDC00 + 0x10000
				text = text[6:]
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
}

// scanScalar passes over a value that is no object or array and says what it
// is. The text of a string is what stands between its quotes.
func scanScalar(b []byte, i int) (next int, kind Kind, escaped bool) {
	if i >= len(b) {
		return -1, Missing, false
	}
	switch c := b[i]; {
	case c == '"':
		next, escaped = scanString(b, i+1)
		return next, String, escaped
	case c-'0' <= 9 || c == '-':
		n := jsonx.Number(b[i:])
		if n == 0 {
			return -1, Missing, false
		}
		return i + n, Number, false
	case c == 't' && hasLiteral(b, i, "true"):
		return i + 4, Bool, false
	case c == 'f' && hasLiteral(b, i, "false"):
		return i + 5, Bool, false
	case c == 'n' && hasLiteral(b, i, "null"):
		return i + 4, Null, false
	}
	return -1, Missing, false
}

func hasLiteral(b []byte, i int, word string) bool {
	return len(b)-i >= len(word) && string(b[i:i+len(word)]) == word
}

// skipSpace passes over JSON white space within a line.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}
