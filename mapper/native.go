package mapper

import (
	"bytes"
	"slices"
	"strings"

	"github.com/m3import/m3import/internal/jsonx"
	"github.com/m3import/m3import/reader"
)

// Native is the mapping of NDJSON lines that are measurements already: their
// keys are m3ter's own, uid, meter, account, ts, ets and the eight categories.
//
// A key that measurements do not have makes the row a reject, because what is
// not sent would otherwise be lost without a word: a misspelt "meassure" is an
// amount that nobody is billed. The one exception is the form that a rejected
// row of a Console CSV has, "measure.gb" for the field gb of measure.
//
// The uid must be there; the platform would do without, but then nothing could
// be sent twice safely. A null or absent category has no fields. Numbers may
// stand in quotes. An empty text is sent as it is.
func Native() *Mapping { return &Mapping{Native: true} }

// nativeMeasurement is what Native maps, the fields apart, which every row has
// its own of.
var nativeMeasurement = Measurement{
	Meter:   Value{Columns: []string{"meter"}},
	Account: Value{Columns: []string{"account"}},
	TS:      Time{Column: "ts"},
	ETS:     &Time{Column: "ets", Empty: Empty{Policy: Skip}},
	UID:     UID{Rule: RuleColumn, Columns: []KeyColumn{{Column: "uid"}}},
}

// nativeColumns are the keys of a measurement: the first ones in the order of
// nativeMeasurement.columns, then the categories in theirs.
var nativeColumns = func() []reader.Column {
	cols := []reader.Column{{Name: "uid"}, {Name: "account"}, {Name: "meter"}, {Name: "ts"}, {Name: "ets", Optional: true}}
	for _, c := range categories {
		cols = append(cols, reader.Column{Name: string(c), Optional: true})
	}
	return cols
}()

// nativeCategories is where the categories start in nativeColumns.
var nativeCategories = len(nativeColumns) - len(categories)

// nativeField is one data field of a native row.
type nativeField struct {
	category int // index into categories
	code     []byte
	value    reader.Value
}

// appendNative appends the categories of a row that is a measurement.
func (o *Output) appendNative(rec *reader.Record, meter []byte) (Flags, *FieldError) {
	o.native = o.native[:0]
	for i := range categories {
		if fe := o.collectCategory(i, rec.Values[nativeCategories+i]); fe != nil {
			return 0, fe
		}
	}
	if fe := o.collectDotted(rec); fe != nil {
		return 0, fe
	}
	if fe := o.checkNative(); fe != nil {
		return 0, fe
	}
	var flags Flags
	last := -1
	for i := range o.native {
		f := &o.native[i]
		switch {
		case f.category != last && last >= 0:
			o.JSON = append(o.JSON, '}')
			fallthrough
		case last < 0:
			o.JSON = append(append(append(o.JSON, `,"`...), categories[f.category]...), `":{`...)
			last = f.category
		default:
			o.JSON = append(o.JSON, ',')
		}
		fl, fe := o.appendNativeField(f, meter)
		if fe != nil {
			return 0, fe
		}
		flags |= fl
	}
	if last >= 0 {
		o.JSON = append(o.JSON, '}')
	}
	return flags, nil
}

// collectCategory notes the fields of one category.
func (o *Output) collectCategory(i int, v reader.Value) *FieldError {
	switch v.Kind {
	case reader.Missing, reader.Null:
		return nil
	case reader.Object:
	default:
		name := string(categories[i])
		return &FieldError{Field: name, Column: name, Value: shown(v.Text), Code: CodeScalar,
			Reason: "a category is an object of fields and their values"}
	}
	for key, value := range reader.Members(v.Text) {
		o.collect(i, key, value)
	}
	return nil
}

// collectDotted goes over all keys of the row: it notes the fields that are
// written like "measure.gb" and refuses keys that measurements do not have.
func (o *Output) collectDotted(rec *reader.Record) *FieldError {
	start := len(o.scratch)
	o.scratch = rec.AppendJSON(o.scratch)
	for key, value := range reader.Members(o.scratch[start:]) {
		if slices.ContainsFunc(nativeColumns, func(c reader.Column) bool { return c.Name == string(key) }) {
			continue
		}
		head, code, dotted := bytes.Cut(key, []byte("."))
		i := slices.Index(categories[:], Category(head))
		if !dotted || i < 0 {
			return unknownNative(key, value)
		}
		o.collect(i, code, value)
	}
	return nil
}

