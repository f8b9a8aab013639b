package checkpoint

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fill sets every field of v, however deep, to something that is not zero, so
// that a field that is added to Mark and forgotten by its encoder is found.
func fill(t *rapid.T, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.UnixMilli(rapid.Int64Range(1, 4e12).Draw(t, "time")).UTC()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(1, 3).Draw(t, "len"), 3))
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(1, 3).Draw(t, "len") {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key)
			fill(t, value)
			v.SetMapIndex(key, value)
		}
	case reflect.String:
		v.SetString(rapid.StringN(1, 9, -1).Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(1, 1<<62).Draw(t, "int"))
	default:
		t.Fatalf("a mark has a %s", v.Kind())
	}
}

func TestMarkEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m, again Mark
		if rapid.IntRange(0, 9).Draw(t, "zero") > 0 {
			fill(t, reflect.ValueOf(&m).Elem())
		}
		dec := json.NewDecoder(bytes.NewReader(m.appendJSON(nil)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&again); err != nil {
			t.Fatal(err)
		}
		if len(again.Totals) == 0 {
			again.Totals = nil
		}
		if len(again.RejectCodes) == 0 {
			again.RejectCodes = nil
		}
		if !reflect.DeepEqual(m, again) {
			t.Fatalf("%+v comes back as %+v", m, again)
		}
	})
}

func FuzzLoad(f *testing.F) {
	written := map[string]bool{}
	for _, m := range []Mark{
		{Version: Version, Plan: "a"},
		{Version: Version, Plan: "a", Position: Position{Offset: 17, Line: 3, Record: 2}, Counts: Counts{Read: 2, Accepted: 2}, Totals: []Total{{"m", "measure", "gb", "1.5", 2}}},
	} {
		file := appendFrame(nil, kindMark, m.appendJSON(nil))
		written[string(file)] = true
		f.Add(file, 0, []byte(nil), 0)
		f.Add(file, len(file)/2, []byte("9"), 1)
	}
	f.Add([]byte(nil), 0, []byte(`{"format":"m3import mark","version":1,"sha256":"","content":`+"\n{}\n}\n"), 0)
	plan := Plan{Version: Version, ID: "a", Sources: make([]Source, 1)}
	f.Fuzz(func(t *testing.T, file []byte, at int, put []byte, cut int) {
		// A splice finds more than noise: most of the file is still true.
		at = max(0, min(at, len(file)))
		cut = max(0, min(cut, len(file)-at))
		file = append(append(append([]byte(nil), file[:at]...), put...), file[at+cut:]...)
		var m Mark
		if err := parseFrame("mark.json", kindMark, file, &m); err == nil && !written[string(file)] {
			t.Fatalf("%q is taken for a mark, and was never written", file)
		}
		// What an attacker of the digest would get past it: anything in a frame.
		framed := appendFrame(nil, kindMark, file)
		m = Mark{}
		if err := parseFrame("mark.json", kindMark, framed, &m); err != nil || m.check(&plan) != nil {
			return
		}
		if m.Position.Source < 0 || m.Position.Source > 1 || m.Position.Offset < 0 || m.RejectsLen < 0 {
			t.Fatalf("%q has passed as the mark %+v", file, m)
		}
		again := appendFrame(nil, kindMark, m.appendJSON(nil))
		var m2 Mark
		if err := parseFrame("mark.json", kindMark, again, &m2); err != nil {
			t.Fatalf("%q is read and cannot be written: %v", file, err)
		}
	})
}

func FuzzHistoryLine(f *testing.F) {
	line, err := appendEntry(nil, &entry{Import: "i", OrgID: "o", Source: Source{Path: "/p", Print: Print{Size: 1, Head: "h", Tail: "t"}}})
	if _, e := checkEntry(line); err != nil || e != nil {
		f.Fatal(err, e)
	}
	f.Add(0, []byte(nil), 0)
	f.Add(len(line)-3, []byte("0"), 1)
	f.Add(0, []byte(`{"id":"","crc32c":"00000000"}`), len(line))
	f.Fuzz(func(t *testing.T, at int, put []byte, cut int) {
		at = max(0, min(at, len(line)))
		cut = max(0, min(cut, len(line)-at))
		file := append(append(append([]byte(nil), line[:at]...), put...), line[at+cut:]...)
		if _, err := checkEntry(file); err == nil && !bytes.Equal(file, line) {
			t.Fatalf("%q is taken for a line of the history, and was never written", file)
		}
	})
}
