package mapper

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/internal/jsonx"
	"github.com/m3import/m3import/reader"
)

// NumberSpec says how numbers are written in text: docs/times-and-numbers.md
// for users. The zero value reads what JSON reads. JSON's own numbers and
// Parquet's are not concerned: theirs is JSON's form in any case.
type NumberSpec struct {
	// Decimal is the mark before the fraction, "." or ",". Default: ".".
	Decimal string `json:"decimal,omitempty" yaml:"decimal,omitempty"`
	// Group stands between groups of three digits before the fraction: ",",
	// ".", "'", "’", "_", a space, a no-break or a narrow no-break space.
	// Digits may also be written without it. Default: no groups.
	Group string `json:"group,omitempty" yaml:"group,omitempty"`
	// Padding allows spaces and tabs around a number, zeros before it and a
	// plus sign; they are dropped. Default: false.
	Padding bool `json:"padding,omitempty" yaml:"padding,omitempty"`
}

// numberParser is a NumberSpec, ready to use. It is immutable and safe for
// concurrent use.
type numberParser struct {
	decimal byte
	group   string
	padding bool
	plain   bool // nothing but JSON's numbers and ".5"
}

var groups = []string{",", ".", "'", "’", "_", " ", "\u00a0", "\u202f"}

// compile checks s. Its errors say what to write instead.
func (s NumberSpec) compile() (*numberParser, error) {
	p := &numberParser{decimal: '.', group: s.Group, padding: s.Padding}
	switch s.Decimal {
	case "", ".":
	case ",":
		p.decimal = ','
	default:
		return nil, fmt.Errorf("decimal %s: expected \".\" or \",\"", quoted(s.Decimal))
	}
	switch {
	case s.Group == string(p.decimal) && s.Decimal == "":
		return nil, fmt.Errorf("group \".\": a point is the decimal mark unless the mapping says another; add decimal: \",\"")
	case s.Group == string(p.decimal):
		return nil, fmt.Errorf("group %s is the decimal mark too; a number could then be read in two ways", quoted(s.Group))
	case s.Group != "" && !slices.Contains(groups, s.Group):
		return nil, fmt.Errorf("group %s: expected \",\", \".\", \"'\", \"’\", \"_\" or a space", quoted(s.Group))
	}
	p.plain = p.decimal == '.' && p.group == "" && !p.padding
	return p, nil
}

// append appends the number in v to dst as JSON writes numbers: the digits of
// v, every one of them, and nothing else changed but what JSON has no form
// for. It returns the value too, and NumberInexact when a double does not hold
// it. On an error dst is unchanged and the error lacks its Field and Column.
func (p *numberParser) append(dst []byte, v reader.Value) (out []byte, d decimal.Decimal, fl Flags, err *FieldError) {
	if v.Kind != reader.String && v.Kind != reader.Number || len(v.Text) == 0 {
		return dst, d, 0, p.wrongKind(v)
	}
	d, ok := decimal.Parse(v.Text)
	if ok && (p.plain || v.Kind == reader.Number) {
		return append(dst, v.Text...), d, inexact(d), nil
	}
	out = dst
	if v.Kind == reader.Number {
		out, ok = append(out, v.Text...), true
	} else {
		out, ok = p.rewrite(out, v.Text)
	}
	written := out[len(dst):]
	if !ok || !jsonx.ValidNumber(written) {
		return dst, decimal.Decimal{}, 0, &FieldError{Value: shown(v.Text), Code: CodeNumber, Reason: p.expected(v)}
	}
	if d, ok = decimal.Parse(written); !ok {
		return dst, d, 0, &FieldError{Value: shown(v.Text), Code: CodeNumberRange, Reason: outOfRange(written)}
	}
	return out, d, inexact(d), nil
}

func inexact(d decimal.Decimal) Flags {
	if d.SurvivesDouble() {
		return 0
	}
	return NumberInexact
}

