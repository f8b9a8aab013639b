package mapper

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/m3import/m3import/reader"
)

// row holds the columns of one record by name. A string is the text of a
// String value; a reader.Value stands for itself; what is absent is Missing.
type row map[string]any

// record makes the record that a source opened with m.ReaderOptions would.
func (r row) record(m *Mapping) *reader.Record {
	rec := &reader.Record{Source: "usage.csv", Pos: reader.Pos{Offset: 1234, Line: 7}}
	for _, c := range m.Columns() {
		v := reader.Value{}
		switch x := r[c.Name].(type) {
		case string:
			v = reader.Value{Kind: reader.String, Text: []byte(x)}
		case reader.Value:
			v = x
		}
		rec.Values = append(rec.Values, v)
	}
	return rec
}

func num(text string) reader.Value { return reader.Value{Kind: reader.Number, Text: []byte(text)} }

func obj(text string) reader.Value { return reader.Value{Kind: reader.Object, Text: []byte(text)} }

// parsed is a mapping that must be right, and its Mapper.
func parsed(t testing.TB, text string) (*Mapping, *Mapper) {
	t.Helper()
	m, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("mapping:\n%s\n%v", text, err)
	}
	c, err := m.Compile()
	if err != nil {
		t.Fatalf("a mapping that was parsed does not compile: %v", err)
	}
	return m, c
}

// appended is what one row makes, one measurement a line.
func appended(t testing.TB, m *Mapping, c *Mapper, r row) string {
	t.Helper()
	var out Output
	filtered, err := c.Append(&out, r.record(m))
	if err != nil || filtered {
		t.Fatalf("row %v: filtered %v, error %v", r, filtered, err)
	}
	return strings.Join(split(t, &out), "\n")
}

// split cuts out into its measurements, after checking all of its indexes.
func split(t testing.TB, out *Output) []string {
	t.Helper()
	var list []string
	start, amounts := uint32(0), uint32(0)
	for i, item := range out.Items {
		if item.End < start || int(item.End) >= len(out.JSON) || item.AmountsEnd < amounts || int(item.AmountsEnd) > len(out.Amounts) {
			t.Fatalf("item %d of %d: %+v after %d, %d", i, len(out.Items), item, start, amounts)
		}
		m := out.JSON[start:item.End]
		if out.JSON[item.End] != ',' {
			t.Fatalf("item %+v: no comma behind it in %s", item, out.JSON)
		}
		if !strings.HasPrefix(string(m), `{"uid":"`) || out.JSON[item.UIDEnd] != '"' || item.UIDEnd < start+uint32(uidStart) {
			t.Fatalf("item %d: the uid of %s does not end at %d", i, m, item.UIDEnd)
		}
		list = append(list, string(m))
		start, amounts = item.End+1, item.AmountsEnd
	}
	if int(start) != len(out.JSON) || int(amounts) != len(out.Amounts) {
		t.Fatalf("bytes or amounts that belong to no item: %d of %d, %d of %d", start, len(out.JSON), amounts, len(out.Amounts))
	}
	for i, a := range out.Amounts {
		if int(a.Key) >= len(out.Keys) {
			t.Fatalf("amount %d has key %d of %d", i, a.Key, len(out.Keys))
		}
	}
	return list
}

// refused is the error that a row gets; out must be as it was before.
func refused(t testing.TB, m *Mapping, c *Mapper, r row) *FieldError {
	t.Helper()
	var out Output
	out.JSON = append(out.JSON, "before"...)
	out.Items = append(out.Items, Item{End: 6, UIDEnd: 3})
	out.Keys = append(out.Keys, Key{"a", "b", "c"})
	filtered, err := c.Append(&out, r.record(m))
	fe, ok := err.(*FieldError)
	if !ok || filtered {
		t.Fatalf("row %v: filtered %v, error %v, output %s", r, filtered, err, out.JSON)
	}
	if string(out.JSON) != "before" || len(out.Items) != 1 || len(out.Amounts) != 0 || len(out.Keys) != 1 {
		t.Fatalf("row %v: the output changed: %s %v %v %v", r, out.JSON, out.Items, out.Amounts, out.Keys)
	}
	if fe.Field == "" || fe.Code == "" || fe.Reason == "" || len(fe.Value) > maxShownText {
		t.Fatalf("row %v: incomplete error %+v", r, fe)
	}
	return fe
}

// uidOf is the uid of a measurement.
func uidOf(t testing.TB, measurement string) string {
	t.Helper()
	var m struct {
		UID string `json:"uid"`
	}
	if err := json.Unmarshal([]byte(measurement), &m); err != nil {
		t.Fatalf("%s: %v", measurement, err)
	}
	return m.UID
}

// columnNames are the names of the columns of m.
func columnNames(m *Mapping) []string {
	var names []string
	for _, c := range m.Columns() {
		name := c.Name
		if c.Optional {
			name += "?"
		}
		names = append(names, name)
	}
	return names
}

func same(a, b []string) bool { return slices.Equal(a, b) }

func sprint(v any) string { return fmt.Sprintf("%+v", v) }
