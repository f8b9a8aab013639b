package mapper

import (
	"slices"

	"github.com/m3import/m3import/internal/jsonx"
	"github.com/m3import/m3import/reader"
)

// plainNumber reads the numbers that a mapping holds.
var plainNumber = func() *numberParser {
	p, err := NumberSpec{}.compile()
	if err != nil {
		panic("mapper: the zero NumberSpec does not compile: " + err.Error())
	}
	return p
}()

// fields compiles the data fields of a measurement.
func (c *compiler) fields(from []Field) []category {
	if len(from) > maxFields {
		c.fail(from[maxFields].name(), "a meter has at most %d data fields, and this is one more", maxFields)
	}
	seen := map[string]*Field{}
	for i := range from {
		f := &from[i]
		if f.Category.order() < 0 {
			c.fail(string(f.Category), "there is no such category; it can be %s", listed(categories[:]))
			return nil
		}
		if !validFieldCode([]byte(f.Code)) {
			c.fail(f.name(), "%s cannot be the code of a data field: letters, digits, _ and $, not starting with a digit, at most 80", quoted(f.Code))
		}
		if other, ok := seen[f.Code]; ok {
			c.fail(f.name(), "the field code %s stands in %s too; m3ter refuses one code twice in a measurement", quoted(f.Code), other.Category)
		}
		seen[f.Code] = f
	}
	sorted := slices.Clone(from)
	slices.SortStableFunc(sorted, compareFields)
	var out []category
	for i := range sorted {
		f := &sorted[i]
		if len(out) == 0 || out[len(out)-1].name != f.Category {
			out = append(out, category{name: f.Category})
		}
		cat := &out[len(out)-1]
		cat.fields = append(cat.fields, c.field(f))
	}
	return out
}

func (c *compiler) field(from *Field) field {
	key := append(jsonx.AppendStringS(nil, from.Code), ':')
	f := field{
		code:  []byte(from.Code),
		first: slices.Concat([]byte(`,"`+string(from.Category)+`":{`), key),
		later: slices.Concat([]byte(","), key),
		slot:  -1,
	}
	if from.Value.Const == nil && len(from.Value.Columns) == 0 {
		c.fail(from.name(), "the value is missing: name its column, or write `{const: …}`")
	}
	if from.Category.Numeric() {
		f.number, f.slot = c.number(from.name(), &from.Value), c.slots
		c.slots++
		return f
	}
	limits := anyText
	if from.Category == Metadata {
		limits = metadataText
	}
	t := c.text(from.name(), &from.Value, limits)
	f.text = &t
	return f
}

// number compiles a value that becomes a number.
func (c *compiler) number(path string, from *Value) *number {
	n := &number{field: path, parse: plainNumber}
	if from.Const != nil {
		if len(from.Columns) > 0 {
			c.fail(path, "a value is either a constant or from a column")
		}
		if from.Number != (NumberSpec{}) {
			c.fail(path+".number", "a constant is written as JSON writes numbers, with a point and no groups")
		}
		n.fixed = c.constant(path+".const", *from.Const)
		return n
	}
	if len(from.Columns) != 1 {
		c.fail(path, "numbers cannot be joined: %s is a number and takes one column", path)
		return n
	}
	n.column = c.part(path, from.Columns[0])
	parse, err := from.Number.compile()
	if err != nil {
		c.failKey(path+".number", err)
	}
	n.parse = parse
	n.empty = c.policy(path+".empty", from.Empty, Required, Skip, Default)
	if n.empty == substitute {
		n.subst = c.constant(path+".empty.const", from.Empty.Text)
	}
	return n
}

// constant checks a number that the mapping holds. Its grammar is JSON's,
// whatever the columns use.
func (c *compiler) constant(path, text string) *constant {
	if !jsonx.ValidNumber([]byte(text)) {
		c.fail(path, "%s is not a number as JSON writes them: digits, a point, perhaps an exponent", quoted(text))
		return &constant{}
	}
	b, d, fl, fe := plainNumber.append(nil, reader.Value{Kind: reader.Number, Text: []byte(text)})
	if fe != nil {
		c.fail(path, "%s", fe.Reason)
	}
	return &constant{json: b, value: d, flags: fl}
}
