package reader

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// formKind is a way to write a value as text.
type formKind uint8

const (
	formString formKind = iota
	formBool
	formInt
	formUint32
	formUint64
	formFloat16
	formFloat32
	formFloat64
	formDecimal      // of an integer
	formDecimalBytes // of a big-endian two's complement
	formDate
	formTime
	formTimestamp
	formInt96
	formUUID
)

// maxDecimalDigits bounds the precision, and with it the work that one value
// can make. Writers stop at 38 or 76.
const maxDecimalDigits = 1000

// textForm is how the values of a column become text.
type textForm struct {
	kind   formKind
	scale  int  // decimals
	digits int  // times: 3, 6 or 9 digits of fraction in the unit
	utc    bool // times: UTC-adjusted
}

// value is the Kind of the texts of f.
func (f textForm) value() Kind {
	switch f.kind {
	case formString, formUUID:
		return String
	case formBool:
		return Bool
	case formDate, formTime, formTimestamp, formInt96:
		return Time
	}
	return Number
}

// appendInt appends the text of a value that is held as an integer. An error
// is the fault of the value.
func (f textForm) appendInt(dst []byte, v int64) ([]byte, string) {
	switch f.kind {
	case formBool:
		return strconv.AppendBool(dst, v != 0), ""
	case formUint32:
		return strconv.AppendUint(dst, uint64(uint32(v)), 10), ""
	case formUint64:
		return strconv.AppendUint(dst, uint64(v), 10), ""
	case formDecimal:
		if v < 0 {
			return appendDecimal128(dst, true, 0, -uint64(v), f.scale), ""
		}
		return appendDecimal128(dst, false, 0, uint64(v), f.scale), ""
	case formDate:
		return appendDate(dst, v), ""
	case formTime:
		perDay := int64(86400) * pow10[f.digits]
		if v < 0 || v >= perDay {
			return dst, "a time of day outside of the day"
		}
		return f.appendZone(appendClock(dst, v/pow10[f.digits], v%pow10[f.digits], f.digits)), ""
	case formTimestamp:
		sec, frac := floorDiv(v, pow10[f.digits])
		return f.appendTimestamp(dst, sec, frac, f.digits), ""
	}
	return strconv.AppendInt(dst, v, 10), ""
}

func (f textForm) appendTimestamp(dst []byte, sec, frac int64, digits int) []byte {
	day, second := floorDiv(sec, 86400)
	dst = append(appendDate(dst, day), 'T')
	return f.appendZone(appendClock(dst, second, frac, digits))
}

func (f textForm) appendZone(dst []byte) []byte {
	if f.utc {
		return append(dst, 'Z')
	}
	return dst
}

// appendBytes appends the text of a value that is held as bytes and is no
// string.
func (f textForm) appendBytes(dst, v []byte) ([]byte, string) {
	switch f.kind {
	case formUUID: // RFC 9562, section 4
		for i, part := range [...][]byte{v[:4], v[4:6], v[6:8], v[8:10], v[10:16]} {
			if i > 0 {
				dst = append(dst, '-')
			}
			dst = hex.AppendEncode(dst, part)
		}
		return dst, ""
	case formFloat16:
		return appendFloat16(dst, binary.LittleEndian.Uint16(v)), ""
	case formInt96:
		// Nanoseconds of the day, then the Julian day. Nothing in the file says
		// which zone they are in: Impala and Spark mean UTC, Hive meant the local
		// time of the writer. So there is no Z, and the mapping has to name one.
		sec, nanos := floorDiv(int64(binary.LittleEndian.Uint64(v)), 1e9)
		const unixEpoch = 2440588 // its Julian day
		day := int64(binary.LittleEndian.Uint32(v[8:])) - unixEpoch
		return textForm{}.appendTimestamp(dst, day*86400+sec, nanos, 9), ""
	}
	switch {
	case len(v) == 0:
		return dst, "a DECIMAL of no bytes"
	case len(v) > maxDecimalDigits:
		return dst, "a DECIMAL of " + strconv.Itoa(len(v)) + " bytes"
	case len(v) <= 16:
		var hi, lo uint64
		if v[0] >= 0x80 {
			hi, lo = ^uint64(0), ^uint64(0)
		}
		for _, b := range v {
			hi, lo = hi<<8|lo>>56, lo<<8|uint64(b)
		}
		negative := hi>>63 != 0
		if negative {
			var borrow uint64
			lo, borrow = bits.Sub64(0, lo, 0)
			hi, _ = bits.Sub64(0, hi, borrow)
		}
		return appendDecimal128(dst, negative, hi, lo, f.scale), ""
	}
	n := new(big.Int).SetBytes(v)
	if v[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(v))))
	}
	negative := n.Sign() < 0
	return appendScaled(dst, negative, n.Abs(n).Append(nil, 10), f.scale), ""
}

