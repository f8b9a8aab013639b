package mapper

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

// What m3ter's schema for a measurement allows (OpenAPI, MeasurementRequest,
// DataField and MeterRequest). A length is counted in UTF-16 code units, as
// Java's String.length does: that is never less than the count of code points
// that JSON Schema means by maxLength, so what passes here passes under either
// reading, and the two differ only for characters past U+FFFF.
const (
	maxUID       = 50
	maxCode      = 80  // meter and account codes, codes of data fields
	maxMetadata  = 256 // one value of metadata
	maxFields    = 15  // data fields of a meter, so values of a measurement
	maxShownText = 120 // bytes of FieldError.Value
)

// longer reports whether text has more than limit UTF-16 code units.
func longer(text []byte, limit int) bool {
	if len(text) <= limit { // no code unit takes less than a byte
		return false
	}
	return units(text) > limit
}

// units counts the UTF-16 code units of text.
func units(text []byte) int {
	n := 0
	for _, b := range text {
		switch {
		case b&0xC0 == 0x80: // a continuation byte belongs to the one before
		case b >= 0xF0: // past U+FFFF: a surrogate pair
			n += 2
		default:
			n++
		}
	}
	return n
}

// limits says what a text of a measurement must be.
type limits uint8

const (
	anyText      limits = iota // who, what, where, other: m3ter states no limit
	codeText                   // meter and account
	metadataText               // metadata
)

// check returns "", or the code and the reason of what is wrong with text.
func (l limits) check(text []byte) (code, reason string) {
	switch l {
	case codeText:
		if longer(text, maxCode) {
			return CodeLength, "a code has at most 80 characters"
		}
		if !validCode(text) {
			return CodeCode, codeReason(text)
		}
	case metadataText:
		if longer(text, maxMetadata) {
			return CodeLength, "a value of metadata has at most 256 characters"
		}
	}
	return "", ""
}

// validCode reports whether text is a code of a meter or an account, its
// length apart. m3ter publishes a Java pattern with nested classes; this is
// what Java makes of it,
//
//	^[^\x00-\x20\x7F](?:[^\x00-\x1F\x7F]*[^\x00-\x20\x7F])?$
//
// so no control characters of ASCII anywhere and no space at either end, while
// everything past ASCII passes, a no-break space too.
func validCode(text []byte) bool {
	if len(text) == 0 || text[0] == ' ' || text[len(text)-1] == ' ' {
		return false
	}
	for ; len(text) >= 8; text = text[8:] {
		if hasControl(binary.LittleEndian.Uint64(text)) {
			return false
		}
	}
	for _, b := range text {
		if b < 0x20 || b == 0x7F {
			return false
		}
	}
	return true
}

// hasControl reports whether a byte of w is a control character of ASCII. Each
// byte is taken without its high bit, so that none carries into the next: with
// 0x60 added to those below 0x20, and 1 to 0x7F, the high bit tells.
func hasControl(w uint64) bool {
	const (
		ones = 0x0101010101010101
		low  = 0x7F * ones
		high = 0x80 * ones
	)
	ascii := w & low
	printable := ascii + 0x60*ones // high bit: not below 0x20
	del := ascii + ones            // high bit: 0x7F
	return (^printable|del)&^w&high != 0
}

func codeReason(text []byte) string {
	switch {
	case len(text) == 0:
		return "a code has at least 1 character"
	case bytes.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7F }):
		return "a code has no tabs, line breaks or other control characters"
	default:
		return "a code does not start or end with a space; `trim: true` under `input:` removes them"
	}
}

// validFieldCode reports whether code can be the code of a data field:
// ^[\p{L}_$][\p{L}_$0-9]*$, 1 to 80 characters.
func validFieldCode(code []byte) bool {
	if len(code) == 0 || longer(code, maxCode) {
		return false
	}
	for i := 0; i < len(code); {
		b := code[i]
		switch {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', b == '_', b == '$', '0' <= b && b <= '9' && i > 0:
			i++
		case b >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(code[i:])
			if !unicode.IsLetter(r) {
				return false
			}
			i += size
		default:
			return false
		}
	}
	return true
}

// after reports whether the time a is later than b, as before does: by their
// months, then by what follows up to the minute, which nearly always decides.
func after(a, b []byte) bool {
	if x, y := binary.BigEndian.Uint64(a), binary.BigEndian.Uint64(b); x != y {
		return x > y
	}
	if x, y := binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(b[8:]); x != y {
		return x > y
	}
	return before(b, a)
}

// before reports whether the time a is earlier than b. Both are RFC 3339 text
// in UTC with four digits of year, so that all but the fraction compares as
// text, and fractions do when the missing digits are taken for zeros.
func before(a, b []byte) bool {
	a, b = bytes.TrimSuffix(a, []byte("Z")), bytes.TrimSuffix(b, []byte("Z"))
	n := min(len(a), len(b))
	if c := bytes.Compare(a[:n], b[:n]); c != 0 {
		return c < 0
	}
	return len(bytes.Trim(b[n:], ".0")) > 0
}
