// Package decimal holds exact decimal numbers: the amounts of a usage file,
// summed without ever becoming a binary floating-point number.
//
// It does not know what is counted, nor where a number was written, and it
// does no arithmetic but addition: nothing here ever rounds.
package decimal

import (
	"math/big"
	"strconv"
)

// MaxDigits is the most significant digits that [Parse] takes. The longest
// exact expansion of a double has 767, so nothing that a program ever computed
// is refused; a megabyte of digits, which would cost a second of arithmetic
// for each row, is.
const MaxDigits = 1000

// Decimal is a number with all its digits. The zero value is 0. It is
// immutable and safe for concurrent use; compare the text, not the struct.
type Decimal struct {
	// The value is ±coef·10^exp, or ±*big·10^exp when 19 digits do not hold
	// it. A coefficient never ends in a zero digit, and 0 is the zero Decimal:
	// a number has one representation however it was written.
	coef uint64
	big  *big.Int
	exp  int32
	neg  bool
}

// The decimal exponents of the first digit of the smallest and the largest
// double.
const (
	minLeading = -324
	maxLeading = 308
)

// maxExponent saturates the exponent of hostile text. It is so large that no
// mantissa which fits in memory brings the number back into range.
const maxExponent = 1 << 50

var pow10 = [...]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// floatPow10 are the powers of ten that a double holds exactly.
var floatPow10 = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// maxCoefDigits are the digits that always fit in a uint64.
const maxCoefDigits = 19

// Parse reads a number in the grammar of RFC 8259 §6, which is all of text or
// nothing. It reports false for any other text, for a number whose nearest
// double is infinite or, without being zero, is 0, and for one of more than
// [MaxDigits] significant digits. The cost is linear in the length of the text
// whatever the exponent says, and up to 19 significant digits allocate nothing.
// -0 is 0.
func Parse(text []byte) (d Decimal, ok bool) {
	switch n := len(text); {
	case n >= 2 && n <= 8:
		d, ok = parseWord(text)
	case n > 8 && n <= 16:
		d, ok = parseTwoWords(text)
	case n > 0 && n <= maxCoefDigits:
		d, ok = parseShort(text)
	}
	if ok {
		return d, true
	}
	return parse(text)
}

// parseShort is Parse for what nearly all amounts are: no sign, no exponent,
// so few digits that they fit whatever they are. text has 1 to maxCoefDigits
// characters. What it refuses is not thereby wrong.
func parseShort(text []byte) (Decimal, bool) {
	coef, point := uint64(0), len(text)
	for i, c := range text {
		switch digit := c - '0'; {
		case digit <= 9:
			coef = coef*10 + uint64(digit)
		case c == '.' && point == len(text):
			point = i
		default:
			return Decimal{}, false
		}
	}
	if point == 0 || point == len(text)-1 || text[0] == '0' && point > 1 {
		return Decimal{}, false
	}
	return ofDigits(coef, min(point+1-len(text), 0)), true
}

// parse is Parse for every number.
func parse(text []byte) (Decimal, bool) {
	var m mantissa
	i := 0
	neg := len(text) > 0 && text[0] == '-'
	if neg {
		i++
	}
	n := m.scan(text[i:])
	if n == 0 || n > 1 && text[i] == '0' {
		return Decimal{}, false
	}
	i += n
	scale := 0
	if i < len(text) && text[i] == '.' {
		i++
		if scale = m.scan(text[i:]); scale == 0 {
			return Decimal{}, false
		}
		i += scale
	}
	digits := text[:i]
	exp, ok := parseExponent(text[i:])
	if !ok {
		return Decimal{}, false
	}
	if m.digits == 0 {
		return Decimal{}, true
	}
	exp += int64(m.zeros) - int64(scale)
	leading := exp + int64(m.digits) - 1
	// At the exponents of the outermost doubles the digits decide; beyond them
	// nothing does. The check also bounds exp to ±(MaxDigits+324).
	if m.digits > MaxDigits || leading < minLeading || leading > maxLeading {
		return Decimal{}, false
	}
	d := Decimal{coef: m.coef, exp: int32(exp), neg: neg}
	if m.digits > maxCoefDigits {
		d.coef, d.big = 0, bigCoef(digits, m.digits)
	}
	if leading == minLeading || leading == maxLeading {
		if f, err := d.double(); err != nil || f == 0 {
			return Decimal{}, false
		}
	}
	return d, true
}

// mantissa collects digits. Zeros wait until another digit follows them, so
// that the coefficient comes out without trailing zeros and "36.000000", the
// usual look of an amount, costs two multiplications.
type mantissa struct {
	coef   uint64
	digits int // from the first to the last one that is not 0
	zeros  int // after the last one that is not 0; leading zeros are dropped
}

// scan takes the digits at the start of text and returns how many they are.
func (m *mantissa) scan(text []byte) int {
	for i, c := range text {
		c -= '0'
		switch {
		case c > 9:
			return i
		case c != 0:
			m.digits += m.zeros + 1
			if m.digits <= maxCoefDigits {
				m.coef = m.coef*pow10[m.zeros+1] + uint64(c)
			}
			m.zeros = 0
		case m.digits > 0:
			m.zeros++
		}
	}
	return len(text)
}

