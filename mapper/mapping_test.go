package mapper

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/m3import/m3import/reader"
)

func TestColumnsAndOptions(t *testing.T) {
	m, _ := parsed(t, `version: 1
input:
  format: csv
  compression: gzip
  null: ["NULL", "-"] # the key without quotes, as a person writes it
  trim: true
  max_record_bytes: 65536
  csv: {delimiter: ";", quote: none, names: [A, B], skip_lines: 2, comment: "#", newline: lf}
filter: [{column: S, equals: x}]
meter: {join: [M, A]}
account: A
ts: {date: D, time: C, timezone: UTC}
ets: E
uid: row
measure: {gb: A, tb: G}
`)
	if got, want := strings.Join(columnNames(m), " "), "S A M D C E G _reject.source? _reject.offset? _reject.landed?"; got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	opt := m.ReaderOptions()
	if len(opt.Columns) != 10 {
		t.Errorf("the options ask for %d columns", len(opt.Columns))
	}
	opt.Columns = nil
	want := reader.Options{Format: reader.CSV, Compression: reader.Gzip, Null: []string{"NULL", "-"}, Trim: true, MaxRecordBytes: 65536,
		CSV: reader.CSVOptions{Delimiter: ";", Quote: "none", Names: []string{"A", "B"}, SkipLines: 2, Comment: "#", Newline: "lf"}}
	if !reflect.DeepEqual(opt, want) {
		t.Errorf("got  %+v\nwant %+v", opt, want)
	}
}

// TestHash: the hash is of the meaning, all of it and nothing else.
func TestHash(t *testing.T) {
	base := "version: 1\nmeter: {const: api}\naccount: A\nts: T\nuid: U\nwho: {a: X}\nmeasure: {gb: G, b: B}\n"
	m, _ := parsed(t, base)
	hash := m.Hash()
	if len(hash) != 64 || m.Hash() != hash {
		t.Fatalf("hash %s, then %s", hash, m.Hash())
	}
	for name, text := range map[string]string{
		"comments and layout": "# usage\nversion: 1\nmeter:\n  const: api # ours\naccount: A\nts: T\nuid: U\nwho: {a: X}\nmeasure:\n  gb: G\n  b: B\n",
		"the order of keys":   "measure: {b: B, gb: G}\nwho: {a: X}\nuid: U\nts: T\naccount: A\nmeter: {const: api}\nversion: 1\n",
		"long forms":          "version: 1\nmeter: {const: \"api\"}\naccount: {column: A}\nts: {column: T}\nuid: {column: U}\nwho: {a: {column: X}}\nmeasure: {gb: {column: G}, b: {column: B}}\n",
		"defaults":            "version: 1\ninput: {trim: false, null: [], max_record_bytes: 1048576, csv: {delimiter: \",\", quote: '\"', skip_lines: 0}}\nmeter: {const: api}\naccount: {column: A, empty: required}\nts: {column: T, format: iso8601, precision: ms, dst: {gap: reject, overlap: reject}}\nuid: {column: U, hash: false}\nwho: {a: X}\nmeasure: {gb: {column: G, number: {decimal: \".\"}}, b: B}\n",
	} {
		if same, _ := parsed(t, text); same.Hash() != hash {
			t.Errorf("%s changed the hash:\n%+v\n%+v", name, same, m)
		}
	}
	seen := map[string]string{hash: "base"}
	for name, text := range map[string]string{
		"a constant":     strings.Replace(base, "api", "apis", 1),
		"a column":       strings.Replace(base, "account: A", "account: AA", 1),
		"constant for":   strings.Replace(base, "account: A", "account: {const: A}", 1),
		"a policy":       strings.Replace(base, "a: X", "a: {column: X, empty: skip}", 1),
		"a stand-in":     strings.Replace(base, "a: X", "a: {column: X, empty: {const: y}}", 1),
		"a category":     strings.Replace(base, "who", "what", 1),
		"a field":        strings.Replace(base, "gb", "tb", 1),
		"the rule":       strings.Replace(base, "uid: U", "uid: {key: [U]}", 1),
		"the other rule": strings.Replace(base, "uid: U", "uid: {column: U, hash: true}", 1),
		"content":        strings.Replace(base, "uid: U", "uid: content", 1),
		"row":            strings.Replace(base, "uid: U", "uid: row", 1),
		"a filter":       base + "filter: [{column: A, empty: false}]\n",
		"its opposite":   base + "filter: [{column: A, empty: true}]\n",
		"a null token":   base + "input: {null: [\"-\"]}\n",
		"the delimiter":  base + "input: {csv: {delimiter: \";\"}}\n",
		"the precision":  strings.Replace(base, "ts: T", "ts: {column: T, precision: s}", 1),
		"the zone":       strings.Replace(base, "ts: T", "ts: {column: T, timezone: UTC}", 1),
		"ets":            base + "ets: T\n",
		"the number":     strings.Replace(base, "gb: G", "gb: {column: G, number: {decimal: \",\"}}", 1),
		"a name":         "version: 1\nmeasurements: [{name: x, meter: {const: api}, account: A, ts: T, uid: U, who: {a: X}, measure: {gb: G, b: B}}]\n",
	} {
		other, _ := parsed(t, text)
		if twin, ok := seen[other.Hash()]; ok {
			t.Errorf("%s does not change the hash: it is that of %s", name, twin)
		}
		seen[other.Hash()] = name
	}
	if twin, ok := seen[Native().Hash()]; ok {
		t.Errorf("Native has the hash of %s", twin)
	}
	m.Input.ChunkBytes = 1 << 20
	if m.Hash() != hash {
		t.Error("the size of a chunk is no matter of meaning")
	}
}

// TestMappingTravels: a mapping that went through JSON is the same mapping.
func TestMappingTravels(t *testing.T) {
	m, _ := parsed(t, `version: 1
filter: [{column: S, one_of: [a, b], not: true}, {column: S, empty: false}]
input: {null: ["-"], csv: {delimiter: "\t"}}
measurements:
- {name: a, meter: {const: api}, account: {join: [A, B], with: /, empty: {const: x}}, ts: {column: T, timezone: Europe/Zurich, dst: {gap: forward}}, ets: {date: D, time: C, timezone: UTC, empty: skip}, uid: {key: [U, {column: V, empty: {const: ""}}]}, cost: {c: {column: C, number: {decimal: ",", group: ".", padding: true}}}}
`)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back Mapping
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*m, back) || m.Hash() != back.Hash() {
		t.Errorf("sent %+v\ngot  %+v", *m, back)
	}
}

// TestCompileByHand: a Mapping that no parser made is checked as well.
func TestCompileByHand(t *testing.T) {
	for name, m := range map[string]*Mapping{
		"nothing":          {},
		"native and more":  {Native: true, Filter: []Condition{{Column: "A"}}},
		"unknown category": {Measurements: []Measurement{{Fields: []Field{{Category: "why", Code: "a"}}}}},
		"unknown rule":     {Measurements: []Measurement{{UID: UID{Rule: "random"}}}},
		"unknown policy":   {Measurements: []Measurement{{Account: Value{Columns: []string{"A"}, Empty: Empty{Policy: "maybe"}}}}},
		"const and column": {Measurements: []Measurement{{Account: Value{Columns: []string{"A"}, Const: new(string)}}}},
	} {
		c, err := m.Compile()
		if c != nil || err == nil {
			t.Errorf("%s: compiled", name)
			continue
		}
		if wrong, ok := err.(*MappingError); !ok || wrong.Reason == "" {
			t.Errorf("%s: %#v", name, err)
		}
	}
}
