package mapper

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/m3import/m3import/reader"
)

// Mapping is what a person wrote in a mapping file, parsed and nothing more:
// plain data that can be stored and sent. [Mapping.Compile] checks it. Values
// made by [Parse], [ForColumns] and [Native] have been checked already.
type Mapping struct {
	// Input says how to read the source; its Columns are not used, see
	// [Mapping.ReaderOptions]. Default: every supported format as it usually is.
	Input reader.Options `json:"input,omitzero"`
	// Filter is what must hold for a row to be imported. Default: every row is.
	Filter []Condition `json:"filter,omitempty"`
	// Measurements are what one row makes, in this order.
	Measurements []Measurement `json:"measurements,omitempty"`
	// Native takes rows that are measurements already, with m3ter's own words
	// as keys. It stands alone: no Filter, no Measurements. Default: false.
	Native bool `json:"native,omitempty"`

	// template is set by ForColumns: nobody wrote this mapping, so no message
	// may ask for a change of it.
	template bool
}

// Condition is one test of a row, against one column. Exactly one of Equals,
// OneOf and Empty is set. An empty value equals nothing.
type Condition struct {
	Column string   `json:"column"`
	Equals *string  `json:"equals,omitempty"`
	OneOf  []string `json:"one_of,omitempty"`
	Empty  *bool    `json:"empty,omitempty"`
	Not    bool     `json:"not,omitempty"` // turns the test around. Default: false
}

// Measurement says how to make one measurement of a row.
type Measurement struct {
	// Name tells the measurements of one row apart; it goes into every derived
	// uid. Default: "", when there is only one.
	Name    string  `json:"name,omitempty"`
	Meter   Value   `json:"meter"`
	Account Value   `json:"account"`
	TS      Time    `json:"ts"`
	ETS     *Time   `json:"ets,omitempty"` // Default: no ets
	UID     UID     `json:"uid"`
	Fields  []Field `json:"fields,omitempty"`
	// OmitEmpty leaves the measurement out of a row in which all its amounts
	// are empty. Default: false, it is made without any.
	OmitEmpty bool `json:"omit_empty,omitempty"`
}

// Category is one of m3ter's eight kinds of data field, as measurements write it.
type Category string

// The categories, in the order in which a measurement holds them.
const (
	Who      Category = "who"
	What     Category = "what"
	Where    Category = "where"
	Other    Category = "other"
	Metadata Category = "metadata"
	Measure  Category = "measure"
	Cost     Category = "cost"
	Income   Category = "income"
)

// categories are all categories in the order of a measurement.
var categories = [...]Category{Who, What, Where, Other, Metadata, Measure, Cost, Income}

// Numeric reports whether the fields of c are numbers; the others are text.
func (c Category) Numeric() bool { return c == Measure || c == Cost || c == Income }

// order is the place of c in a measurement, or -1 for an unknown category.
func (c Category) order() int { return slices.Index(categories[:], c) }

// Field is one data field of a measurement.
type Field struct {
	Category Category `json:"category"`
	Code     string   `json:"code"`
	Value    Value    `json:"value"`
}

// name is the field as FieldError and the mapping file say it.
func (f *Field) name() string { return string(f.Category) + "." + f.Code }

// Value is where a text or a number comes from: a constant, a column, or
// several columns joined.
type Value struct {
	// Const is the value of every row. Default: it comes from Columns.
	Const *string `json:"const,omitempty"`
	// Columns are joined in this order, with With between two of them.
	Columns []string `json:"columns,omitempty"`
	With    string   `json:"with,omitempty"`
	// Empty is what to do when a column is. Default: the row is a reject.
	Empty Empty `json:"empty,omitzero"`
	// Number is how the numbers of a column are written. Default: as in JSON.
	Number NumberSpec `json:"number,omitzero"`
}

// Policies for an empty value.
const (
	Required = "required" // the row is a reject; what "" means too
	Skip     = "skip"     // the field is left out
	Default  = "const"    // Empty.Text stands in
)

// Empty is the policy for a value that is missing, null or "". The zero value
// makes the row a reject.
type Empty struct {
	Policy string `json:"policy,omitempty"` // Default: Required
	Text   string `json:"text,omitempty"`   // for Default
}

// Time is where a time comes from: a constant, one column, or a date and a
// clock time in two. Exactly one of Const, Column, and Date with Clock is set.
type Time struct {
	Const  *string `json:"const,omitempty"`
	Column string  `json:"column,omitempty"`
	Date   string  `json:"date,omitempty"`
	Clock  string  `json:"clock,omitempty"`
	// Empty is Required or Skip, and Skip only for ets. Default: Required.
	Empty Empty `json:"empty,omitzero"`
	TimeSpec
}

// Rules for a uid; docs/uid.md is about choosing one.
const (
	RuleColumn  = "column"  // the source's own id
	RuleKey     = "key"     // a list of columns that tells rows apart
	RuleContent = "content" // everything that is sent
	RuleRow     = "row"     // file name, position and everything that is sent
)

// UID is the identity of a measurement.
type UID struct {
	Rule string `json:"rule"`
	// Columns is one column for RuleColumn, one or more for RuleKey.
	Columns []KeyColumn `json:"columns,omitempty"`
	// Hash makes a UUID of the id of RuleColumn. Default: it is sent as it is.
	Hash bool `json:"hash,omitempty"`
}

