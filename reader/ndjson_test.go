package reader

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func columnsOf(names ...string) (opt Options) {
	for _, name := range names {
		opt.Columns = append(opt.Columns, Column{Name: name})
	}
	return opt
}

// readLine reads a text that holds one row.
func readLine(t *testing.T, line string, opt Options) (values string, fault *RowError) {
	t.Helper()
	format, err := newNDJSON("usage.ndjson", opt)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for rec, err := range format.records(&Chunk{Start: Pos{0, 1}}, []byte(line)) {
		rows++
		if err != nil {
			fault = err.(*RowError)
			continue
		}
		var all []string
		for _, v := range rec.Values {
			all = append(all, showValue(v))
		}
		values = strings.Join(all, " ")
	}
	if rows != 1 {
		t.Fatalf("%q is %d rows", line, rows)
	}
	return values, fault
}

func showValue(v Value) string {
	return [...]string{Missing: "-", Null: "null", String: "s:", Number: "n:", Bool: "b:", Object: "o:", Array: "a:"}[v.Kind] + string(v.Text)
}

// The value of a fault is what stands there, to its end, and not the bracket or
// quote that it begins with; what is long is cut.
func TestNDJSONFaultValue(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct{ line, want string }{
		{`{"p":1,"p":{"q":[2,"}"]}}`, `{"q":[2,"}"]}`},
		{`{"a":1,"a":"x"}`, `"x"`},
		{`{"a":1,"a":[1,2],"b":3}`, `[1,2]`},
		{`{"a":1,"a":12}`, `12`},
		{`{"a":1,"a":{"b":`, `{"b":`},
		{`{"a":"x`, `"x`},
		{`[{"a":1}]`, `[{"a":1}]`},
		{`{"a":1,"a":"` + long + `"}`, (`"` + long)[:maxValue-3] + "…"},
		{`{"a":1,"a":{"b":"` + long + `"}}`, (`{"b":"` + long)[:maxValue-3] + "…"},
		{`{"p":{"q":01}}`, `01`},
	} {
		_, fault := readLine(t, tt.line+"\n", columnsOf("a", "p.q"))
		if fault == nil || fault.Value != tt.want {
			t.Errorf("%s\n got %+v\nwant %s", tt.line, fault, tt.want)
		}
	}
}

