package mapper

import "bytes"

// civil is a time as a text says it: the reading of a clock and a calendar.
type civil struct {
	year, month, day  int
	hour, minute, sec int
	nano              int   // the fraction, cut to 9 digits
	digits            int   // of the fraction in the text, at most 9
	cut               bool  // a digit after the 9th was not 0
	offset            int64 // seconds east of UTC, when zoned
	zoned             bool
	count             int64 // the Unix seconds, when counted: all but the fraction
	counted           bool
}

const (
	expectISO     = "expected a time such as 2024-09-01T10:15:00Z or 2024-09-01 10:15:00 +02:00; for other forms give a format, such as %d/%m/%Y %H:%M"
	expectRFC3339 = "expected RFC 3339, such as 2024-09-01T10:15:00Z or 2024-09-01T10:15:00+02:00; format: iso8601 takes more forms"
	bareDigits    = "only digits, which may be a date or a count: say format: epoch_s, epoch_ms, epoch_us or epoch_ns in the mapping, or %Y%m%d"
)

// scanISO reads the forms of RFC 3339 and ISO 8601 that mean one thing only.
// It returns what is wrong with the text, if anything is; the ranges of the
// numbers are check's affair.
func (c *civil) scanISO(t []byte) (why string) {
	if len(t) < len("2024-09-01") || !digit(t[0]) {
		if allDigits(t) {
			return bareDigits
		}
		return expectISO
	}
	extended := t[4] == '-'
	var ok bool
	if extended {
		c.year, c.month, c.day = digits4(t), digits2(t[5:]), digits2(t[8:])
		ok, t = t[7] == '-', t[10:]
	} else {
		if allDigits(t) {
			return bareDigits
		}
		c.year, c.month, c.day = digits4(t), digits2(t[4:]), digits2(t[6:])
		ok, t = true, t[8:]
	}
	if !ok || c.year < 0 || c.month < 0 || c.day < 0 {
		return expectISO
	}
	if len(t) == 0 {
		return "" // a date is the midnight at which it starts
	}
	if t[0]|0x20 != 't' && t[0] != ' ' {
		return expectISO
	}
	if t, ok = c.scanClock(t[1:], extended); !ok || !c.scanZone(t) {
		return expectISO
	}
	return ""
}

// scanClock reads hours and minutes, perhaps seconds, perhaps a fraction of
// them; with colons or without, as the date was with hyphens or without.
func (c *civil) scanClock(t []byte, colons bool) (rest []byte, ok bool) {
	if t, c.hour, ok = number2(t); !ok {
		return t, false
	}
	if t, ok = colon(t, colons); !ok {
		return t, false
	}
	if t, c.minute, ok = number2(t); !ok {
		return t, false
	}
	if len(t) == 0 || colons && t[0] != ':' || !colons && !digit(t[0]) {
		return t, true
	}
	t, _ = colon(t, colons)
	if t, c.sec, ok = number2(t); !ok {
		return t, false
	}
	if len(t) > 0 && (t[0] == '.' || t[0] == ',') {
		return c.scanFraction(t[1:])
	}
	return t, true
}

// scanFraction reads one digit or more.
func (c *civil) scanFraction(t []byte) (rest []byte, ok bool) {
	n := 0
	for ; n < len(t) && digit(t[n]); n++ {
		if n < 9 {
			c.nano = c.nano*10 + int(t[n]-'0')
		} else if t[n] != '0' {
			c.cut = true
		}
	}
	c.digits = min(n, 9)
	c.nano *= pow10[9-c.digits]
	return t[n:], n > 0
}

// scanZone reads what may follow a time: nothing, a Z, an offset with a space
// before it or without, or the end of Go's time.String, in which a name
// follows the offset. A name is taken when it says nothing new, " UTC" after
// +0000 and " +03" after +0300; others, IST or CST, have several meanings.
func (c *civil) scanZone(t []byte) (ok bool) {
	if len(t) == 0 {
		return true
	}
	if string(t) == " UTC" {
		c.zoned = true
		return true
	}
	if t[0] == ' ' {
		if t = t[1:]; len(t) == 1 { // "10:15:00 Z" is nobody's
			return false
		}
	}
	if t, ok = c.scanOffset(t); !ok || len(t) == 0 {
		return ok
	}
	if c.offset == 0 && string(t) == " UTC" {
		return true
	}
	var again civil
	if len(t) < len(" +03") || t[0] != ' ' || t[1] != '+' && t[1] != '-' {
		return false
	}
	t, ok = again.scanOffset(t[1:])
	return ok && len(t) == 0 && again.offset == c.offset
}

