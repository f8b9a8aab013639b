package mapper

import (
	"strings"
	"testing"

	"github.com/m3import/m3import/reader"
)

func mustTime(t testing.TB, s TimeSpec) *timeParser {
	t.Helper()
	p, err := s.compile()
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return p
}

// reads is what p makes of v, or the code of its error. It checks what holds
// for all results.
func (p *timeParser) reads(t testing.TB, v reader.Value) (sent string, fl Flags) {
	t.Helper()
	const before = "before"
	out, fl, err := p.append([]byte(before), v)
	return checkedTime(t, before, out, fl, err)
}

func checkedTime(t testing.TB, before string, out []byte, fl Flags, err *FieldError) (string, Flags) {
	t.Helper()
	sent, kept := strings.CutPrefix(string(out), before)
	if !kept {
		t.Fatalf("what was in dst is %q", out)
	}
	if err == nil {
		return sent, fl
	}
	if sent != "" || fl != 0 || err.Code == "" || err.Reason == "" || len(err.Value) > maxShownText+len("…") {
		t.Fatalf("an error with %q, flags %d: %+v", sent, fl, err)
	}
	return err.Code, 0
}

// TestTimes has the cases that docs/times-and-numbers.md does not: flags,
// borders, and near misses.
func TestTimes(t *testing.T) {
	const (
		ok  = Flags(0)
		cut = TimeTruncated
		old = TimeAncient
	)
	iso := TimeSpec{}
	utc := TimeSpec{Timezone: "UTC"}
	ns := TimeSpec{Precision: "ns"}
	us := TimeSpec{Precision: "us"}
	sec := TimeSpec{Precision: "s"}
	for _, c := range []struct {
		spec TimeSpec
		text string
		want string
		fl   Flags
	}{
		// fractions: the digits of the source, up to the precision
		{iso, "2024-09-01T10:15:00.0Z", "2024-09-01T10:15:00.0Z", ok},
		{iso, "2024-09-01T10:15:00.000Z", "2024-09-01T10:15:00.000Z", ok},
		{iso, "2024-09-01T10:15:00.9799600Z", "2024-09-01T10:15:00.979Z", cut},
		{iso, "2024-09-01T10:15:00.9790000Z", "2024-09-01T10:15:00.979Z", ok},
		{iso, "2024-09-01T10:15:59.9999Z", "2024-09-01T10:15:59.999Z", cut},
		{iso, "2024-09-01T10:15:59.9999+02:00", "2024-09-01T08:15:59.999Z", cut},
		{ns, "2024-09-01T10:15:00.1234567890Z", "2024-09-01T10:15:00.123456789Z", ok},
		{ns, "2024-09-01T10:15:00.12345678901Z", "2024-09-01T10:15:00.123456789Z", cut},
		{ns, "2024-09-01T10:15:00.12345678901+00:00", "2024-09-01T10:15:00.123456789Z", cut},
		{ns, "2024-09-01T10:15:00.12+01:00", "2024-09-01T09:15:00.12Z", ok},
		{us, "2024-09-01T10:15:00.1234567Z", "2024-09-01T10:15:00.123456Z", cut},
		{sec, "2024-09-01T10:15:00.000Z", "2024-09-01T10:15:00Z", ok},
		{sec, "2024-09-01T10:15:00.001Z", "2024-09-01T10:15:00Z", cut},
		{sec, "2024-09-01T10:15:00.001+00:00", "2024-09-01T10:15:00Z", cut},
		{iso, "2024-09-01T10:15:00.Z", CodeTime, ok},
		{iso, "2024-09-01T10:15:00,Z", CodeTime, ok},
		{iso, "2024-09-01T10:15.5Z", CodeTime, ok},
		// the calendar
		{iso, "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", ok},
		{iso, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z", ok},
		{iso, "1900-02-29T00:00:00Z", CodeTime, ok},
		{iso, "2024-02-30T00:00:00Z", CodeTime, ok},
		{iso, "2024-04-31T00:00:00Z", CodeTime, ok},
		{iso, "2024-12-31T23:59:59Z", "2024-12-31T23:59:59Z", ok},
		{iso, "2024-00-01T00:00:00Z", CodeTime, ok},
		{iso, "2024-13-01T00:00:00Z", CodeTime, ok},
		{iso, "2024-01-00T00:00:00Z", CodeTime, ok},
		{iso, "2024-01-32T00:00:00Z", CodeTime, ok},
		{iso, "2024-01-01T23:60:00Z", CodeTime, ok},
		{iso, "2024-01-01T23:59:61Z", CodeTime, ok},
		{iso, "2024-01-01T25:00:00Z", CodeTime, ok},
		{iso, "2024-12-31T23:30:00-01:00", "2025-01-01T00:30:00Z", ok},
		{iso, "2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z", ok},
		// before the year 2000, and the ends of time
		{iso, "1999-12-31T23:59:59.999Z", "1999-12-31T23:59:59.999Z", old},
		{iso, "2000-01-01T00:00:00+00:01", "1999-12-31T23:59:00Z", old},
		{iso, "1999-12-31T23:59:00-00:01", "2000-01-01T00:00:00Z", ok},
		{iso, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", old},
		{iso, "0001-01-01T00:00:00+00:01", CodeTime, ok},
		{iso, "0000-12-31T23:59:00-00:01", CodeTime, ok},
		{iso, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z", ok},
		{iso, "9999-12-31T23:59:59-00:01", CodeTime, ok},
		// years of other lengths
		{iso, "12024-09-01T00:00:00Z", CodeTime, ok},
		{iso, "+2024-09-01T00:00:00Z", CodeTime, ok},
		{iso, "-2024-09-01T00:00:00Z", CodeTime, ok},
		{iso, "024-09-01T00:00:00Z", CodeTime, ok},
		// offsets
		{iso, "2024-09-01T10:15:00+23:59", "2024-08-31T10:16:00Z", ok},
		{iso, "2024-09-01T10:15:00+24:00", CodeTime, ok},
		{iso, "2024-09-01T10:15:00+02:60", CodeTime, ok},
		{iso, "2024-09-01T10:15:00+2:00", CodeTime, ok},
		{iso, "2024-09-01T10:15:00+02:", CodeTime, ok},
		{iso, "2024-09-01T10:15:00+020", CodeTime, ok},
		{iso, "2024-09-01T10:15:00+02:00:00", CodeTime, ok},
		{iso, "2024-09-01T10:15:00-00:00", "2024-09-01T10:15:00Z", ok},
		{iso, "2024-09-01T10:15:00 Z", CodeTime, ok},
		{iso, "2024-09-01T10:15:00  +02:00", CodeTime, ok},
		{iso, "2024-09-01T10:15:00ZZ", CodeTime, ok},
		{iso, "2024-09-01T10:15:00Z ", CodeTime, ok},
		{iso, "2024-09-01T10:15:00 GMT", CodeTime, ok},
		{iso, "2024-09-01T10:15:00UTC", CodeTime, ok},
		{iso, "2020-11-06 18:00:00.5 +0000 UTC", "2020-11-06T18:00:00.5Z", ok},
		{iso, "2020-11-06 18:00:00 +0200 UTC", CodeTime, ok},
		{iso, "2020-11-06 18:00:00 +0200 +03", CodeTime, ok},
		{iso, "2020-11-06 18:00:00 +0000 UTC m=+0.01", CodeTime, ok},
		{iso, "2020-11-06 18:00:00 +0000 ", CodeTime, ok},
		{iso, "2020-11-06 18:00:00 UTC UTC", CodeTime, ok},
		// forms that ISO 8601 has and that are not taken, or not mixed
		{iso, "2024-W35-7T10:15:00Z", CodeTime, ok},
		{iso, "2024-245T10:15:00Z", CodeTime, ok},
		{iso, "2024-09T10:15:00Z", CodeTime, ok},
		{iso, "2024-09-01T10Z", CodeTime, ok},
		{iso, "2024-09-01T101500Z", CodeTime, ok},
		{iso, "20240901T10:15:00Z", CodeTime, ok},
		{iso, "20240901T1015Z", "2024-09-01T10:15:00Z", ok},
		{iso, "20240901T101500.25+0200", "2024-09-01T08:15:00.25Z", ok},
		{iso, "2024-09-01Z", CodeTime, ok},
		{iso, "2024/09/01T10:15:00Z", CodeTime, ok},
		{iso, "2024-9-1T10:15:00Z", CodeTime, ok},
		{iso, "2024-09-01_10:15:00Z", CodeTime, ok},
		{iso, "2024-09-01\u00a010:15:00Z", CodeTime, ok},
		{iso, "２０２４-09-01T10:15:00Z", CodeTime, ok},
		{iso, "now", CodeTime, ok},
		{iso, "-", CodeTime, ok},
		{iso, strings.Repeat("2", 4000), CodeTime, ok},
		{iso, "20240901T101500", CodeTimeZone, ok},
		{iso, "2024-09-01T10:15", CodeTimeZone, ok},
		{utc, "2024-02-30", CodeTime, ok},
		{utc, "2024-09-01T10:15:00.1239", "2024-09-01T10:15:00.123Z", cut},
		{utc, "2024-09-01T10:15:00+02:00", "2024-09-01T08:15:00Z", ok},
		{TimeSpec{Timezone: "GMT"}, "2024-09-01", "2024-09-01T00:00:00Z", ok},
		{TimeSpec{Timezone: "-05:30"}, "2024-09-01T20:00:00", "2024-09-02T01:30:00Z", ok},
		{TimeSpec{Timezone: "Asia/Kathmandu"}, "2024-09-01", "2024-08-31T18:15:00Z", ok},
		{TimeSpec{Timezone: "Europe/Berlin"}, "9999-07-01", "9999-06-30T22:00:00Z", ok},
		{TimeSpec{Timezone: "Pacific/Apia"}, "2011-12-30 12:00", CodeTimeGap, ok}, // a day that Samoa left out
		{TimeSpec{Timezone: "Pacific/Apia", Gap: "forward"}, "2011-12-30 12:00", "2011-12-30T22:00:00Z", ok},
		// counts
		{TimeSpec{Format: "epoch_s"}, "0", "1970-01-01T00:00:00Z", old},
		{TimeSpec{Format: "epoch_s"}, "-0", "1970-01-01T00:00:00Z", old},
		{TimeSpec{Format: "epoch_s"}, "253402300799.999", "9999-12-31T23:59:59.999Z", ok},
		{TimeSpec{Format: "epoch_s"}, "253402300800", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, "-62135596800", "0001-01-01T00:00:00Z", old},
		{TimeSpec{Format: "epoch_s"}, "-62135596800.001", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, "99999999999999999999999999", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, "1700000000.1239", "2023-11-14T22:13:20.123Z", cut},
		{TimeSpec{Format: "epoch_s"}, "1700000000.1000", "2023-11-14T22:13:20.100Z", ok},
		{TimeSpec{Format: "epoch_s"}, "-0.0004", "1969-12-31T23:59:59.999Z", old | cut},
		{TimeSpec{Format: "epoch_s", Precision: "ns"}, "-0.0000000001", "1969-12-31T23:59:59.999999999Z", old | cut},
		{TimeSpec{Format: "epoch_ns", Precision: "ns"}, "1700000000123456789.000", "2023-11-14T22:13:20.123456789Z", ok},
		{TimeSpec{Format: "epoch_ns", Precision: "ns"}, "1700000000123456789.5", "2023-11-14T22:13:20.123456789Z", cut},
		{TimeSpec{Format: "epoch_ns", Precision: "ns"}, "253402300799999999999", "9999-12-31T23:59:59.999999999Z", ok},
		{TimeSpec{Format: "epoch_ms"}, "5", "1970-01-01T00:00:00.005Z", old},
		{TimeSpec{Format: "epoch_ms"}, "1700000000000.5", "2023-11-14T22:13:20.000Z", cut},
		{TimeSpec{Format: "epoch_ms", Epoch: "2024-01-01T00:00:00.750+01:00"}, "500", "2023-12-31T23:00:01.250Z", ok},
		{TimeSpec{Format: "epoch_ms", Epoch: "2024-01-01T00:00:00Z"}, "-1", "2023-12-31T23:59:59.999Z", ok},
		{TimeSpec{Format: "epoch_s"}, "1700000000.", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, ".5", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, "007", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, "--1", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, "1,5", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, "1.5.5", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, "-", CodeTime, ok},
		{TimeSpec{Format: "epoch_s"}, "e", CodeTime, ok},
		// formats
		{TimeSpec{Format: "%-m/%-d/%Y", Timezone: "UTC"}, "009/3/2023", CodeTime, ok},
		{TimeSpec{Format: "%-m/%-d/%Y", Timezone: "UTC"}, "09/03/2023", "2023-09-03T00:00:00Z", ok},
		{TimeSpec{Format: "%-m/%-d/%Y", Timezone: "UTC"}, "/3/2023", CodeTime, ok},
		{TimeSpec{Format: "%-m/%-d/%Y", Timezone: "UTC"}, "9/3/23", CodeTime, ok},
		{TimeSpec{Format: "%-m/%-d/%Y", Timezone: "UTC"}, "9/3/20230", CodeTime, ok},
		{TimeSpec{Format: "%I %p %d.%m.%Y", Timezone: "UTC"}, "12 AM 01.09.2024", "2024-09-01T00:00:00Z", ok},
		{TimeSpec{Format: "%I %p %d.%m.%Y", Timezone: "UTC"}, "12 pm 01.09.2024", "2024-09-01T12:00:00Z", ok},
		{TimeSpec{Format: "%I %p %d.%m.%Y", Timezone: "UTC"}, "00 AM 01.09.2024", CodeTime, ok},
		{TimeSpec{Format: "%I %p %d.%m.%Y", Timezone: "UTC"}, "13 PM 01.09.2024", CodeTime, ok},
		{TimeSpec{Format: "%I %p %d.%m.%Y", Timezone: "UTC"}, "11 XM 01.09.2024", CodeTime, ok},
		{TimeSpec{Format: "%Y-%j", Timezone: "UTC"}, "2023-366", CodeTime, ok},
		{TimeSpec{Format: "%Y-%j", Timezone: "UTC"}, "2023-000", CodeTime, ok},
		{TimeSpec{Format: "%Y-%j", Timezone: "UTC"}, "2024-060", "2024-02-29T00:00:00Z", ok},
		{TimeSpec{Format: "%Y-%j", Timezone: "UTC"}, "0000-060", CodeTime, ok},
		{TimeSpec{Format: "%d %B %Y", Timezone: "UTC"}, "01 may 2024", "2024-05-01T00:00:00Z", ok},
		{TimeSpec{Format: "%d %B %Y", Timezone: "UTC"}, "01 Sep 2024", CodeTime, ok},
		{TimeSpec{Format: "%d %b %Y", Timezone: "UTC"}, "01 September 2024", CodeTime, ok},
		{TimeSpec{Format: "%d %b %Y", Timezone: "UTC"}, "01 Okt 2024", CodeTime, ok},
		{TimeSpec{Format: "%e.%m.%Y %k:%M", Timezone: "UTC"}, " 1.09.2024  9:05", "2024-09-01T09:05:00Z", ok},
		{TimeSpec{Format: "%e.%m.%Y %k:%M", Timezone: "UTC"}, "01.09.2024 09:05", "2024-09-01T09:05:00Z", ok},
		{TimeSpec{Format: "%e.%m.%Y %k:%M", Timezone: "UTC"}, "1.09.2024 9:05", CodeTime, ok},
		{TimeSpec{Format: "%s.%f"}, "1700000000.25", "2023-11-14T22:13:20.25Z", ok},
		{TimeSpec{Format: "%s"}, "-5", CodeTime, ok},
		{TimeSpec{Format: "%s"}, "999999999999", CodeTime, ok},
		{TimeSpec{Format: "%s"}, "1700000000123", CodeTime, ok},
		{TimeSpec{Format: "%d/%m/%Y %H:%M:%S %Z"}, "01/09/2024 10:15:00 CET", CodeTime, ok},
		{TimeSpec{Format: "%d/%m/%Y %H:%M:%S %z"}, "01/09/2024 10:15:00 CET", CodeTime, ok},
		{TimeSpec{Format: "%d/%m/%Y %H:%M:%S CET", Timezone: "+01:00"}, "01/09/2024 10:15:00 CET", "2024-09-01T09:15:00Z", ok},
		{TimeSpec{Format: "100%% %F", Timezone: "UTC"}, "100% 2024-09-01", "2024-09-01T00:00:00Z", ok},
	} {
		sent, fl := mustTime(t, c.spec).reads(t, textValue(c.text))
		if sent != c.want || fl != c.fl {
			t.Errorf("%+v: %.40q becomes %s, flags %d; want %s, %d", c.spec, c.text, sent, fl, c.want, c.fl)
		}
	}
}

// TestTimeReasons makes sure that the common mistakes are answered with what
// to do, not only with no.
func TestTimeReasons(t *testing.T) {
	for _, c := range []struct {
		spec       TimeSpec
		text, want string
	}{
		{TimeSpec{}, "2024-09-01 10:15:00", "timezone: UTC"},
		{TimeSpec{}, "1725185700", "epoch_s"},
		{TimeSpec{}, "09/01/2024", "%d/%m/%Y"},
		{TimeSpec{}, "2024-01-01T24:00:00Z", "00:00:00 of the day after"},
		{TimeSpec{}, "2016-12-31T23:59:60Z", "leap second"},
		{TimeSpec{}, "2024-02-30", "no such day"},
		{TimeSpec{Format: "rfc3339"}, "2024-09-01 10:15:00Z", "iso8601"},
		{TimeSpec{Format: "epoch_s"}, "1.7E9", "scientific"},
		{TimeSpec{Format: "epoch_s"}, "1700000000123", "unit"},
		{TimeSpec{Format: "%d/%m/%Y", Timezone: "UTC"}, "09/13/2024", "no such month"},
		{TimeSpec{Timezone: "Europe/Berlin"}, "2024-03-31 02:30", "2024-03-31T00:30:00Z or 2024-03-31T01:30:00Z"},
		{TimeSpec{Timezone: "Europe/Berlin"}, "2024-03-31 02:30", "gap: forward"},
		{TimeSpec{Timezone: "Europe/Berlin"}, "2024-10-27 02:30", "2024-10-27T00:30:00Z and at 2024-10-27T01:30:00Z"},
		{TimeSpec{Timezone: "Europe/Berlin"}, "2824-03-31 02:30", "from 2824-03-31T02:00:00 to 2824-03-31T03:00:00"},
		{TimeSpec{Timezone: "Europe/Berlin"}, "2024-10-27 02:30", "overlap: earlier"},
	} {
		_, _, err := mustTime(t, c.spec).append(nil, textValue(c.text))
		if err == nil || !strings.Contains(err.Reason, c.want) {
			t.Errorf("%+v: %q: %v; want %q in the reason", c.spec, c.text, err, c.want)
		}
	}
}

func TestTimeKinds(t *testing.T) {
	value := func(k reader.Kind, text string) reader.Value { return reader.Value{Kind: k, Text: []byte(text)} }
	seconds, european := TimeSpec{Format: "epoch_s"}, TimeSpec{Format: "%d.%m.%Y", Timezone: "Europe/Berlin"}
	for _, c := range []struct {
		spec TimeSpec
		v    reader.Value
		want string
	}{
		{TimeSpec{}, value(reader.Missing, ""), CodeRequired},
		{TimeSpec{}, value(reader.Null, ""), CodeRequired},
		{TimeSpec{}, value(reader.String, ""), CodeRequired},
		{TimeSpec{}, value(reader.Bool, "true"), CodeTime},
		{TimeSpec{}, value(reader.Object, `{"a":1}`), CodeScalar},
		{TimeSpec{}, value(reader.Array, `[1]`), CodeScalar},
		{TimeSpec{}, value(reader.Number, "1725185700"), CodeTime},
		{seconds, value(reader.Number, "1725185700"), "2024-09-01T10:15:00Z"},
		{seconds, value(reader.Number, "1.7251857e9"), CodeTime},
		// Parquet's times are read by their type, whatever the texts look like.
		{seconds, value(reader.Time, "2024-09-01T10:15:00.123456Z"), "2024-09-01T10:15:00.123Z"},
		{seconds, value(reader.Time, "2024-09-01T10:15:00"), CodeTimeZone},
		{european, value(reader.Time, "2024-09-01T10:15:00"), "2024-09-01T08:15:00Z"},
		{european, value(reader.Time, "2024-09-01"), "2024-08-31T22:00:00Z"},
		{TimeSpec{Format: "rfc3339", Timezone: "UTC"}, value(reader.Time, "2024-09-01T10:15:00"), "2024-09-01T10:15:00Z"},
		{TimeSpec{Format: "rfc3339", Timezone: "UTC"}, value(reader.String, "2024-09-01T10:15:00"), CodeTime},
		{TimeSpec{}, value(reader.Time, "10:15:00"), CodeTime},
	} {
		if sent, _ := mustTime(t, c.spec).reads(t, c.v); sent != c.want {
			t.Errorf("%+v: %d %q becomes %s, want %s", c.spec, c.v.Kind, c.v.Text, sent, c.want)
		}
	}
}

func TestTwoColumns(t *testing.T) {
	typed := func(text string) reader.Value { return reader.Value{Kind: reader.Time, Text: []byte(text)} }
	for _, c := range []struct {
		spec        TimeSpec
		date, clock reader.Value
		want        string
	}{
		{TimeSpec{}, textValue("2024-09-01"), textValue("10:15:00Z"), "2024-09-01T10:15:00Z"},
		{TimeSpec{}, textValue("2024-09-01"), textValue("10:15:00.1239+02:00"), "2024-09-01T08:15:00.123Z"},
		{TimeSpec{}, textValue("2024-09-01"), textValue("10:15"), CodeTimeZone},
		{TimeSpec{Timezone: "UTC"}, textValue("2024-09-01"), textValue("10:15"), "2024-09-01T10:15:00Z"},
		{TimeSpec{Timezone: "UTC"}, textValue("20240901"), textValue("101500"), "2024-09-01T10:15:00Z"},
		{TimeSpec{Timezone: "UTC"}, textValue("2024-09-01T00:00:00Z"), textValue("10:15"), CodeTime},
		{TimeSpec{Timezone: "UTC"}, textValue("2024-09-01"), textValue("Z"), CodeTime},
		{TimeSpec{Timezone: "UTC"}, textValue("2024-09-01"), textValue(""), CodeRequired},
		{TimeSpec{Timezone: "UTC"}, textValue(""), textValue("10:15"), CodeRequired},
		{TimeSpec{Timezone: "UTC"}, textValue("2024-09-01"), reader.Value{Kind: reader.Array, Text: []byte("[1]")}, CodeScalar},
		{TimeSpec{Format: "rfc3339"}, textValue("2024-09-01"), textValue("10:15:00Z"), "2024-09-01T10:15:00Z"},
		{TimeSpec{Format: "%d.%m.%Y %H:%M:%S", Timezone: "Europe/Berlin"}, textValue("01.09.2024"), textValue("10:15:00"), "2024-09-01T08:15:00Z"},
		{TimeSpec{Format: "%d.%m.%Y %H:%M:%S", Timezone: "Europe/Berlin"}, textValue("31.03.2024"), textValue("02:15:00"), CodeTimeGap},
		{TimeSpec{Format: "%d.%m.%Y %H:%M:%S", Timezone: "Europe/Berlin"}, typed("2024-09-01"), typed("10:15:00.123456"), "2024-09-01T08:15:00.123Z"},
		{TimeSpec{Format: "%Y%m%d %H%M", Timezone: "UTC"}, num("20240901"), num("1015"), "2024-09-01T10:15:00Z"},
		{TimeSpec{Format: "epoch_s"}, textValue("2024-09-01"), textValue("10:15:00"), CodeTime},
	} {
		out, fl, err := mustTime(t, c.spec).appendDateTime([]byte("before"), c.date, c.clock)
		if sent, _ := checkedTime(t, "before", out, fl, err); sent != c.want {
			t.Errorf("%+v: %q, %q becomes %s, want %s", c.spec, c.date.Text, c.clock.Text, sent, c.want)
		}
	}
}

// TestTimeSpecRefused has the mistakes that docs/times-and-numbers.md does not.
func TestTimeSpecRefused(t *testing.T) {
	for want, s := range map[string]TimeSpec{
		"expected reject or forward": {Gap: "backward"},
		"an offset is written as":    {Timezone: "+02:0"},
		"in the IANA":                {Timezone: "../../etc/passwd"},
		"write the offset":           {Timezone: "Etc/GMT-2"},
		"America/Denver":             {Timezone: "MST"},
		"did you mean UTC":           {Timezone: "utc"},
		"America/New_York":           {Timezone: "new york"},
		"expected RFC 3339":          {Format: "epoch_s", Epoch: "2024-01-01"},
		"at most 9":                  {Format: "epoch_s", Epoch: "2024-01-01T00:00:00.0000000001Z"},
		"no year":                    {Format: "%H:%M", Timezone: "UTC"},
		"no month":                   {Format: "%Y %d", Timezone: "UTC"},
		"no day":                     {Format: "%Y-%m", Timezone: "UTC"},
		"stands twice":               {Format: "%Y-%m-%d %d", Timezone: "UTC"},
		"month twice":                {Format: "%Y-%m-%d %b", Timezone: "UTC"},
		"weekday twice":              {Format: "%a %A %Y-%m-%d", Timezone: "UTC"},
		"month and day in one":       {Format: "%Y-%j %m", Timezone: "UTC"},
		"counts 12":                  {Format: "%F %H %p", Timezone: "UTC"},
		"%p needs %I":                {Format: "%F %p", Timezone: "UTC"},
		"no hour":                    {Format: "%F %M", Timezone: "UTC"},
		"no minute":                  {Format: "%F %H %S", Timezone: "UTC"},
		"no second":                  {Format: "%F %H:%M.%f", Timezone: "UTC"},
		"whole time":                 {Format: "%s %Y"},
		"ends in %":                  {Format: "%Y-%m-%d%", Timezone: "UTC"},
		"write %d":                   {Format: "%Y-%m-%_d", Timezone: "UTC"},
		"century":                    {Format: "%-y/%m/%d", Timezone: "UTC"},
		"write %f":                   {Format: "%F %T.%N", Timezone: "UTC"},
		"known are %Y":               {Format: "%F %T %i", Timezone: "UTC"},
		"digit follows":              {Format: "%F %T.%f9", Timezone: "UTC"},
		"where %z ends":              {Format: "%H:%M%z%Y %m %d"},
		"%Y-%m-%dT%H:%M:%S%z":        {Format: "yyyy-MM-dd'T'HH:mm:ssXXX"},
		"such as %d/%m/%Y":           {Format: "D. MMMM YYYY"},
	} {
		if _, err := s.compile(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q in it", s, err, want)
		}
	}
}

func TestTimesAllocateNothing(t *testing.T) {
	for text, s := range map[string]TimeSpec{
		"2024-09-01T10:15:00.123Z":        {},
		"2020-11-06 18:00:00 +0000 UTC":   {},
		"2024-09-01 10:15":                {Timezone: "Europe/Berlin"},
		"2924-09-01 10:15":                {Timezone: "Europe/Berlin"},
		"1700000000123":                   {Format: "epoch_ms"},
		"9/3/2023":                        {Format: "%-m/%-d/%Y", Timezone: "UTC"},
		"Sun, 01 Sep 2024 10:15:00 +0100": {Format: "%a, %d %b %Y %T %z"},
	} {
		p, v, buf := mustTime(t, s), textValue(text), make([]byte, 0, 128)
		date, clock := textValue("2024-09-01"), textValue("10:15")
		if n := testing.AllocsPerRun(100, func() {
			if _, _, err := p.append(buf, v); err != nil {
				t.Fatal(err)
			}
			if s.Format == "" && s.Timezone != "" {
				if _, _, err := p.appendDateTime(buf, date, clock); err != nil {
					t.Fatal(err)
				}
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func BenchmarkTime(b *testing.B) {
	for _, c := range []struct {
		name, text string
		spec       TimeSpec
	}{
		{"UTC", "2024-09-01T10:15:00Z", TimeSpec{}},
		{"UTCFraction", "2024-09-01T10:15:00.9799600Z", TimeSpec{}},
		{"GoString", "2020-11-06 18:00:00 +0000 UTC", TimeSpec{}},
		{"Offset", "2024-09-01T10:15:00+02:00", TimeSpec{}},
		{"Zone", "2024-09-01 10:15:00", TimeSpec{Timezone: "Europe/Berlin"}},
		{"EpochMS", "1700000000123", TimeSpec{Format: "epoch_ms"}},
		{"Layout", "01/09/2024 10:15:00", TimeSpec{Format: "%d/%m/%Y %H:%M:%S", Timezone: "UTC"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, v, buf := mustTime(b, c.spec), textValue(c.text), make([]byte, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := p.append(buf, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What does not fit a format is told with what stands there and what should.
func TestMisfitNamesBoth(t *testing.T) {
	for _, tt := range []struct{ format, text, want string }{
		{"%d.%m.%Y %H:%M", "01/02/2026 00:00", `the text has "/" where the format "%d.%m.%Y %H:%M" has "."`},
		{"%d.%m.%Y %H:%M", "01.02.2026", `the text ends where the format "%d.%m.%Y %H:%M" has " "`},
		{"%d.%m.%Y", "01.Feb.2026", `the text has "Feb.2026" where the format "%d.%m.%Y" has %m`},
		{"%Y-%m-%d um %H:%M", "2026-01-02übergestern", `the text has "übe" where the format "%Y-%m-%d um %H:%M" has " um "`},
		{"%Y-%m-%d %H:%M %Z", "2026-01-02 10:00 CET", `the text has "CET" where the format "%Y-%m-%d %H:%M %Z" has %Z: only UTC, GMT and Z are names of one zone; for offsets write %z`},
	} {
		p := &timeParser{name: tt.format}
		var err error
		if p.layout, _, err = compileLayout(tt.format); err != nil {
			t.Fatal(tt.format, err)
		}
		if why := p.scanLayout(new(civil), []byte(tt.text)); !strings.Contains(why, tt.want) {
			t.Errorf("%s, %s: %s, want %s", tt.format, tt.text, why, tt.want)
		}
	}
}
