package mapper

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/m3import/m3import/reader"
)

// FuzzParse: whatever a mapping file holds, there is a Mapping that compiles,
// keeps its hash and obeys the JSON Schema, or an error with a place in the file.
func FuzzParse(f *testing.F) {
	for _, m := range mistakes {
		f.Add([]byte(strings.Replace(m.text, "§", "", 1)))
	}
	for _, m := range fuzzMappings {
		f.Add([]byte(m))
	}
	schema := mappingSchema(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse(text)
		if err != nil {
			var pe *ParseError
			if !errors.As(err, &pe) || pe.Line < 1 || pe.Column < 1 || pe.Reason == "" || !utf8.ValidString(err.Error()) {
				t.Fatalf("an error without a place: %#v", err)
			}
			if lines := bytes.Count(text, []byte("\n")) + bytes.Count(text, []byte("\r")) + 1; pe.Line > lines {
				t.Fatalf("line %d of %d: %v", pe.Line, lines, err)
			}
			return
		}
		if err := underSchema(t, schema, string(text)); err != nil {
			t.Fatalf("Parse took what the schema refuses: %v", err)
		}
		hash := m.Hash()
		if _, err := m.Compile(); err != nil {
			t.Fatalf("Parse took what Compile refuses: %v", err)
		}
		again, err := Parse(text)
		if err != nil || again.Hash() != hash || m.Hash() != hash {
			t.Fatalf("the hash of one text changed: %v", err)
		}
		var back Mapping
		if sent, err := json.Marshal(m); err != nil || json.Unmarshal(sent, &back) != nil || back.Hash() != hash {
			t.Fatalf("the hash changed on the way through JSON %s", sent)
		}
	})
}

// fuzzMappings use every way of making a value.
var fuzzMappings = []string{
	start + "measure: {n: X}\n",
	"version: 1\nmeter: X\naccount: Y\nts: Z\nuid: {key: [X, {column: Y, empty: {const: \"\"}}]}\nwho: {w: {join: [X, Y], with: /, empty: skip}}\n",
	"version: 1\nmeter: {join: [X, Y]}\naccount: {column: Y, empty: {const: none}}\nts: {column: Z, format: epoch_ms}\nuid: content\nmetadata: {m: {column: X, empty: skip}}\ncost: {c: {column: Y, number: {decimal: \",\", group: \".\", padding: true}, empty: skip}}\n",
	"version: 1\nfilter: [{column: X, equals: a, not: true}]\nmeter: X\naccount: Y\nts: {date: X, time: Y, timezone: Europe/Zurich}\nuid: row\nincome: {c: {const: 1}}\n",
	"version: 1\nmeasurements:\n- {name: a, meter: {const: a}, account: X, ts: {const: \"2024-01-01T00:00:00Z\"}, uid: {column: Y, hash: true}, measure: {n: {column: Z, empty: {const: 0}}}}\n- {name: b, meter: X, account: Y, ts: {const: \"2024-01-01T00:00:00Z\"}, uid: row, other: {o: {join: [Z, X]}}}\n",
}

// FuzzAppend: any three values under any of these mappings make measurements
// that m3ter's schema allows, or leave the output as it was.
func FuzzAppend(f *testing.F) {
	type compiled struct {
		m *Mapping
		c *Mapper
	}
	var all []compiled
	for _, text := range fuzzMappings {
		m, c := parsed(f, text)
		all = append(all, compiled{m, c})
	}
	str, n := uint8(reader.String), uint8(reader.Number)
	f.Add(uint8(0), str, "2024-01-01T00:00:00Z", str, "acme", n, "1.5")
	f.Add(uint8(1), str, "api", str, "acme", str, "2024-01-01T00:00:00.5+01:00")
	f.Add(uint8(2), str, "a", str, "1.234,50", n, "1725148800123")
	f.Add(uint8(3), str, "2024-01-01", str, "10:00:00", uint8(reader.Null), "")
	f.Add(uint8(4), str, "x\"\\\x00", str, "🚀", n, "-1e-400")
	f.Add(uint8(4), uint8(reader.Object), "{}", uint8(reader.Array), "[", uint8(reader.Missing), "")
	f.Fuzz(func(t *testing.T, which, kx uint8, x string, ky uint8, y string, kz uint8, z string) {
		// What a reader promises: a kind, and text that is UTF-8.
		value := func(kind uint8, text string) reader.Value {
			v := reader.Value{Kind: reader.Kind(kind % (uint8(reader.Array) + 1)), Text: []byte(strings.ToValidUTF8(text, "?"))}
			if v.Kind <= reader.Null {
				v.Text = nil
			}
			return v
		}
		p := all[int(which)%len(all)]
		r := row{"X": value(kx, x), "Y": value(ky, y), "Z": value(kz, z), "A": "acme", "T": "2024-01-01T00:00:00Z", "U": "u"}
		var one, two Output
		rec := r.record(p.m)
		filtered, err := p.c.Append(&one, rec)
		again, err2 := p.c.Append(&two, rec)
		if filtered != again || sprint(err) != sprint(err2) || !bytes.Equal(one.JSON, two.JSON) || !slices.Equal(one.Items, two.Items) {
			t.Fatalf("one record, two answers: %s %v, %s %v", one.JSON, err, two.JSON, err2)
		}
		uid, known := p.c.UID(rec)
		if err != nil || filtered {
			if err != nil {
				refused(t, p.m, p.c, r)
			}
			if len(one.JSON)+len(one.Items)+len(one.Amounts)+len(one.Keys) > 0 {
				t.Fatalf("%v, %v, and an output: %s %v", filtered, err, one.JSON, one.Keys)
			}
			return
		}
		list := split(t, &one)
		if len(list) != len(p.m.Measurements) || !known || uid != uidOf(t, list[0]) {
			t.Fatalf("%d measurements, uid %q: %s", len(list), uid, one.JSON)
		}
		for _, m := range list {
			conforms(t, m)
		}
	})
}

