package sandbox

import "bytes"

// instant is a point in time as a measurement gives it.
type instant struct {
	seconds  int64  // since 1970
	fraction []byte // the digits after the second, without trailing zeros
}

// parseDateTime reads the date-time of RFC 3339 section 5.6, which is what the
// schema's format means: date, "T", time with seconds, any number of fraction
// digits, "Z" or an offset in hours and minutes. Letters are upper case, and
// there is no leap second, which m3ter's Java time has no place for either.
func parseDateTime(text []byte) (instant, bool) {
	const shape = "0000-00-00T00:00:00"
	if len(text) < len(shape)+1 {
		return instant{}, false
	}
	for i, c := range []byte(shape) {
		if c == '0' && text[i]-'0' > 9 || c != '0' && text[i] != c {
			return instant{}, false
		}
	}
	two := func(i int) int { return int(text[i]-'0')*10 + int(text[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return instant{}, false
	}
	fraction, rest, ok := cutFraction(text[len(shape):])
	if !ok {
		return instant{}, false
	}
	offset, ok := parseOffset(rest)
	return instant{
		seconds:  int64(daysBefore(year, month, day))*86400 + int64(hour*3600+minute*60+second-offset),
		fraction: fraction,
	}, ok
}

// cutFraction passes ".123", which may be missing.
func cutFraction(text []byte) (fraction, rest []byte, ok bool) {
	if text[0] != '.' {
		return nil, text, true
	}
	n := 1
	for n < len(text) && text[n]-'0' <= 9 {
		n++
	}
	return bytes.TrimRight(text[1:n], "0"), text[n:], n > 1
}

// parseOffset reads "Z" or "+01:00" and returns the seconds east of Greenwich.
func parseOffset(text []byte) (int, bool) {
	if len(text) == 1 && text[0] == 'Z' {
		return 0, true
	}
	if len(text) != 6 || text[0] != '+' && text[0] != '-' || text[3] != ':' {
		return 0, false
	}
	for _, i := range [...]int{1, 2, 4, 5} {
		if text[i]-'0' > 9 {
			return 0, false
		}
	}
	hours, minutes := int(text[1]-'0')*10+int(text[2]-'0'), int(text[4]-'0')*10+int(text[5]-'0')
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	if text[0] == '-' {
		return -(hours*3600 + minutes*60), true
	}
	return hours*3600 + minutes*60, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysBefore counts the days from 1970-01-01 to a date of the years 0 to 9999.
// It counts years from March, which puts the leap day at the end of one, and
// goes 400 years ahead, a whole turn of the calendar, to divide nothing
// negative.
func daysBefore(year, month, day int) int {
	const turn, toEpoch = 146_097, 719_468 // days in 400 years, and from 0000-03-01 to 1970-01-01
	year, month = year+400, month-3
	if month < 0 {
		year, month = year-1, month+12
	}
	return year*365 + year/4 - year/100 + year/400 + (153*month+2)/5 + day - 1 - turn - toEpoch
}
