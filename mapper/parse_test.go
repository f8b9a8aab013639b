package mapper

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// rest completes a mapping that is only about one thing.
const rest = "version: 1\nmeter: {const: api}\naccount: A\nts: T\nuid: U\n"

// mistakes are mapping files that people write. § stands in front of the
// character that the error must point at.
var mistakes = []struct{ name, text, want string }{
	{"empty file", "§", "the mapping is empty"},
	{"only a comment", "§# later\n", "the mapping is empty"},
	{"a list", "§- version: 1\n", "a mapping is written as `key: value` pairs, and this is a list"},
	{"no version", "§meter: M\naccount: A\nts: T\nuid: U\n", "`version: 1` is missing"},
	{"version 2", "version: §2\nmeter: M\n", "this program knows no other"},
	{"misspelt word", "version: 1\n§acount: A\n", `unknown key "acount" in a mapping; did you mean "account"?`},
	{"capital word", "version: 1\n§Meter: A\n", `did you mean "meter"?`},
	{"unknown word", "version: 1\n§quantity: A\n", "it can have version, input, filter"},
	{"misspelt nested word", rest + "cost: {billed: {§colum: C}}\n", `unknown key "colum" in "billed"; did you mean "column"?`},
	{"key twice", rest + "§meter: M\n", `the key "meter" stands twice`},
	{"field twice", rest + "measure:\n  gb: A\n  §gb: B\n", `the key "gb" stands twice`},
	{"not YAML", "version: 1\nmeter: [A\n", "not YAML"},
	{"tab for indentation", "version: 1\nmeasure:\n\tgb: A\n", "YAML"},
	{"not UTF-8", "version: 1\nmeter: §\xff\n", "not UTF-8"},
	{"two documents", rest + "§---\nversion: 1\n", "a second document"},
	{"no meter", "§version: 1\naccount: A\nts: T\nuid: U\n", "meter is missing"},
	{"no account", "§version: 1\nmeter: A\nts: T\nuid: U\n", "account is missing"},
	{"no ts", "§version: 1\nmeter: A\naccount: A\nuid: U\n", "ts is missing"},
	{"no uid", "§version: 1\nmeter: A\naccount: A\nts: T\n", "there is no uid rule, and none can be guessed"},
	{"constant without braces", "version: 1\nmeter: §17\naccount: A\nts: T\nuid: U\n", "write {const: 17} for a constant"},
	{"truth as a column", rest + "what: {paid: §true}\n", "a bare value is the name of a column"},
	{"null as a value", "version: 1\nmeter: §~\n", "has no value"},
	{"nothing after the colon", "version: 1\nmeter:\naccount: A\n", "has no value"},
	{"empty column name", "version: 1\nmeter: §\"\"\naccount: A\nts: T\nuid: U\n", "the name of a column is empty"},
	{"const and column", rest + "what: {§a: {const: x, column: C}}\n", "a value has one of `column`, `const` or `join`"},
	{"join in a number", rest + "measure: {a: {§join: [A, B]}}\n", `unknown key "join"`},
	{"join of one", rest + "what: {§a: {join: [A]}}\n", "join takes two columns or more"},
	{"with without join", rest + "what: {a: {column: A, with: §\"/\"}}\n", "nothing is joined here"},
	{"join as a text", rest + "what: {a: {join: §A}}\n", "join is a list"},
	{"number for a text", rest + "what: {a: {column: A, §number: {decimal: \",\"}}}\n", `unknown key "number"`},
	{"constant with decimal comma", rest + "measure: {a: {const: §\"1,5\"}}\n", `"1,5" is not a number as JSON writes them`},
	{"constant in hex", rest + "measure: {a: {const: §0x10}}\n", `"0x10" is not a number`},
	{"constant NaN", rest + "measure: {a: {const: §.nan}}\n", `".nan" is no number`},
	{"empty policy", rest + "what: {a: {column: A, empty: §ignore}}\n", `"ignore" is no policy`},
	{"constant default that is no number", rest + "measure: {a: {column: A, empty: {const: §none}}}\n", `"none" is not a number`},
	{"skipped account", "version: 1\nmeter: M\naccount: {column: A, empty: §skip}\nts: T\nuid: U\n", "account cannot be left out"},
	{"skipped ts", "version: 1\nmeter: M\naccount: A\nts: {column: T, empty: §skip}\nuid: U\n", "not possible here"},
	{"precision in braces", "version: 1\nmeter: M\naccount: A\nts: {column: T, precision: §sec}\nuid: U\n", `precision "sec": expected`},
	{"time zone in a block", "version: 1\nmeter: M\naccount: A\nts:\n  column: T\n  timezone: §Europe/Berlim\nuid: U\n", `timezone "Europe/Berlim"`},
	{"format without a zone", "version: 1\nmeter: M\naccount: A\nts: {column: T, format: §\"%Y-%m-%d\"}\nuid: U\n", "has no zone"},
	{"gap in braces", "version: 1\nmeter: M\naccount: A\nts: {column: T, timezone: Europe/Berlin, dst: {gap: §skip}}\nuid: U\n", `gap "skip": expected`},
	{"overlap of ets", rest + "ets: {column: T, timezone: Europe/Berlin, dst: {gap: forward, overlap: §first}}\n", `overlap "first": expected`},
	{"epoch of another format", "version: 1\nmeter: M\naccount: A\nts: {column: T, epoch: §2000-01-01T00:00:00Z}\nuid: U\n", "an epoch is for"},
	{"decimal mark", rest + "measure: {a: {column: A, number: {decimal: §x}}}\n", `decimal "x": expected`},
	{"group that is the decimal mark", rest + "measure: {a: {column: A, number: {decimal: \",\", group: §\",\"}}}\n", "is the decimal mark too"},
	{"empty beside const", rest + "what: {a: {const: x, empty: §skip}}\n", "a constant is never empty"},
	{"meter with a space at its end", "version: 1\nmeter: {const: §\"api \"}\naccount: A\nts: T\nuid: U\n", "does not start or end with a space"},
	{"account too long", "version: 1\nmeter: M\naccount: {const: §" + strings.Repeat("a", 81) + "}\nts: T\nuid: U\n", "at most 80 characters"},
	{"metadata too long", rest + "metadata: {a: {const: §" + strings.Repeat("a", 257) + "}}\n", "at most 256 characters"},
	{"field code with a hyphen", rest + "measure:\n  §gb-used: Q\n", `"gb-used" cannot be the code of a data field`},
	{"field code with a dot", rest + "measure:\n  §a.b: Q\n", `"a.b" cannot be the code of a data field`},
	{"field code that starts with a digit", rest + "measure: {§5xx: Q}\n", "not starting with a digit"},
	{"field in two categories", rest + "what: {region: R}\nwhere: {§region: R}\n", `the field code "region" stands in what too`},
	{"sixteen fields", rest + "measure: {a: A, b: A, c: A, d: A, e: A, f: A, g: A, h: A}\nwho: {i: A, j: A, k: A, l: A, m: A, n: A, o: A, p: A}\n", "at most 15 data fields"},
	{"key as a text", "version: 1\nmeter: M\naccount: A\nts: T\nuid: {key: §Id}\n", "key is a list"},
	{"empty key", "version: 1\nmeter: M\naccount: A\nts: T\nuid: {key: §[]}\n", "the key has no columns"},
	{"column twice in the key", "version: 1\nmeter: M\naccount: A\nts: T\nuid: {key: [A, §A]}\n", "stands in the key twice"},
	{"skipped part of a key", "version: 1\nmeter: M\naccount: A\nts: T\nuid: {key: [{column: A, empty: §skip}]}\n", "not possible here"},
	{"uid column and key", "version: 1\nmeter: M\naccount: A\nts: T\nuid: §{column: A, key: [B]}\n", "one of `column` and `key`"},
	{"hash of a key", "version: 1\nmeter: M\naccount: A\nts: T\nuid: {key: [B], hash: §true}\n", "a key is always hashed"},
	{"hash is no word", "version: 1\nmeter: M\naccount: A\nts: T\nuid: {column: B, hash: §sha1}\n", "hash is true or false"},
	{"condition without a test", rest + "filter:\n  - §column: A\n", "a condition has one of `equals`, `one_of` and `empty`"},
	{"condition with two tests", rest + "filter: [§{column: A, equals: x, empty: true}]\n", "a condition has one of"},
	{"condition that nothing passes", rest + "filter: [{column: A, one_of: §[]}]\n", "no row could pass"},
	{"equals nothing", rest + "filter: [§{column: A, equals: \"\"}]\n", "write `empty: true`"},
	{"condition without a column", rest + "filter: [§{equals: x}]\n", "`column` is missing"},
	{"filter as pairs", rest + "filter:\n  §column: A\n", "filter is a list"},
	{"format of the file", rest + "input: {format: §xlsx}\n", `"xlsx" is not possible; it can be csv, ndjson or parquet`},
	{"tab in single quotes", rest + "input: {csv: {delimiter: §'\\t'}}\n", "in double quotes only"},
	{"delimiter of two", rest + "input: {csv: {delimiter: §\"||\"}}\n", "not one ASCII character"},
	{"lines to skip", rest + "input: {csv: {skip_lines: §-1}}\n", "a whole number of at least 0"},
	{"null without quotes", rest + "input: {null: [§NULL]}\n", "in quotes"},
	{"anchor", "version: 1\nmeter: §&m M\naccount: A\nts: T\nuid: U\n", "no anchors and aliases"},
	{"merge key", rest + "what: &x {a: A}\nwhere: {<<: *x}\n", "a mapping has no"},
	{"tag", "version: 1\nmeter: §!!str M\naccount: A\nts: T\nuid: U\n", "no tags"},
	{"date without time", "version: 1\nmeter: M\naccount: A\nts: §{date: D}\nuid: U\n", "both `date` and `time`"},
	{"column beside date", "version: 1\nmeter: M\naccount: A\nts: §{column: C, date: D, time: T}\nuid: U\n", "one of `const`, `column`, and `date` with `time`"},
	{"words beside measurements", "version: 1\nmeter: §M\nmeasurements: [{name: a, account: A, ts: T, uid: content}]\n", "stands beside `measurements`"},
	{"no name", "version: 1\nmeasurements:\n  - §meter: M\n    account: A\n    ts: T\n    uid: content\n", "no `name`"},
	{"name twice", "version: 1\nmeasurements:\n  - {name: a, meter: M, account: A, ts: T, uid: content}\n  - {name: §a, meter: M, account: A, ts: T, uid: content}\n", "both would have the same uid"},
	{"own id for two", "version: 1\nmeasurements:\n  - {name: a, meter: M, account: A, ts: T, uid: §U}\n  - {name: b, meter: M, account: A, ts: T, uid: U}\n", "{column: U, hash: true}"},
	{"omit without amounts", rest + "omit_empty: §true\n", "no amounts that could be empty"},
	{"omit with a required amount", rest + "measure: {a: {column: A, empty: skip}, b: B}\nomit_empty: §true\n", "measure.b is never empty"},
	{"omit maybe", rest + "omit_empty: §maybe\n", "omit_empty is true or false"},
	{"no measurements", "version: 1\nmeasurements: §[]\n", "there is no measurement"},
}

