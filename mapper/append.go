package mapper

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/internal/jsonx"
	"github.com/m3import/m3import/internal/uuidv5"
	"github.com/m3import/m3import/reader"
)

// Mapper makes measurements of records. It is immutable: any number of
// goroutines may use one at the same time, each with an Output of its own.
type Mapper struct {
	filter  []condition
	makes   []encoder
	landed  int  // the index of rejectLanded, -1 for rows that are measurements already
	numbers int  // numeric fields of all makes
	unasked bool // there is no mapping file
}

// uidStart is where the uid starts in a measurement.
const uidStart = len(`{"uid":"`)

// Append appends the measurements of rec to out. rec must hold the columns of
// [Mapping.Columns], in that order.
//
// Either all measurements of the row are appended, or out is left as it was:
// when the row does not pass the filter, or all its measurements are left out
// for their empty amounts, which filtered reports; and when it has a fault, which err, a *FieldError, describes. Of several faults it is
// the first in the order account, meter, ts, ets, uid, fields.
func (m *Mapper) Append(out *Output, rec *reader.Record) (filtered bool, err error) {
	if len(m.filter) > 0 {
		kept, fe := keep(m.filter, rec)
		if fe != nil {
			return false, fe
		}
		if !kept {
			return true, nil
		}
	}
	out.scratch = out.scratch[:0]
	before := out.size()
	out.usedBy(m)
	landed, fe := m.landedOf(rec)
	if fe != nil {
		return false, fe
	}
	for i := range m.makes {
		if len(landed) > 0 && slices.Contains(landed, m.makes[i].name) {
			continue
		}
		made := len(out.Items)
		fe := m.makes[i].append(out, rec)
		for ; made < len(out.Items); made++ {
			out.Items[made].Make = uint16(i)
		}
		if fe != nil {
			out.cut(before)
			if m.unasked {
				fe.withoutMapping()
			}
			if name := m.makes[i].name; name != "" {
				fe.Reason += " (measurement " + quoted(name) + ")"
			}
			return false, fe
		}
	}
	return len(out.Items) == before.items, nil
}

// landedOf are the names of the measurements of a row from a reject file that the
// platform has taken.
func (m *Mapper) landedOf(rec *reader.Record) (names []string, fe *FieldError) {
	if m.landed < 0 || rec.Values[m.landed].Empty() {
		return nil, nil
	}
	return m.readLanded(rec.Values[m.landed])
}

func (m *Mapper) readLanded(v reader.Value) (names []string, fe *FieldError) {
	err := json.Unmarshal(v.Text, &names)
	for _, name := range names {
		if !slices.ContainsFunc(m.makes, func(e encoder) bool { return e.name == name }) {
			err = errors.New("no measurement is called " + quoted(name))
		}
	}
	if err != nil {
		return nil, &FieldError{Field: "uid", Column: rejectLanded, Value: shown(v.Text), Code: CodeUID,
			Reason: "a row from a reject file needs the names of its measurements that the platform took, as they were written there: " + err.Error()}
	}
	return names, nil
}

// Made is the name of the measurement of the mapping that made an item.
func (m *Mapper) Made(item Item) string { return m.makes[item.Make].name }

// UID returns the uid of the first measurement of rec, when the columns that
// it takes are sound; it is for naming a reject, and it allocates.
func (m *Mapper) UID(rec *reader.Record) (string, bool) {
	var out Output
	out.usedBy(m)
	e := &m.makes[0]
	if e.uid.late() {
		// The uid is made of the whole measurement, so there has to be one.
		if e.append(&out, rec) != nil || len(out.Items) == 0 {
			return "", false
		}
		return string(out.JSON[uidStart:out.Items[0].UIDEnd]), true
	}
	uid, fe := e.uid.early(&out, rec)
	if fe == nil && !e.uid.direct {
		var text [uuidLen]byte
		uuidv5.Write(&text, uuidv5.Pad(out.hash))
		uid = text[:]
	}
	return string(uid), fe == nil
}

