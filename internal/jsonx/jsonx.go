// Package jsonx is what several packages need to know about JSON text (RFC
// 8259): how a string is written and what a number looks like. Everything
// works on bytes and appends to what it is given; nothing allocates but the
// growth of the destination.
//
// It does not know objects, arrays or values: there is no document here.
package jsonx

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
	"unsafe"
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// AppendString appends text as a JSON string, quotes included, and returns
// the extended slice. Only `"`, `\` and the control characters below U+0020
// are escaped, which is the least that RFC 8259 section 7 asks for; each byte
// that is not part of valid UTF-8 becomes U+FFFD, so the result is always
// valid JSON. text and dst must not overlap.
func AppendString(dst, text []byte) []byte {
	i := plain(text, 0)
	if i == len(text) {
		dst = slices.Grow(dst, len(text)+2)
		n := len(dst)
		dst = dst[:n+len(text)+2]
		dst[n] = '"'
		copy(dst[n+1:], text)
		dst[len(dst)-1] = '"'
		return dst
	}
	dst = append(dst, '"')
	done := 0 // text[:done] has been written
	for ; i < len(text); i = plain(text, i) {
		if text[i] >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, text[done:i]...), "\uFFFD"...)
				done = i + 1
			}
			i += size
			continue
		}
		dst = appendEscape(append(dst, text[done:i]...), text[i])
		i++
		done = i
	}
	return append(append(dst, text[done:]...), '"')
}

// AppendStringS is AppendString for a Go string.
func AppendStringS(dst []byte, text string) []byte {
	return AppendString(dst, unsafe.Slice(unsafe.StringData(text), len(text)))
}

// plain returns the index of the first byte of text at or after i that is not
// plain ASCII: a quote, a backslash, a control character or part of a longer
// UTF-8 sequence. It returns len(text) when there is none.
func plain(text []byte, i int) int {
	start := i
	for ; len(text)-i >= 8; i += 8 {
		if hit := unplain(binary.LittleEndian.Uint64(text[i:])); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	if last := len(text) - 8; last >= start {
		// The bytes of this word that were looked at before are plain.
		if hit := unplain(binary.LittleEndian.Uint64(text[last:])); hit != 0 {
			return last + bits.TrailingZeros64(hit)/8
		}
		return len(text)
	}
	for i < len(text) && text[i] >= ' ' && text[i] < utf8.RuneSelf && text[i] != '"' && text[i] != '\\' {
		i++
	}
	return i
}

// unplain sets the high bit of the first byte of w that is not plain, and
// perhaps of later ones. Each subtraction sets the high bit of the bytes it
// looks for; what else it sets is either a byte past 0x7F, which is not plain
// either, or the borrow of a hit further down.
func unplain(w uint64) uint64 {
	return (w | (w - ' '*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones)) & highs
}

// appendEscape appends the shortest escape of b.
func appendEscape(dst []byte, b byte) []byte {
	const hex = "0123456789abcdef"
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
}

// ValidNumber reports whether text is one number by the grammar of RFC 8259
// section 6 and nothing else: no sign but a minus, no leading zeros, digits on
// both sides of a point, no NaN, infinity or hexadecimal.
func ValidNumber(text []byte) bool { return len(text) > 0 && Number(text) == len(text) }

// Number returns the length of the number at the start of text: the longest
// prefix that follows the grammar of RFC 8259 section 6. It returns 0 when
// there is none, also when a number begins but breaks off ("-", "1.", "1e+").
func Number(text []byte) int {
	i := 0
	if len(text) > 0 && text[0] == '-' {
		i = 1
	}
	first := i
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	switch {
	case i == first:
		return 0
	case text[first] == '0' && i > first+1:
		return first + 1 // a zero leads nothing
	case i == len(text) || text[i] != '.' && text[i]|0x20 != 'e':
		return i
	}
	if text[i] == '.' {
		if i = digits(text, i+1); i < 0 {
			return 0
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if i = digits(text, i); i < 0 {
			return 0
		}
	}
	return i
}

// digits returns the index after the digits of text that start at i, or -1
// when no digit stands there.
func digits(text []byte, i int) int {
	start := i
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}
