package mapper

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// mappingSchema is docs/mapping.schema.json.
func mappingSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "docs", "mapping.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mapping.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mapping.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// underSchema is what an editor with the schema says to a mapping file.
func underSchema(t testing.TB, s *jsonschema.Schema, text string) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	asJSON, err := json.Marshal(v)
	if err != nil {
		return err
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
	if err != nil {
		return err
	}
	return s.Validate(instance)
}

// beyondSchema are the mistakes that a JSON Schema cannot see: what concerns
// two places at once, what YAML has and JSON has not, and what is computed.
var beyondSchema = map[string]bool{
	"constant in hex": true, "field in two categories": true, "sixteen fields": true, "metadata too long": true,
	"name twice": true, "two documents": true, "own id for two": true, "omit without amounts": true, "omit with a required amount": true, "anchor": true, "merge key": true, "tag": true,
	"time zone in a block": true, "format without a zone": true, "epoch of another format": true, "group that is the decimal mark": true,
}

// TestSchemaAgrees: what the parser takes, the schema takes; and what the
// parser refuses, the schema refuses, but for a list that is written down.
func TestSchemaAgrees(t *testing.T) {
	s := mappingSchema(t)
	for _, text := range goodMappings(t) {
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("the parser refuses\n%s\n%v", text, err)
		}
		if err := underSchema(t, s, text); err != nil {
			t.Errorf("the schema refuses\n%s\n%v", text, err)
		}
	}
	for _, m := range mistakes {
		err := underSchema(t, s, strings.Replace(m.text, "§", "", 1))
		if (err == nil) != beyondSchema[m.name] {
			t.Errorf("mistake %q: the schema says %v", m.name, err)
		}
	}
}

// goodMappings are all correct mappings that the repository has.
func goodMappings(t testing.TB) []string {
	list := append([]string{benchMapping + "row\n"}, fuzzMappings...)
	files, err := filepath.Glob(filepath.Join("..", "samples", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(text))
	}
	return append(list, examples(t)...)
}

// TestSchemaAgreesOnMadeUpMappings makes mappings of right and wrong pieces:
// whatever the parser takes, the schema takes.
func TestSchemaAgreesOnMadeUpMappings(t *testing.T) {
	s := mappingSchema(t)
	pieces := map[string][]string{
		"column":    {"A", "\"a b\"", "usage.bytes", "7", "\"\"", "true"},
		"constant":  {"x", "7", "1.50", "true", "\"\"", "\" x\"", "~", "2024-01-01T00:00:00Z", "[a]"},
		"empty":     {"required", "skip", "{const: x}", "{const: 1}", "{const: \"\"}", "maybe", "{}"},
		"field":     {"gb", "größe", "_a", "a-b", "7", "$"},
		"condition": {"equals: x", "equals: 7", "one_of: [a, 1]", "empty: true", "empty: no", "equals: x, not: true", "one_of: []", "equals: a, empty: true"},
	}
	draw := func(rt *rapid.T, kind string) string { return rapid.SampledFrom(pieces[kind]).Draw(rt, kind) }
	value := func(rt *rapid.T) string {
		parts := []string{}
		add := func(label, text string) {
			if rapid.IntRange(0, 3).Draw(rt, label) == 0 {
				parts = append(parts, text)
			}
		}
		switch rapid.IntRange(0, 3).Draw(rt, "way") {
		case 0:
			return draw(rt, "column")
		case 1:
			parts = append(parts, "column: "+draw(rt, "column"))
		case 2:
			parts = append(parts, "const: "+draw(rt, "constant"))
		case 3:
			parts = append(parts, "join: ["+draw(rt, "column")+", "+draw(rt, "column")+"]")
			add("with", "with: /")
		}
		add("empty?", "empty: "+draw(rt, "empty"))
		add("number?", "number: {decimal: \",\"}")
		add("timezone?", "timezone: UTC")
		return "{" + strings.Join(parts, ", ") + "}"
	}
	// Few of them are right all through, so most parts are left out.
	now := func(rt *rapid.T, label string) bool { return rapid.IntRange(0, 3).Draw(rt, label) == 0 }
	taken := 0
	rapid.Check(t, func(rt *rapid.T) {
		var b strings.Builder
		b.WriteString("version: 1\n")
		for _, word := range []string{"meter", "account", "ts"} {
			b.WriteString(word + ": " + rapid.SampledFrom([]string{"A", "A", "{const: 2024-01-01T00:00:00Z}", value(rt)}).Draw(rt, word) + "\n")
		}
		b.WriteString("uid: " + rapid.SampledFrom([]string{"A", "content", "row", "{column: A, hash: true}", "{key: [A, B]}", "{key: [A, A]}", "{key: A}", "{key: [{column: B, empty: " + draw(rt, "empty") + "}]}", "{hash: true}"}).Draw(rt, "uid") + "\n")
		for _, category := range []string{"what", "metadata", "cost"} {
			if now(rt, category) {
				b.WriteString(category + ": {" + draw(rt, "field") + ": " + value(rt) + "}\n")
			}
		}
		if now(rt, "ets") {
			b.WriteString("ets: " + value(rt) + "\n")
		}
		if now(rt, "filter") {
			b.WriteString("filter: [{column: " + draw(rt, "column") + ", " + draw(rt, "condition") + "}]\n")
		}
		if _, err := Parse([]byte(b.String())); err != nil {
			return
		}
		taken++
		if err := underSchema(t, s, b.String()); err != nil {
			rt.Fatalf("the parser takes what the schema refuses:\n%s\n%v", b.String(), err)
		}
	})
	t.Logf("the parser took %d", taken)
	if taken == 0 && !testing.Short() { // which makes up only a few
		t.Error("the parser took none of them, so nothing was tested")
	}
}
