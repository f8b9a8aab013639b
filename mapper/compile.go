package mapper

import (
	"fmt"
	"slices"
	"strings"

	"github.com/m3import/m3import/internal/jsonx"
	"github.com/m3import/m3import/reader"
)

// MappingError says what is wrong with the meaning of a Mapping.
type MappingError struct {
	// Path names the place as the mapping file nests it: "measure.gb.empty",
	// "measurements[1].uid", "filter[0]".
	Path string
	// Reason is for people: what is wrong, and what to write instead.
	Reason string
}

func (e *MappingError) Error() string { return "mapping: " + e.Path + ": " + e.Reason }

// Compile checks everything about m that can be known before the first row,
// and makes a Mapper of it. The error is a *MappingError.
func (m *Mapping) Compile() (*Mapper, error) {
	c := &compiler{index: map[string]int{}}
	for i, col := range m.Columns() {
		c.index[col.Name] = i
	}
	mapper := &Mapper{unasked: m.Native || m.template, landed: -1}
	c.input(&m.Input)
	if m.Native {
		if len(m.Filter) > 0 || len(m.Measurements) > 0 {
			c.fail("native", "rows that are measurements already take no filter and no fields")
		}
		e := c.encoder(&nativeMeasurement, false)
		e.native = true
		mapper.makes = []encoder{e}
		return mapper.unless(c.err)
	}
	for i := range m.Filter {
		mapper.filter = append(mapper.filter, c.condition(fmt.Sprintf("filter[%d]", i), &m.Filter[i]))
	}
	c.names(m.Measurements)
	if at, ok := c.index[rejectLanded]; ok {
		mapper.landed = at
	}
	for i := range m.Measurements {
		c.at = m.place(i)
		mapper.makes = append(mapper.makes, c.encoder(&m.Measurements[i], len(m.Measurements) > 1))
	}
	mapper.numbers = c.slots
	return mapper.unless(c.err)
}

// unless returns m, or the error when there is one: a nil *MappingError must
// not become an error that is not nil.
func (m *Mapper) unless(err *MappingError) (*Mapper, error) {
	if err != nil {
		return nil, err
	}
	return m, nil
}

// place is what the paths of measurement i start with.
func (m *Mapping) place(i int) string {
	if len(m.Measurements) == 1 && m.Measurements[0].Name == "" {
		return ""
	}
	return fmt.Sprintf("measurements[%d].", i)
}

// compiler makes the parts of a Mapper. It goes on after a fault, with parts
// that are never used, and keeps the first.
type compiler struct {
	index map[string]int // of the columns in a record
	at    string         // what paths start with
	slots int            // numeric fields, so far
	err   *MappingError
}

func (c *compiler) fail(path, format string, args ...any) {
	if c.err == nil {
		c.err = &MappingError{Path: c.at + path, Reason: fmt.Sprintf(format, args...)}
	}
}

// failKey notes what is wrong with how a time or a number is written. Such
// errors begin with the key that they are about.
func (c *compiler) failKey(path string, err error) {
	key, _, _ := strings.Cut(err.Error(), " ")
	if slices.Contains(dstWords, key) {
		key = joinPath("dst", key)
	}
	c.fail(joinPath(path, key), "%s", err.Error())
}

// part finds a column.
func (c *compiler) part(path, name string) part {
	if name == "" {
		c.fail(path, "the name of a column is empty")
		return part{}
	}
	return part{c.index[name], name}
}

// names checks that the measurements of a row can be told apart.
func (c *compiler) names(ms []Measurement) {
	if len(ms) == 0 {
		c.fail("measurements", "there is no measurement: map at least meter, account, ts and uid")
	}
	seen := map[string]int{}
	for i := range ms {
		path := fmt.Sprintf("measurements[%d]", i)
		if ms[i].Name == "" && len(ms) > 1 {
			c.fail(path, "a name is missing: each of several measurements needs one, because its uid is made of it")
		}
		if j, ok := seen[ms[i].Name]; ok {
			c.fail(path+".name", "%s is the name of measurements[%d] too, so both would have the same uid", quoted(ms[i].Name), j)
		}
		seen[ms[i].Name] = i
	}
}

