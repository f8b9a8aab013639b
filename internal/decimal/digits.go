package decimal

import (
	"encoding/binary"
	"math/bits"
)

// Amounts differ in length from row to row, and so does the place of the point:
// a loop over their characters guesses both wrong. So up to 16 characters are
// read eight at a time, as words with the first character in the lowest byte,
// and no branch depends on anything but whether there is a point, and a second
// word.

const (
	eachByte = 0x0101010101010101
	eachHigh = 0x80 * eachByte
	zeros    = '0' * eachByte
)

// parseWord is Parse for texts of 2 to 8 characters, under the terms of parseShort.
func parseWord(text []byte) (Decimal, bool) {
	w, n := word(text), len(text)
	exp := 0
	if p := pointIn(w); p < n {
		if p == 0 || p == n-1 {
			return Decimal{}, false
		}
		w = without(w, p)
		n--
		exp = p - n
	}
	if byte(w) == '0' && n+exp > 1 {
		return Decimal{}, false // a zero leads nothing
	}
	coef, ok := eightDigits(toEnd(w, n))
	if !ok {
		return Decimal{}, false
	}
	return ofDigits(coef, exp), true
}

// parseTwoWords is parseWord for texts of 9 to 16 characters.
func parseTwoWords(text []byte) (Decimal, bool) {
	n := len(text)
	w, tail := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])>>(8*(16-n))
	exp := 0
	p := pointIn(w)
	if p < 8 {
		w = without(w, p) | tail<<56
		tail >>= 8
	} else if p += pointIn(tail); p < n {
		tail = without(tail, p-8)
	}
	if p < n {
		if p == 0 || p == n-1 {
			return Decimal{}, false
		}
		n--
		exp = p - n
	}
	if byte(w) == '0' && n+exp > 1 {
		return Decimal{}, false
	}
	coef, ok := eightDigits(w)
	low, lowOK := eightDigits(toEnd(tail, n-8))
	if !ok || !lowOK {
		return Decimal{}, false
	}
	return ofDigits(coef*pow10[n-8]+low, exp), true
}

// ofDigits is coef·10^exp.
func ofDigits(coef uint64, exp int) Decimal {
	if coef == 0 {
		return Decimal{}
	}
	for coef%10 == 0 {
		coef /= 10
		exp++
	}
	return Decimal{coef: coef, exp: int32(exp)}
}

// word is a text of 2 to 8 characters. What is read twice stands in one place.
func word(text []byte) uint64 {
	n := len(text)
	switch {
	case n == 8:
		return binary.LittleEndian.Uint64(text)
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(text)) | uint64(binary.LittleEndian.Uint32(text[n-4:]))<<(8*(n-4))
	}
	return uint64(binary.LittleEndian.Uint16(text)) | uint64(binary.LittleEndian.Uint16(text[n-2:]))<<(8*(n-2))
}

// pointIn is the index of the first point in w, 8 when there is none.
func pointIn(w uint64) int {
	x := w ^ '.'*eachByte // a byte is zero where a point stands
	// What the subtraction borrows only makes hits behind the first.
	return bits.TrailingZeros64((x-eachByte)&^x&eachHigh) / 8
}

// without takes the p-th character out of w.
func without(w uint64, p int) uint64 {
	before := uint64(1)<<(8*p) - 1
	return w&before | w>>8&^before
}

// toEnd puts the n characters of w behind zeros.
func toEnd(w uint64, n int) uint64 {
	return w<<(64-8*n) | zeros>>(8*n)
}

// eightDigits is the number that eight characters are; false when one of them is
// no digit.
func eightDigits(w uint64) (uint64, bool) {
	// Digits are 0x30 to 0x39, and six more is still below 0x40.
	const high = 0xF0 * eachByte
	if (w|(w+6*eachByte))&high != zeros || w&high != zeros {
		return 0, false
	}
	w -= zeros
	w = w*10 + w>>8 // pairs, in every other byte
	const pair = 0xFF<<32 | 0xFF
	return (w&pair*(100+1_000_000<<32) + w>>16&pair*(1+10_000<<32)) >> 32, true
}
