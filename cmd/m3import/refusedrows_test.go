package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/sandbox"
)

// A reject file that was put into another form is not taken apart into rows: it is
// said which line is none, and nothing is sent. A byte order mark is no form.
func TestRejectsInAnotherForm(t *testing.T) {
	indented := func(text []byte) []byte {
		var out bytes.Buffer
		for line := range bytes.Lines(text) {
			if err := json.Indent(&out, line, "", "  "); err != nil {
				t.Fatal(err)
			}
		}
		return out.Bytes()
	}
	for _, c := range []struct {
		name string
		form func(text []byte) []byte
		line string // that is no object; "" where all are
		open string
	}{
		{"as written", func(text []byte) []byte { return text }, "", "3 rejected rows"},
		{"with a byte order mark", func(text []byte) []byte { return append([]byte("\ufeff"), text...) }, "", "3 rejected rows"},
		{"with empty lines", func(text []byte) []byte { return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n\r\n")) }, "", "3 rejected rows"},
		{"indented", indented, "line 1 ", "3 rejected rows"},
		{"indented, with a byte order mark", func(text []byte) []byte { return append([]byte("\ufeff"), indented(text)...) }, "line 1 ", "3 rejected rows"},
		{"one half of a row", func(text []byte) []byte { return append(append([]byte("\n"), text...), `{"id":"e1`...) }, "line 5 ", "4 rejected rows"},
		{"an array", func(text []byte) []byte { return append(text, "[1]\n"...) }, "line 4 ", "4 rejected rows"},
	} {
		s := newSession(t, newPlatform(t, sandbox.Config{}))
		dir := t.TempDir()
		file, mapping, state := filepath.Join(dir, "usage.csv"), filepath.Join(dir, "m.yaml"), filepath.Join(dir, "state")
		for name, text := range map[string]string{file: strings.ReplaceAll(actRows(3, 3), ",1,", ",n/a,") + "e8,acme,2026-01-01T00:00:00Z,1,\ne9,acme,2026-01-01T00:00:00Z,1,\n", mapping: actMapping} {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if code, _, stderr := s.run("run", "-m", mapping, "--state", state, file); code != exitRejects {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		st, err := checkpoint.Peek(state)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(st.Rejects)
		if err == nil {
			err = os.WriteFile(st.Rejects, bytes.ReplaceAll(c.form(text), []byte("n/a"), []byte("7")), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, _, stderr := s.run("run", "-m", mapping, "--state", state, file); !strings.Contains(stderr, "still open: "+c.open+" ") {
			t.Errorf("%s: want %s open: %s", c.name, c.open, stderr)
		}
		code, _, stderr := s.run("replay", "rejects", state)
		switch held := s.p.Totals().Measurements; {
		case c.line == "" && (code != exitOK || held != 5):
			t.Errorf("%s: exit code %d, %d measurements\n%s", c.name, code, held, stderr)
		case c.line != "" && (code != exitUsage || held != 2 || !strings.Contains(stderr, c.line+"is no JSON object: a reject file has one object a line")):
			t.Errorf("%s: exit code %d, %d measurements\n%s", c.name, code, held, stderr)
		}
	}
}

// Since when a refused row may have been taken is read from the reject file.
func TestRejectPapers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rejects.ndjson")
	writeFiles(t, dir, map[string]string{"rejects.ndjson": `{"id":"a","_reject":{"source":"x.csv","line":2,"offset":7,"record":1,"path":"/x.csv","stage":"send","sent":"2026-05-01T12:00:00Z"}}` + "\n" +
		`{"id":"b","_reject":{"source":"x.csv","line":3,"offset":9,"record":2,"path":"/x.csv","stage":"send"}}` + "\n"})
	var all []rejectPapers
	if err := eachPapers(path, func(p rejectPapers) error { all = append(all, p); return nil }); err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if want := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC); !all[0].Sent.Equal(want) || all[0].Offset != 7 || all[0].Stage != "send" {
		t.Errorf("read %+v", all[0])
	}
	if !all[1].Sent.IsZero() || all[1].Path != "/x.csv" {
		t.Errorf("read %+v", all[1])
	}
}
