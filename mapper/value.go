package mapper

import (
	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/reader"
)

// policy is Empty.Policy, ready to use.
type policy uint8

const (
	required policy = iota
	skip
	substitute
)

// text is a Value that becomes a JSON string, or a part of a uid.
type text struct {
	field  string // m3ter's word
	column string // as FieldError shows it
	fixed  []byte // the constant; nil when there are columns
	cols   []part
	with   string
	empty  policy
	subst  []byte // for substitute
	limits limits
}

// part is one column of a Value.
type part struct {
	index int // into Record.Values
	name  string
}

// get returns the text of t for rec, and nil for a field that is to be left
// out. It may stand in out.scratch, in rec or in t itself, and is good until
// any of these goes.
func (t *text) get(out *Output, rec *reader.Record) ([]byte, *FieldError) {
	if t.fixed != nil {
		return t.fixed, nil
	}
	var b []byte
	var fe *FieldError
	if len(t.cols) == 1 {
		b, fe = t.one(rec, t.cols[0])
	} else {
		b, fe = t.join(out, rec)
	}
	if fe != nil || len(b) == 0 || t.limits == anyText {
		return b, fe
	}
	if code, reason := t.limits.check(b); code != "" {
		return nil, &FieldError{Field: t.field, Column: t.column, Value: shown(b), Code: code, Reason: reason}
	}
	return b, nil
}

// one returns the text of one column, nil when it is to be left out.
func (t *text) one(rec *reader.Record, p part) ([]byte, *FieldError) {
	v := rec.Values[p.index]
	switch {
	case !isScalar(v):
		return nil, scalar(t.field, p.name, v)
	case !v.Empty():
		return v.Text, nil
	case t.empty == skip:
		return nil, nil
	case t.empty == substitute:
		return t.subst, nil
	}
	return nil, missing(t.field, p.name, v)
}

// join puts the columns together in out.scratch. The policy holds for each of
// them: a part that is skipped takes its separator with it.
func (t *text) join(out *Output, rec *reader.Record) ([]byte, *FieldError) {
	start := len(out.scratch)
	for _, p := range t.cols {
		b, fe := t.one(rec, p)
		if fe != nil {
			return nil, fe
		}
		if len(b) == 0 {
			continue
		}
		if len(out.scratch) > start {
			out.scratch = append(out.scratch, t.with...)
		}
		out.scratch = append(out.scratch, b...)
	}
	return out.scratch[start:], nil
}

// missing returns the error for a value that is empty and must not be.
func missing(field, column string, v reader.Value) *FieldError {
	reason := "the row has no such column"
	switch v.Kind {
	case reader.Null:
		reason = "the value is null"
	case reader.Missing:
	default:
		reason = "the value is empty"
	}
	return &FieldError{Field: field, Column: column, Code: CodeRequired, Reason: reason}
}

// number is a Value that becomes a JSON number.
type number struct {
	field  string
	fixed  *constant // nil when there is a column
	column part
	parse  *numberParser
	empty  policy
	subst  *constant // for substitute
}

// constant is a number that the mapping holds.
type constant struct {
	json  []byte
	value decimal.Decimal
	flags Flags
}

// moment is a Time, ready to use.
type moment struct {
	field string
	fixed []byte // the constant, as it is sent
	flags Flags  // of fixed
	date  part   // the column, or the date of two
	clock part   // index -1 when there is one column
	parse *timeParser
	empty policy
}

// get appends the time to out.scratch and returns it, or nil for a time that
// is to be left out.
func (t *moment) get(out *Output, rec *reader.Record) ([]byte, Flags, *FieldError) {
	if t.fixed != nil {
		return t.fixed, t.flags, nil
	}
	v := rec.Values[t.date.index]
	if !isScalar(v) {
		return nil, 0, scalar(t.field, t.date.name, v)
	}
	if t.clock.index >= 0 {
		return t.getTwo(out, rec, v)
	}
	if v.Empty() {
		if t.empty == skip {
			return nil, 0, nil
		}
		return nil, 0, missing(t.field, t.date.name, v)
	}
	start := len(out.scratch)
	b, fl, fe := t.parse.append(out.scratch, v)
	if fe != nil {
		fe.Field, fe.Column = t.field, t.date.name
		return nil, 0, fe
	}
	out.scratch = b
	return b[start:], fl, nil
}

// getTwo is get for a date and a clock time. Half a time is a fault under
// every policy: it is not nothing.
func (t *moment) getTwo(out *Output, rec *reader.Record, date reader.Value) ([]byte, Flags, *FieldError) {
	clock := rec.Values[t.clock.index]
	switch {
	case !isScalar(clock):
		return nil, 0, scalar(t.field, t.clock.name, clock)
	case date.Empty() && clock.Empty() && t.empty == skip:
		return nil, 0, nil
	case date.Empty():
		return nil, 0, missing(t.field, t.date.name, date)
	case clock.Empty():
		return nil, 0, missing(t.field, t.clock.name, clock)
	}
	start := len(out.scratch)
	b, fl, fe := t.parse.appendDateTime(out.scratch, date, clock)
	if fe != nil {
		fe.Field, fe.Column = t.field, t.date.name+" + "+t.clock.name
		return nil, 0, fe
	}
	out.scratch = b
	return b[start:], fl, nil
}
