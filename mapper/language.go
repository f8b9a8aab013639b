package mapper

import (
	"github.com/goccy/go-yaml/ast"

	"github.com/m3import/m3import/reader"
)

// The words of the mapping language. docs/mapping.schema.json has them too,
// and a test holds the two together.
var (
	measurementWords = []string{"meter", "account", "ts", "ets", "uid", "who", "what", "where", "other", "metadata", "measure", "cost", "income", "omit_empty"}
	topWords         = append([]string{"version", "input", "filter", "measurements"}, measurementWords...)
	itemWords        = append([]string{"name"}, measurementWords...)
	inputWords       = []string{"format", "compression", "null", "trim", "max_record_bytes", "csv"}
	csvWords         = []string{"delimiter", "quote", "names", "skip_lines", "comment", "newline"}
	conditionWords   = []string{"column", "equals", "one_of", "empty", "not"}
	textWords        = []string{"column", "const", "join", "with", "empty"}
	numberWords      = []string{"column", "const", "number", "empty"}
	spellingWords    = []string{"decimal", "group", "padding"}
	timeWords        = []string{"column", "const", "date", "time", "format", "timezone", "dst", "precision", "epoch", "empty"}
	dstWords         = []string{"gap", "overlap"}
	uidWords         = []string{"column", "hash", "key"}
	keyWords         = []string{"column", "empty"}
	emptyWords       = []string{"const"}
)

// mapping reads the whole file.
func (d *document) mapping(n ast.Node) *Mapping {
	d.at[""] = d.startOf(n)
	top := d.object("", "a mapping", n, topWords...)
	if top == nil {
		return nil
	}
	m := &Mapping{Input: d.input(top), Filter: d.filter(top)}
	d.version(top)
	if !top.has("measurements") {
		m.Measurements = []Measurement{d.measurement(top)}
		return m
	}
	for _, word := range measurementWords {
		if top.has(word) {
			d.fail(word, "%s stands beside `measurements`; write it into each of them", quoted(word))
		}
	}
	for i, item := range top.items("measurements") {
		path := indexPath("measurements", i)
		o := d.object(path, "a measurement", item, itemWords...)
		if o != nil && !o.has("name") {
			d.fail(path, "the measurement has no `name`; its uids are made with it, so that the order of the list does not matter")
		}
		m.Measurements = append(m.Measurements, d.measurement(o))
	}
	return m
}

// version checks the version of the language.
func (d *document) version(top *object) {
	n, path := top.get("version")
	if n == nil {
		d.fail("", "`version: %d` is missing; it says which mapping language the file is written in", MappingVersion)
		return
	}
	if i, ok := n.(*ast.IntegerNode); !ok || i.Token.Value != "1" {
		d.fail(path, "the version is %d; this program knows no other", MappingVersion)
	}
}

func (d *document) input(top *object) reader.Options {
	n, path := top.get("input")
	if n == nil {
		return reader.Options{}
	}
	in := d.object(path, "input", n, inputWords...)
	opt := reader.Options{
		Format:         reader.Format(in.text("format")),
		Compression:    reader.Compression(in.text("compression")),
		MaxRecordBytes: in.count("max_record_bytes"),
		Null:           in.list("null"),
		Trim:           in.bool("trim"),
	}
	if n, path := in.get("csv"); n != nil {
		csv := d.object(path, "csv", n, csvWords...)
		opt.CSV = reader.CSVOptions{
			Delimiter: csv.text("delimiter"),
			Quote:     csv.text("quote"),
			Names:     csv.list("names"),
			SkipLines: csv.count("skip_lines"),
			Comment:   csv.text("comment"),
			Newline:   csv.text("newline"),
		}
	}
	return opt
}

func (d *document) filter(top *object) []Condition {
	var out []Condition
	for i, item := range top.items("filter") {
		o := d.object(indexPath("filter", i), "a condition", item, conditionWords...)
		c := Condition{Column: d.column(o, "column"), Equals: o.optional("equals"), OneOf: o.list("one_of"), Not: o.bool("not")}
		if o.has("empty") {
			empty := o.bool("empty")
			c.Empty = &empty
		}
		out = append(out, c)
	}
	return out
}

// measurement reads the words of one measurement.
func (d *document) measurement(o *object) Measurement {
	m := Measurement{
		Name:    o.text("name"),
		Meter:   d.value(o, "meter", textWords),
		Account: d.value(o, "account", textWords),
		TS:      d.time(o, "ts"),
		UID:     d.uid(o),

		OmitEmpty: o.bool("omit_empty"),
	}
	if o.has("ets") {
		ets := d.time(o, "ets")
		m.ETS = &ets
	}
	for _, c := range categories {
		if !o.has(string(c)) {
			continue
		}
		n, path := o.get(string(c))
		fields := d.object(path, string(c), n)
		if fields == nil {
			d.fail(path, "%s is written as `field code: value` pairs", c)
			continue
		}
		words := textWords
		if c.Numeric() {
			words = numberWords
		}
		for _, code := range fields.keys {
			m.Fields = append(m.Fields, Field{Category: c, Code: code, Value: d.value(fields, code, words)})
		}
	}
	return m
}