// scanOffset reads Z, +02:00, +0200 or +02.
func (c *civil) scanOffset(t []byte) (rest []byte, ok bool) {
	if len(t) == 0 {
		return t, false
	}
	sign := int64(1)
	switch t[0] {
	case 'Z', 'z':
		c.zoned = true
		return t[1:], true
	case '-':
		sign = -1
	case '+':
	default:
		return t, false
	}
	t, hours, ok := number2(t[1:])
	if !ok || hours > 23 {
		return t, false
	}
	minutes := 0
	if len(t) > 0 && (t[0] == ':' || digit(t[0])) {
		t, _ = colon(t, t[0] == ':')
		if t, minutes, ok = number2(t); !ok || minutes > 59 {
			return t, false
		}
	}
	c.offset, c.zoned = sign*int64(hours*3600+minutes*60), true
	return t, true
}

// isRFC3339 tells the strict form among the texts that scanISO takes.
func isRFC3339(t []byte) bool {
	const short = len("2024-09-01T10:15:00Z")
	if len(t) < short || t[10]|0x20 != 't' || t[16] != ':' || bytes.IndexByte(t, ',') >= 0 || bytes.IndexByte(t, ' ') >= 0 {
		return false
	}
	if t[len(t)-1]|0x20 == 'z' {
		return true
	}
	return len(t) > short && t[len(t)-3] == ':' && (t[len(t)-6] == '+' || t[len(t)-6] == '-')
}

// check reports what is impossible about c.
func (c *civil) check() (why string) {
	switch {
	case c.year < 1:
		return "there is no year 0000"
	case c.month < 1 || c.month > 12:
		return "there is no such month: expected year, month and day in this order, the month from 01 to 12"
	case c.day < 1 || c.day > daysIn(c.year, c.month):
		return "there is no such day in that month"
	case c.hour == 24:
		return "hour 24: write 00:00:00 of the day after"
	case c.hour > 23:
		return "there is no such hour: expected 00 to 23"
	case c.minute > 59:
		return "there is no such minute: expected 00 to 59"
	case c.sec == 60:
		return "second 60: a leap second has no place in m3ter's time; write second 59 or the next minute"
	case c.sec > 59:
		return "there is no such second: expected 00 to 59"
	}
	return ""
}

// reading is the civil time in seconds from 1970-01-01T00:00 on its own clock.
func (c *civil) reading() int64 {
	return daysFrom1970(c.year, c.month, c.day)*86_400 + int64(c.hour*3600+c.minute*60+c.sec)
}

func digit(b byte) bool { return b-'0' <= 9 }

func allDigits(t []byte) bool {
	for _, b := range t {
		if !digit(b) {
			return false
		}
	}
	return len(t) > 0
}

// digits2 is the number of the first two bytes, negative when they are not digits.
func digits2(t []byte) int {
	a, b := t[0]-'0', t[1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

// digits4 is digits2 for four.
func digits4(t []byte) int {
	century, year := digits2(t), digits2(t[2:])
	if century < 0 || year < 0 {
		return -1
	}
	return century*100 + year
}

// number2 takes two digits.
func number2(t []byte) (rest []byte, n int, ok bool) {
	if len(t) < 2 {
		return t, 0, false
	}
	if n = digits2(t); n < 0 {
		return t, 0, false
	}
	return t[2:], n, true
}

// colon takes a colon when there must be one.
func colon(t []byte, must bool) (rest []byte, ok bool) {
	if !must {
		return t, true
	}
	if len(t) == 0 || t[0] != ':' {
		return t, false
	}
	return t[1:], true
}
