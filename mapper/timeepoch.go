package mapper

import "bytes"

const outside = "this is outside of the years 0001 to 9999; is the unit right? The format says "

// scanEpoch reads a count of seconds, or thousandths and so on of them, from
// the epoch: a whole number or a decimal, counted back when negative. The
// digits are split, never multiplied: nanoseconds since 1970 outgrow 64 bits
// in 2262, and a double loses them today.
//
// A count has no fraction of a second to keep the digits of, so the instant
// has the fewest of 0, 3, 6 and 9 that lose nothing.
func (p *timeParser) scanEpoch(t []byte) (at instant, why string) {
	digits, neg := bytes.CutPrefix(t, []byte("-"))
	whole, fraction, point := bytes.Cut(digits, []byte("."))
	switch {
	case bytes.ContainsAny(t, "eE") && looksNumeric(t):
		return at, "a count in scientific notation has lost its last digits, or may have: expected all of them, such as 1700000000"
	case !allDigits(whole) || point && !allDigits(fraction):
		return at, "expected " + p.name + ", a count such as " + epochExample[p.unit]
	case len(whole) > 1 && whole[0] == '0':
		return at, "a count with leading zeros: expected " + p.name + " such as " + epochExample[p.unit]
	}
	seconds := whole[:max(0, len(whole)-p.unit)]
	if len(seconds) > len("253402300799") {
		return at, outside + p.name
	}
	for _, c := range seconds {
		at.sec = at.sec*10 + int64(c-'0')
	}
	place := max(0, p.unit-len(whole)) // of the next digit after the second's point
	for _, part := range [...][]byte{whole[len(seconds):], fraction} {
		for _, c := range part {
			if place < 9 {
				at.nano += int(c-'0') * pow10[8-place]
			} else if c != '0' {
				at.cut = true
			}
			place++
		}
	}
	if neg {
		at = at.negated()
	}
	at.sec, at.nano = at.sec+p.base.sec, at.nano+p.base.nano
	if at.nano >= 1e9 {
		at.sec, at.nano = at.sec+1, at.nano-1e9
	}
	if at.sec < minInstant || at.sec > maxInstant {
		return at, outside + p.name
	}
	for at.cut && at.digits < 9 || at.nano%pow10[9-at.digits] != 0 {
		at.digits += 3
	}
	return at, ""
}

// epochExample is one instant in each unit.
var epochExample = map[int]string{0: "1700000000", 3: "1700000000123", 6: "1700000000123456", 9: "1700000000123456789"}

// negated is -at, rounded down to a nanosecond as cutting digits off an
// instant always rounds.
func (at instant) negated() instant {
	if at.cut {
		at.nano++
	}
	if at.sec = -at.sec; at.nano > 0 {
		at.sec, at.nano = at.sec-1, 1e9-at.nano
	}
	return at
}

// looksNumeric reports whether t has nothing in it but what numbers have.
func looksNumeric(t []byte) bool {
	return len(bytes.Trim(t, "0123456789+-.eE")) == 0 && bytes.ContainsAny(t, "0123456789")
}
