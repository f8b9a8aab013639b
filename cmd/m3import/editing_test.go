//go:build unix

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m3import/m3import/sandbox"
)

// A reject file that somebody edits, replaces, empties or removes while its run is
// at work ends the run with words that lead on, and no reject is lost on the way
// that they tell: there is a line for each of them in the end, and every other row
// is held once.
func TestRejectsEditedWhileTheRunIsAtWork(t *testing.T) {
	const rows, bad = 2000, 200
	lines := func(text string, n int) string { return strings.Join(strings.SplitAfter(text, "\n")[:n], "") }
	replace := func(path, text string) error {
		return errors.Join(os.WriteFile(path+".mine", []byte(text), 0o600), os.Rename(path+".mine", path))
	}
	mended := func(text string) string { return strings.ReplaceAll(text, `"n":"n/a"`, `"n":"7"`) }
	for _, c := range []struct {
		name   string
		do     func(path, text string) error
		repair []string // flags of the repair that the words lead to; nil: none is needed
		mended bool     // what was mended is there in the end
	}{
		{"sed -i", func(path, text string) error { return replace(path, mended(text)) }, nil, true},
		{"an editor that had read it earlier", func(path, text string) error { return replace(path, mended(lines(text, 3))) }, []string{"--yes"}, false},
		{"mended in place", func(path, text string) error { return os.WriteFile(path, []byte(mended(text)), 0o600) }, nil, true},
		{"emptied", func(path, text string) error { return os.Truncate(path, 0) }, []string{"--from-start", "--yes"}, false},
		{"removed", func(path, text string) error { return os.Remove(path) }, []string{"--yes"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			var edit atomic.Pointer[func()]
			s := newSession(t, newPlatform(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/measurements") && n.Add(1) == 20 {
						(*edit.Load())()
					}
					next.ServeHTTP(w, r)
				})
			}}))
			dir := t.TempDir()
			state := filepath.Join(dir, "state")
			text := "id,who,when,n\n"
			for i := range rows {
				value := "1"
				if i%(rows/bad) == 0 {
					value = "n/a"
				}
				text += fmt.Sprintf("e%d,acme,2026-01-01T00:00:00Z,%s\n", i, value)
			}
			writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": text})
			do := func() {
				was := ""
				for range 50 {
					files, _ := filepath.Glob(filepath.Join(state, "imports", "*", "rejects.ndjson"))
					if len(files) == 1 {
						text, _ := os.ReadFile(files[0])
						// What has settled is committed 50 ms later at the latest.
						if string(text) == was && strings.Count(was, "\n") > 5 {
							if err := c.do(files[0], was); err != nil {
								t.Error(err)
							}
							return
						}
						was = string(text)
					}
					time.Sleep(200 * time.Millisecond)
				}
				t.Error("no rejects were committed")
			}
			edit.Store(&do)
			args := []string{"run", "-m", filepath.Join(dir, "m.yaml"), "--state", state, "--batch-size", "20", "--workers", "1", "--chunk-bytes", "1000", filepath.Join(dir, "a.csv")}
			code, stdout, stderr := s.run(args...)
			if code != exitUsage || !strings.Contains(stderr, "rejects.ndjson was changed while this import runs") || !strings.Contains(stderr, "go on with  m3import run ") || strings.Contains(stdout, "\nfinished") {
				t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if c.repair != nil {
				code, stdout, stderr = s.run(args...)
				if code != exitUsage || !strings.Contains(stderr, "m3import state repair "+state) {
					t.Fatalf("again: exit code %d\n%s%s", code, stdout, stderr)
				}
				if code, stdout, stderr = s.run(append([]string{"state", "repair", state}, c.repair...)...); code != exitOK {
					t.Fatalf("the repair: exit code %d\n%s%s", code, stdout, stderr)
				}
			}
			if code, stdout, stderr = s.run(args...); code != exitRejects {
				t.Fatalf("in the end: exit code %d\n%s%s", code, stdout, stderr)
			}
			held(t, s.p)
			if got := s.p.Totals().Measurements; got != rows-bad {
				t.Errorf("%d measurements, want %d", got, rows-bad)
			}
			files, _ := filepath.Glob(filepath.Join(state, "imports", "*", "rejects.ndjson"))
			written, err := os.ReadFile(files[0])
			if err != nil || strings.Count(string(written), "\n") != bad || strings.Contains(string(written), `"n":"7"`) != c.mended {
				t.Errorf("%d rejects, want %d; %v", strings.Count(string(written), "\n"), bad, err)
			}
			mend(t, files[0])
			if code, stdout, stderr = s.run("replay", "rejects", state); code != exitOK {
				t.Errorf("replayed: exit code %d\n%s%s", code, stdout, stderr)
			}
			if got := len(held(t, s.p)); got != rows {
				t.Errorf("%d measurements with what was mended, want %d", got, rows)
			}
		})
	}
}
