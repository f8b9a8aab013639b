package decimal

import (
	"math/big"
	"math/bits"
)

// int128 is a number in two's complement, less its most negative value: the
// operations report an overflow rather than produce it, so that every int128
// has a negative.
type int128 struct{ hi, lo uint64 }

func (a int128) isZero() bool { return a.hi|a.lo == 0 }

func (a int128) negative() bool { return int64(a.hi) < 0 }

func (a int128) negated() int128 {
	lo, borrow := bits.Sub64(0, a.lo, 0)
	hi, _ := bits.Sub64(0, a.hi, borrow)
	return int128{hi, lo}
}

// signed returns a, negated when neg is true.
func (a int128) signed(neg bool) int128 {
	if neg {
		return a.negated()
	}
	return a
}

// add returns a+b; ok is false when 128 bits do not hold it.
func (a int128) add(b int128) (sum int128, ok bool) {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(a.hi, b.hi, carry)
	sum = int128{hi, lo}
	// Only terms of one sign overflow, and then the sum has the other one.
	ok = (a.hi^sum.hi)&(b.hi^sum.hi)>>63 == 0
	return sum, ok && sum != int128{hi: 1 << 63}
}

// scaled returns a·10^n for n ≥ 0; ok is false when 128 bits do not hold it.
func (a int128) scaled(n int32) (v int128, ok bool) {
	if n > 2*maxCoefDigits {
		return int128{}, false
	}
	v = a.signed(a.negative())
	for n > 0 {
		step := min(n, maxCoefDigits)
		n -= step
		p := pow10[step]
		over, mid := bits.Mul64(v.hi, p)
		hi, lo := bits.Mul64(v.lo, p)
		hi, carry := bits.Add64(hi, mid, 0)
		if over|carry|hi>>63 != 0 {
			return int128{}, false
		}
		v = int128{hi, lo}
	}
	return v.signed(a.negative()), true
}

// big returns a as a new big.Int.
func (a int128) big() *big.Int {
	m := a.signed(a.negative())
	v := new(big.Int).SetUint64(m.hi)
	v.Lsh(v, 64).Or(v, new(big.Int).SetUint64(m.lo))
	if a.negative() {
		v.Neg(v)
	}
	return v
}
