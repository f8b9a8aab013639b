package checkpoint

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/m3import/m3import/internal/jsonx"
)

// appendJSON appends the mark as encoding/json reads it. It is written by hand
// because a mark is written with every commit and can have thousands of totals;
// and because those are easier to read one a line.
func (m *Mark) appendJSON(dst []byte) []byte {
	o := object(append(dst, '{'))
	o.int("version", int64(m.Version))
	o.text("plan", m.Plan)
	o.name("position").open('{')
	o.int("source", int64(m.Position.Source))
	o.int("offset", m.Position.Offset)
	o.int("line", m.Position.Line)
	o.int("record", m.Position.Record)
	o.close('}')
	o.counts("counts", &m.Counts)
	o.counts("current", &m.Current)
	if m.Doubt != "" {
		o.text("doubt", m.Doubt)
	}
	o.name("reject_codes").open('{')
	for _, code := range slices.Sorted(maps.Keys(m.RejectCodes)) {
		o.int(code, m.RejectCodes[code])
	}
	o.close('}')
	o.int("rejects_len", m.RejectsLen)
	if m.RejectsSum != "" {
		o.text("rejects_crc32c", m.RejectsSum)
	}
	o.int("sources_len", m.SourcesLen)
	o.int("history_len", m.HistoryLen)
	o.time("first_sent", m.FirstSent)
	o.int("max_uncertain", m.MaxUncertain)
	o.time("updated", m.Updated)
	o.int("runs", int64(m.Runs))
	o.name("finished")
	o = strconv.AppendBool(o, m.Finished)
	o.name("totals").open('[')
	for i := range m.Totals {
		t := &m.Totals[i]
		o.comma()
		o = append(o, '\n')
		o.open('{')
		o.text("meter", t.Meter)
		o.text("category", t.Category)
		o.text("field", t.Field)
		o.text("sum", t.Sum)
		o.int("count", t.Count)
		o.close('}')
	}
	o.close(']')
	o.close('}')
	return o
}

// object is JSON text that grows by members.
type object []byte

func (o *object) comma() {
	switch (*o)[len(*o)-1] {
	case '{', '[':
	default:
		*o = append(*o, ',')
	}
}

func (o *object) open(c byte)  { *o = append(*o, c) }
func (o *object) close(c byte) { *o = append(*o, c) }

func (o *object) name(name string) *object {
	o.comma()
	*o = append(jsonx.AppendStringS(*o, name), ':')
	return o
}

func (o *object) int(name string, n int64) {
	o.name(name)
	*o = strconv.AppendInt(*o, n, 10)
}

func (o *object) text(name, text string) {
	o.name(name)
	*o = jsonx.AppendStringS(*o, text)
}

func (o *object) time(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	o.name(name)
	*o = append(t.UTC().AppendFormat(append(*o, '"'), time.RFC3339Nano), '"')
}

// date is time in the way of encoding/json: a zero time counts, and one that
// JSON has no text for is an error.
func (o *object) date(name string, t time.Time) error {
	o.name(name)
	return o.stamp(t)
}

func (o *object) stamp(t time.Time) error {
	text, err := t.AppendText(append(*o, '"'))
	if err != nil {
		return err
	}
	*o = append(text, '"')
	return nil
}

// source adds the members of a source. line is what stands before each of them:
// "" for no layout, otherwise a line end and what indents the next line.
func (o *object) source(s *Source, line string) (err error) {
	name := func(name string) {
		o.comma()
		*o = append(append(*o, line...), '"')
		*o = append(append(*o, name...), `":`...)
		if line != "" {
			*o = append(*o, ' ')
		}
	}
	text := func(key, value string) {
		if value != "" {
			name(key)
			*o = jsonx.AppendStringS(*o, value)
		}
	}
	name("path")
	*o = jsonx.AppendStringS(*o, s.Path)
	text("name", s.Name)
	name("size")
	*o = strconv.AppendInt(*o, s.Size, 10)
	if !s.Modified.IsZero() {
		name("modified")
		err = o.stamp(s.Modified)
	}
	text("head", s.Head)
	text("tail", s.Tail)
	text("full", s.Full)
	return err
}

func (o *object) counts(name string, c *Counts) {
	o.name(name).open('{')
	o.int("read", c.Read)
	o.int("accepted", c.Accepted)
	o.int("rejected", c.Rejected)
	o.int("filtered", c.Filtered)
	o.int("measurements", c.Measurements)
	o.int("times_truncated", c.TimesTruncated)
	o.int("numbers_inexact", c.NumbersInexact)
	o.int("times_ancient", c.TimesAncient)
	if c.TimesFuture != 0 { // other versions do not know it
		o.int("times_future", c.TimesFuture)
	}
	o.int("without_amount", c.WithoutAmount)
	o.close('}')
}
