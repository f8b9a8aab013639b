package mapper

import (
	"fmt"
	"strings"

	"github.com/m3import/m3import/reader"
)

// TimeSpec says how times are written: docs/times-and-numbers.md for users.
// The zero value reads RFC 3339 and ISO 8601 texts that carry their offset
// from UTC.
type TimeSpec struct {
	// Format is "iso8601", "rfc3339", "epoch_s", "epoch_ms", "epoch_us",
	// "epoch_ns", or a strftime text such as "%d/%m/%Y %H:%M". Default: "iso8601".
	Format string `json:"format,omitempty" yaml:"format,omitempty"`
	// Timezone is where texts without an offset were written: "UTC", an IANA
	// name, or an offset such as "+02:00". Default: such texts are rejects.
	Timezone string `json:"timezone,omitempty" yaml:"timezone,omitempty"`
	// Precision is the most that is kept of a fraction: "s", "ms", "us" or
	// "ns". Default: "ms", m3ter's own resolution.
	Precision string `json:"precision,omitempty" yaml:"precision,omitempty"`
	// Epoch is what the epoch formats count from, in RFC 3339. Default: 1970-01-01T00:00:00Z.
	Epoch string `json:"epoch,omitempty" yaml:"epoch,omitempty"`
	// Gap is for local times that a change of clocks left out: "reject", or
	// "forward" by the length of the gap. Default: "reject".
	Gap string `json:"gap,omitempty" yaml:"gap,omitempty"`
	// Overlap is for local times that a change of clocks made twice: "reject",
	// or the "earlier" or "later" instant. Default: "reject".
	Overlap string `json:"overlap,omitempty" yaml:"overlap,omitempty"`
}

// timeParser is a TimeSpec, ready to use. It is immutable and safe for
// concurrent use.
type timeParser struct {
	format  format
	rfc3339 bool     // format is formatISO without its leniencies
	layout  []step   // of formatLayout
	unit    int      // of formatEpoch: 0, 3, 6 or 9 decimals of a second
	base    instant  // of formatEpoch
	name    string   // the format as messages call it
	zone    *zone    // nil: texts must carry an offset
	utc     bool     // zone is UTC
	digits  int      // of a fraction, at most
	forward bool     // out of gaps
	overlap instants // what an overlap means
}

type format uint8

const (
	formatISO format = iota
	formatEpoch
	formatLayout
)

// instants chooses among the two of an overlap.
type instants uint8

const (
	neither instants = iota
	earlier
	later
)

var precisions = map[string]int{"": 3, "s": 0, "ms": 3, "us": 6, "ns": 9}

var epochUnits = map[string]int{"epoch_s": 0, "epoch_ms": 3, "epoch_us": 6, "epoch_ns": 9}

// compile checks s. Its errors say what to write instead.
func (s TimeSpec) compile() (*timeParser, error) {
	p := &timeParser{}
	var ok bool
	if p.digits, ok = precisions[s.Precision]; !ok {
		return nil, fmt.Errorf("precision %s: expected s, ms, us or ns", quoted(s.Precision))
	}
	switch s.Gap {
	case "", "reject":
	case "forward":
		p.forward = true
	default:
		return nil, fmt.Errorf("gap %s: expected reject or forward", quoted(s.Gap))
	}
	if p.overlap, ok = map[string]instants{"": neither, "reject": neither, "earlier": earlier, "later": later}[s.Overlap]; !ok {
		return nil, fmt.Errorf("overlap %s: expected reject, earlier or later", quoted(s.Overlap))
	}
	if s.Timezone != "" {
		zone, err := loadZone(s.Timezone)
		if err != nil {
			return nil, err
		}
		p.zone, p.utc = zone, zone.utc()
	}
	if err := p.setFormat(s); err != nil {
		return nil, err
	}
	return p, p.setEpoch(s)
}

func (p *timeParser) setFormat(s TimeSpec) (err error) {
	p.name = s.Format
	unit, epoch := epochUnits[s.Format]
	switch {
	case s.Format == "", s.Format == "iso8601":
		p.name = "iso8601"
	case s.Format == "rfc3339":
		p.rfc3339 = true
	case epoch:
		p.format, p.unit = formatEpoch, unit
		if s.Timezone != "" {
			return fmt.Errorf("timezone %s with format %s: a count from an epoch has no zone; leave timezone out", quoted(s.Timezone), s.Format)
		}
	case !strings.Contains(s.Format, "%"):
		return fmt.Errorf("format %s: %s", quoted(shown([]byte(s.Format))), insteadOf(s.Format))
	default:
		p.format = formatLayout
		var zoned bool
		if p.layout, zoned, err = compileLayout(s.Format); err != nil {
			return fmt.Errorf("format %s: %w", quoted(shown([]byte(s.Format))), err)
		}
		if !zoned && p.zone == nil {
			return fmt.Errorf("format %s has no zone: write %%z where the text has an offset or a Z, or say timezone: UTC or the zone of the source", quoted(s.Format))
		}
	}
	return nil
}

func (p *timeParser) setEpoch(s TimeSpec) error {
	if s.Epoch == "" {
		return nil
	}
	if p.format != formatEpoch {
		return fmt.Errorf("epoch %s with format %s: an epoch is for epoch_s, epoch_ms, epoch_us and epoch_ns", quoted(s.Epoch), p.name)
	}
	var c civil
	if c.scanISO([]byte(s.Epoch)) != "" || !isRFC3339([]byte(s.Epoch)) || c.check() != "" {
		return fmt.Errorf("epoch %s: expected RFC 3339, such as 2024-01-01T00:00:00Z", quoted(s.Epoch))
	}
	if c.cut {
		return fmt.Errorf("epoch %s: expected at most 9 digits of a second", quoted(s.Epoch))
	}
	p.base = instant{sec: c.reading() - c.offset, nano: c.nano}
	return nil
}

