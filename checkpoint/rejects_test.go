package checkpoint_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

// Rejects that somebody has edited before their import was finished are kept
// when there is a line for each of them, and refused otherwise: nobody's work is
// cut. What a crash left behind what the mark vouches for is cut.
func TestEditedRejects(t *testing.T) {
	const written = "{\"n\":\"n/a\"}\n{\"n\":\"x\"}\n"
	for _, c := range []struct {
		name, now, after string // after: "" for a refusal
		wrong            string
	}{
		{"untouched", written, written, ""},
		{"a longer value", "{\"n\":\"12345\"}\n{\"n\":\"x\"}\n", "{\"n\":\"12345\"}\n{\"n\":\"x\"}\n", ""},
		{"a shorter value", "{\"n\":7}\n{\"n\":\"x\"}\n", "{\"n\":7}\n{\"n\":\"x\"}\n", ""},
		{"as long a value", "{\"n\":\"777\"}\n{\"n\":\"x\"}\n", "{\"n\":\"777\"}\n{\"n\":\"x\"}\n", ""},
		{"the tail of a crash", written + "{\"n\":\"never", written, ""},
		{"a longer value before the tail of a crash", "{\"n\":\"12345\"}\n{\"n\":\"x\"}\n{\"n\":\"never", "", "rejects written: 2, lines now: 2, the last one torn"},
		{"a longer value before a line that was not committed", "{\"n\":\"12345\"}\n{\"n\":\"x\"}\n{}\n", "", "rejects written: 2, lines now: 3"},
		{"a line taken away, and a longer one", "{\"n\":\"a much longer value\"}\n", "", "rejects written: 2, lines now: 1"},
		{"a line taken away", "{\"n\":\"x\"}\n", "", "it has 10 bytes, and 22 were written"},
		{"the last line end taken away, and a longer value", "{\"n\":\"12345\"}\n{\"n\":\"xyz\"}", "", "lines now: 1, the last one torn"},
		{"zeros", "{\"n\":\"\x00\x00\x00\"}\n{\"n\":\"x\"}\n", "", "lines now: 2, the last one torn"},
		{"emptied", "", "", "it has 0 bytes, and 22 were written"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			j, err := checkpoint.Open(dir, checkpoint.Options{})
			ok(t, err)
			ok(t, j.Begin(checkpoint.Plan{ID: "x", Sources: make([]checkpoint.Source, 1)}))
			mark := checkpoint.Mark{RejectCodes: map[string]int64{"number": 1, "time": 1}}
			for line := range strings.Lines(written) {
				j.Reject([]byte(strings.TrimSuffix(line, "\n")))
				if line[5] == '"' && mark.Position.Record == 0 { // in two commits
					mark.Position.Record = 1
					ok(t, j.Commit(checkpoint.Mark{Position: mark.Position, RejectCodes: map[string]int64{"number": 1}}))
				}
			}
			mark.Position.Record = 2
			ok(t, j.Commit(mark))
			ok(t, j.Close())
			path := filepath.Join(dir, "imports", "x", "rejects.ndjson")
			ok(t, os.WriteFile(path, []byte(c.now), 0o600))

			faults, err := checkpoint.Repair(dir, checkpoint.RepairOptions{})
			ok(t, err)
			j, err = checkpoint.Open(dir, checkpoint.Options{})
			if c.after == "" {
				damaged, is := errors.AsType[*checkpoint.DamagedError](err)
				if !is || damaged.Path != path || !strings.Contains(damaged.Reason, c.wrong) {
					t.Fatalf("opening: %v, expect %q", err, c.wrong)
				}
				if len(faults) != 1 || !faults[0].Restart || faults[0].What != damaged.Reason {
					t.Errorf("a repair says %+v, expect %q", faults, damaged.Reason)
				}
				if now, err := os.ReadFile(path); string(now) != c.now {
					t.Errorf("it is %q now, %v", now, err)
				}
				return
			}
			ok(t, err)
			if edited := c.now == c.after && c.now != written; j.RejectsEdited() != edited || len(faults) > 0 != (c.now != c.after) {
				t.Errorf("edited: %t; a repair says %+v", j.RejectsEdited(), faults)
			}
			for range 2 { // what is kept is vouched for, and stays
				j.Reject([]byte(`{"later":1}`))
				mark.RejectCodes["number"]++
				mark.Position.Record++
				ok(t, j.Commit(mark))
				ok(t, j.Close())
				j, err = checkpoint.Open(dir, checkpoint.Options{})
				ok(t, err)
				if j.RejectsEdited() {
					t.Error("edited once, and told twice")
				}
			}
			ok(t, j.Close())
			if now, _ := os.ReadFile(path); string(now) != c.after+"{\"later\":1}\n{\"later\":1}\n" {
				t.Errorf("it became %q", now)
			}
		})
	}
}

