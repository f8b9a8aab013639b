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