// KeyColumn is one part of a key. Its Empty is Required or Default.
type KeyColumn struct {
	Column string `json:"column"`
	Empty  Empty  `json:"empty,omitzero"`
}

// Columns are the columns that m reads, each once, in the order in which m
// mentions them first. They feed reader.Options.Columns, and the records given
// to a Mapper of m must hold exactly these.
func (m *Mapping) Columns() []reader.Column {
	var cols []reader.Column
	seen := map[string]bool{}
	add := func(name string, optional bool) {
		if name != "" && !seen[name] {
			seen[name] = true
			cols = append(cols, reader.Column{Name: name, Optional: optional})
		}
	}
	if m.Native {
		for _, c := range nativeColumns {
			add(c.Name, c.Optional)
		}
		return cols
	}
	for i := range m.Filter {
		add(m.Filter[i].Column, false)
	}
	byRow := false
	for i := range m.Measurements {
		mm := &m.Measurements[i]
		for _, name := range mm.columns() {
			add(name, false)
		}
		byRow = byRow || mm.UID.Rule == RuleRow
	}
	if byRow {
		add(rejectSource, true)
		add(rejectOffset, true)
	}
	add(rejectLanded, true)
	return cols
}

// columns are the columns that mm mentions, with repetitions and empty names.
func (mm *Measurement) columns() []string {
	cols := slices.Concat(mm.Account.Columns, mm.Meter.Columns)
	cols = append(cols, mm.TS.Column, mm.TS.Date, mm.TS.Clock)
	if mm.ETS != nil {
		cols = append(cols, mm.ETS.Column, mm.ETS.Date, mm.ETS.Clock)
	}
	for _, k := range mm.UID.Columns {
		cols = append(cols, k.Column)
	}
	for i := range mm.Fields {
		cols = append(cols, mm.Fields[i].Value.Columns...)
	}
	return cols
}

// ReaderOptions are the options that a source must be opened with for m.
func (m *Mapping) ReaderOptions() reader.Options {
	opt := m.Input
	opt.Columns = m.Columns()
	return opt
}

// Hash names the meaning of m, as 64 hexadecimal digits: in one version of this
// package, two mappings with the same hash make the same bytes of every row.
// Comments, layout, the order of keys and defaults that are written out do not
// count; the order of measurements and the version of the uid algorithm do.
func (m *Mapping) Hash() string {
	text, err := json.Marshal(struct {
		UIDVersion int     `json:"uid_version"`
		Mapping    Mapping `json:"mapping"`
	}{UIDVersion, m.canonical()})
	if err != nil {
		panic("mapper: a mapping is not plain data: " + err.Error()) // strings, bools and ints always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// canonical is a copy of m in which equal meanings are equal data.
func (m *Mapping) canonical() Mapping {
	c := *m
	// The size of a chunk changes no record, and the columns follow from the rest.
	c.Input.Columns, c.Input.ChunkBytes = nil, 0
	c.Input.MaxRecordBytes = cmp.Or(c.Input.MaxRecordBytes, 1<<20)
	c.Input.CSV.Delimiter = cmp.Or(c.Input.CSV.Delimiter, ",")
	c.Input.CSV.Quote = cmp.Or(c.Input.CSV.Quote, `"`)
	c.Measurements = slices.Clone(m.Measurements)
	for i := range c.Measurements {
		mm := &c.Measurements[i]
		mm.Meter, mm.Account = mm.Meter.canonical(), mm.Account.canonical()
		mm.TS = mm.TS.canonical()
		if mm.ETS != nil {
			ets := mm.ETS.canonical()
			mm.ETS = &ets
		}
		mm.UID.Columns = slices.Clone(mm.UID.Columns)
		for j := range mm.UID.Columns {
			mm.UID.Columns[j].Empty = mm.UID.Columns[j].Empty.canonical()
		}
		mm.Fields = slices.Clone(mm.Fields)
		slices.SortStableFunc(mm.Fields, compareFields)
		for j := range mm.Fields {
			mm.Fields[j].Value = mm.Fields[j].Value.canonical()
		}
	}
	return c
}

func (v Value) canonical() Value {
	if len(v.Columns) < 2 {
		v.With = ""
	}
	v.Empty = v.Empty.canonical()
	v.Number.Decimal = cmp.Or(v.Number.Decimal, ".")
	return v
}

func (e Empty) canonical() Empty {
	e.Policy = cmp.Or(e.Policy, Required)
	return e
}

func (t Time) canonical() Time {
	t.Empty = t.Empty.canonical()
	t.Format = cmp.Or(t.Format, "iso8601")
	t.Precision = cmp.Or(t.Precision, "ms")
	t.Gap = cmp.Or(t.Gap, "reject")
	t.Overlap = cmp.Or(t.Overlap, "reject")
	if t.Epoch == "1970-01-01T00:00:00Z" {
		t.Epoch = ""
	}
	return t
}

// compareFields orders fields as a measurement holds them: by category, then
// by the bytes of the code.
func compareFields(a, b Field) int {
	if d := a.Category.order() - b.Category.order(); d != 0 {
		return d
	}
	return strings.Compare(a.Code, b.Code)
}