// Flagging returns a Mapper that does as m does, and flags each ts that is
// later than now with TimeFuture.
func (m *Mapper) Flagging(now time.Time) *Mapper {
	flagging := *m
	flagging.makes = slices.Clone(m.makes)
	for i := range flagging.makes {
		flagging.makes[i].now = now.UTC().AppendFormat(nil, "2006-01-02T15:04:05.999999999Z")
	}
	return &flagging
}

// encoder makes one measurement of a record.
type encoder struct {
	name       string
	account    text
	meter      text
	meterJSON  []byte  // `,"meter":"…"` when the meter is a constant
	ts, ets    *moment // ets is nil when the mapping has none
	uid        identity
	categories []category
	now        []byte // later times are flagged; nil: none is
	native     bool   // the row brings its categories along
	omitEmpty  bool   // no measurement when all amounts are empty
}

// category is the fields of one category, in the order of their codes.
type category struct {
	name   Category
	fields []field
}

// field is a Field, ready to use: a number in a numeric category, a text in
// the others.
type field struct {
	code   []byte
	first  []byte // `,"measure":{"gb":`, before the first field of its category
	later  []byte // `,"gb":`, before any other
	text   *text
	number *number
	slot   int // of the field among the numeric ones of the mapping
}

// append appends one measurement, or none when it is to be left out. After an error out has a torn tail, which
// the caller cuts off.
func (e *encoder) append(out *Output, rec *reader.Record) *FieldError {
	out.known.row = nil
	account, fe := e.account.get(out, rec)
	if fe != nil {
		return fe
	}
	meter, fe := e.meter.get(out, rec)
	if fe != nil {
		return fe
	}
	ts, flags, fe := e.ts.get(out, rec)
	if fe != nil {
		return fe
	}
	var ets []byte
	if e.ets != nil {
		var fl Flags
		if ets, fl, fe = e.ets.get(out, rec); fe != nil {
			return fe
		}
		if len(ets) > 0 && before(ets, ts) {
			return e.ets.reversed(rec, ets, ts)
		}
		flags |= fl &^ TimeAncient // which is about ts
	}
	if e.now != nil && after(ts, e.now) {
		flags |= TimeFuture
	}
	uid, fe := e.uid.early(out, rec)
	if fe != nil {
		return fe
	}

	start, amounts := len(out.JSON), len(out.Amounts)
	if e.uid.direct {
		out.JSON = jsonx.AppendString(append(out.JSON, `{"uid":`...), uid)
	} else { // a UUID, which has nothing to escape
		out.JSON = append(out.JSON, `{"uid":"????????-????-????-????-????????????"`...)
	}
	uidEnd := len(out.JSON) - 1
	if e.meterJSON != nil {
		out.JSON = append(out.JSON, e.meterJSON...)
	} else {
		out.JSON = append(out.JSON, `,"meter":`...)
		out.JSON = jsonx.AppendString(out.JSON, meter)
	}
	out.JSON = append(out.JSON, `,"account":`...)
	out.JSON = jsonx.AppendString(out.JSON, account)
	out.JSON = append(append(append(out.JSON, `,"ts":"`...), ts...), '"')
	if len(ets) > 0 {
		out.JSON = append(append(append(out.JSON, `,"ets":"`...), ets...), '"')
	}
	fl, fe := e.fields(out, rec, meter)
	if fe != nil {
		return fe
	}
	flags |= fl
	if len(out.Amounts) == amounts {
		if e.omitEmpty {
			out.JSON = out.JSON[:start]
			return nil
		}
		flags |= NoAmount
	}
	out.JSON = append(out.JSON, '}')
	e.uid.finish(out, out.JSON[start:])
	out.item(uidEnd, flags)
	return nil
}

// fields appends the categories.
func (e *encoder) fields(out *Output, rec *reader.Record, meter []byte) (flags Flags, fe *FieldError) {
	if e.native {
		return out.appendNative(rec, meter)
	}
	for i := range e.categories {
		fl, fe := e.categories[i].append(out, rec, meter)
		if fe != nil {
			return 0, fe
		}
		flags |= fl
	}
	return flags, nil
}

