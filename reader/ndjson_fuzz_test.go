package reader

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

var ndjsonSeeds = []string{
	"",
	"{}",
	" \t\r\n{}\r\n\r\n",
	`{"a":1,"b":"x"}` + "\n" + `{"a":2,"b":"y"}` + "\n" + `{"a":3,"c":4,"b":"z"}`,
	`{"a":{"b":{"c":1},"d":[1,{"c":2}]}}`,
	`{"tags":["x","y\n",null],"a":{"b":[0,1,{"c":true}]}}`,
	`{"a.b":1}` + "\n" + `{"a":{"b":2}}` + "\n" + `{"a.b":1,"a":{"b":2}}`,
	`{"a":1,"a":2}` + "\n" + `{"x":1,"x":2}` + "\n" + `{"a":{"b":1},"a":{"d":1}}` + "\n" + `{"a":{"x":1,"x":2}}`,
	`{"a":1,"b":2}` + "\n" + `{"a": 1,"b":` + "\t2}",
	`{"\u0061":1}` + "\n" + `{"\u0061":1,"a":2}` + "\n" + `{"\u0061":3}`,
	`{"b":"\ud83d\ude00 \/ \\ \" \b\f\n\r\t \u00e9"}` + "\n" + `{"b":"\ud83d"}` + "\n" + `{"b":"\ude00\ud83d"}`,
	`{"a":01}` + "\n" + `{"a":-}` + "\n" + `{"a":1.}` + "\n" + `{"a":1e+}` + "\n" + `{"a":+1}` + "\n" + `{"a":NaN}`,
	"{\"a\":\"\xff\"}\n{\"\xc3\xa9\":1}\n{\"a\":\"\x01\"}\n\xef\xbb\xbf{}",
	`{"a":1,}` + "\n" + `{,"a":1}` + "\n" + `{"a" 1}` + "\n" + `{"a":}` + "\n" + `{"a":1` + "\n" + `{"a":1}}` + "\n" + `{"a":1} {}`,
	`[1,2]` + "\n" + `"s"` + "\n" + `1` + "\n" + `null` + "\n" + `tru` + "\n" + `x`,
	`{"_reject":{"source":"a"},"a":1}` + "\n" + `{"a":1 , "_reject" : 2 , "b":3}` + "\n" + `{ "_reject":1 }` + "\n" + `{"_reject":1,"\u005freject":2, "a":[]}`,
	`{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}\n" + `{"a":` + strings.Repeat("[", 999) + strings.Repeat("]", 999) + "}",
}

// FuzzNDJSON holds the scanner against the oracle: the same lines are taken and
// refused, with the same positions, codes and values, whatever the columns and
// the chunks. The oracle is jsontext at its strictest but for two rules: it
// allows keys twice, of which ndjson refuses those that matter, and it nests
// deeper.
func FuzzNDJSON(f *testing.F) {
	for _, seed := range ndjsonSeeds {
		f.Add([]byte(seed), "a b a.b tags[1] a.b[2].c _reject.source x", "", false, 8)
	}
	f.Add([]byte(`{"a":" NULL ","b":"NULL","a.b":""}`), "a b a.b a", "NULL", true, 1)
	f.Add([]byte(`{"a":{"a":[[{"a":1}]]}}`), "a a.a a.a[0] a.a[0][0] a.a[0][0].a a[0]", "", false, 3)
	f.Fuzz(func(t *testing.T, text []byte, columns, null string, trim bool, size int) {
		opt := Options{Trim: trim, MaxRecordBytes: 4096}
		for _, name := range strings.Split(columns, " ") {
			opt.Columns = append(opt.Columns, Column{Name: name})
		}
		if null != "" {
			opt.Null = []string{null, "-"}
		}
		// Twice, so that every line meets the runs that it left behind.
		text = slices.Concat(text, []byte("\n"), text)
		want := oracleRows(text, opt)
		rows := readRows(t, text, opt, len(text))
		equalRows(t, text, rows, want)
		equalRows(t, text, readRows(t, text, opt, max(size, len(text)/8)), want) // few chunks: speed
		for i, row := range rows {
			if row.code == "" {
				checkRowText(t, row, want[i].object, opt)
			}
		}
	})
}

// Lines that are nearly right, and much like the lines around them: a fuzzer
// seldom finds its way to both.
func TestNDJSONRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	space := func() string { return pick("", "", "", "", " ", "\t ") }
	var value func(depth int) string
	value = func(depth int) string {
		var text strings.Builder
		switch n := random.IntN(10); {
		case n < 2 && depth > 0, depth == 4:
			text.WriteString("{" + space())
			for k := range random.IntN(5) {
				if k > 0 {
					text.WriteString("," + space())
				}
				text.WriteString(pick(`"a"`, `"b"`, `"c"`, `"x"`, `"\u0061"`, `"a.b"`, `"é"`, `"_reject"`) + space() + ":" + space() + value(depth-1) + space())
			}
			text.WriteString("}")
		case n < 4 && depth > 0:
			text.WriteString("[" + space())
			for k := range random.IntN(4) {
				if k > 0 {
					text.WriteString("," + space())
				}
				text.WriteString(value(depth-1) + space())
			}
			text.WriteString("]")
		default:
			text.WriteString(pick(`""`, `"text"`, `"some longer text"`, `"\n\u00e9\ud83d\ude00"`, `"Zürich, 東京"`, "0", "-1.50", "12e-3", "123456789012", "true", "false", "null"))
		}
		return text.String()
	}
	opt := columnsOf("a", "b", "a.b", "x[1]", "a.c[0].b", "x", "b.b.b")
	opt.MaxRecordBytes = 4096
	taken, refused := 0, 0
	for range 300 {
		lines := []string{value(4)}
		for len(lines) < 40 {
			line := lines[random.IntN(len(lines))]
			switch at := random.IntN(len(line) + 1); random.IntN(6) {
			case 0, 1:
				line = value(4)
			case 2: // a byte more
				line = line[:at] + pick(`"`, `\`, ",", ":", "{", "}", "[", "]", " ", "1", "a", ".", "\xff", "\x00", `,"a":1`) + line[at:]
			case 3: // some less
				line = line[:at] + line[min(len(line), at+random.IntN(3)):]
			}
			lines = append(lines, line)
		}
		text := []byte(strings.Join(lines, "\n"))
		want := oracleRows(text, opt)
		rows := readRows(t, text, opt, len(text))
		equalRows(t, text, rows, want)
		for i, row := range rows {
			if row.code != "" {
				refused++
				continue
			}
			taken++
			checkRowText(t, row, want[i].object, opt)
		}
	}
	if taken < 1000 || refused < 1000 {
		t.Errorf("%d rows taken and %d refused: the test has lost its aim", taken, refused)
	}
}

