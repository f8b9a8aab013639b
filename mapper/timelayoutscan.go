package mapper

import (
	"time"
	"unicode/utf8"
)

// scanLayout reads t by the steps of p, all of it. It returns what is wrong
// with the text; the ranges of most numbers are check's affair.
func (p *timeParser) scanLayout(c *civil, t []byte) (why string) {
	var s layoutScan
	for i := range p.layout {
		rest, ok := s.step(c, &p.layout[i], t)
		if !ok {
			return p.misfit(&p.layout[i], t)
		}
		t = rest
	}
	if len(t) > 0 {
		return "there is more text than the format " + quoted(p.name) + " has"
	}
	return s.settle(c)
}

// misfit says where the text, of which rest is left, parts with the format.
func (p *timeParser) misfit(s *step, rest []byte) string {
	have, want := "the text ends", "%"+string(s.verb)
	if s.verb == 0 {
		want = quoted(s.text)
		n := min(len(s.text), len(rest))
		for n < len(rest) && !utf8.RuneStart(rest[n]) {
			n++
		}
		rest = rest[:n]
	}
	if len(rest) > 0 {
		have = "the text has " + quoted(shown(rest))
	}
	text := have + " where the format " + quoted(p.name) + " has " + want
	if s.verb == 'Z' {
		text += ": only UTC, GMT and Z are names of one zone; for offsets write %z"
	}
	return text
}

// layoutScan is what a format can say beside the fields of civil.
type layoutScan struct {
	yearDay int // 0: not said
	weekday int // 1 is Sunday
	half    int // of the day, 1 is am
}

func (s *layoutScan) step(c *civil, step *step, t []byte) (rest []byte, ok bool) {
	n := 0
	if step.least > 0 && step.verb != 'f' && step.verb != 's' {
		if t, n, ok = step.number(t); !ok {
			return t, false
		}
	}
	switch step.verb {
	case 0:
		if len(t) < len(step.text) || string(t[:len(step.text)]) != step.text {
			return t, false
		}
		t = t[len(step.text):]
	case 'Y':
		c.year = n
	case 'm':
		c.month = n
	case 'd':
		c.day = n
	case 'j':
		s.yearDay = n
		return t, n > 0
	case 'H':
		c.hour = n
	case 'I':
		c.hour = n % 12
		return t, 1 <= n && n <= 12
	case 'M':
		c.minute = n
	case 'S':
		c.sec = n
	case 'f':
		return c.scanFraction(t)
	case 's':
		return c.scanCount(t)
	case 'b', 'B':
		t, c.month, ok = name(t, 12, step.verb == 'b', func(i int) string { return time.Month(i).String() })
		return t, ok
	case 'a', 'A':
		t, s.weekday, ok = name(t, 7, step.verb == 'a', func(i int) string { return time.Weekday(i - 1).String() })
		return t, ok
	case 'p':
		t, s.half, ok = name(t, 2, false, func(i int) string { return [...]string{"AM", "PM"}[i-1] })
		return t, ok
	case 'z':
		return c.scanOffset(t)
	case 'Z':
		c.zoned = true
		t, _, ok = name(t, 3, false, func(i int) string { return [...]string{"UTC", "GMT", "Z"}[i-1] })
		return t, ok
	default:
		panic("mapper: a format with the unknown step " + string(step.verb))
	}
	return t, true
}

// settle works out what the steps only said together.
func (s *layoutScan) settle(c *civil) (why string) {
	if s.half == 2 {
		c.hour += 12
	}
	if s.yearDay > 0 {
		days := 365
		if leap(c.year) {
			days++
		}
		if s.yearDay > days {
			return "there is no such day in that year"
		}
		_, c.month, c.day = dateOf(daysFrom1970(c.year, 1, 1) + int64(s.yearDay) - 1)
	}
	if s.weekday > 0 && c.check() == "" {
		// 1970-01-01 was a Thursday.
		if is := int((daysFrom1970(c.year, c.month, c.day)+719_468+3)%7) + 1; is != s.weekday {
			return "that day was a " + time.Weekday(is-1).String()
		}
	}
	return ""
}

// number takes as many digits as s allows.
func (s *step) number(t []byte) (rest []byte, n int, ok bool) {
	i := 0
	if s.space && len(t) > 0 && t[0] == ' ' {
		i = 1
	}
	start := i
	for ; i < len(t) && i < s.most && digit(t[i]); i++ {
		n = n*10 + int(t[i]-'0')
	}
	return t[i:], n, i >= s.least && i > start
}

// scanCount takes the digits of a Unix time.
func (c *civil) scanCount(t []byte) (rest []byte, ok bool) {
	const most = len("253402300799")
	i := 0
	for ; i < len(t) && digit(t[i]); i++ {
		if i == most {
			return t, false
		}
		c.count = c.count*10 + int64(t[i]-'0')
	}
	c.counted = true
	return t[i:], i > 0
}

// name takes one of n English names, in capitals or not; short is its first
// three letters only.
func name(t []byte, n int, short bool, of func(int) string) (rest []byte, i int, ok bool) {
	for i = 1; i <= n; i++ {
		name := of(i)
		if short {
			name = name[:3]
		}
		if len(t) >= len(name) && equalFold(t[:len(name)], name) {
			return t[len(name):], i, true
		}
	}
	return t, 0, false
}

// equalFold reports whether t is name, which is made of ASCII letters, but for
// their case.
func equalFold(t []byte, name string) bool {
	for i, b := range t {
		if b|0x20 != name[i]|0x20 {
			return false
		}
	}
	return true
}
