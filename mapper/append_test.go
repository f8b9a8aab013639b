package mapper

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/m3import/m3import/reader"
)

// start is a mapping that wants nothing but fields.
const start = "version: 1\nmeter: {const: api}\naccount: A\nts: T\nuid: U\n"

// head is what start makes of usual().
const head = `{"uid":"u1","meter":"api","account":"acme","ts":"2024-09-01T00:00:00Z"`

func usual(more row) row {
	r := row{"A": "acme", "T": "2024-09-01T00:00:00Z", "U": "u1"}
	for k, v := range more {
		r[k] = v
	}
	return r
}

func TestAppendGolden(t *testing.T) {
	for _, tt := range []struct {
		name, mapping string
		row           row
		want          string // what follows head
	}{
		{"nothing measured", start, nil, ``},
		{"a number", start + "measure: {gb: G}\n", row{"G": "1.50"}, `,"measure":{"gb":1.50}`},
		{"a JSON number", start + "measure: {gb: G}\n", row{"G": num("-1e-7")}, `,"measure":{"gb":-1e-7}`},
		{"more digits than a double", start + "cost: {c: G}\n", row{"G": "12345678901234567890.123456789"}, `,"cost":{"c":12345678901234567890.123456789}`},
		{"constant number, as it is written", start + "income: {a: {const: 1.50}, b: {const: 1e3}, c: {const: \"0\"}}\n", nil, `,"income":{"a":1.50,"b":1e3,"c":0}`},
		{"codes in order of their bytes", start + "measure: {b: {const: 1}, a: {const: 2}, B: {const: 3}, _: {const: 4}, é: {const: 5}}\n", nil,
			`,"measure":{"B":3,"_":4,"a":2,"b":1,"é":5}`},
		{"all categories in their order", start + "income: {h: {const: 8}}\ncost: {g: {const: 7}}\nmeasure: {f: {const: 6}}\nmetadata: {e: {const: e}}\nother: {d: {const: d}}\nwhere: {c: {const: c}}\nwhat: {b: {const: b}}\nwho: {a: {const: a}}\n", nil,
			`,"who":{"a":"a"},"what":{"b":"b"},"where":{"c":"c"},"other":{"d":"d"},"metadata":{"e":"e"},"measure":{"f":6},"cost":{"g":7},"income":{"h":8}`},
		{"escapes, as few as there can be", start + "who: {a: W}\n", row{"W": "\"\\\n\x01</é🚀"}, `,"who":{"a":"\"\\\n\u0001</é🚀"}`},
		{"kinds as text", start + "what: {a: W, b: X}\n", row{"W": num("007.0"), "X": reader.Value{Kind: reader.Bool, Text: []byte("true")}}, `,"what":{"a":"007.0","b":"true"}`},
		{"constants as they are written", start + "what: {a: {const: 007}, b: {const: yes}, c: {const: 1_000}, d: {const: True}}\n", nil,
			`,"what":{"a":"007","b":"yes","c":"1_000","d":"True"}`},
		{"skipped", start + "who: {a: {column: W, empty: skip}}\n", nil, ``},
		{"skipped among others", start + "who: {a: {column: W, empty: skip}, b: {column: W, empty: skip}, c: {const: x}, d: {column: W, empty: skip}}\n", row{"W": ""}, `,"who":{"c":"x"}`},
		{"skipped null number", start + "measure: {a: {column: G, empty: skip}, b: {const: 1}}\n", row{"G": reader.Value{Kind: reader.Null}}, `,"measure":{"b":1}`},
		{"stand-in", start + "who: {a: {column: W, empty: {const: nobody}}}\nmeasure: {gb: {column: G, empty: {const: 0}}}\n", nil, `,"who":{"a":"nobody"},"measure":{"gb":0}`},
		{"joined", start + "where: {r: {join: [R, Z], with: \"/\"}}\n", row{"R": "eu", "Z": "1"}, `,"where":{"r":"eu/1"}`},
		{"joined with nothing", start + "where: {r: {join: [R, Z, R]}}\n", row{"R": "eu", "Z": "1"}, `,"where":{"r":"eu1eu"}`},
		{"joined, a part skipped", start + "where: {r: {join: [R, Y, Z], with: \"/\", empty: skip}}\n", row{"R": "eu", "Z": "1"}, `,"where":{"r":"eu/1"}`},
		{"joined, the first part skipped", start + "where: {r: {join: [R, Z], with: \"/\", empty: skip}}\n", row{"Z": "1"}, `,"where":{"r":"1"}`},
		{"joined, all parts skipped", start + "where: {r: {join: [R, Z], with: \"/\", empty: skip}}\n", nil, ``},
		{"joined, a part stands in", start + "where: {r: {join: [R, Z], with: \"/\", empty: {const: \"?\"}}}\n", row{"R": "eu"}, `,"where":{"r":"eu/?"}`},
		{"metadata of 256 characters", start + "metadata: {a: W}\n", row{"W": strings.Repeat("é", 256)}, `,"metadata":{"a":"` + strings.Repeat("é", 256) + `"}`},
		{"a long text elsewhere", start + "other: {a: W}\n", row{"W": strings.Repeat("x", 2000)}, `,"other":{"a":"` + strings.Repeat("x", 2000) + `"}`},
		{"fifteen fields", start + "measure: {a: N, b: N, c: N, d: N, e: N, f: N, g: N, h: N}\ncost: {i: N, j: N, k: N, l: N, m: N, n: N, o: N}\n", row{"N": "1"},
			`,"measure":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1},"cost":{"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1}`},
		{"ets", start + "ets: E\n", row{"E": "2024-09-01T00:00:00Z"}, `,"ets":"2024-09-01T00:00:00Z"`},
		{"ets skipped", start + "ets: {column: E, empty: skip}\n", nil, ``},
		{"constant ets", start + "ets: {const: 2024-10-01T00:00:00Z}\n", nil, `,"ets":"2024-10-01T00:00:00Z"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, c := parsed(t, tt.mapping)
			if got, want := appended(t, m, c, usual(tt.row)), head+tt.want+"}"; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestAppendCodesAndTimes(t *testing.T) {
	for _, tt := range []struct{ name, mapping, want string }{
		{"joined codes", "version: 1\nmeter: {join: [A, U], with: _}\naccount: {join: [U, A], with: \" - \"}\nts: T\nuid: U\n",
			`{"uid":"u1","meter":"acme_u1","account":"u1 - acme","ts":"2024-09-01T00:00:00Z"}`},
		{"constant account and time", "version: 1\nmeter: A\naccount: {const: ACME ä}\nts: {const: \"2024-09-01T02:00:00+02:00\"}\nuid: U\n",
			`{"uid":"u1","meter":"acme","account":"ACME ä","ts":"2024-09-01T00:00:00Z"}`},
		{"stand-ins for codes", "version: 1\nmeter: {column: X, empty: {const: other}}\naccount: {join: [A, X], with: \"-\", empty: {const: none}}\nts: T\nuid: U\n",
			`{"uid":"u1","meter":"other","account":"acme-none","ts":"2024-09-01T00:00:00Z"}`},
		{"date and time", "version: 1\nmeter: A\naccount: A\nts: {date: D, time: C, timezone: UTC}\nuid: U\n",
			`{"uid":"u1","meter":"acme","account":"acme","ts":"2024-02-29T23:59:59Z"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, c := parsed(t, tt.mapping)
			if got := appended(t, m, c, usual(row{"D": "2024-02-29", "C": "23:59:59"})); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A span that ends before it starts is told with what the source says.
func TestReversedSpan(t *testing.T) {
	for _, tt := range []struct {
		mapping             string
		with                row
		column, value, want string
	}{
		{"ets: {column: E, timezone: +02:00}\n", row{"E": "2024-08-31 01:00"}, "E", "2024-08-31 01:00",
			"ets is 2024-08-30T23:00:00Z, earlier than ts, 2024-09-01T00:00:00Z; "},
		{"ets: E\n", row{"E": "2024-08-31T01:00:00Z"}, "E", "2024-08-31T01:00:00Z", "ets is earlier than ts, 2024-09-01T00:00:00Z; "},
		{"ets: {date: D, time: C, timezone: UTC}\n", row{"D": "2024-02-29", "C": "23:59:59"}, "D + C", "2024-02-29 23:59:59",
			"ets is 2024-02-29T23:59:59Z, earlier than ts, "},
		{"ets: {const: 2024-08-31T00:00:00Z}\n", nil, "", "2024-08-31T00:00:00Z", "ets is earlier than ts, "},
	} {
		m, c := parsed(t, start+tt.mapping)
		fe := refused(t, m, c, usual(tt.with))
		if fe.Field != "ets" || fe.Column != tt.column || fe.Value != tt.value || !strings.HasPrefix(fe.Reason, tt.want) {
			t.Errorf("%s%v gives %+v", tt.mapping, tt.with, fe)
		}
	}
}

func TestAppendFaults(t *testing.T) {
	all := start + "ets: {column: E, empty: skip}\nwho: {w: {column: W, empty: skip}}\nmetadata: {m: {column: M, empty: skip}}\nmeasure: {gb: G}\n"
	null := reader.Value{Kind: reader.Null}
	for _, tt := range []struct {
		name                      string
		with                      row
		field, column, code, want string
	}{
		{"no account", row{"A": ""}, "account", "A", CodeRequired, "the value is empty"},
		{"null account", row{"A": null}, "account", "A", CodeRequired, "the value is null"},
		{"no such column", row{"A": reader.Value{}}, "account", "A", CodeRequired, "no such column"},
		{"account is an object", row{"A": obj(`{"id":1}`)}, "account", "A", CodeScalar, `"A.name"`},
		{"account is a list", row{"A": reader.Value{Kind: reader.Array, Text: []byte("[]")}}, "account", "A", CodeScalar, "an array"},
		{"account of 81", row{"A": strings.Repeat("é", 81)}, "account", "A", CodeLength, "at most 80"},
		{"account with a space in front", row{"A": " acme"}, "account", "A", CodeCode, "trim: true"},
		{"account with a tab", row{"A": "ac\tme"}, "account", "A", CodeCode, "control characters"},
		{"account with DEL", row{"A": "acme\x7f"}, "account", "A", CodeCode, "control characters"},
		{"no time", row{"T": ""}, "ts", "T", CodeRequired, "empty"},
		{"time is an object", row{"T": obj("{}")}, "ts", "T", CodeScalar, "an object"},
		{"no time at all", row{"T": "yesterday"}, "ts", "T", CodeTime, ""},
		{"time without a zone", row{"T": "2024-09-01T00:00:00"}, "ts", "T", CodeTimeZone, ""},
		{"ets before ts", row{"E": "2024-08-31T23:59:59.999Z"}, "ets", "E", CodeTime, "earlier than ts"},
		{"metadata of 257", row{"M": strings.Repeat("é", 257)}, "metadata.m", "M", CodeLength, "256"},
		{"no number", row{"G": "many"}, "measure.gb", "G", CodeNumber, ""},
		{"empty number", row{"G": ""}, "measure.gb", "G", CodeRequired, "empty"},
		{"not a number", row{"G": "NaN"}, "measure.gb", "G", CodeNumber, ""},
		{"a truth value", row{"G": reader.Value{Kind: reader.Bool, Text: []byte("true")}}, "measure.gb", "G", CodeNumber, ""},
		{"past a double", row{"G": "1e309"}, "measure.gb", "G", CodeNumberRange, ""},
		{"number is a list", row{"G": reader.Value{Kind: reader.Array, Text: []byte("[1]")}}, "measure.gb", "G", CodeScalar, `"G[0]"`},
		{"text is an object", row{"W": obj("{}")}, "who.w", "W", CodeScalar, "an object"},
		{"first of all: account", row{"A": "", "T": "", "E": "x", "U": "", "G": ""}, "account", "A", CodeRequired, ""},
		{"then ts", row{"T": "", "E": "x", "U": "", "G": ""}, "ts", "T", CodeRequired, ""},
		{"then ets", row{"E": "x", "U": "", "G": ""}, "ets", "E", CodeTime, ""},
		{"then uid", row{"U": "", "G": ""}, "uid", "U", CodeUID, ""},
		{"then the fields", row{"W": obj("{}"), "G": ""}, "who.w", "W", CodeScalar, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, c := parsed(t, all)
			r := usual(row{"G": "1"})
			for k, v := range tt.with {
				r[k] = v
			}
			fe := refused(t, m, c, r)
			if fe.Field != tt.field || fe.Column != tt.column || fe.Code != tt.code || !strings.Contains(fe.Reason, tt.want) {
				t.Errorf("got  %+v\nwant %s, %s, %s, …%s…", fe, tt.field, tt.column, tt.code, tt.want)
			}
			if text := fe.Error(); !strings.Contains(text, fe.Field) || !strings.Contains(text, fe.Reason) {
				t.Errorf("the error does not say it all: %s", text)
			}
		})
	}
	t.Run("meter before ts", func(t *testing.T) {
		m, c := parsed(t, "version: 1\nmeter: M\naccount: A\nts: T\nuid: U\n")
		if fe := refused(t, m, c, row{"A": "a"}); fe.Field != "meter" {
			t.Errorf("got %+v", fe)
		}
	})
	t.Run("half a time is a fault even when none may be left out", func(t *testing.T) {
		m, c := parsed(t, start+"ets: {date: D, time: C, timezone: UTC, empty: skip}\n")
		if got := appended(t, m, c, usual(nil)); got != head+"}" {
			t.Errorf("got %s", got)
		}
		if fe := refused(t, m, c, usual(row{"D": "2024-10-01"})); fe.Column != "C" || fe.Code != CodeRequired {
			t.Errorf("got %+v", fe)
		}
		if fe := refused(t, m, c, usual(row{"C": "10:00:00"})); fe.Column != "D" || fe.Code != CodeRequired {
			t.Errorf("got %+v", fe)
		}
	})
	t.Run("a join that gets too long", func(t *testing.T) {
		m, c := parsed(t, "version: 1\nmeter: {join: [A, B], with: +}\naccount: A\nts: T\nuid: U\n")
		fe := refused(t, m, c, usual(row{"A": strings.Repeat("a", 40), "B": strings.Repeat("b", 40)}))
		if fe.Code != CodeLength || fe.Column != "A + B" || fe.Value != strings.Repeat("a", 40)+"+"+strings.Repeat("b", 40) {
			t.Errorf("got %+v", fe)
		}
	})
}

// TestRowIsAllOrNothing: a fault in the second measurement leaves nothing of
// the first behind, and says whose it is.
func TestRowIsAllOrNothing(t *testing.T) {
	m, c := parsed(t, "version: 1\nmeasurements:\n- {name: in, meter: {const: i}, account: A, ts: T, uid: content, measure: {n: I}}\n- {name: out, meter: {const: o}, account: A, ts: T, uid: content, measure: {n: O}}\n")
	fe := refused(t, m, c, usual(row{"I": "1", "O": "x"}))
	if fe.Field != "measure.n" || fe.Column != "O" || !strings.Contains(fe.Reason, `measurement "out"`) {
		t.Errorf("got %+v", fe)
	}
	got := appended(t, m, c, usual(row{"I": "1", "O": "2"}))
	if strings.Count(got, "\n") != 1 {
		t.Errorf("got %s", got)
	}
}

// TestOrderChangesNoUID: neither the order of fields nor that of measurements.
func TestOrderChangesNoUID(t *testing.T) {
	item := func(name, uid string, fields ...string) string {
		return fmt.Sprintf("- {name: %s, meter: {const: %s}, account: A, ts: T, uid: %s, measure: {%s}}\n", name, name, uid, strings.Join(fields, ", "))
	}
	r := usual(row{"I": "1", "O": "2"})
	for _, uid := range []string{"{key: [U]}", "{column: U, hash: true}", "content", "row"} {
		one, oneC := parsed(t, "version: 1\nmeasurements:\n"+item("in", uid, "a: I", "b: O")+item("out", uid, "n: O"))
		two, twoC := parsed(t, "version: 1\nmeasurements:\n"+item("out", uid, "n: O")+item("in", uid, "b: O", "a: I"))
		a, b := strings.Split(appended(t, one, oneC, r), "\n"), strings.Split(appended(t, two, twoC, r), "\n")
		if a[0] != b[1] || a[1] != b[0] || uidOf(t, a[0]) == uidOf(t, a[1]) {
			t.Errorf("rule %s:\n%q\n%q", uid, a, b)
		}
	}
}

func TestFilter(t *testing.T) {
	null := reader.Value{Kind: reader.Null}
	for _, tt := range []struct {
		conditions string
		status     any
		kept       bool
	}{
		{"[{column: S, equals: Usage}]", "Usage", true},
		{"[{column: S, equals: Usage}]", "usage", false},
		{"[{column: S, equals: Usage}]", "", false},
		{"[{column: S, equals: 1}]", num("1"), true},
		{"[{column: S, equals: 1}]", num("1.0"), false},
		{"[{column: S, equals: Usage, not: true}]", "Tax", true},
		{"[{column: S, equals: Usage, not: true}]", null, true},
		{"[{column: S, equals: Usage, not: true}]", "Usage", false},
		{"[{column: S, one_of: [A, B]}]", "B", true},
		{"[{column: S, one_of: [A, B]}]", "C", false},
		{"[{column: S, one_of: [A, B], not: true}]", "C", true},
		{"[{column: S, empty: true}]", "", true},
		{"[{column: S, empty: true}]", null, true},
		{"[{column: S, empty: true}]", nil, true},
		{"[{column: S, empty: true}]", "x", false},
		{"[{column: S, empty: true}]", obj("{}"), false},
		{"[{column: S, empty: false}]", "x", true},
		{"[{column: S, empty: false}]", "", false},
		{"[{column: S, empty: true, not: true}]", "x", true},
		{"[{column: S, empty: false, not: true}]", "x", false},
		{"[{column: S, equals: A}, {column: A, equals: acme}]", "A", true},
		{"[{column: S, equals: A}, {column: A, equals: other}]", "A", false},
	} {
		m, c := parsed(t, start+"filter: "+tt.conditions+"\n")
		var out Output
		filtered, err := c.Append(&out, usual(row{"S": tt.status}).record(m))
		if err != nil || filtered == tt.kept || (len(out.Items) == 1) != tt.kept {
			t.Errorf("%s of %v: filtered %v, %d measurements, %v", tt.conditions, tt.status, filtered, len(out.Items), err)
		}
	}
	// A row that is filtered has no faults, and one that cannot be decided has.
	m, c := parsed(t, start+"filter: [{column: S, equals: A}]\n")
	var out Output
	if filtered, err := c.Append(&out, row{"S": "B"}.record(m)); !filtered || err != nil {
		t.Errorf("got %v, %v", filtered, err)
	}
	if fe := refused(t, m, c, usual(row{"S": obj("{}")})); fe.Field != "filter" || fe.Code != CodeScalar {
		t.Errorf("got %+v", fe)
	}
}

func TestFlags(t *testing.T) {
	m, c := parsed(t, start+"ets: {column: E, empty: skip}\nmeasure: {gb: G}\n")
	for _, tt := range []struct {
		with row
		want Flags
	}{
		{nil, 0},
		{row{"T": "2024-09-01T00:00:00.1234Z"}, TimeTruncated},
		{row{"E": "2024-09-01T00:00:00.1234Z"}, TimeTruncated},
		{row{"T": "1970-01-01T00:00:00Z"}, TimeAncient},
		{row{"G": "9007199254740993"}, NumberInexact},
		{row{"G": "9007199254740993", "T": "1999-12-31T23:59:59.9999Z"}, NumberInexact | TimeTruncated | TimeAncient},
	} {
		r := usual(row{"G": "1"})
		for k, v := range tt.with {
			r[k] = v
		}
		var out Output
		if _, err := c.Append(&out, r.record(m)); err != nil || out.Items[0].Flags != tt.want {
			t.Errorf("%v: flags %b, want %b; %v", tt.with, out.Items[0].Flags, tt.want, err)
		}
	}
}

// A Mapper knows no clock, and flags what is later than the time it was given.
func TestFlagsFuture(t *testing.T) {
	m, c := parsed(t, start+"ets: {column: E, empty: skip}\nmeasure: {n: {const: 1}}\n")
	for _, tt := range []struct {
		now, ts string
		want    Flags
	}{
		{"2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z", TimeFuture},
		{"2026-03-01T12:00:00Z", "2026-03-01T12:00:00.001Z", TimeFuture},
		{"2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z", 0},
		{"2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", 0},
		{"2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.499Z", 0},
		{"2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.501Z", TimeFuture},
		{"2026-03-01T13:00:00+01:00", "2026-03-01T12:00:01Z", TimeFuture},
		{"2026-03-01T12:00:00Z", "2026-02-28T23:59:59Z", 0},
		{"2026-03-01T12:00:00Z", "2026-04-01T00:00:00Z", TimeFuture},
		{"2026-03-01T12:00:00Z", "9999-12-31T23:59:59Z", TimeFuture},
		{"2026-03-01T12:00:00Z", "2026-03-01T12:01:00Z", TimeFuture},
		{"2026-03-01T12:00:00Z", "2026-03-01T11:59:59Z", 0},
	} {
		now, err := time.Parse(time.RFC3339Nano, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		// That a span ends later is no matter.
		r := usual(row{"T": tt.ts, "E": "9999-12-31T23:59:59Z"})
		for _, asked := range []struct {
			m    *Mapper
			want Flags
		}{{c.Flagging(now), tt.want}, {c, tt.want &^ TimeFuture}} {
			var out Output
			if _, err := asked.m.Append(&out, r.record(m)); err != nil || out.Items[0].Flags != asked.want {
				t.Errorf("%s at %s: flags %b, want %b; %v", tt.ts, tt.now, out.Items[0].Flags, asked.want, err)
			}
		}
	}
}

// TestAmounts: the amounts of an Output are the numbers of its JSON, under the
// keys that name them.
func TestAmounts(t *testing.T) {
	m, c := parsed(t, "version: 1\nmeter: M\naccount: A\nts: T\nuid: U\nmeasure: {gb: G, n: {const: 1}}\ncost: {c: {column: C, empty: skip}}\n")
	var out Output
	for i, meter := range []string{"a", "a", "b", "a"} {
		r := usual(row{"M": meter, "G": fmt.Sprintf("%d.5", i)})
		if i == 2 {
			r["C"] = "7"
		}
		if _, err := c.Append(&out, r.record(m)); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, a := range out.Amounts {
		k := out.Keys[a.Key]
		got = append(got, k.Meter+"/"+k.Category+"/"+k.Field+"="+string(a.Value.AppendText(nil)))
	}
	want := "a/measure/gb=0.5 a/measure/n=1 a/measure/gb=1.5 a/measure/n=1 b/measure/gb=2.5 b/measure/n=1 b/cost/c=7 a/measure/gb=3.5 a/measure/n=1"
	if s := strings.Join(got, " "); s != want || len(out.Keys) != 5 {
		t.Errorf("got  %s\nwant %s\n%v", s, want, out.Keys)
	}
	keys := out.Keys
	out.Reset()
	if len(out.Items)+len(out.Amounts)+len(out.JSON) != 0 || len(out.Keys) != 5 || &keys[0] != &out.Keys[0] {
		t.Error("Reset kept or dropped too much")
	}
}

// TestManyMeters: a meter in every row does not fill the memory.
func TestManyMeters(t *testing.T) {
	m, c := parsed(t, "version: 1\nmeter: M\naccount: A\nts: T\nuid: U\nmeasure: {gb: {const: 1}}\n")
	var out Output
	for i := range maxKeys + 10 {
		if _, err := c.Append(&out, usual(row{"M": fmt.Sprint("m", i)}).record(m)); err != nil {
			t.Fatal(err)
		}
	}
	last := out.Keys[len(out.Keys)-1]
	out.Reset()
	if len(out.Keys) != 0 || last.Meter != fmt.Sprint("m", maxKeys+9) {
		t.Errorf("%d keys are left", len(out.Keys))
	}
	if _, err := c.Append(&out, usual(row{"M": last.Meter}).record(m)); err != nil || out.Keys[out.Amounts[0].Key] != last {
		t.Errorf("%v, %v: want %v", err, out.Keys, last)
	}
}

// TestOutputOfTwoMappers: what an Output remembers for one Mapper is not taken
// for another's.
func TestOutputOfTwoMappers(t *testing.T) {
	a, aC := parsed(t, start+"measure: {gb: G}\n")
	b, bC := parsed(t, start+"cost: {eur: G}\n")
	var out Output
	for range 2 {
		for _, x := range []struct {
			m *Mapping
			c *Mapper
		}{{a, aC}, {b, bC}} {
			if _, err := x.c.Append(&out, usual(row{"G": "1"}).record(x.m)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, want := range []string{"gb", "eur", "gb", "eur"} {
		if got := out.Keys[out.Amounts[i].Key].Field; got != want {
			t.Errorf("amount %d is %s, want %s", i, got, want)
		}
	}
}

// TestNumberTextIsExact: the digits in the file are the digits in the request.
func TestNumberTextIsExact(t *testing.T) {
	m, c := parsed(t, start+"measure: {n: N}\n")
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?`).Draw(rt, "number")
		if got := appended(t, m, c, usual(row{"N": num(text)})); got != head+`,"measure":{"n":`+text+`}}` {
			rt.Fatalf("%s became %s", text, got)
		}
	})
}

// TestUIDIsOfTheRowAlone: a row has the same bytes whatever came before it.
func TestUIDIsOfTheRowAlone(t *testing.T) {
	for _, rule := range []string{"U", "{key: [U, N]}", "content", "row"} {
		m, c := parsed(t, keyed+rule+"\n")
		rapid.Check(t, func(rt *rapid.T) {
			var shared Output
			for range rapid.IntRange(1, 8).Draw(rt, "rows") {
				r := row{"A": rapid.SampledFrom([]string{"a", "b", ""}).Draw(rt, "account"), "T": "2024-09-01T00:00:00Z",
					"N": rapid.SampledFrom([]string{"1", "2", "x"}).Draw(rt, "number"), "U": rapid.SampledFrom([]string{"u", "v"}).Draw(rt, "id")}
				if rapid.Bool().Draw(rt, "reset") {
					shared.Reset()
				}
				var alone Output
				before := len(shared.JSON)
				_, err1 := c.Append(&alone, r.record(m))
				_, err2 := c.Append(&shared, r.record(m))
				if string(shared.JSON[before:]) != string(alone.JSON) || sprint(err1) != sprint(err2) {
					rt.Fatalf("alone %s, %v; among others %s, %v", alone.JSON, err1, shared.JSON[before:], err2)
				}
			}
		})
	}
}
