package mapper

// instant is a point in time, and how many digits of its fraction are meant.
type instant struct {
	sec    int64 // Unix seconds
	nano   int   // 0 to 999,999,999, always forward from sec
	digits int   // of the fraction, to be written
	cut    bool  // something other than 0 came after the nanoseconds
}

const (
	minInstant  = -62_135_596_800 // 0001-01-01T00:00:00Z
	maxInstant  = 253_402_300_799 // 9999-12-31T23:59:59Z
	ancient     = 946_684_800     // 2000-01-01T00:00:00Z
	ancientYear = 2000
)

var pow10 = [...]int{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// appendUTC is the fast way for what most files hold, a full extended date
// and time in UTC: nothing has to be calculated, the digits only move. It
// reports false for everything else, good or bad. The text is that of RFC
// 3339, or with a space for the T, or without the Z where the mapping says UTC.
func (p *timeParser) appendUTC(dst, t []byte) (out []byte, fl Flags, ok bool) {
	const seconds = len("2024-09-01T10:15:00")
	if len(t) < seconds || t[4] != '-' || t[7] != '-' || t[10] != 'T' && t[10] != ' ' || t[13] != ':' || t[16] != ':' {
		return dst, 0, false
	}
	year, month, day := digits4(t), digits2(t[5:]), digits2(t[8:])
	hour, minute, sec := digits2(t[11:]), digits2(t[14:]), digits2(t[17:])
	if year < 1 || uint(month-1) > 11 || day < 1 || day > 28 && day > daysIn(year, month) ||
		uint(hour) > 23 || uint(minute) > 59 || uint(sec) > 59 {
		return dst, 0, false
	}
	end := seconds
	if end < len(t) && t[end] == '.' {
		for end++; end < len(t) && digit(t[end]); end++ {
		}
		if end == seconds+1 {
			return dst, 0, false
		}
	}
	if zoned := end+1 == len(t) && t[end] == 'Z'; !zoned && (!p.utc || end != len(t)) {
		return dst, 0, false
	}
	if year < ancientYear {
		fl = TimeAncient
	}
	keep := end
	if most := seconds + 1 + p.digits; keep > most {
		for _, c := range t[most:end] {
			if c != '0' {
				fl |= TimeTruncated
			}
		}
		if keep = most; p.digits == 0 {
			keep = seconds
		}
	}
	out = append(dst, t[:keep]...)
	out[len(dst)+len("2024-09-01")] = 'T'
	return append(out, 'Z'), fl, true
}

// appendInstant writes at in UTC; text is what it was read from.
func (p *timeParser) appendInstant(dst, text []byte, at instant) (out []byte, fl Flags, err *FieldError) {
	if at.sec < minInstant || at.sec > maxInstant {
		return dst, 0, p.fault(CodeTime, text, "in UTC this is outside of the years 0001 to 9999")
	}
	digits := min(at.digits, p.digits)
	if at.cut || at.nano%pow10[9-digits] != 0 {
		fl |= TimeTruncated
	}
	if at.sec < ancient {
		fl |= TimeAncient
	}
	dst = appendClock(dst, at.sec)
	if digits > 0 {
		dst = append(dst, '.')
		dst = appendDigits(dst, at.nano/pow10[9-digits], digits)
	}
	return append(dst, 'Z'), fl, nil
}

// appendClock writes sec, counted from 1970-01-01T00:00, as 2006-01-02T15:04:05.
func appendClock(dst []byte, sec int64) []byte {
	days := floorDiv(sec, 86_400)
	second := int(sec - days*86_400)
	year, month, day := dateOf(days)
	return append(dst,
		tens(year/100), ones(year/100), tens(year), ones(year), '-',
		tens(month), ones(month), '-',
		tens(day), ones(day), 'T',
		tens(second/3600), ones(second/3600), ':',
		tens(second/60%60), ones(second/60), ':',
		tens(second%60), ones(second))
}

func tens(n int) byte { return byte('0' + uint(n)/10%10) }
func ones(n int) byte { return byte('0' + uint(n)%10) }

// appendDigits writes the last width digits of n, at most 9.
func appendDigits(dst []byte, n, width int) []byte {
	var digits [9]byte
	for i := range digits {
		digits[8-i] = ones(n)
		n /= 10
	}
	return append(dst, digits[9-width:]...)
}

// instantText is an instant for a message.
func instantText(sec int64) string { return string(appendClock(nil, sec)) + "Z" }

// clockText is the reading of a clock for a message.
func clockText(reading int64) string { return string(appendClock(nil, reading)) }

// The calendar is the proleptic Gregorian one, as in ISO 8601. A year is
// counted from March, so that the leap day comes last, and the days before a
// month are those of 30.6 for each, rounded.

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	if month == 2 {
		if leap(year) {
			return 29
		}
		return 28
	}
	return 30 + (month+month>>3)&1
}

// daysFrom1970 counts the days to a date.
func daysFrom1970(year, month, day int) int64 {
	if month < 3 {
		year, month = year-1, month+12
	}
	y := int64(year)
	const daysTo1970 = 719_468 // from 0000-03-01
	return 365*y + floorDiv(y, 4) - floorDiv(y, 100) + floorDiv(y, 400) + int64((153*(month-3)+2)/5+day-1) - daysTo1970
}

// dateOf is daysFrom1970 backwards, for the years from 0000-03-01 on.
func dateOf(days int64) (year, month, day int) {
	const (
		daysTo1970 = 719_468
		cycleDays  = 146_097 // 400 years
	)
	days += daysTo1970
	cycles := floorDiv(days, cycleDays)
	d := int(days - cycles*cycleDays)
	y := (d - d/1460 + d/36_524 - d/146_096) / 365
	d -= 365*y + y/4 - y/100
	m := (5*d + 2) / 153
	day = d - (153*m+2)/5 + 1
	year, month = int(cycles)*400+y, m+3
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
