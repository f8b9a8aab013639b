package mapper

import (
	"archive/zip"
	_ "embed"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// zoneinfo is the IANA Time Zone Database, release 2025c, as Go distributes it
// in lib/time. It costs the binary 400 KB and buys that a row makes the same
// bytes on every machine. time.LoadLocation would read the machine's own
// database and use another only where there is none, so that two machines
// could disagree about an hour, and then about a uid, until both are updated.
//
//go:generate sh -c "cp $(go env GOROOT)/lib/time/zoneinfo.zip zoneinfo.zip"
//go:embed zoneinfo.zip
var zoneinfo string

// zone turns local times into instants: the offsets from UTC of one place and
// when they changed. It is immutable.
type zone struct {
	name  string
	spans []span // by start; the first one starts before all time
}

// span is a time during which the offset stays the same.
type span struct {
	start  int64 // Unix seconds
	offset int64 // seconds east of UTC
}

const (
	// maxOffset is more than any place ever was away from UTC: Manila was at
	// -15:56 until 1844, Metlakatla at +15:14 until 1867.
	maxOffset = 16 * 3600
	// cycle is 400 years, after which the Gregorian calendar repeats to the
	// day of the week, and so does every rule of the "last Sunday of March" kind.
	cycle = 146_097 * 86_400
	// tableEnd is the year 2500. The exceptions of the database, the longest
	// list of which is Morocco's for Ramadan until 2087, end before 2100;
	// after that there are only rules, and one cycle of them says everything.
	tableEnd = 16_725_225_600
)

// local is what a reading of the clock on the wall means.
type local struct {
	// instants is 1 on most days; 0 when the clocks jumped over the reading,
	// 2 when they came back to it.
	instants int
	// earlier and later are the instants in Unix seconds. In a gap they are
	// the reading under the offset after the jump and the one before it.
	earlier, later int64
	// from and to are, for a gap, the readings between which the clocks jumped.
	from, to int64
}

// local finds the instants at which the clocks of z show the given reading,
// which is counted in seconds from 1970-01-01T00:00 on the same clocks.
func (z *zone) local(reading int64) local {
	shift := int64(0)
	if reading >= tableEnd-maxOffset {
		shift = (reading - (tableEnd - maxOffset) + cycle) / cycle * cycle
	}
	l := z.lookup(reading - shift)
	l.earlier, l.later, l.from, l.to = l.earlier+shift, l.later+shift, l.from+shift, l.to+shift
	return l
}

func (z *zone) lookup(reading int64) (l local) {
	// The instants lie within maxOffset of the reading as UTC: mostly in one
	// span, at a transition in two.
	first := z.find(reading - maxOffset)
	last := first
	for ; last < len(z.spans) && z.spans[last].start <= reading+maxOffset; last++ {
		at := reading - z.spans[last].offset
		if at < z.spans[last].start || last+1 < len(z.spans) && at >= z.spans[last+1].start {
			continue
		}
		if l.instants++; l.instants == 1 {
			l.earlier = at
		}
		l.later = at
	}
	if l.instants > 0 {
		return l
	}
	for i := first + 1; i < last; i++ {
		before, after := z.spans[i-1].offset, z.spans[i].offset
		if at := z.spans[i].start; at+before <= reading && reading < at+after {
			return local{earlier: reading - after, later: reading - before, from: at + before, to: at + after}
		}
	}
	panic("mapper: a local time that is neither in a span nor in a gap")
}

// find returns the index of the span that holds the instant at.
func (z *zone) find(at int64) int {
	lo, hi := 0, len(z.spans)
	for hi-lo > 1 {
		if m := int(uint(lo+hi) / 2); z.spans[m].start <= at {
			lo = m
		} else {
			hi = m
		}
	}
	return lo
}

// utc reports whether z is UTC under whatever name.
func (z *zone) utc() bool { return len(z.spans) == 1 && z.spans[0].offset == 0 }

func fixedZone(name string, offset int64) *zone {
	return &zone{name: name, spans: []span{{start: math.MinInt64, offset: offset}}}
}

// loadZone finds the zone that a mapping names: "UTC", a name of the IANA
// database, or an offset such as "+02:00".
func loadZone(name string) (*zone, error) {
	if why := trapZones[name]; why != "" {
		return nil, fmt.Errorf("timezone %s: %s", quoted(name), why)
	}
	switch {
	case name == "UTC":
		return fixedZone(name, 0), nil
	case name[0] == '+' || name[0] == '-':
		var c civil
		if rest, ok := c.scanOffset([]byte(name)); !ok || len(rest) > 0 || len(name) != len("+02:00") {
			return nil, fmt.Errorf("timezone %s: an offset is written as +02:00 or -05:30", quoted(name))
		}
		return fixedZone(name, c.offset), nil
	case strings.HasPrefix(name, "Etc/GMT+"), strings.HasPrefix(name, "Etc/GMT-"):
		return nil, fmt.Errorf("timezone %s: the database counts these names the wrong way round, Etc/GMT+5 is -05:00; write the offset", quoted(name))
	}
	data, err := readZone(name)
	if err != nil {
		return nil, err
	}
	loc, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		panic("mapper: the time zone " + name + " of the binary: " + err.Error())
	}
	return &zone{name: name, spans: spansOf(loc)}, nil
}

// trapZones are names that work and do not mean what their writer means.
var trapZones = map[string]string{
	"Local": "the zone of this machine says nothing about the file; name the zone that the source writes, such as Europe/Berlin",
	"EST":   "this is -05:00 in summer too; write America/New_York, or -05:00 if that is meant",
	"MST":   "this is -07:00 in summer too; write America/Denver or America/Phoenix, or -07:00 if that is meant",
	"HST":   "write Pacific/Honolulu or -10:00",
}

// readZone reads one file of the database.
func readZone(name string) ([]byte, error) {
	archive, err := zip.NewReader(strings.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		panic("mapper: the time zone database of the binary: " + err.Error())
	}
	near := ""
	for _, f := range archive.File {
		switch {
		case f.Name == name:
			r, err := f.Open()
			if err != nil {
				panic("mapper: the time zone database of the binary: " + err.Error())
			}
			defer r.Close()
			return io.ReadAll(r)
		case strings.EqualFold(f.Name, name), strings.EqualFold(f.Name[strings.LastIndexByte(f.Name, '/')+1:], strings.ReplaceAll(name, " ", "_")):
			near = f.Name
		}
	}
	if near != "" {
		return nil, fmt.Errorf("timezone %s is not in the IANA database; did you mean %s?", quoted(name), near)
	}
	return nil, fmt.Errorf("timezone %s is not in the IANA database; write UTC, a name such as Europe/Berlin or America/New_York, or an offset such as +02:00", quoted(name))
}

// spansOf lists the offsets of loc until tableEnd.
func spansOf(loc *time.Location) []span {
	spans := []span{}
	for t := time.Unix(-cycle*10, 0).In(loc); ; {
		_, offset := t.Zone()
		if n := len(spans); n == 0 || spans[n-1].offset != int64(offset) {
			spans = append(spans, span{start: t.Unix(), offset: int64(offset)})
		}
		_, end := t.ZoneBounds()
		if end.IsZero() || end.Unix() > tableEnd {
			break
		}
		if !end.After(t) {
			// Where a rule holds, ZoneBounds takes every year for 365 days long:
			// on the last day of a leap year it answers with that day's start.
			end = t.Add(24 * time.Hour)
		}
		t = end
	}
	spans[0].start = math.MinInt64
	return spans
}