// checkRowText checks AppendJSON: the object of the file but for _reject, byte
// for byte, and good for another import.
func checkRowText(t *testing.T, row ndjsonRow, original string, opt Options) {
	t.Helper()
	isReject := func(m oracleMember) bool { return m.key == "_reject" }
	before := oracleMembers(jsontext.Value(original))
	if !slices.ContainsFunc(before, isReject) && row.object != original {
		t.Fatalf("AppendJSON of %q is %q", original, row.object)
	}
	if object, code := oracleObject([]byte(row.object)); code != "" || string(object) != row.object {
		t.Fatalf("AppendJSON of %q is %q: not one JSON object", original, row.object)
	}
	if after := oracleMembers(jsontext.Value(row.object)); !slices.EqualFunc(after, slices.DeleteFunc(before, isReject),
		func(a, b oracleMember) bool { return a.key == b.key && bytes.Equal(a.value, b.value) }) {
		t.Fatalf("AppendJSON of %q is %q", original, row.object)
	}
	again := readRows(t, []byte(row.object), opt, len(row.object))
	if len(again) != 1 || again[0].code != "" {
		t.Fatalf("AppendJSON %q is not read again: %v", row.object, again)
	}
	for i, v := range row.values {
		w := again[0].values[i]
		if strings.HasPrefix(opt.Columns[i].Name, "_reject") {
			continue
		}
		if v.Kind != w.Kind || !bytes.Equal(v.Text, w.Text) {
			t.Fatalf("column %q of %q was %v and is %v when read again", opt.Columns[i].Name, original, v, w)
		}
		if v.Kind == Object {
			checkMembers(t, v.Text)
		}
	}
}

func FuzzMembers(f *testing.F) {
	for _, seed := range ndjsonSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for range Members(text) { // whatever it is, it ends and does not panic
		}
		if object, code := oracleObject(text); code == "" && bytes.Equal(object, text) {
			checkMembers(t, text)
		}
	})
}

// checkMembers holds Members against the oracle.
func checkMembers(t *testing.T, object []byte) {
	t.Helper()
	want := oracleMembers(object)
	i, repeated := 0, false
	keys := map[string]bool{}
	for key, v := range Members(object) {
		if i == len(want) {
			t.Fatalf("Members(%q) yields more than %d", object, i)
		}
		w := oracleValue(want[i].value)
		if string(key) != want[i].key || v.Kind != w.Kind || !bytes.Equal(v.Text, w.Text) {
			t.Fatalf("Members(%q): %q %v, want %q %v", object, key, v, want[i].key, w)
		}
		repeated = repeated || keys[string(key)]
		keys[string(key)] = true
		i++
	}
	if i != len(want) {
		t.Fatalf("Members(%q) yields %d members, want %d", object, i, len(want))
	}
	if key, at := repeatedMember(object); (at >= 0) != repeated || repeated && !keys[string(key)] {
		t.Fatalf("repeatedMember(%q) = %q, %d, want one: %v", object, key, at, repeated)
	}
}