// Rejects that somebody changes while they are written end the journal before
// anything counts that is not in the file of that name. What was written is kept
// where that can be, and a repair puts it back.
func TestRejectsChangedWhileWritten(t *testing.T) {
	const first = "{\"n\":\"n/a\"}\n"
	for _, c := range []struct {
		name string
		do   func(path string) error
		what string
		kept bool
		goes bool // the next opening goes on from there without a repair
	}{
		{"removed", os.Remove, "it was removed", true, false},
		{"replaced by a mended one", func(path string) error { return replaceBy(path, "{\"n\":5}\n") }, "another file was put in its place", true, true},
		{"replaced by as long a one", func(path string) error { return replaceBy(path, "{\"n\":\"777\"}\n") }, "another file was put in its place", true, true},
		{"replaced by one without a line", func(path string) error { return replaceBy(path, "") }, "another file was put in its place", true, false},
		{"emptied", func(path string) error { return os.Truncate(path, 0) }, "it has 0 bytes, and 12 were written", false, false},
		{"mended in place", func(path string) error { return os.WriteFile(path, []byte("{\"n\":5}\n"), 0o600) }, "it has 8 bytes, and 12 were written", false, true},
		{"longer", func(path string) error { return os.WriteFile(path, []byte(first+"{}\n"), 0o600) }, "it has 15 bytes, and 12 were written", false, true},
	} {
		for _, end := range []string{"commit", "finish", "write ahead"} {
			t.Run(c.name+", "+end, func(t *testing.T) {
				dir := t.TempDir()
				opt := checkpoint.Options{}
				if end == "write ahead" {
					opt.Buffer = 1
				}
				j, err := checkpoint.Open(dir, opt)
				ok(t, err)
				ok(t, j.Begin(checkpoint.Plan{ID: "x", Sources: make([]checkpoint.Source, 1)}))
				j.Reject([]byte(strings.TrimSuffix(first, "\n")))
				mark := checkpoint.Mark{Position: checkpoint.Position{Record: 1}, RejectCodes: map[string]int64{"number": 1}}
				ok(t, j.Commit(mark))
				ok(t, c.do(j.RejectsPath()))
				changed, err := os.ReadFile(j.RejectsPath())
				gone := errors.Is(err, os.ErrNotExist)

				after := checkpoint.Mark{Position: checkpoint.Position{Record: 2}, RejectCodes: map[string]int64{"number": 1}}
				switch end {
				case "finish":
					err = j.Finish(after)
				case "write ahead":
					j.Reject([]byte("{}"))
					after.RejectCodes["number"]++
					err = j.Commit(after)
				default:
					err = j.Commit(after)
				}
				e, is := errors.AsType[*checkpoint.ChangedError](err)
				if !is || e.What != c.what || e.Path != j.RejectsPath() || e.Rejects != 1 || (e.Written != "") != c.kept {
					t.Fatalf("%v: %+v, want %q", err, e, c.what)
				}
				if m, _ := j.Mark(); m.Position.Record != 1 || m.Finished {
					t.Errorf("the mark is %+v", m)
				}
				if now, err := os.ReadFile(e.Path); string(now) != string(changed) || errors.Is(err, os.ErrNotExist) != gone {
					t.Errorf("it was %q, and is %q now, %v", changed, now, err)
				}
				if c.kept {
					if text, err := os.ReadFile(e.Written); string(text) != first || err != nil {
						t.Errorf("kept is %q, %v", text, err)
					}
				}
				ok(t, j.Close())

				j, err = checkpoint.Open(dir, checkpoint.Options{})
				if (err == nil) != c.goes {
					t.Fatalf("opened again: %v", err)
				}
				if !c.goes {
					_, err := checkpoint.Repair(dir, checkpoint.RepairOptions{Do: true, Restart: !c.kept})
					ok(t, err)
					j, err = checkpoint.Open(dir, checkpoint.Options{})
					ok(t, err)
				}
				defer j.Close()
				m, _ := j.Mark()
				text, err := os.ReadFile(j.RejectsPath())
				if lines := strings.Count(string(text), "\n"); err != nil || int64(lines) != m.RejectCodes["number"] || (lines == 0) != (m.Position.Record == 0) {
					t.Errorf("%d rejects, and the mark is %+v, %v", lines, m, err)
				}
				if c.kept && !c.goes && string(text) != first {
					t.Errorf("put back was %q", text)
				}
			})
		}
	}
}

func replaceBy(path, text string) error {
	return errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path))
}