// append appends the member of c, or nothing when all its fields are left out.
func (c *category) append(out *Output, rec *reader.Record, meter []byte) (Flags, *FieldError) {
	var flags Flags
	opened := false
	for i := range c.fields {
		f := &c.fields[i]
		end := len(out.JSON)
		key := f.first
		if opened {
			key = f.later
		}
		out.JSON = append(out.JSON, key...)
		var there bool
		var fl Flags
		var fe *FieldError
		if f.number != nil {
			there, fl, fe = f.number.append(out, rec, c.name, f, meter)
		} else {
			there, fe = f.text.append(out, rec)
		}
		if fe != nil {
			return 0, fe
		}
		if !there {
			out.JSON = out.JSON[:end]
			continue
		}
		opened = true
		flags |= fl
	}
	if opened {
		out.JSON = append(out.JSON, '}')
	}
	return flags, nil
}

// append appends the JSON string of t; it reports false for a field that is to
// be left out.
func (t *text) append(out *Output, rec *reader.Record) (bool, *FieldError) {
	b, fe := t.get(out, rec)
	if fe != nil || len(b) == 0 {
		return false, fe
	}
	out.JSON = jsonx.AppendString(out.JSON, b)
	return true, nil
}

// append appends the JSON number of n and counts it; it reports false for a
// field that is to be left out.
func (n *number) append(out *Output, rec *reader.Record, cat Category, f *field, meter []byte) (bool, Flags, *FieldError) {
	if n.fixed != nil {
		return true, n.fixed.append(out, cat, f, meter), nil
	}
	v := rec.Values[n.column.index]
	switch {
	case !isScalar(v):
		return false, 0, scalar(n.field, n.column.name, v)
	case v.Empty() && n.empty == skip:
		return false, 0, nil
	case v.Empty() && n.empty == substitute:
		return true, n.subst.append(out, cat, f, meter), nil
	case v.Empty():
		return false, 0, missing(n.field, n.column.name, v)
	}
	if v.Kind == reader.Number || v.Kind == reader.String && n.parse.plain {
		// What nearly all numbers are, without the way through append.
		if d, ok := decimal.Parse(v.Text); ok {
			out.JSON = append(out.JSON, v.Text...)
			out.amount(f.slot, meter, cat, f.code, d)
			return true, inexact(d), nil
		}
	}
	b, d, flags, fe := n.parse.append(out.JSON, v)
	if fe != nil {
		fe.Field, fe.Column = n.field, n.column.name
		return false, 0, fe
	}
	out.JSON = b
	out.amount(f.slot, meter, cat, f.code, d)
	return true, flags, nil
}

// append appends a number that is the same in every row.
func (c *constant) append(out *Output, cat Category, f *field, meter []byte) Flags {
	out.JSON = append(out.JSON, c.json...)
	out.amount(f.slot, meter, cat, f.code, c.value)
	return c.flags
}

// reversed returns the error for an ets that is earlier than ts. The platform
// is not known to refuse it, but a span that ends before it starts is a
// mistake of the mapping or of the source, and its usage would be billed in a
// period that nobody meant.
func (t *moment) reversed(rec *reader.Record, ets, ts []byte) *FieldError {
	column, value, is := t.date.name, ets, "ets is"
	if t.fixed == nil {
		value = rec.Values[t.date.index].Text
		if t.clock.index >= 0 {
			column += " + " + t.clock.name
			value = append(append(slices.Clone(value), ' '), rec.Values[t.clock.index].Text...)
		}
		if string(value) != string(ets) {
			is += " " + string(ets) + ","
		}
	}
	return &FieldError{Field: "ets", Column: column, Value: shown(value), Code: CodeTime,
		Reason: is + " earlier than ts, " + string(ts) + "; perhaps the two columns are exchanged"}
}

// item closes the measurement that ends out.JSON.
func (o *Output) item(uidEnd int, flags Flags) {
	if uint64(len(o.JSON)) > math.MaxUint32 {
		panic("mapper: an Output of more than 4 GiB: reset it between chunks")
	}
	o.Items = append(o.Items, Item{End: uint32(len(o.JSON)), UIDEnd: uint32(uidEnd), AmountsEnd: uint32(len(o.Amounts)), Flags: flags})
	o.JSON = append(o.JSON, ',')
}