func (c *compiler) condition(path string, from *Condition) condition {
	out := condition{column: c.part(path+".column", from.Column), want: !from.Not}
	tests := 0
	if from.Equals != nil {
		tests++
		out.oneOf = [][]byte{[]byte(*from.Equals)}
	}
	if from.OneOf != nil {
		tests++
		for _, text := range from.OneOf {
			out.oneOf = append(out.oneOf, []byte(text))
		}
	}
	for _, text := range out.oneOf {
		if len(text) == 0 {
			c.fail(path, "an empty value equals nothing: write `empty: true`")
		}
	}
	if from.Empty != nil {
		tests++
		out.want = out.want == *from.Empty
	}
	if tests != 1 {
		c.fail(path, "a condition has one of `equals`, `one_of` and `empty`")
	}
	if from.OneOf != nil && len(from.OneOf) == 0 {
		c.fail(path+".one_of", "the list is empty, so no row could pass")
	}
	return out
}

// encoder compiles one measurement.
func (c *compiler) encoder(from *Measurement, several bool) encoder {
	e := encoder{
		name:    from.Name,
		account: c.code("account", &from.Account),
		meter:   c.code("meter", &from.Meter),
		ts:      c.moment("ts", &from.TS, Required),
	}
	if e.meter.fixed != nil {
		e.meterJSON = jsonx.AppendString([]byte(`,"meter":`), e.meter.fixed)
	}
	if from.ETS != nil {
		e.ets = c.moment("ets", from.ETS, Required, Skip)
	}
	e.uid = c.identity(&from.UID, from.Name, several)
	e.categories = c.fields(from.Fields)
	if e.omitEmpty = from.OmitEmpty; e.omitEmpty {
		c.canBeEmpty(from.Fields)
	}
	return e
}

// canBeEmpty checks that omit_empty says something: that there are amounts, and
// that all of them may be empty.
func (c *compiler) canBeEmpty(fields []Field) {
	amounts := 0
	for i := range fields {
		f := &fields[i]
		if !f.Category.Numeric() {
			continue
		}
		amounts++
		if f.Value.Empty.Policy != Skip {
			c.fail("omit_empty", "%s is never empty, so the measurement could never be left out: give each amount `empty: skip`", f.name())
		}
	}
	if amounts == 0 {
		c.fail("omit_empty", "the measurement has no amounts that could be empty")
	}
}

// code compiles the value of account or meter.
func (c *compiler) code(field string, from *Value) text {
	if from.Const == nil && len(from.Columns) == 0 {
		c.fail(field, "%s is missing: name its column, or write `{const: …}`", field)
	}
	if from.Empty.Policy == Skip {
		c.fail(field+".empty", "%s cannot be left out: every measurement has one", field)
	}
	return c.text(field, from, codeText)
}

// text compiles a value that becomes a string.
func (c *compiler) text(path string, from *Value, limits limits) text {
	t := text{field: path, with: from.With, limits: limits}
	if from.Number != (NumberSpec{}) {
		c.fail(path+".number", "`number` is for the fields of measure, cost and income; %s is text", path)
	}
	if from.Const != nil {
		if len(from.Columns) > 0 {
			c.fail(path, "a value is either a constant or from columns")
		}
		t.fixed = c.constText(path+".const", *from.Const, limits)
		return t
	}
	for i, name := range from.Columns {
		t.cols = append(t.cols, c.part(path, name))
		if i > 0 {
			t.column += " + "
		}
		t.column += name
	}
	t.empty = c.policy(path+".empty", from.Empty, Required, Skip, Default)
	if t.empty == substitute {
		limits := limits
		if len(t.cols) > 1 && limits == codeText {
			limits = anyText // a part of a code is no code; the whole is checked in each row
		}
		t.subst = c.constText(path+".empty.const", from.Empty.Text, limits)
	}
	return t
}

// constText checks a text that the mapping holds.
func (c *compiler) constText(path, value string, limits limits) []byte {
	text := []byte(value)
	if len(text) == 0 {
		c.fail(path, "the constant is empty")
	} else if code, reason := limits.check(text); code != "" {
		c.fail(path, "%s", reason)
	}
	return text
}