// rewrite appends t with JSON's marks in place of the spec's. It reports false
// for what only looks like a number afterwards; for the rest, whether there is
// a number at all, ask the grammar.
func (p *numberParser) rewrite(dst, t []byte) (out []byte, ok bool) {
	if p.padding {
		t = bytes.Trim(t, " \t")
	}
	switch {
	case len(t) > 0 && t[0] == '-':
		dst, t = append(dst, '-'), t[1:]
	case len(t) > 0 && t[0] == '+' && p.padding:
		t = t[1:]
	}
	start := len(dst)
	if dst, t, ok = p.appendWhole(dst, t); !ok {
		return dst, false
	}
	whole := dst[start:]
	point := len(t) > 0 && t[0] == p.decimal
	switch {
	case len(whole) == 0 && !point:
		return dst, false // or the sign of "+-5" would be one
	case len(whole) == 0:
		dst = append(dst, '0') // ".5", which everyone but JSON takes
	case p.padding:
		zeros := len(whole) - max(1, len(bytes.TrimLeft(whole, "0")))
		dst = append(dst[:start], whole[zeros:]...)
	}
	if point {
		dst, t = append(dst, '.'), t[1:]
	}
	return append(dst, t...), bytes.IndexByte(t, '.') < 0 // a point that is no mark here
}

// appendWhole appends the digits before the fraction, without what groups
// them. Either all of them are in groups of three or none is.
func (p *numberParser) appendWhole(dst, t []byte) (out, rest []byte, ok bool) {
	n := leadingDigits(t)
	dst, t = append(dst, t[:n]...), t[n:]
	if p.group == "" || len(t) < len(p.group) || string(t[:len(p.group)]) != p.group {
		return dst, t, true
	}
	if n < 1 || n > 3 {
		return dst, t, false
	}
	for len(t) >= len(p.group) && string(t[:len(p.group)]) == p.group {
		t = t[len(p.group):]
		if n = leadingDigits(t); n != 3 {
			return dst, t, false
		}
		dst, t = append(dst, t[:3]...), t[3:]
	}
	return dst, t, true
}

func leadingDigits(t []byte) int {
	for i, c := range t {
		if !digit(c) {
			return i
		}
	}
	return len(t)
}

func (p *numberParser) wrongKind(v reader.Value) *FieldError {
	code, why := CodeRequired, "no number"
	switch v.Kind {
	case reader.Object, reader.Array:
		code, why = CodeScalar, "an object or an array where a number belongs; map a path inside it"
	case reader.Bool:
		code, why = CodeNumber, "true or false is not a number"
	case reader.Time:
		code, why = CodeNumber, "a time is not a number"
	}
	return &FieldError{Value: shown(v.Text), Code: code, Reason: why}
}

// expected says what a number looks like, and, when v would be one under
// another spec, which.
func (p *numberParser) expected(v reader.Value) string {
	whole := "1234"
	if p.group != "" {
		whole = "1" + p.group + "234"
	}
	why := "not a number: expected the form " + whole + string(p.decimal) + "5"
	if v.Kind == reader.Number {
		return why
	}
	var could []string
	propose := func(q numberParser, spec string) {
		if out, ok := q.rewrite(nil, v.Text); ok && jsonx.ValidNumber(out) {
			could = append(could, "number: "+spec)
		}
	}
	for _, other := range otherForms {
		if bytes.Contains(v.Text, []byte(other.group)) {
			propose(numberParser{decimal: other.decimal, group: other.group, padding: p.padding}, other.spec)
		}
	}
	if !p.padding {
		propose(numberParser{decimal: p.decimal, group: p.group, padding: true}, "{padding: true}")
	}
	if len(could) == 0 {
		return why
	}
	return why + ", unless the mapping says " + listed(could)
}

// otherForms are the ways to write numbers that an error proposes.
var otherForms = [...]struct {
	spec    string
	decimal byte
	group   string
}{
	{`{group: ","}`, '.', ","},
	{`{decimal: ","}`, ',', ""},
	{`{decimal: ",", group: "."}`, ',', "."},
	{`{group: "_"}`, '.', "_"},
	{`{group: "'"}`, '.', "'"},
	{`{group: " "}`, '.', " "},
}

// outOfRange says why a number of JSON's grammar is none to package decimal.
func outOfRange(t []byte) string {
	f, _ := strconv.ParseFloat(string(t), 64)
	switch {
	case f-f != 0:
		return "more than a double holds, which is what m3ter keeps: expected less than 1.8e308"
	case f == 0:
		return "so small that m3ter, which keeps a double, would make it 0: expected 0 itself or at least 5e-324"
	default:
		return "more than " + strconv.Itoa(decimal.MaxDigits) + " digits, which no amount has"
	}
}
