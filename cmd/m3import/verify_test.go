package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/sandbox"
)

// After an import that read every byte, so does a later run where the ends and
// the size of a large file leave a doubt: a file that was touched is skipped, one
// that was changed between its ends is not, whatever a person says.
func TestVerifyFullFindsOut(t *testing.T) {
	const rows = 3000
	for _, c := range []struct {
		name, verify, now string // n of a row in the middle
		flags             []string
		other             bool // by a glob: another state directory
		code              int
		sent              bool
	}{
		{"touched", "full", "1", nil, false, exitOK, false},
		{"touched, named otherwise", "full", "1", nil, true, exitOK, false},
		{"touched, and only its ends known", "quick", "1", nil, false, exitUsage, false},
		{"changed", "full", "2", nil, false, exitOK, true},
		{"changed, taken for the same", "full", "2", []string{"--same"}, false, exitOK, true},
		{"changed, named otherwise", "full", "2", []string{"--same"}, true, exitOK, true},
		{"changed, and only its ends known", "quick", "2", []string{"--same"}, false, exitOK, false},
	} {
		s := newSession(t, newPlatform(t, sandbox.Config{}))
		dir := t.TempDir()
		file, mapping := filepath.Join(dir, "usage.csv"), filepath.Join(dir, "m.yaml")
		text := actRows(rows, 60)
		write := func(name, text string, days int) {
			err := os.WriteFile(name, []byte(text), 0o644)
			if at := time.Date(2026, 1, 1+days, 0, 0, 0, 0, time.UTC); err == nil {
				err = os.Chtimes(name, at, at)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		write(file, text, 0)
		write(mapping, actMapping, 0)
		if code, _, stderr := s.run("run", "-m", mapping, "--verify", c.verify, file); code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		before := s.p.Totals()
		const row = "e01500,acme,2026-01-01T00:00:00Z,"
		write(file, strings.Replace(text, row+"1", row+c.now, 1), 9)
		source := file
		if c.other {
			source = filepath.Join(dir, "*.csv")
		}
		again := append([]string{"run", "-m", mapping, source}, c.flags...)
		_, _, foreseen := s.run(append(again, "--dry-run")...)
		if skips := strings.Contains(foreseen, "without --dry-run nothing is sent"); skips != (c.code == exitOK && !c.sent) {
			t.Errorf("%s: a dry run says\n%s", c.name, foreseen)
		}
		code, _, stderr := s.run(again...)
		after := s.p.Totals()
		if sent := after.Duplicates > before.Duplicates; code != c.code || sent != c.sent || after.Measurements != rows {
			t.Errorf("%s: exit code %d, want %d; %d of %d measurements came twice\n%s", c.name, code, c.code, after.Duplicates, after.Measurements, stderr)
		}
	}
}