// The schema for a measurement, written down a second time and independently:
// by patterns, a JSON library and whole values in memory.
var (
	codePattern  = regexp.MustCompile(`^[^\x00-\x20\x7F](?:[^\x00-\x1F\x7F]*[^\x00-\x20\x7F])?$`)
	fieldPattern = regexp.MustCompile(`^[\p{L}_$][\p{L}_$0-9]*$`)
	timePattern  = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$`)
)

// conforms fails when m is not what m3ter's schema allows.
func conforms(t testing.TB, m string) {
	t.Helper()
	if !jsontext.Value(m).IsValid() {
		t.Fatalf("not strict JSON: %s", m)
	}
	compact := jsontext.Value(m).Clone()
	if err := compact.Compact(); err != nil || string(compact) != m {
		t.Fatalf("not compact: %s", m)
	}
	var v struct {
		UID, Meter, Account, TS, ETS string
		Who, What, Where, Other      map[string]string
		Metadata                     map[string]string
		Measure, Cost, Income        map[string]float64
	}
	dec := json.NewDecoder(strings.NewReader(m))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", m, err)
	}
	length := func(s string) int { return len(utf16.Encode([]rune(s))) }
	if n := length(v.UID); n < 1 || n > 50 {
		t.Fatalf("uid of %d: %s", n, m)
	}
	for _, code := range []string{v.Meter, v.Account} {
		if !codePattern.MatchString(code) || length(code) > 80 {
			t.Fatalf("code %q: %s", code, m)
		}
	}
	if !timePattern.MatchString(v.TS) || v.ETS != "" && !timePattern.MatchString(v.ETS) {
		t.Fatalf("time %s, %s", v.TS, v.ETS)
	}
	fields := map[string]bool{}
	add := func(code string) {
		if !fieldPattern.MatchString(code) || length(code) > 80 || fields[code] {
			t.Fatalf("field %q: %s", code, m)
		}
		fields[code] = true
	}
	for _, texts := range []map[string]string{v.Who, v.What, v.Where, v.Other, v.Metadata} {
		for code := range texts {
			add(code)
		}
	}
	for _, numbers := range []map[string]float64{v.Measure, v.Cost, v.Income} {
		for code := range numbers {
			add(code)
		}
	}
	for _, text := range v.Metadata {
		if length(text) > 256 {
			t.Fatalf("metadata of %d: %s", length(text), m)
		}
	}
	if len(fields) > 15 {
		t.Fatalf("%d fields: %s", len(fields), m)
	}
}

// FuzzNative: any line makes a measurement that m3ter's schema allows, with
// every one of its keys, or none.
func FuzzNative(f *testing.F) {
	for _, line := range []string{
		`{` + nativeHead + `,"measure":{"b":1.50,"a":-2e-3},"who":{"x":"y"}}`,
		`{` + nativeHead + `,"who":{"\u0061é":"\ud83d\ude80"},"measure.gb":"1"}`,
		`{` + nativeHead + `,"ets":null,"what":null}`,
	} {
		f.Add(line)
	}
	c, err := Native().Compile()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, line string) {
		opt := Native().ReaderOptions()
		opt.Format = reader.NDJSON
		src, err := reader.OpenReader("x", strings.NewReader(line), opt)
		if err != nil {
			return
		}
		defer src.Close()
		for {
			chunk, err := src.Next()
			if err != nil {
				return
			}
			for rec, err := range chunk.Records() {
				var out Output
				if err != nil {
					continue
				}
				if _, err := c.Append(&out, rec); err != nil {
					if len(out.JSON)+len(out.Items)+len(out.Amounts)+len(out.Keys) > 0 {
						t.Fatalf("%v, and an output %s", err, out.JSON)
					}
					continue
				}
				list := split(t, &out)
				conforms(t, list[0])
				if given, sent := leaves(t, rec.AppendJSON(nil)), leaves(t, []byte(list[0])); given != sent {
					t.Fatalf("%d values became %d: %s", given, sent, list[0])
				}
			}
		}
	})
}

// leaves counts the values of a row that are neither null nor objects.
func leaves(t testing.TB, row []byte) int {
	t.Helper()
	dec, n := jsontext.NewDecoder(bytes.NewReader(row)), 0
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return n
		}
		if kind, length := dec.StackIndex(dec.StackDepth()); kind == '{' && length%2 == 1 {
			continue // a key
		}
		switch token.Kind() {
		case '"', '0', 't', 'f':
			n++
		}
	}
}