// value reads a text or number: the name of a column, or `{…}`.
func (d *document) value(o *object, key string, words []string) Value {
	if !o.has(key) {
		return Value{}
	}
	n, path := o.get(key)
	if isScalarNode(n) {
		return Value{Columns: []string{d.column(o, key)}}
	}
	in := d.object(path, quoted(key), n, words...)
	if in == nil {
		d.fail(path, "%s has no value", key)
		return Value{}
	}
	if ways := given(in.has("column"), in.has("const"), in.has("join")); ways != 1 {
		d.fail(path, "a value has one of %s", listed(slicesOf(words, "column", "const", "join")))
	}
	v := Value{Const: in.optional("const"), Empty: d.empty(in), With: in.text("with")}
	switch {
	case in.has("column"):
		v.Columns = []string{d.column(in, "column")}
	case in.has("join"):
		v.Columns = d.columns(in, "join")
		if len(v.Columns) < 2 {
			d.fail(path, "join takes two columns or more; for one write `column`")
		}
	}
	if in.has("with") && !in.has("join") {
		_, with := in.get("with")
		d.fail(with, "`with` stands between joined columns, and nothing is joined here")
	}
	if in.has("empty") && in.has("const") {
		_, empty := in.get("empty")
		d.fail(empty, "a constant is never empty; leave `empty` out")
	}
	if n, path := in.get("number"); n != nil {
		spelling := d.object(path, "number", n, spellingWords...)
		v.Number = NumberSpec{Decimal: spelling.text("decimal"), Group: spelling.text("group"), Padding: spelling.bool("padding")}
	}
	return v
}

// time reads ts or ets.
func (d *document) time(o *object, key string) Time {
	if !o.has(key) {
		return Time{}
	}
	n, path := o.get(key)
	if isScalarNode(n) {
		return Time{Column: d.column(o, key)}
	}
	in := d.object(path, key, n, timeWords...)
	if in == nil {
		d.fail(path, "%s has no value", key)
		return Time{}
	}
	t := Time{Const: in.optional("const"), Empty: d.empty(in)}
	t.Format, t.Timezone, t.Precision, t.Epoch = in.text("format"), in.text("timezone"), in.text("precision"), in.text("epoch")
	if in.has("column") {
		t.Column = d.column(in, "column")
	}
	if in.has("date") {
		t.Date = d.column(in, "date")
	}
	if in.has("time") {
		t.Clock = d.column(in, "time")
	}
	if in.has("empty") && in.has("const") {
		_, empty := in.get("empty")
		d.fail(empty, "a constant is never empty; leave `empty` out")
	}
	if n, path := in.get("dst"); n != nil {
		dst := d.object(path, "dst", n, dstWords...)
		t.Gap, t.Overlap = dst.text("gap"), dst.text("overlap")
	}
	return t
}

// uid reads the uid rule.
func (d *document) uid(o *object) UID {
	if !o.has("uid") {
		return UID{}
	}
	n, path := o.get("uid")
	if isScalarNode(n) {
		switch name := d.column(o, "uid"); name {
		case RuleContent, RuleRow:
			return UID{Rule: name}
		default:
			return UID{Rule: RuleColumn, Columns: []KeyColumn{{Column: name}}}
		}
	}
	in := d.object(path, "uid", n, uidWords...)
	switch {
	case in.has("column") == in.has("key"):
		d.fail(path, "a uid rule in braces has one of `column` and `key`; the other two are `uid: content` and `uid: row`")
	case in.has("column"):
		return UID{Rule: RuleColumn, Columns: []KeyColumn{{Column: d.column(in, "column")}}, Hash: in.bool("hash")}
	case in.has("hash"):
		_, hash := in.get("hash")
		d.fail(hash, "a key is always hashed; leave `hash` out")
	}
	uid := UID{Rule: RuleKey}
	for i, item := range in.items("key") {
		at := indexPath(joinPath(path, "key"), i)
		if isScalarNode(item) {
			uid.Columns = append(uid.Columns, KeyColumn{Column: d.columnName(item)})
			continue
		}
		part := d.object(at, "a part of the key", item, keyWords...)
		uid.Columns = append(uid.Columns, KeyColumn{Column: d.column(part, "column"), Empty: d.empty(part)})
	}
	return uid
}

// empty reads a policy: a word, or a constant.
func (d *document) empty(o *object) Empty {
	if !o.has("empty") {
		return Empty{}
	}
	n, path := o.get("empty")
	if !isScalarNode(n) {
		in := d.object(path, "empty", n, emptyWords...)
		if !in.has("const") {
			d.fail(path, "empty is required, skip or {const: …}")
		}
		return Empty{Policy: Default, Text: in.text("const")}
	}
	switch word := d.scalar("empty", n); word {
	case Required:
		return Empty{}
	case Skip:
		return Empty{Policy: Skip}
	default:
		d.fail(path, "%s is no policy: empty is required, skip or {const: …}", quoted(word))
		return Empty{}
	}
}

// columns reads a list of column names.
func (d *document) columns(o *object, key string) []string {
	var out []string
	for _, item := range o.items(key) {
		out = append(out, d.columnName(item))
	}
	return out
}

// column reads the column name of a key that must be there.
func (d *document) column(o *object, key string) string {
	if o == nil {
		return ""
	}
	n, path := o.get(key)
	if !o.has(key) {
		d.fail(path, "`%s` is missing", key)
		return ""
	}
	return d.columnName(n)
}

// columnName reads the name of a column. A number or a truth value is refused:
// it is most often a constant that lacks its `{const: …}`, and taking it for a
// column would be a guess, however early that guess would fail.
func (d *document) columnName(n ast.Node) string {
	text := d.scalar("the column", n)
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		if text == "" {
			d.failAt(d.startOf(n), "the name of a column is empty")
		}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		d.failAt(d.startOf(n), "a bare value is the name of a column: write {const: %s} for a constant, or %s in quotes for the column of that name", text, quoted(text))
	}
	return text
}

// isScalarNode reports whether n is one text, number or truth value, or null.
func isScalarNode(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode, *ast.NullNode:
		return true
	}
	return false
}

// slicesOf are those of words that are among wanted.
func slicesOf(words []string, wanted ...string) []string {
	var out []string
	for _, w := range wanted {
		for _, have := range words {
			if w == have {
				out = append(out, "`"+w+"`")
			}
		}
	}
	return out
}