// parseExponent reads the "e+17" of a number, which may be missing.
func parseExponent(text []byte) (exp int64, ok bool) {
	if len(text) == 0 {
		return 0, true
	}
	if text[0]|0x20 != 'e' {
		return 0, false
	}
	text = text[1:]
	neg := len(text) > 0 && text[0] == '-'
	if neg || len(text) > 0 && text[0] == '+' {
		text = text[1:]
	}
	if len(text) == 0 {
		return 0, false
	}
	for _, c := range text {
		c -= '0'
		if c > 9 {
			return 0, false
		}
		exp = min(exp*10+int64(c), maxExponent)
	}
	if neg {
		exp = -exp
	}
	return exp, true
}

// bigCoef reads the n digits of text from its first digit that is not 0,
// passing over the sign and the point.
func bigCoef(text []byte, n int) *big.Int {
	buf := make([]byte, 0, MaxDigits)
	for _, c := range text {
		if c < '0' || c == '0' && len(buf) == 0 {
			continue
		}
		if buf = append(buf, c); len(buf) == n {
			break
		}
	}
	coef, ok := new(big.Int).SetString(string(buf), 10)
	if !ok {
		panic("decimal: digits that are no number")
	}
	return coef
}

// IsZero reports whether d is 0.
func (d Decimal) IsZero() bool { return d.coef == 0 && d.big == nil }

// AppendText appends d as a plain decimal: no exponent, no trailing zeros in
// the fraction, "0" for zero. The text of 1e308 has 309 characters.
func (d Decimal) AppendText(dst []byte) []byte {
	var buf [maxCoefDigits + 2]byte
	digits := d.appendCoef(buf[:0])
	if d.neg {
		dst, digits = append(dst, '-'), digits[1:]
	}
	return appendScaled(dst, digits, int(d.exp))
}

// String returns the text of AppendText.
func (d Decimal) String() string { return string(d.AppendText(nil)) }

// appendScaled appends digits·10^exp, where digits do not end in 0 unless
// they are "0".
func appendScaled(dst, digits []byte, exp int) []byte {
	if exp >= 0 {
		dst = append(dst, digits...)
		return appendZeros(dst, exp)
	}
	point := len(digits) + exp
	if point <= 0 {
		dst = append(dst, '0', '.')
		dst = appendZeros(dst, -point)
		return append(dst, digits...)
	}
	dst = append(dst, digits[:point]...)
	dst = append(dst, '.')
	return append(dst, digits[point:]...)
}

func appendZeros(dst []byte, n int) []byte {
	for ; n > 0; n-- {
		dst = append(dst, '0')
	}
	return dst
}

// SurvivesDouble reports whether a reader that keeps numbers as doubles, as
// m3ter does, still has d: the shortest text that identifies the double
// nearest to d is d again. 0.1 survives; 9007199254740993, 2^53+1, does not.
func (d Decimal) SurvivesDouble() bool {
	// C's DBL_DIG: 15 digits survive in the normal range.
	return d.coef < 1e15 && d.big == nil && d.exp > -300 && d.exp <= maxLeading-15 || d.survives()
}

// survives is SurvivesDouble for every number.
func (d Decimal) survives() bool {
	const (
		exact = 1 << 53 // integers below it are doubles
		never = 1e17    // no double needs more than 17 digits
	)
	switch {
	case d.big != nil || d.coef >= never:
		return false
	case d.coef < exact && d.exp == 0:
		return true
	}
	d.neg = false // doubles are symmetric
	f, err := d.double()
	if err != nil {
		return false
	}
	var buf [32]byte
	back, ok := Parse(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
	return ok && back == d
}

// double returns the double nearest to d, and an error when it is infinite.
func (d Decimal) double() (float64, error) {
	if d.big == nil && d.coef <= 1<<53 && -22 <= d.exp && d.exp <= 22 && !d.neg {
		// Both sides are doubles, so that the one rounding of IEEE 754 is the
		// nearest double of the exact result.
		if d.exp < 0 {
			return float64(d.coef) / floatPow10[-d.exp], nil
		}
		return float64(d.coef) * floatPow10[d.exp], nil
	}
	var buf [32]byte
	text := d.appendCoef(buf[:0])
	text = append(text, 'e')
	text = strconv.AppendInt(text, int64(d.exp), 10)
	// A text of our own making, not the source's: strconv stops counting at
	// an exponent of 10,000, whatever the mantissa.
	return strconv.ParseFloat(string(text), 64)
}

// appendCoef appends the coefficient, with its sign.
func (d Decimal) appendCoef(dst []byte) []byte {
	if d.neg {
		dst = append(dst, '-')
	}
	if d.big != nil {
		return d.big.Append(dst, 10)
	}
	return strconv.AppendUint(dst, d.coef, 10)
}