// What nests without end, or is no mapping at all, is refused before the YAML
// library spends minutes and gigabytes on it; what closes again does not count.
func TestParseBounds(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"version: 1\nmeter: " + strings.Repeat("[", 100_000), "brackets or dashes"},
		{"version: 1\nmeter: " + strings.Repeat("{", 100_000) + strings.Repeat("}", 100_000), "brackets or dashes"},
		{"version: 1\n" + strings.Repeat("- ", 50_000), "brackets or dashes"},
		{strings.Repeat("id,who,when,amount\n", MaxMappingBytes/19+1), "is it the usage file?"},
		{"# " + strings.Repeat("-", 200) + strings.Repeat("[x]", 200) + "\nversion: 1\nmeter: M\naccount: " + strings.Repeat("a-", 100) + "z\nts: T\nuid: U\n", ""},
	} {
		_, err := Parse([]byte(tt.text))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q…: %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestParseMistakes(t *testing.T) {
	for _, tt := range mistakes {
		t.Run(tt.name, func(t *testing.T) {
			before, _, marked := strings.Cut(tt.text, "§")
			text := strings.Replace(tt.text, "§", "", 1)
			m, err := Parse([]byte(text))
			var pe *ParseError
			if !errors.As(err, &pe) || m != nil {
				t.Fatalf("got %v, %v; want a *ParseError", m, err)
			}
			if !strings.Contains(pe.Reason, tt.want) {
				t.Errorf("got  %s\nwant …%s…", pe.Reason, tt.want)
			}
			if marked {
				line := strings.Count(before, "\n") + 1
				column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
				if pe.Line != line || pe.Column != column {
					t.Errorf("at line %d, column %d; want %d, %d\n%v", pe.Line, pe.Column, line, column, err)
				}
			}
			lines := strings.Split(text, "\n")
			if pe.Line < 1 || pe.Line > len(lines) || pe.Column < 1 {
				t.Fatalf("line %d, column %d is not in the file", pe.Line, pe.Column)
			}
			if shown := strings.ToValidUTF8(lines[pe.Line-1], "\uFFFD"); utf8.RuneCountInString(shown) < 160 && !strings.Contains(err.Error(), shown+"\n") {
				t.Errorf("the line %q is not shown by\n%v", shown, err)
			}
		})
	}
}

// TestExcerpt holds the mark under what it marks, tabs and wide text included.
func TestExcerpt(t *testing.T) {
	_, err := Parse([]byte("version: 1\n\nwhat: {\"größe\":\t{kolumn: A}}\r\nmeter: M\n"))
	want := "line 3, column 18: unknown key \"kolumn\" in \"größe\"; did you mean \"column\"?\n" +
		"    3 | what: {\"größe\":\t{kolumn: A}}\n" +
		"      |                \t ^"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