// policy compiles an Empty; allowed are the policies that make sense here.
func (c *compiler) policy(path string, from Empty, allowed ...string) policy {
	name := from.canonical().Policy
	if !slices.Contains(allowed, name) {
		c.fail(path, "%s is not possible here; it can be %s", quoted(name), listed(allowed))
	}
	switch name {
	case Skip:
		return skip
	case Default:
		return substitute
	}
	return required
}

// moment compiles ts or ets.
func (c *compiler) moment(field string, from *Time, allowed ...string) *moment {
	t := &moment{field: field, date: part{index: -1}, clock: part{index: -1}}
	parse, err := from.TimeSpec.compile()
	if err != nil {
		c.failKey(field, err)
		return t
	}
	t.parse, t.empty = parse, c.policy(field+".empty", from.Empty, allowed...)
	switch {
	case from.Const != nil:
		b, fl, fe := parse.append(nil, reader.Value{Kind: reader.String, Text: []byte(*from.Const)})
		if fe != nil {
			c.fail(field+".const", "%s", fe.Reason)
		}
		t.fixed, t.flags = b, fl
	case from.Date != "" || from.Clock != "":
		if from.Date == "" || from.Clock == "" {
			c.fail(field, "a time from two columns needs both `date` and `time`")
		}
		t.date, t.clock = c.part(field+".date", from.Date), c.part(field+".time", from.Clock)
	case from.Column == "":
		c.fail(field, "%s is missing: name its column", field)
	default:
		t.date = c.part(field+".column", from.Column)
	}
	if ways := given(from.Const != nil, from.Column != "", from.Date != "" || from.Clock != ""); ways > 1 {
		c.fail(field, "a time has one of `const`, `column`, and `date` with `time`")
	}
	return t
}

// given counts what is true.
func given(what ...bool) int {
	n := 0
	for _, yes := range what {
		if yes {
			n++
		}
	}
	return n
}

// identity compiles a uid rule.
func (c *compiler) identity(from *UID, name string, several bool) identity {
	id := identity{rule: from.Rule, space: uidSpace(from.Rule, name), source: -1, offset: -1}
	switch from.Rule {
	case RuleColumn:
		if len(from.Columns) != 1 {
			c.fail("uid", "the rule column takes one column; for more write `uid: {key: […]}`")
			return id
		}
		id.direct = !from.Hash
		if several && id.direct {
			c.fail("uid", "several measurements of one row cannot all have the id of the row as uid: write `{column: %s, hash: true}`, which makes one of the id and the name of the measurement", from.Columns[0].Column)
		}
	case RuleKey:
		if len(from.Columns) == 0 {
			c.fail("uid.key", "the key has no columns")
		}
	case RuleContent:
	case RuleRow:
		id.source, id.offset = c.index[rejectSource], c.index[rejectOffset]
	default:
		c.fail("uid", "%s", uidChoices)
	}
	for i := range from.Columns {
		id.parts = append(id.parts, c.keyPart(from, i))
	}
	if from.Hash && from.Rule != RuleColumn {
		c.fail("uid.hash", "only an id of the source's own needs `hash`; the rule %s makes a UUID anyway", from.Rule)
	}
	return id
}

// keyPart compiles one column of a uid rule.
func (c *compiler) keyPart(from *UID, i int) text {
	k := from.Columns[i]
	path, allowed := fmt.Sprintf("uid.key[%d]", i), []string{Required, Default}
	if from.Rule == RuleColumn {
		path, allowed = "uid.column", []string{Required}
	}
	p := c.part(path, k.Column)
	for _, before := range from.Columns[:i] {
		if before.Column == k.Column {
			c.fail(path, "column %s stands in the key twice", quoted(k.Column))
		}
	}
	return text{field: "uid", column: k.Column, cols: []part{p},
		empty: c.policy(path+".empty", k.Empty, allowed...), subst: []byte(k.Empty.Text)}
}

// uidChoices explains the rules to someone who has not chosen one.
const uidChoices = "there is no uid rule, and none can be guessed: two rows with the same uid are billed once, one row with two uids twice. Choose: " +
	"`uid: {column: Id}` when the source has an id of its own that no two rows share; " +
	"`uid: {key: [A, B]}` when some columns together tell every row from every other; " +
	"`uid: content` when rows that are equal in all mapped fields are the same usage; " +
	"`uid: row` when equal rows are separate usage and the files keep their names and order (docs/uid.md)"
