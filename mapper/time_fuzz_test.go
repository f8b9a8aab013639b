package mapper

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// FuzzTime holds the reader of RFC 3339 and ISO 8601 against package time, the
// fast way against the slow one, and its output against itself.
func FuzzTime(f *testing.F) {
	for _, text := range []string{
		"2024-09-01T10:15:00Z", "2024-09-01T10:15:00.123456789+05:30", "2024-02-30T00:00:00Z", "0000-01-01T00:00:00Z",
		"2024-09-01 10:15", "20240901T101500,5-03", "2020-11-06 18:00:00 +0000 UTC", "9999-12-31T23:59:59-00:01",
		"2024-09-01T10:15:00.123456789+05:60", "2024-09-01T10:15:00+24:00", "2024-09-01T10:15:00Z+05:60",
		"2024-09-01t10:15:00z", "2024-09-01T24:00:00Z", "2016-12-31T23:59:60Z", "2024-09-01T10:15:00.0000000001Z",
	} {
		f.Add(text)
	}
	f.Add("0001-01-01T0:00:00Z") // an hour of one digit: package time takes it
	iso := mustTime(f, TimeSpec{Precision: "ns"})
	utc := mustTime(f, TimeSpec{Precision: "ns", Timezone: "UTC"})
	strict := mustTime(f, TimeSpec{Precision: "ns", Format: "rfc3339"})
	f.Fuzz(func(t *testing.T, text string) {
		v := textValue(text)
		sent, fl := iso.reads(t, v)
		parsed, parseErr := time.Parse(time.RFC3339Nano, text)
		inRange := parsed.UTC().Year() >= 1 && parsed.UTC().Year() <= 9999 && parsed.Year() >= 1
		oneDigitHour := len(text) > 12 && text[12] == ':'
		noOffset := strings.HasSuffix(text, ":60") || len(text) > 5 && strings.HasPrefix(text[len(text)-5:], "24:")
		if parseErr == nil && inRange && !oneDigitHour && !noOffset {
			// Everything that package time takes is taken, at the same instant,
			// but for the year 0, an hour of one digit, and offsets of 24 hours
			// or 60 minutes, none of which RFC 3339 has.
			if !sameInstant(sent, parsed) {
				t.Fatalf("%q becomes %s (flags %d), and to package time it is %s", text, sent, fl, parsed.UTC())
			}
		}
		if exact, _ := strict.reads(t, v); exact != CodeTime && exact != CodeRequired {
			// Everything that is RFC 3339 to us is that to package time, which
			// wants capitals.
			parsed, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
			if err != nil || !sameInstant(exact, parsed) || exact != sent {
				t.Fatalf("%q is RFC 3339 and becomes %s; to package time it is %s, %v", text, exact, parsed, err)
			}
		}
		if fast, flags, ok := utc.appendUTC(nil, v.Text); ok {
			slow, slowFlags := utc.slowly(t, v.Text)
			if string(fast) != slow || flags != slowFlags {
				t.Fatalf("%q becomes %s, flags %d, the fast way, and %s, flags %d, the slow one", text, fast, flags, slow, slowFlags)
			}
		}
		checkSent(t, iso, text)
		checkSent(t, utc, text)
	})
}

// slowly is reads without the short way.
func (p *timeParser) slowly(t *testing.T, text []byte) (string, Flags) {
	var c civil
	if why := c.scanISO(text); why != "" {
		return why, 0
	}
	if why := c.check(); why != "" {
		return why, 0
	}
	out, fl, err := p.appendInstant(nil, text, instant{sec: c.reading() - c.offset, nano: c.nano, digits: c.digits, cut: c.cut})
	return checkedTime(t, "", out, fl, err)
}

// checkSent makes sure that what p sends for text is RFC 3339 in UTC, and the
// same again when it is read again.
func checkSent(t *testing.T, p *timeParser, text string) {
	out, fl, err := p.append(nil, textValue(text))
	if err != nil {
		checkedTime(t, "", out, fl, err)
		return
	}
	at, parseErr := time.Parse(time.RFC3339Nano, string(out))
	if parseErr != nil || !bytes.HasSuffix(out, []byte("Z")) || bytes.IndexByte(out, ',') >= 0 {
		t.Fatalf("%q becomes %s", text, out)
	}
	if ancient := at.Year() < 2000; ancient != (fl&TimeAncient != 0) {
		t.Fatalf("%q becomes %s, flags %d", text, out, fl)
	}
	again, fl := mustTime(t, TimeSpec{Precision: "ns"}).reads(t, textValue(string(out)))
	if again != string(out) || fl&TimeTruncated != 0 {
		t.Fatalf("%q becomes %s, and that becomes %s, flags %d", text, out, again, fl)
	}
}

// FuzzLayout tries formats that nobody thought of, on texts that nobody
// thought of: no panic, no half a result, and what package time writes by the
// same format is read back.
func FuzzLayout(f *testing.F) {
	for _, form := range written {
		f.Add(form.format, "2024-09-01 10:15:00", int64(1725185700))
	}
	f.Add("%d/%m/%Y %I:%M %p", "01/09/2024 10:15 AM", int64(0))
	f.Add("%s.%f%z", "17", int64(-1))
	f.Add("%-d%%%e%k %b", "1%1", int64(1))
	f.Add("epoch_ms", "-1.5", int64(1))
	zones := []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe", "+05:30", ""}
	f.Fuzz(func(t *testing.T, format, text string, sec int64) {
		s := TimeSpec{Format: format, Timezone: zones[uint64(sec)%uint64(len(zones))], Precision: "ns", Gap: "forward", Overlap: "later"}
		p, err := s.compile()
		if err != nil {
			if p != nil || !strings.Contains(err.Error(), "format") && !strings.Contains(err.Error(), "timezone") {
				t.Fatalf("%q: %v, %v", format, p, err)
			}
			return
		}
		checkSent(t, p, text)
		if p.format != formatLayout {
			return
		}
		// Written by the steps and read back: the same text fits itself.
		at := time.Unix(sec%maxInstant, 0).UTC()
		if at.Year() < 1 {
			return
		}
		line, whole := writeLayout(p.layout, at)
		sent, _ := p.reads(t, textValue(line))
		if whole && s.Timezone == "UTC" && !sameInstant(sent, at) {
			t.Fatalf("%q of %s is %q, which becomes %s", format, at, line, sent)
		}
	})
}

// writeLayout writes at by the steps of a format, with package time. whole
// says that nothing of the second is missing.
func writeLayout(steps []step, at time.Time) (line string, whole bool) {
	layouts := map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'j': "002", 'H': "15", 'I': "03", 'M': "04", 'S': "05",
		'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'p': "PM", 'z': "-0700", 'Z': "MST"}
	seen := map[byte]bool{}
	for _, s := range steps {
		seen[s.verb] = true
		switch s.verb {
		case 0:
			line += s.text
		case 'f':
			line += "000"
		case 's':
			return "", false
		default:
			line += at.Format(layouts[s.verb])
		}
	}
	return line, seen['S']
}