// collect notes a field. Its texts are copied, for the loop over members may
// take its buffer back.
func (o *Output) collect(category int, code []byte, v reader.Value) {
	n := len(o.scratch)
	o.scratch = append(append(o.scratch, code...), v.Text...)
	c := n + len(code)
	v.Text = o.scratch[c:len(o.scratch):len(o.scratch)]
	o.native = append(o.native, nativeField{category, o.scratch[n:c:c], v})
}

// checkNative brings the fields into order and checks what concerns more than
// one of them.
func (o *Output) checkNative() *FieldError {
	if len(o.native) > maxFields {
		f := &o.native[maxFields]
		return &FieldError{Field: f.name(), Column: f.name(), Code: CodeFields,
			Reason: "a measurement has at most 15 data fields, as a meter has, and this is one more"}
	}
	slices.SortFunc(o.native, func(a, b nativeField) int {
		if a.category != b.category {
			return a.category - b.category
		}
		return bytes.Compare(a.code, b.code)
	})
	for i := range o.native {
		f := &o.native[i]
		if !validFieldCode(f.code) {
			return &FieldError{Field: f.name(), Column: f.name(), Value: shown(f.code), Code: CodeCode,
				Reason: "a field code has letters, digits, _ and $, does not start with a digit, and has at most 80 characters"}
		}
		for j := range i {
			if bytes.Equal(o.native[j].code, f.code) {
				return &FieldError{Field: f.name(), Column: f.name(), Value: shown(f.code), Code: CodeDuplicate,
					Reason: "the field stands in " + string(categories[o.native[j].category]) + " too; m3ter refuses one code twice in a measurement"}
			}
		}
	}
	return nil
}

// name is the field as FieldError and the row have it.
func (f *nativeField) name() string {
	return string(categories[f.category]) + "." + strings.ToValidUTF8(string(f.code), "\uFFFD")
}

// appendNativeField appends `"code":value`.
func (o *Output) appendNativeField(f *nativeField, meter []byte) (Flags, *FieldError) {
	cat := categories[f.category]
	switch {
	case !isScalar(f.value):
		return 0, scalar(f.name(), f.name(), f.value)
	case f.value.Kind == reader.Null:
		return 0, missing(f.name(), f.name(), f.value)
	}
	o.JSON = append(jsonx.AppendString(o.JSON, f.code), ':')
	if !cat.Numeric() {
		if cat == Metadata {
			if code, reason := metadataText.check(f.value.Text); code != "" {
				return 0, &FieldError{Field: f.name(), Column: f.name(), Value: shown(f.value.Text), Code: code, Reason: reason}
			}
		}
		o.JSON = jsonx.AppendString(o.JSON, f.value.Text)
		return 0, nil
	}
	if f.value.Empty() {
		return 0, missing(f.name(), f.name(), f.value)
	}
	b, d, flags, fe := plainNumber.append(o.JSON, f.value)
	if fe != nil {
		fe.Field, fe.Column = f.name(), f.name()
		return 0, fe
	}
	o.JSON = b
	o.amount(-1, meter, cat, f.code, d)
	return flags, nil
}

func unknownNative(key []byte, v reader.Value) *FieldError {
	name := strings.ToValidUTF8(string(key), "\uFFFD")
	reason := "a measurement has no such key, and nothing is left out silently; write a mapping when rows have more than is sent"
	words := make([]string, len(nativeColumns))
	for i, c := range nativeColumns {
		words[i] = c.Name
	}
	if word := near(name, words); word != "" {
		reason = "a measurement has no such key; is it " + quoted(word) + "? Nothing is left out silently: write a mapping when rows have more than is sent"
	}
	return &FieldError{Field: name, Column: name, Value: shown(v.Text), Code: CodeUnknown, Reason: reason}
}