// What a strict parser refuses, and how the row says so.
func TestNDJSONRefuses(t *testing.T) {
	for _, tt := range []struct{ line, code, column, reason string }{
		// Numbers.
		{`{"a":01}`, CodeSyntax, "a", `"01" is not a number by the rules of JSON (byte 6 of the line)`},
		{`{"a":-01.5}`, CodeSyntax, "a", `"-01.5" is not a number by the rules of JSON (byte 6 of the line)`},
		{`{"a":+1}`, CodeSyntax, "a", `"+1" is not a number by the rules of JSON (byte 6 of the line)`},
		{`{"a":1.}`, CodeSyntax, "a", `"1." is not a number by the rules of JSON (byte 6 of the line)`},
		{`{"a":.5}`, CodeSyntax, "a", `".5" is not a number by the rules of JSON (byte 6 of the line)`},
		{`{"a":1e}`, CodeSyntax, "a", `"1e" is not a number by the rules of JSON (byte 6 of the line)`},
		{`{"a":-}`, CodeSyntax, "a", `"-" is not a number by the rules of JSON (byte 6 of the line)`},
		{`{"a":0x10}`, CodeSyntax, "a", `"0x10" is not a number by the rules of JSON (byte 6 of the line)`},
		{`{"a":NaN}`, CodeSyntax, "a", `expected a value, found "NaN" (byte 6 of the line)`},
		{`{"a":-Infinity}`, CodeSyntax, "a", `"-Infinity" is not a number by the rules of JSON (byte 6 of the line)`},
		{`{"p":{"o":1,"q":01}}`, CodeSyntax, "p.q", `"01" is not a number by the rules of JSON (byte 17 of the line)`},
		{`{"p":{"q":1,"o":02}}`, CodeSyntax, "p", `"02" is not a number by the rules of JSON (byte 17 of the line)`},
		{`{"x":[1,{"y":02}]}`, CodeSyntax, "", `"02" is not a number by the rules of JSON (byte 14 of the line)`},
		// Strings.
		{"{\"a\":\"x\x01\"}", CodeSyntax, "a", `control character U+0001 in a string; it must be escaped (byte 8 of the line)`},
		{"{\"x\":\"\t\"}", CodeSyntax, "", `control character U+0009 in a string; it must be escaped (byte 7 of the line)`},
		{`{"a":"\q"}`, CodeSyntax, "a", `escape \q is not one of JSON's (byte 7 of the line)`},
		{`{"a":"\u12g4"}`, CodeSyntax, "a", `escape \u12g4 is not one of JSON's (byte 7 of the line)`},
		{`{"a":"\u12"}`, CodeSyntax, "a", `escape \u12 is not one of JSON's (byte 7 of the line)`},
		{`{"a":"\ud800"}`, CodeSyntax, "a", `escape \ud800 is one half of a surrogate pair and stands for no character (byte 7 of the line)`},
		{`{"x":"\uDC00"}`, CodeSyntax, "", `escape \uDC00 is one half of a surrogate pair and stands for no character (byte 7 of the line)`},
		{`{"x":"\ud800\u0041"}`, CodeSyntax, "", `escape \ud800 is one half of a surrogate pair and stands for no character (byte 7 of the line)`},
		{`{"x":"\ud800\ud800"}`, CodeSyntax, "", `escape \ud800 is one half of a surrogate pair and stands for no character (byte 7 of the line)`},
		{`{"a":"x`, CodeSyntax, "a", `a string is not closed before the end of the line (byte 6 of the line)`},
		{`{"a":"x\`, CodeSyntax, "a", `escape \ is not one of JSON's (byte 8 of the line)`},
		{"{\"a\":\"12345678\xff\"}", CodeUTF8, "a", `bytes that are not UTF-8, the first is 0xFF; convert the file to UTF-8 (byte 15 of the line)`},
		{"{\"x\":\"\xed\xa0\x80\"}", CodeUTF8, "", `bytes that are not UTF-8, the first is 0xED; convert the file to UTF-8 (byte 7 of the line)`},
		{"{\"\xc3\":1}", CodeUTF8, "", `bytes that are not UTF-8, the first is 0xC3; convert the file to UTF-8 (byte 3 of the line)`},
		{"{\"a\":1\xff}", CodeUTF8, "", `bytes that are not UTF-8, the first is 0xFF; convert the file to UTF-8 (byte 7 of the line)`},
		// Structure.
		{`{"a":1,}`, CodeSyntax, "", `expected a key in double quotes, found "}" (byte 8 of the line)`},
		{`{,"a":1}`, CodeSyntax, "", `expected a key in double quotes, found "," (byte 2 of the line)`},
		{`{'a':1}`, CodeSyntax, "", `expected a key in double quotes, found "'a'" (byte 2 of the line)`},
		{`{"a" 1}`, CodeSyntax, "", `expected ":" after the key, found "1" (byte 6 of the line)`},
		{`{"a":}`, CodeSyntax, "a", `expected a value, found "}" (byte 6 of the line)`},
		{`{"a":1 "b":2}`, CodeSyntax, "", `expected a comma or "}", found "\"" (byte 8 of the line)`},
		{`{"a":1;"b":2}`, CodeSyntax, "", `expected a comma or "}", found ";" (byte 7 of the line)`},
		{`{"a":[1,]}`, CodeSyntax, "a", `expected a value, found "]" (byte 9 of the line)`},
		{`{"a":[1 2]}`, CodeSyntax, "a", `expected a comma or "]", found "2" (byte 9 of the line)`},
		{`{"x":[1}`, CodeSyntax, "", `expected a comma or "]", found "}" (byte 8 of the line)`},
		{`{"x":{"y":1]}`, CodeSyntax, "", `expected a comma or "}", found "]" (byte 12 of the line)`},
		{`{"x":{"y":1,}}`, CodeSyntax, "", `expected a key in double quotes, found "}" (byte 13 of the line)`},
		{`{"a":1`, CodeSyntax, "", `expected a comma or "}", found the end of the line (byte 7 of the line)`},
		{`{"a":`, CodeSyntax, "a", `expected a value, found the end of the line (byte 6 of the line)`},
		{`{"a":[{`, CodeSyntax, "a", `expected a key in double quotes, found the end of the line (byte 8 of the line)`},
		{`{`, CodeSyntax, "", `expected a key in double quotes, found the end of the line (byte 2 of the line)`},
		{`{"a":tru}`, CodeSyntax, "a", `expected a value, found "tru" (byte 6 of the line)`},
		{`{"a":True}`, CodeSyntax, "a", `expected a value, found "True" (byte 6 of the line)`},
		{`{"a":truest}`, CodeSyntax, "", `expected a comma or "}", found "st" (byte 10 of the line)`},
		{`{"a":1}}`, CodeSyntax, "", `expected the end of the line after the object, found "}" (byte 8 of the line)`},
		{`{"a":1},`, CodeSyntax, "", `expected the end of the line after the object, found "," (byte 8 of the line)`},
		{`{"a":1} {"a":2}`, CodeSyntax, "", `expected the end of the line after the object, found "{" (byte 9 of the line)`},
		{`{"a":1} // note`, CodeSyntax, "", `expected the end of the line after the object, found "//" (byte 9 of the line)`},
		{"{\"a\":\v1}", CodeSyntax, "a", `expected a value, found "\v1" (byte 6 of the line)`},
		// No object.
		{`[{"a":1}]`, CodeSyntax, "", `expected an object, found an array (byte 1 of the line)`},
		{` "a"`, CodeSyntax, "", `expected an object, found a string (byte 2 of the line)`},
		{`12`, CodeSyntax, "", `expected an object, found a number (byte 1 of the line)`},
		{`null`, CodeSyntax, "", `expected an object, found "null" (byte 1 of the line)`},
		{`true`, CodeSyntax, "", `expected an object, found "true" (byte 1 of the line)`},
		{`account,meter`, CodeSyntax, "", `expected an object, found "account" (byte 1 of the line)`},
		{"\uFEFF{}", CodeSyntax, "", `expected an object, found a byte order mark (byte 1 of the line)`},
		// The same key twice, where it matters.
		{`{"a":1,"a":1}`, CodeDuplicate, "a", `the key "a" stands twice in its object (byte 12 of the line)`},
		{`{"a":null,"\u0061":2}`, CodeDuplicate, "a", `the key "a" stands twice in its object (byte 20 of the line)`},
		{`{"p":{"q":1},"p":{}}`, CodeDuplicate, "p", `the key "p" stands twice in its object (byte 18 of the line)`},
		{`{"p":1,"p":{"q":1}}`, CodeDuplicate, "p", `the key "p" stands twice in its object (byte 12 of the line)`},
		{`{"p":{"q":1,"q":2}}`, CodeDuplicate, "p.q", `the key "q" stands twice in its object (byte 17 of the line)`},
		{`{"p":{"q":1},"p.q":2}`, CodeDuplicate, "p.q", `the column is there twice: as a key of this name and as a path of this name (byte 20 of the line)`},
		{`{"a":{"x":1,"x":2}}`, CodeDuplicate, "a", `the key "x" stands twice in this object (byte 17 of the line)`},
	} {
		values, fault := readLine(t, tt.line, columnsOf("a", "p.q"))
		if fault == nil {
			t.Errorf("%s is taken: %s", tt.line, values)
			continue
		}
		if fault.Code != tt.code || fault.Column != tt.column || fault.Reason != tt.reason {
			t.Errorf("%s\n got %s %q %s\nwant %s %q %s", tt.line, fault.Code, fault.Column, fault.Reason, tt.code, tt.column, tt.reason)
		}
		if string(fault.Raw) != tt.line {
			t.Errorf("%q has Raw %q", tt.line, fault.Raw)
		}
		if code := tt.code; code != CodeDuplicate && oracleAccepts(tt.line) {
			t.Errorf("%s: jsontext takes it", tt.line)
		}
	}
}

func oracleAccepts(line string) bool {
	_, code := oracleObject([]byte(line))
	return code == ""
}

func TestNDJSONValues(t *testing.T) {
	deep := strings.Repeat("[", ndjsonMaxDepth-1) + strings.Repeat("]", ndjsonMaxDepth-1)
	for _, tt := range []struct{ columns, line, want string }{
		{"a", `{}`, "-"},
		{"a", `{"a":null}`, "null"},
		{"a", `{"a":true,"b":false}`, "b:true"},
		{"a", `{"a":""}`, "s:"},
		{"a b c d", `{"a":12345678901234567890.123456789,"b":-0,"c":0.1000,"d":1E+05}`, "n:12345678901234567890.123456789 n:-0 n:0.1000 n:1E+05"},
		{"a", `{"a":"\u0041\ud83d\ude00\/\\\"\b\f\n\r\t\u20aC"}`, "s:A😀/\\\"\b\f\n\r\t€"},
		{"a b", `{"a":"\u0041","b":"\u0042"}`, "s:A s:B"},
		{"a", ` {	"a" : { "x" : [ 1 , 2 ] } } ` + "\r", `o:{ "x" : [ 1 , 2 ] }`},
		{"a", `{"a":[1, {"x":2}]}`, `a:[1, {"x":2}]`},
		{"a", `{"A":1}`, "-"},
		{"a", `{"x":1,"x":2,"a":3}`, "n:3"},
		{"a", `{"x":{"a":1},"a":{"b":1,"c":{"d":1,"d":2}}}`, `o:{"b":1,"c":{"d":1,"d":2}}`},
		{"a a", `{"a":7}`, "n:7 n:7"},
		{"a", `{"a":` + deep + `}`, "a:" + deep},
		// Paths.
		{"usage.bytes", `{"usage":{"bytes":7}}`, "n:7"},
		{"usage.bytes", `{"usage.bytes":7}`, "n:7"},
		{"usage.bytes", `{"usage":[{"bytes":7}]}`, "-"},
		{"usage.bytes", `{"usage":7}`, "-"},
		{"usage usage.bytes", `{"usage":{"bytes":7,"x":[]}}`, `o:{"bytes":7,"x":[]} n:7`},
		{"usage.bytes usage.x", `{"usage":{"x":1},"bytes":2}`, "- n:1"},
		{"tags[0] tags[2]", `{"tags":["a","b\n","c\n"]}`, "s:a s:c\n"},
		{"tags[0] tags[2]", `{"tags":[[],{"x":1}]}`, "a:[] -"},
		{"tags[0]", `{"tags":[]}`, "-"},
		{"tags[0]", `{"tags":{"0":1}}`, "-"},
		{"tags[0]", `{"tags[0]":1}`, "n:1"},
		{"tags[00]", `{"tags":[1],"tags[00]":2}`, "n:2"},
		{"a.b[2].c a.b[1]", `{"a":{"b":[0,{"c":1},{"c":2},{"c":3}]}}`, `n:2 o:{"c":1}`},
		{"m[1][0]", `{"m":[[1],[2,3]]}`, "n:2"},
		{"a.b.c", `{"a":{"b.c":1}}`, "-"}, // only the whole name is tried as a key
		{"a..b a.", `{"a..b":1,"a.":2}`, "n:1 n:2"},
		{"价格.€", `{"价格":{"€":"12,5"}}`, "s:12,5"},
		{"", `{"":1}`, "n:1"},
	} {
		got, fault := readLine(t, tt.line, columnsOf(strings.Split(tt.columns, " ")...))
		if fault != nil || got != tt.want {
			t.Errorf("columns %q of %.200s: got %.200s %v, want %.200s", tt.columns, tt.line, got, fault, tt.want)
		}
	}
}

func TestNDJSONDepth(t *testing.T) {
	for _, nest := range []string{"[]", "{}"} {
		for _, column := range []string{"x", "a", "a.k.k", "a[0][0]"} {
			open, close := nest[:1], nest[1:]
			if nest == "{}" {
				open = `{"k":`
			}
			for _, depth := range []int{ndjsonMaxDepth - 1, ndjsonMaxDepth, 5 * ndjsonMaxDepth} {
				line := `{"a":` + strings.Repeat(open, depth-1) + nest + strings.Repeat(close, depth-1) + "}"
				_, fault := readLine(t, line, columnsOf(column))
				if ok := depth < ndjsonMaxDepth; ok != (fault == nil) {
					t.Errorf("%d levels of %s for column %s: %v", depth, nest, column, fault)
				} else if !ok && !strings.Contains(fault.Reason, "nested deeper than 1000 levels") {
					t.Error(fault.Reason)
				}
			}
		}
	}
	// A path may be as deep as anyone likes; what it leads to may not.
	path := "a" + strings.Repeat(".a", 3*ndjsonMaxDepth)
	line := strings.Repeat(`{"a":`, 3*ndjsonMaxDepth) + "1" + strings.Repeat("}", 3*ndjsonMaxDepth)
	if _, fault := readLine(t, line, columnsOf(path)); fault == nil {
		t.Error("a deep path leads past the limit")
	}
}

func TestNDJSONTextRules(t *testing.T) {
	opt := columnsOf("a", "b", "c", "d")
	opt.Null = []string{"NULL", "-"}
	line := `{"a":" NULL ","b":"-","c":null,"d":" x\t "}`
	if got, _ := readLine(t, line, opt); got != "s: NULL  null null s: x\t " {
		t.Errorf("null: %q", got)
	}
	opt.Trim = true
	if got, _ := readLine(t, line, opt); got != "null null null s:x" {
		t.Errorf("null and trim: %q", got)
	}
	if got, _ := readLine(t, `{"a":0,"b":"- ","c":[" x "],"d":"  "}`, opt); got != `n:0 null a:[" x "] s:` {
		t.Errorf("others: %q", got)
	}
}

func TestNDJSONPositions(t *testing.T) {
	text := "\r\n{\"a\":1}\n\n  \t\n x\r\n{\"a\":2}\r\n[\n{\"a\":\"é\n{\"a\":3}"
	var got []string
	for _, row := range readRows(t, []byte(text), Options{MaxRecordBytes: 100, Columns: columnsOf("a").Columns}, 1) {
		got = append(got, fmt.Sprintf("%d:%d-%d:%d %s", row.pos.Line, row.pos.Offset, row.end.Line, row.end.Offset, row.code))
	}
	want := []string{"2:2-3:10 ", "5:15-6:19 syntax", "6:19-7:28 ", "7:28-8:30 syntax", "8:30-9:39 syntax", "9:39-10:46 "}
	if !slices.Equal(got, want) {
		t.Errorf(" got %q\nwant %q", got, want)
	}
}

func TestNDJSONTooLarge(t *testing.T) {
	opt := columnsOf("a")
	opt.MaxRecordBytes = 16
	for _, tt := range []struct{ line, code string }{
		{`{"a":"12345678"}`, ""},
		{`{"a":"1234567"}` + "\n", ""},
		{`{"a":"12345678"}` + "\n", CodeTooLarge},
		{`{"a":"1234567890` + "\n", CodeTooLarge}, // before any other fault
		{strings.Repeat(" ", 17), CodeTooLarge},
	} {
		_, fault := readLine(t, tt.line, opt)
		if tt.code == "" && fault != nil || tt.code != "" && (fault == nil || fault.Code != tt.code) {
			t.Errorf("%q: %v, want %q", tt.line, fault, tt.code)
		}
	}
	opt.MaxRecordBytes = 1 << 20
	line := `{"a":"` + strings.Repeat("x", maxRaw) + `",}`
	if _, fault := readLine(t, line, opt); string(fault.Raw) != line[:maxRaw] {
		t.Errorf("Raw has %d bytes, want %d", len(fault.Raw), maxRaw)
	}
}

// A text cut anywhere, once or often, gives the rows that the whole gives.
func TestNDJSONCut(t *testing.T) {
	opt := columnsOf("a", "b", "a.b", "tags[1]", "a.b[2].c")
	opt.MaxRecordBytes = 4096
	text := []byte(strings.Join(ndjsonSeeds[:len(ndjsonSeeds)-1], "\n"))
	want := oracleRows(text, opt)
	for at := range len(text) {
		equalRows(t, text, readRows(t, text, opt, at+1, len(text)), want)
	}
	for size := range 32 {
		equalRows(t, text, readRows(t, text, opt, size+1), want)
	}
}

// A line must not be read in the light of the line before it, but for speed.
func TestNDJSONPrediction(t *testing.T) {
	lines := []string{
		`{"a":1,"b":2}`, `{"b":1,"a":2}`, `{"a":1,"a":2}`, `{"a":1,"b":2,"c":3}`, `{ "a" : 1 , "b" : 2 }`, `{"b":1}`, `{}`,
		`{"a":{"b":1}}`, `{"a":{"b":1,"b":2}}`, `{"\u0061":1,"b":2}`, `{"a":1,"b":2,}`, `{"a":1 "b":2}`, `{"a":1,,"b":2}`,
		`{"a":1"b":2}`, `{"a": 1,"b":	2}`, `{,"b":2}`, `{,"a":1}`, `{"a":1,"c":3,"d":4,"e":5,"b":2}`, `{"a":1,"d":4,"b":2,"c":3}`, `{"a":1,"e":5,"b":2,"b":3}`,
	}
	var many []byte
	for i := range 100 {
		many = fmt.Appendf(many, `,"k%d":%d`, i, i)
	}
	lines = append(lines, `{"a":1`+string(many)+`,"b":2}`, `{"a":1`+string(many)+`,"b":2,"a":3}`)
	opt := columnsOf("a", "b", "a.b")
	opt.MaxRecordBytes = 4096
	var text []byte
	for _, before := range lines {
		for _, line := range lines {
			text = append(append(append(append(text, before...), '\n'), line...), '\n')
		}
	}
	equalRows(t, text, readRows(t, text, opt, len(text)), oracleRows(text, opt))
}

func TestNDJSONAppendJSON(t *testing.T) {
	for line, want := range map[string]string{
		`{}`:                                "{}",
		` { "a" : 1 } ` + "\r":              `{ "a" : 1 }`,
		`{"_reject":1}`:                     `{}`,
		`{ "_reject" : {"a":[1,"}"]} }`:     `{ }`,
		`{"_reject":1,"a":2}`:               `{"a":2}`,
		`{"_reject":1 , "a":2}`:             `{"a":2}`,
		`{ "_reject":1, "a":2 }`:            `{ "a":2 }`,
		`{"a":1,"_reject":2}`:               `{"a":1}`,
		`{"a":1 , "_reject":2 , "b":3}`:     `{"a":1 , "b":3}`,
		`{"a":1,"_reject":2,"_reject":3}`:   `{"a":1}`,
		`{"_reject":2,"_reject":3,"a":1}`:   `{"a":1}`,
		`{"_reject":2,"a":1,"_reject":3 }`:  `{"a":1 }`,
		`{"\u005freject":2,"a":"\u005f"}`:   `{"a":"\u005f"}`,
		`{"a":{"_reject":1},"_rejects":2}`:  `{"a":{"_reject":1},"_rejects":2}`,
		`{"a":"_reject","b":["_reject",1]}`: `{"a":"_reject","b":["_reject",1]}`,
	} {
		rows := readRows(t, []byte(line), columnsOf("a", "a.b"), len(line))
		if len(rows) != 1 || rows[0].object != want {
			t.Errorf("AppendJSON of %s is %v, want %s", line, rows, want)
		}
	}
}

func TestMembers(t *testing.T) {
	object := `{ "plain" : "x" , "\u0065sc":"\n", "n":1.50,"t":true,"z":null,"o":{"a":{"b":"}"}},"l":["]",[]] }`
	var got []string
	for key, v := range Members([]byte(object)) {
		got = append(got, string(key)+"="+showValue(v))
	}
	want := []string{"plain=s:x", "esc=s:\n", "n=n:1.50", "t=b:true", "z=null", `o=o:{"a":{"b":"}"}}`, `l=a:["]",[]]`}
	if !slices.Equal(got, want) {
		t.Errorf(" got %q\nwant %q", got, want)
	}
	for key := range Members([]byte(object)) {
		if string(key) != "plain" {
			t.Errorf("the loop went on to %q after a break", key)
		}
		break
	}
	for _, text := range []string{"", "{", "{}", "[]", `"a"`, "{\"a\"", `{"a":`, `{"a":[`} {
		for key := range Members([]byte(text)) {
			t.Errorf("Members(%q) yields %q", text, key)
		}
	}
}

func ExampleMembers() {
	for key, v := range Members([]byte(`{"gb": 1.50, "zone": "eu\u002d1", "spot": null}`)) {
		fmt.Printf("%s %q %v\n", key, v.Text, v.Kind == Number)
	}
	// Output:
	// gb "1.50" true
	// zone "eu-1" false
	// spot "" false
}

// Many keys, with and without one twice, on both sides of where the way of
// looking changes.
func TestRepeatedMember(t *testing.T) {
	for n := range 3 * manyMembers {
		var object []byte
		for i := range n {
			object = fmt.Appendf(object, `,"key%d":%d`, i, i)
		}
		for _, i := range []int{-1, 0, n / 2, n - 1} {
			text := string(bytes.TrimPrefix(object, []byte(",")))
			if i >= 0 && i < n {
				text += fmt.Sprintf(`,"key%d":0`, i)
			}
			checkMembers(t, jsontext.Value("{"+text+"}"))
		}
	}
}

func TestNDJSONAllocations(t *testing.T) {
	for _, shape := range ndjsonShapes(32 << 10) {
		format, err := newNDJSON("", shape.options())
		if err != nil {
			t.Fatal(err)
		}
		rows := bytes.Count(shape.text, []byte("\n"))
		n := testing.AllocsPerRun(5, func() {
			for _, err := range format.records(&Chunk{}, shape.text) {
				if err != nil {
					t.Fatal(err)
				}
			}
		})
		if n > 12 { // those of the chunk
			t.Errorf("%s: %v allocations for %d rows", shape.name, n, rows)
		}
	}
}

func TestMembersAllocations(t *testing.T) {
	object := []byte(`{"gb":1.5,"requests":12,"name":"eu-west-1","inner":{"x":1}}`)
	n := testing.AllocsPerRun(100, func() {
		for key, v := range Members(object) {
			if len(key) == 0 || v.Empty() {
				t.Fatal("empty")
			}
		}
		if _, at := repeatedMember(object); at >= 0 {
			t.Fatal("repeated")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
