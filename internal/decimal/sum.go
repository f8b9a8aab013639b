package decimal

import (
	"fmt"
	"math/big"
	"strconv"
)

// Sum is an exact total. The zero value is 0. A copy is independent of its
// original. Not safe for concurrent use; compare with Equal, not ==.
type Sum struct {
	// The value is fast·10^exp + *big·10^bigExp. Numbers go to fast for as
	// long as 128 bits hold them all at one scale, which for amounts of 18
	// decimals is until 10^20. What does not fit spills over into big, and
	// fast starts again: one absurd number in a file slows down its own
	// addition and no other.
	fast   int128
	exp    int32
	bigExp int32
	big    *big.Int // never changed once it is here: copies share it; nil is 0
}

// Add adds d.
func (s *Sum) Add(d Decimal) { s.addDecimal(d, d.neg) }

// Sub subtracts d.
func (s *Sum) Sub(d Decimal) { s.addDecimal(d, !d.neg) }

func (s *Sum) addDecimal(d Decimal, neg bool) {
	if d.big == nil {
		s.addFast(int128{lo: d.coef}.signed(neg), d.exp)
		return
	}
	v := d.big
	if neg {
		v = new(big.Int).Neg(v)
	}
	s.addBig(v, d.exp)
}

// Merge adds what o holds. o may be s.
func (s *Sum) Merge(o *Sum) {
	other := *o
	s.addFast(other.fast, other.exp)
	if other.big != nil {
		s.addBig(other.big, other.bigExp)
	}
}

// addFast adds v·10^exp, in 128 bits if they suffice.
func (s *Sum) addFast(v int128, exp int32) {
	switch {
	case v.isZero():
		return
	case s.fast.isZero():
		s.fast, s.exp = v, exp
		return
	case exp < s.exp:
		fast, ok := s.fast.scaled(s.exp - exp)
		if !ok {
			s.spill()
			s.fast, s.exp = v, exp
			return
		}
		s.fast, s.exp = fast, exp
	case exp > s.exp:
		scaled, ok := v.scaled(exp - s.exp)
		if !ok {
			s.addBig(v.big(), exp)
			return
		}
		v = scaled
	}
	fast, ok := s.fast.add(v)
	if !ok {
		s.spill()
		fast = v
	}
	s.fast = fast
}

// spill empties fast into big.
func (s *Sum) spill() {
	s.addBig(s.fast.big(), s.exp)
	s.fast = int128{}
}

// addBig adds v·10^exp to big. It does not keep v if it changes it.
func (s *Sum) addBig(v *big.Int, exp int32) {
	if s.big == nil {
		s.big, s.bigExp = v, exp
		return
	}
	s.big, s.bigExp = addScaled(s.big, s.bigExp, v, exp)
}

// addScaled returns a·10^ae + b·10^be, leaving a and b alone.
func addScaled(a *big.Int, ae int32, b *big.Int, be int32) (*big.Int, int32) {
	if ae < be {
		a, ae, b, be = b, be, a, ae
	}
	sum := scaleUp(a, ae-be)
	return sum.Add(sum, b), be
}

// scaleUp returns a new a·10^n.
func scaleUp(a *big.Int, n int32) *big.Int {
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	return p.Mul(p, a)
}

// total returns the value as one coefficient and exponent.
func (s *Sum) total() (*big.Int, int32) {
	if s.big == nil {
		return s.fast.big(), s.exp
	}
	return addScaled(s.big, s.bigExp, s.fast.big(), s.exp)
}

// IsZero reports whether s is 0.
func (s Sum) IsZero() bool {
	if s.big == nil {
		return s.fast.isZero()
	}
	v, _ := s.total()
	return v.Sign() == 0
}

// Equal reports whether s and o are the same number.
func (s *Sum) Equal(o *Sum) bool { return s.String() == o.String() }

// String returns the canonical text: a plain decimal without exponent and
// without trailing zeros in the fraction, "0" for zero. Equal sums have equal
// texts.
func (s Sum) String() string {
	var buf [2 * maxCoefDigits]byte
	return string(s.appendText(buf[:0]))
}

func (s *Sum) appendText(dst []byte) []byte {
	var buf [maxCoefDigits + 1]byte
	var digits []byte
	exp, neg := s.exp, s.fast.negative()
	if m := s.fast.signed(neg); s.big == nil && m.hi == 0 {
		digits = strconv.AppendUint(buf[:0], m.lo, 10)
	} else {
		var v *big.Int
		v, exp = s.total()
		neg = v.Sign() < 0
		digits = new(big.Int).Abs(v).Append(buf[:0], 10)
	}
	if digits[0] == '0' {
		return append(dst, '0')
	}
	if neg {
		dst = append(dst, '-')
	}
	for digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
		exp++
	}
	return appendScaled(dst, digits, int(exp))
}

// MarshalText writes the canonical text of String. It never returns an error.
func (s Sum) MarshalText() ([]byte, error) { return s.appendText(nil), nil }

// maxSumText bounds the text of a sum that is read back. The longest that
// can be written is under 1,700 characters: 309 before the point and as many
// more as the count of numbers has, MaxDigits+324 after it.
const maxSumText = 4096

// ParseSum reads a number as String writes it. It takes the plain decimals of
// the JSON grammar, of any size that a sum can have, and no exponents.
func ParseSum(text string) (Sum, error) {
	if len(text) > maxSumText {
		return Sum{}, fmt.Errorf("sum of %d characters: expected at most %d", len(text), maxSumText)
	}
	var m mantissa
	rest, neg := text, false
	if rest != "" && rest[0] == '-' {
		rest, neg = rest[1:], true
	}
	digits := []byte(rest)
	n := m.scan(digits)
	valid := n == 1 || n > 1 && digits[0] != '0'
	scale := 0
	if valid && n < len(digits) {
		scale = m.scan(digits[n+1:])
		valid = digits[n] == '.' && scale > 0 && n+1+scale == len(digits)
	}
	if !valid {
		return Sum{}, fmt.Errorf("sum %.40q: expected a plain decimal number such as -12.5", text)
	}
	var s Sum
	exp := int32(m.zeros - scale)
	switch {
	case m.digits == 0:
	case m.digits <= maxCoefDigits:
		s.addFast(int128{lo: m.coef}.signed(neg), exp)
	default:
		v := bigCoef(digits, m.digits)
		if neg {
			v.Neg(v)
		}
		s.addBig(v, exp)
	}
	return s, nil
}

// UnmarshalText reads what MarshalText wrote, under the rules of ParseSum. On
// an error s is unchanged.
func (s *Sum) UnmarshalText(text []byte) error {
	v, err := ParseSum(string(text))
	if err == nil {
		*s = v
	}
	return err
}