// append appends the time in v to dst as RFC 3339 in UTC, without quotes. It
// keeps the digits of the fraction as they are written, up to the precision;
// cutting one that is not 0 sets TimeTruncated. On an error dst is unchanged
// and the error lacks its Field and Column.
func (p *timeParser) append(dst []byte, v reader.Value) (out []byte, fl Flags, err *FieldError) {
	if v.Kind != reader.String && v.Kind != reader.Time && v.Kind != reader.Number || len(v.Text) == 0 {
		return dst, 0, p.wrongKind(v)
	}
	// A Parquet time has been decoded by its type, and the reader writes it in
	// ISO 8601 whatever the format of the mapping says about texts.
	return p.appendText(dst, v.Text, v.Kind == reader.Time)
}

// appendDateTime is append for a date in one column and a clock time in
// another. A format applies to the two with one space between them.
func (p *timeParser) appendDateTime(dst []byte, date, clock reader.Value) (out []byte, fl Flags, err *FieldError) {
	for _, v := range []*reader.Value{&date, &clock} {
		if v.Kind != reader.String && v.Kind != reader.Time && v.Kind != reader.Number || len(v.Text) == 0 {
			return dst, 0, p.wrongKind(*v)
		}
	}
	// The joined text stands in dst for a moment, beyond what the caller sees.
	start := len(dst)
	between := byte(' ')
	if p.rfc3339 {
		between = 'T'
	}
	joined := append(append(append(dst, date.Text...), between), clock.Text...)
	n := len(joined)
	typed := date.Kind == reader.Time || clock.Kind == reader.Time
	if p.format == formatEpoch && !typed {
		return dst, 0, p.fault(CodeTime, joined[start:], "a date and a clock time in two columns cannot be read as "+p.name+"; use iso8601 or a strftime format")
	}
	out, fl, err = p.appendText(joined, joined[start:n], typed)
	if err != nil {
		return dst, 0, err
	}
	out = out[:start+copy(out[start:], out[n:])]
	return out, fl, nil
}

func (p *timeParser) appendText(dst, text []byte, typed bool) ([]byte, Flags, *FieldError) {
	var c civil
	var why string
	switch {
	case p.format == formatISO || typed:
		if strict := p.rfc3339 && !typed; !strict || isRFC3339(text) {
			if out, fl, ok := p.appendUTC(dst, text); ok {
				return out, fl, nil
			}
		}
		why = c.scanISO(text)
		if p.rfc3339 && !typed && (why == "" && !isRFC3339(text) || why == expectISO) {
			why = expectRFC3339
		}
	case p.format == formatEpoch:
		at, why := p.scanEpoch(text)
		if why != "" {
			return dst, 0, p.fault(CodeTime, text, why)
		}
		return p.appendInstant(dst, text, at)
	default:
		why = p.scanLayout(&c, text)
		if c.counted && why == "" {
			return p.appendInstant(dst, text, instant{sec: c.count, nano: c.nano, digits: c.digits, cut: c.cut})
		}
	}
	if why == "" {
		why = c.check()
	}
	if why != "" {
		return dst, 0, p.fault(CodeTime, text, why)
	}
	at := instant{sec: c.reading() - c.offset, nano: c.nano, digits: c.digits, cut: c.cut}
	if !c.zoned {
		var err *FieldError
		if at.sec, err = p.place(text, c.reading()); err != nil {
			return dst, 0, err
		}
	}
	return p.appendInstant(dst, text, at)
}

// place turns the reading of a local clock into an instant.
func (p *timeParser) place(text []byte, reading int64) (sec int64, err *FieldError) {
	if p.zone == nil {
		return 0, p.fault(CodeTimeZone, text, "a time without a zone: say timezone: UTC in the mapping, or the zone of the source")
	}
	l := p.zone.local(reading)
	switch {
	case l.instants == 1, l.instants > 1 && p.overlap == earlier:
		return l.earlier, nil
	case l.instants > 1 && p.overlap == later, l.instants == 0 && p.forward:
		return l.later, nil
	case l.instants == 0:
		return 0, p.fault(CodeTimeGap, text, fmt.Sprintf(
			"the clocks of %s jumped from %s to %s; it could mean %s or %s: say dst: {gap: forward} in the mapping to read it as the second",
			p.zone.name, clockText(l.from), clockText(l.to), instantText(l.earlier), instantText(l.later)))
	default:
		return 0, p.fault(CodeTimeOverlap, text, fmt.Sprintf(
			"the clocks of %s showed it twice, at %s and at %s: say dst: {overlap: earlier} or {overlap: later} in the mapping",
			p.zone.name, instantText(l.earlier), instantText(l.later)))
	}
}

func (p *timeParser) wrongKind(v reader.Value) *FieldError {
	switch v.Kind {
	case reader.Object, reader.Array:
		return p.fault(CodeScalar, v.Text, "an object or an array where a time belongs; map a path inside it")
	case reader.Bool:
		return p.fault(CodeTime, v.Text, "true or false is not a time")
	default:
		return p.fault(CodeRequired, v.Text, "no time")
	}
}

func (p *timeParser) fault(code string, text []byte, why string) *FieldError {
	return &FieldError{Value: shown(text), Code: code, Reason: why}
}