// appendDecimal128 appends hi<<64|lo with scale digits after the point, all of
// them: a scale is part of what the source says.
func appendDecimal128(dst []byte, negative bool, hi, lo uint64, scale int) []byte {
	var buf [40]byte
	at := len(buf)
	for hi != 0 { // 19 digits at a time
		const chunk = 1e19
		q, r := bits.Div64(0, hi, chunk)
		lo, r = bits.Div64(r, lo, chunk)
		hi = q
		for range 19 {
			at--
			buf[at] = byte('0' + r%10)
			r /= 10
		}
	}
	for ; lo != 0 || at == len(buf); lo /= 10 {
		at--
		buf[at] = byte('0' + lo%10)
	}
	return appendScaled(dst, negative, buf[at:], scale)
}

func appendScaled(dst []byte, negative bool, digits []byte, scale int) []byte {
	if negative {
		dst = append(dst, '-')
	}
	if scale == 0 {
		return append(dst, digits...)
	}
	whole := len(digits) - scale
	if whole > 0 {
		dst = append(dst, digits[:whole]...)
		digits = digits[whole:]
	} else {
		dst = append(dst, '0')
	}
	dst = append(dst, '.')
	for ; whole < 0; whole++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// appendFloat appends the shortest text that reads back as the same float of
// the given size, in plain notation within the borders that JSON's writers use
// (ECMA-262, Number::toString). Infinities and NaN have no number's text.
func appendFloat(dst []byte, v float64, size int) []byte {
	switch abs := math.Abs(v); {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Inf"...)
	case math.IsInf(v, -1):
		return append(dst, "-Inf"...)
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		return strconv.AppendFloat(dst, v, 'e', -1, size)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, size)
}

// appendFloat16 does the same for an IEEE 754 binary16. Five digits tell all
// of them apart; fewer are used when they do.
func appendFloat16(dst []byte, h uint16) []byte {
	v := float16(h)
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return appendFloat(dst, v, 64)
	}
	for digits := 1; ; digits++ {
		var buf [16]byte
		text := strconv.AppendFloat(buf[:0], v, 'e', digits-1, 64)
		if near, _ := strconv.ParseFloat(string(text), 64); digits == 5 || nearestFloat16(near, h) {
			return appendFloat(dst, near, 64)
		}
	}
}

func float16(h uint16) float64 {
	sign, exp, frac := 1.0, int(h>>10&31), float64(h&0x3ff)
	if h>>15 != 0 {
		sign = -1
	}
	switch {
	case exp == 0:
		return sign * math.Ldexp(frac, -24)
	case exp == 31 && frac == 0:
		return math.Inf(int(sign))
	case exp == 31:
		return math.NaN()
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

// nearestFloat16 reports whether no other binary16 than h, which is not 0, is
// as near to v.
func nearestFloat16(v float64, h uint16) bool {
	above := float16(h + 1)
	if math.IsInf(above, 0) { // rounding goes on as if the next power of two were there
		above = math.Copysign(65536, above)
	}
	d := math.Abs(float16(h) - v)
	return d < math.Abs(above-v) && d < math.Abs(float16(h-1)-v)
}

var pow10 = [...]int64{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

func floorDiv(a, b int64) (quotient, rest int64) {
	quotient, rest = a/b, a%b
	if rest < 0 {
		quotient, rest = quotient-1, rest+b
	}
	return quotient, rest
}

// appendDate appends the date of a day counted from 1970-01-01, in the
// proleptic Gregorian calendar. Years of other than four digits get a sign, as
// ISO 8601 wants, and are no valid time of any format.
func appendDate(dst []byte, day int64) []byte {
	// From March 1 of year 0, in eras of 400 years, each of 146,097 days.
	era, rest := floorDiv(day+719468, 146097)
	yearOfEra := (rest - rest/1460 + rest/36524 - rest/146096) / 365
	rest -= 365*yearOfEra + yearOfEra/4 - yearOfEra/100
	month := (5*rest + 2) / 153 // from March
	date := rest - (153*month+2)/5 + 1
	year := era*400 + yearOfEra
	if month += 3; month > 12 {
		month, year = month-12, year+1
	}
	switch {
	case year >= 0 && year <= 9999:
		dst = appendPadded(dst, year, 4)
	case year < 0:
		dst = appendPadded(append(dst, '-'), -year, 4)
	default:
		dst = strconv.AppendInt(append(dst, '+'), year, 10)
	}
	dst = appendPadded(append(dst, '-'), month, 2)
	return appendPadded(append(dst, '-'), date, 2)
}

// appendClock appends a time of day and the fewest digits of its fraction, in
// threes, that lose nothing.
func appendClock(dst []byte, second, frac int64, digits int) []byte {
	dst = appendPadded(dst, second/3600, 2)
	dst = appendPadded(append(dst, ':'), second/60%60, 2)
	dst = appendPadded(append(dst, ':'), second%60, 2)
	for digits > 0 && frac%1000 == 0 {
		frac, digits = frac/1000, digits-3
	}
	if digits > 0 {
		dst = appendPadded(append(dst, '.'), frac, digits)
	}
	return dst
}

// appendPadded appends v >= 0 with at least width digits.
func appendPadded(dst []byte, v int64, width int) []byte {
	if v >= pow10[width] {
		return strconv.AppendInt(dst, v, 10)
	}
	dst = append(dst, "000000000"[:width]...)
	for i := len(dst) - 1; v > 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}
