package mapper

import (
	"archive/zip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// oddZones are those whose clocks did something remarkable.
var oddZones = []string{
	"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", // half an hour of summer time
	"Europe/Dublin",        // winter time is the exception, by law
	"Africa/Casablanca",    // Ramadan, listed year by year until 2087
	"Africa/Monrovia",      // -00:44:30 until 1972
	"Europe/Amsterdam",     // +00:19:32 and summer time on top, until 1937
	"Asia/Kathmandu",       // +05:45
	"Pacific/Apia",         // left out 2011-12-30
	"America/Juneau",       // had 1867-10-18 twice
	"Asia/Manila",          // left out 1844-12-31
	"Antarctica/Troll",     // two hours of summer time
	"America/Sao_Paulo",    // changed at midnight
	"Asia/Beirut",          // changes at midnight
	"Asia/Gaza",            // changes at odd times, listed until 2086
	"America/Scoresbysund", // changes on a Saturday
	"Asia/Tehran", "Pacific/Chatham", "America/St_Johns", "Africa/Cairo",
}

// location is the zone as package time has it, from the same database.
func location(t testing.TB, name string) *time.Location {
	t.Helper()
	data, err := readZone(name)
	if err != nil {
		t.Fatal(err)
	}
	loc, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// both is a zone as it is under test, and as package time has it.
type both struct {
	*zone
	loc     *time.Location
	offsets []int64 // that the zone ever had
}

func bothOf(t testing.TB, name string) both {
	t.Helper()
	z, err := loadZone(name)
	if err != nil {
		t.Fatal(err)
	}
	b := both{z, time.UTC, nil}
	if name != "UTC" {
		b.loc = location(t, name)
	}
	for _, s := range z.spans {
		if !slices.Contains(b.offsets, s.offset) {
			b.offsets = append(b.offsets, s.offset)
		}
	}
	return b
}

// offset is that of package time.
func (b both) offset(sec int64) int64 {
	_, offset := time.Unix(sec, 0).In(b.loc).Zone()
	return int64(offset)
}

// meant are all instants that show the reading to package time, by trying
// every offset.
func (b both) meant(reading int64) (all []int64) {
	for _, offset := range b.offsets {
		if at := reading - offset; b.offset(at) == offset {
			all = append(all, at)
		}
	}
	return all
}

// check holds one reading against package time.
func (b both) check(t testing.TB, reading int64) {
	l, want := b.local(reading), b.meant(reading)
	ok := l.instants == len(want)
	for _, at := range want {
		ok = ok && (at == l.earlier || at == l.later) && l.earlier <= l.later
	}
	if len(want) == 0 { // the clocks jumped from one reading to another, at one instant
		at := l.from - b.offset(l.earlier)
		ok = ok && l.earlier < l.later && l.from <= reading && reading < l.to &&
			b.offset(at-1) == l.from-at && b.offset(at) == l.to-at &&
			l.later == reading-(l.from-at) && l.earlier == reading-(l.to-at)
	}
	if !ok {
		t.Fatalf("%s: %s is %+v, want %v", b.name, clockText(reading), l, want)
	}
}

// TestZonesMinuteByMinute walks through every transition of this century, and
// through the last ones before the calendar ends.
func TestZonesMinuteByMinute(t *testing.T) {
	for _, name := range oddZones {
		z := bothOf(t, name)
		walked := 0
		for i := len(z.spans) - 1; i > 0 && walked < 6; i-- {
			start := z.spans[i].start
			year := time.Unix(start, 0).UTC().Year()
			if year > 2026 && year != 2087 {
				continue
			}
			walked++
			low := start + min(z.spans[i-1].offset, z.spans[i].offset) - 90*60
			high := start + max(z.spans[i-1].offset, z.spans[i].offset) + 90*60
			for reading := low; reading < high; reading += 60 {
				z.check(t, reading)
				z.check(t, reading+(7000+cycle-1)/cycle*cycle) // far past the table
			}
		}
		for _, s := range z.spans[1:] { // the edges of all the others
			for _, d := range []int64{-1, 0, 1} {
				z.check(t, s.start+s.offset+d)
			}
		}
	}
}

// TestAllZones compares every zone of the database with package time, at
// random moments of all years.
func TestAllZones(t *testing.T) {
	archive, err := zip.NewReader(strings.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		t.Fatal(err)
	}
	zones := 0
	for i, f := range archive.File {
		if trapZones[f.Name] != "" || strings.HasPrefix(f.Name, "Etc/GMT") && len(f.Name) > len("Etc/GMT") || f.FileInfo().IsDir() {
			continue
		}
		zones++
		z := bothOf(t, f.Name)
		for _, s := range z.spans {
			if s.offset <= -maxOffset || s.offset >= maxOffset {
				t.Errorf("%s: offset %d", f.Name, s.offset)
			}
		}
		for n := range int64(40) { // a walk that is other for each zone, and the same on each run
			reading := minInstant + (maxInstant-minInstant)/40*n + (int64(i)*7919*86_400+n*104_729)%((maxInstant-minInstant)/40)
			z.check(t, reading)
		}
	}
	if zones < 500 {
		t.Errorf("only %d zones", zones)
	}
}

func TestZoneTableEnds(t *testing.T) {
	if got := time.Unix(tableEnd, 0).UTC().Format(time.RFC3339); got != "2500-01-01T00:00:00Z" {
		t.Errorf("tableEnd is %s", got)
	}
	// The fold of later years rests on this: from 2100 on there are only rules.
	for _, name := range oddZones {
		z := bothOf(t, name)
		for _, s := range z.spans {
			if later := s.start + cycle; s.start > tableEnd-cycle && (z.offset(later) != s.offset || z.offset(later-1) == s.offset) {
				t.Errorf("%s: %s is not repeated after 400 years", name, instantText(s.start))
			}
		}
	}
}

func TestCalendar(t *testing.T) {
	for day := int64(minInstant / 86_400); day <= maxInstant/86_400; day++ {
		at := time.Unix(day*86_400, 0).UTC()
		year, month, date := at.Date()
		if got := daysFrom1970(year, int(month), date); got != day {
			t.Fatalf("%v is day %d, want %d", at, got, day)
		}
		if y, m, d := dateOf(day); y != year || m != int(month) || d != date {
			t.Fatalf("day %d is %d-%d-%d, want %v", day, y, m, d, at)
		}
		if date != 1 {
			continue
		}
		if want := at.AddDate(0, 1, -1).Day(); daysIn(year, int(month)) != want {
			t.Fatalf("%v has %d days, want %d", at, daysIn(year, int(month)), want)
		}
	}
}

// written are ways to write an instant: by package time, and the format that
// reads it back.
var written = []struct {
	format, layout string
	unit           time.Duration // what the layout keeps
	zoned          bool
}{
	{"", time.RFC3339Nano, 1, true},
	{"", "2006-01-02 15:04:05.999999 -0700", 1000, true},
	{"", "2006-01-02t15:04Z07:00", time.Minute, true},
	{"", "20060102T150405,000Z0700", 1e6, true},
	{"", "2006-01-02 15:04:05.000000000", 1, false},
	{"", "2006-01-02T15:04", time.Minute, false},
	{"", "20060102T150405", time.Second, false},
	{"rfc3339", time.RFC3339Nano, 1, true},
	{"%Y-%m-%d %H:%M:%S", "2006-01-02 15:04:05", time.Second, false},
	{"%d/%m/%Y %I:%M:%S.%f %p", "02/01/2006 03:04:05.000 PM", 1e6, false},
	{"%-m/%-d/%Y %-I:%-M:%-S %p", "1/2/2006 3:4:5 pm", time.Second, false},
	{"%a, %d %b %Y %H:%M:%S %z", time.RFC1123Z, time.Second, true},
	{"%A %B %e %T %Y", "Monday January _2 15:04:05 2006", time.Second, false},
	{"%Y%j%H%M", "20060021504", time.Minute, false},
	{"%z|%F|%R", "Z07:00|2006-01-02|15:04", time.Minute, true},
}

// TestTimesRoundTrip writes random instants in random zones with package time,
// and reads them back.
func TestTimesRoundTrip(t *testing.T) {
	var zones []both
	for _, name := range append([]string{"UTC"}, oddZones...) {
		zones = append(zones, bothOf(t, name))
	}
	rapid.Check(t, func(rt *rapid.T) {
		z := zones[rapid.IntRange(0, len(zones)-1).Draw(rt, "zone")]
		form := rapid.SampledFrom(written).Draw(rt, "form")
		sec := rapid.OneOf(rapid.Int64Range(minInstant+86_400, maxInstant-86_400), rapid.Int64Range(0, 2_000_000_000),
			rapid.Custom(func(rt *rapid.T) int64 { // near a transition
				s := rapid.SampledFrom(z.spans).Draw(rt, "span")
				return max(minInstant+86_400, s.start) + rapid.Int64Range(-7200, 7200).Draw(rt, "near")
			})).Draw(rt, "sec")
		at := time.Unix(sec, rapid.Int64Range(0, 999_999_999).Draw(rt, "nano")).In(z.loc)
		if form.zoned && z.offset(sec)%60 != 0 {
			return // package time cannot write this offset
		}
		want := at.Add(-time.Duration(at.Nanosecond()) % form.unit)
		if form.unit == time.Minute { // of the local clock
			want = at.Add(-time.Duration(at.Nanosecond()) - time.Duration(at.Second())*time.Second)
		}
		if z.offset(want.Unix()) != z.offset(sec) {
			return // the clocks changed within the minute, and the text says neither
		}
		text := textValue(at.Format(form.layout))
		spec := TimeSpec{Format: form.format, Timezone: z.name, Precision: "ns", Overlap: "earlier"}
		if !form.zoned && len(z.meant(want.Unix()+z.offset(sec))) > 1 {
			first, _ := mustTime(t, spec).reads(t, text)
			spec.Overlap = "later"
			second, _ := mustTime(t, spec).reads(t, text)
			spec.Overlap = ""
			code, _ := mustTime(t, spec).reads(t, text)
			if !sameInstant(first, want) && !sameInstant(second, want) || first >= second || code != CodeTimeOverlap {
				rt.Fatalf("%s in %s is %s, %s, %s; want %s as one of the two", text.Text, z.name, first, second, code, want.UTC())
			}
			return
		}
		spec.Overlap = ""
		sent, fl := mustTime(t, spec).reads(t, text)
		if !sameInstant(sent, want) || (fl&TimeAncient != 0) != (want.Unix() < ancient) || fl&TimeTruncated != 0 {
			rt.Fatalf("%s in %s as %q is %s, flags %d; want %s", text.Text, z.name, form.format, sent, fl, want.UTC().Format(time.RFC3339Nano))
		}
	})
}

// TestEpochsRoundTrip does the same with counts.
func TestEpochsRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := time.Unix(rapid.Int64Range(-9_000_000_000, 9_000_000_000).Draw(rt, "sec"), rapid.Int64Range(0, 999_999_999).Draw(rt, "nano"))
		var text string
		format := rapid.SampledFrom([]string{"epoch_s", "epoch_ms", "epoch_us", "epoch_ns"}).Draw(rt, "format")
		switch format {
		case "epoch_s":
			text, at = strconv.FormatInt(at.Unix(), 10), at.Truncate(time.Second)
		case "epoch_ms":
			text, at = strconv.FormatInt(at.UnixMilli(), 10), at.Truncate(time.Millisecond)
		case "epoch_us":
			text, at = strconv.FormatInt(at.UnixMicro(), 10), at.Truncate(time.Microsecond)
		case "epoch_ns":
			text = strconv.FormatInt(at.UnixNano(), 10)
		}
		sent, fl := mustTime(t, TimeSpec{Format: format, Precision: "ns"}).reads(t, textValue(text))
		if !sameInstant(sent, at) || fl&TimeTruncated != 0 {
			rt.Fatalf("%s as %s is %s, flags %d; want %s", text, format, sent, fl, at.UTC())
		}
		_, fraction, _ := strings.Cut(strings.TrimSuffix(sent, "Z"), ".")
		if len(fraction)%3 != 0 || strings.HasSuffix(fraction, "000") {
			rt.Fatalf("%s as %s is %s: not the fewest of 0, 3, 6, 9 digits", text, format, sent)
		}
	})
}

func sameInstant(sent string, want time.Time) bool {
	got, err := time.Parse(time.RFC3339Nano, sent)
	return err == nil && got.Equal(want) && strings.HasSuffix(sent, "Z")
}

func BenchmarkLoadZone(b *testing.B) {
	for b.Loop() {
		if _, err := loadZone("Europe/Berlin"); err != nil {
			b.Fatal(err)
		}
	}
}
