package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
)

// An unfinished import whose source goes on in the middle of what was its last
// line: a line that was not read yet is read whole, one that may have been sent
// is told, one that was settled as it stood ends the resume.
func TestResumeInTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.csv")
	const torn, whole = "a,b\n1,2\n3,4", "a,b\n1,2\n3,45\n6,7\n"
	for _, c := range []struct {
		name      string
		at        int64 // the mark
		uncertain bool  // requests after it may have arrived
		notes     int
		err       string
	}{
		{"not read", 8, false, 0, ""},
		{"perhaps sent", 8, true, 1, ""},
		{"settled", int64(len(torn)), false, 0, "goes on in the middle of line 3"},
	} {
		if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		j := &job{mappingHash: "m"}
		src, err := j.fingerprint(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
		plan := checkpoint.Plan{ID: "one", MappingHash: "m", UIDVersion: mapper.UIDVersion, Sources: []checkpoint.Source{src}}
		mark := checkpoint.Mark{Position: checkpoint.Position{Offset: c.at, Line: 3, Record: 1}}
		if c.uncertain {
			mark.FirstSent = time.Now()
		}
		_, grown, err := j.resumable(plan, mark)
		if grown == (err != nil) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || len(j.torn) != c.notes {
			t.Errorf("%s: grown %v, notes %q, error %v", c.name, grown, j.torn, err)
		}
	}
}
