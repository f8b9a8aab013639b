package reader

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// A second reading of NDJSON, by another JSON parser and in the most obvious
// way: every column is looked up by itself, line by line.

// ndjsonRow is what became of a line.
type ndjsonRow struct {
	pos, end Pos
	code     string // of the RowError, or "" for a record
	values   []Value
	object   string // Record.AppendJSON
}

// oracleRows reads text. A code "?" stands for any code: what is wrong twice
// may be refused for either fault.
func oracleRows(text []byte, opt Options) (rows []ndjsonRow) {
	pos := Pos{0, 1}
	for line := range bytes.Lines(text) {
		row := ndjsonRow{pos: pos, end: Pos{pos.Offset + int64(len(line)), pos.Line + 1}}
		pos = row.end
		switch object, code := oracleObject(line); {
		case len(line) > opt.MaxRecordBytes:
			row.code = CodeTooLarge
		case len(bytes.Trim(line, " \t\r\n")) == 0:
			continue
		case code != "":
			row.code = code
		default:
			row.object = string(object)
			if row.values, row.code = oracleValues(object, opt); row.code != "" {
				row.values, row.object = nil, ""
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// oracleObject returns the text of the one object that a line must be.
func oracleObject(line []byte) (object jsontext.Value, code string) {
	lax := jsontext.AllowDuplicateNames(true)
	dec := jsontext.NewDecoder(bytes.NewReader(line), lax)
	object, err := dec.ReadValue()
	if err != nil {
		return nil, "?"
	}
	object = bytes.Clone(object)
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, "?"
	}
	dec = jsontext.NewDecoder(bytes.NewReader(line), lax)
	for {
		if _, err := dec.ReadToken(); err != nil {
			break
		}
		if dec.StackDepth() > ndjsonMaxDepth {
			return nil, "?"
		}
	}
	if object.Kind() != '{' {
		return nil, CodeSyntax
	}
	return object, ""
}

type oracleMember struct {
	key   string
	value jsontext.Value
}

// oracleMembers lists the members of an object, or the elements of an array
// under empty keys.
func oracleMembers(container jsontext.Value) (members []oracleMember) {
	dec := jsontext.NewDecoder(bytes.NewReader(container), jsontext.AllowDuplicateNames(true))
	open, err := dec.ReadToken()
	if err != nil {
		panic(err)
	}
	for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
		var m oracleMember
		if open.Kind() == '{' {
			key, err := dec.ReadToken()
			if err != nil {
				panic(err)
			}
			m.key = key.String()
		}
		value, err := dec.ReadValue()
		if err != nil {
			panic(err)
		}
		m.value = bytes.Clone(value)
		members = append(members, m)
	}
	return members
}

// oracleFind follows steps. It reports twice when a key on the way is not
// unique in its object.
func oracleFind(value jsontext.Value, steps []pathStep) (found jsontext.Value, twice bool) {
	for _, step := range steps {
		var next jsontext.Value
		switch {
		case step.array && value.Kind() == '[':
			if elements := oracleMembers(value); step.index < len(elements) {
				next = elements[step.index].value
			}
		case !step.array && value.Kind() == '{':
			for _, m := range oracleMembers(value) {
				if m.key == step.key {
					if next != nil {
						return nil, true
					}
					next = m.value
				}
			}
		}
		if next == nil {
			return nil, false
		}
		value = next
	}
	return value, false
}

func oracleValues(object jsontext.Value, opt Options) (values []Value, code string) {
	for _, column := range opt.Columns {
		found, twice := oracleFind(object, []pathStep{{key: column.Name}})
		if steps, ok := parsePath(column.Name); ok && len(steps) > 1 && !twice {
			inside, again := oracleFind(object, steps)
			twice = again || found != nil && inside != nil
			if found == nil {
				found = inside
			}
		}
		if twice {
			return nil, CodeDuplicate
		}
		v := oracleValue(found)
		if v.Kind == Object {
			keys := map[string]bool{}
			for _, m := range oracleMembers(found) {
				if keys[m.key] {
					return nil, CodeDuplicate
				}
				keys[m.key] = true
			}
		}
		if v.Kind == String {
			if opt.Trim {
				v.Text = []byte(strings.Trim(string(v.Text), " \t"))
			}
			if slices.Contains(opt.Null, string(v.Text)) {
				v = Value{Kind: Null}
			}
		}
		values = append(values, v)
	}
	return values, ""
}

func oracleValue(raw jsontext.Value) Value {
	if raw == nil {
		return Value{}
	}
	switch raw.Kind() {
	case 'n':
		return Value{Kind: Null}
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			panic(err)
		}
		return Value{String, text}
	}
	return Value{map[jsontext.Kind]Kind{'0': Number, 't': Bool, 'f': Bool, '{': Object, '[': Array}[raw.Kind()], raw}
}

// readRows reads text through the format, in chunks of about the sizes given,
// the last of them again and again.
func readRows(t *testing.T, text []byte, opt Options, sizes ...int) (rows []ndjsonRow) {
	t.Helper()
	format, err := newNDJSON("usage.ndjson", opt)
	if err != nil {
		t.Fatal(err)
	}
	start := Pos{0, 1}
	for k := 0; int(start.Offset) < len(text); k++ {
		rest := text[start.Offset:]
		n := 0
		for want := sizes[min(k, len(sizes)-1)]; n == 0; want += max(1, want/4) {
			want = min(want, len(rest))
			n = format.cut(rest[:want], want == len(rest))
		}
		// The capacity is cut too, so that nothing can look past the chunk.
		last := start
		for rec, err := range format.records(&Chunk{Start: start}, rest[:n:n]) {
			var row ndjsonRow
			if fault, ok := err.(*RowError); ok {
				checkFault(t, fault, text)
				row = ndjsonRow{pos: fault.Pos, end: fault.End, code: fault.Code}
			} else if err != nil {
				t.Fatal(err)
			} else {
				row = ndjsonRow{pos: rec.Pos, end: rec.End, object: string(rec.AppendJSON(nil))}
				for _, v := range rec.Values {
					row.values = append(row.values, Value{v.Kind, bytes.Clone(v.Text)})
				}
			}
			rows = append(rows, row)
			last = row.end
		}
		start = Pos{start.Offset + int64(n), last.Line + int64(bytes.Count(text[last.Offset:start.Offset+int64(n)], []byte("\n")))}
	}
	return rows
}

// checkFault checks what every RowError must be.
func checkFault(t *testing.T, fault *RowError, text []byte) {
	t.Helper()
	line := text[fault.Pos.Offset:fault.End.Offset]
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if fault.Code != CodeTooLarge && fault.Code != CodeUTF8 && fault.Code != CodeDuplicate && fault.Code != CodeSyntax {
		t.Fatalf("code %q", fault.Code)
	}
	if !bytes.HasPrefix(line, fault.Raw) || len(fault.Raw) != min(len(line), maxRaw) {
		t.Fatalf("Raw is %q, the line %q", fault.Raw, line)
	}
	for _, words := range []string{fault.Reason, fault.Value, fault.Column} {
		if strings.ToValidUTF8(words, "?") != words || strings.ContainsAny(words, "\n") {
			t.Fatalf("%q is not fit for a message", words)
		}
	}
	if len(fault.Value) > maxValue || len(fault.Reason) > 3*maxValue+100 {
		t.Fatalf("fault %v is too long", fault)
	}
}

// equalRows compares what was read with what the oracle says.
func equalRows(t *testing.T, text []byte, got, want []ndjsonRow) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) {
			t.Fatalf("text %q: %d rows, want %d\n got %v\nwant %v", text, len(got), len(want), got, want)
		}
		g, w := got[i], want[i]
		if w.code == "?" && g.code != "" {
			w.code = g.code
		}
		if g.pos != w.pos || g.end != w.end || g.code != w.code ||
			!slices.EqualFunc(g.values, w.values, func(a, b Value) bool {
				return a.Kind == b.Kind && bytes.Equal(a.Text, b.Text)
			}) {
			t.Fatalf("row %d of %q:\n got %v\nwant %v", i, text, g, w)
		}
	}
}
