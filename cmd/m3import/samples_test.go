package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/samples"
	"github.com/m3import/m3import/sandbox"
)

// Every sample comes out as its generator, which shares no code with the
// importer, says: measurements to the byte, rejects by reason, exact sums. The
// formats of a day have one SHA-256 in common, so they make the same bytes.
func TestSamples(t *testing.T) {
	var files []samples.File
	if err := json.Unmarshal(samples.Expected, &files); err != nil {
		t.Fatal(err)
	}
	if len(files) != 9 {
		t.Fatalf("%d samples, want 9", len(files))
	}
	const dir = "../../samples"
	mapping := filepath.Join(dir, "mapping.yaml")
	days := make(map[string]string) // day: SHA-256
	for _, want := range files {
		t.Run(want.Name, func(t *testing.T) {
			p := newPlatform(t, sandbox.Config{})
			path := filepath.Join(dir, want.Name)

			code, stdout, stderr := inProcess(t, p, "preview", "-n", "1000000", "-m", mapping, path)
			sum := sha256.Sum256([]byte(stdout))
			if code != exitOK || hex.EncodeToString(sum[:]) != want.SHA256 {
				t.Errorf("exit %d; the measurements are not those that were expected\n%.400s\nbegins with\n%.400s\nwant\n%.400s",
					code, stderr, stdout, strings.Join(want.First, "\n"))
			}
			day := want.Name[:len("usage-2026-01-01")]
			if days[day] == "" {
				days[day] = want.SHA256
			}
			if days[day] != want.SHA256 {
				t.Errorf("%s and the file of another format have different measurements", want.Name)
			}

			code, stdout, stderr = inProcess(t, p, "run", "--json", "--progress", "none", "-m", mapping, path)
			var rep report
			if err := json.Unmarshal([]byte(stdout), &rep); err != nil {
				t.Fatalf("%v\n%s", err, stderr)
			}
			if code != exitRejects || rep.Rows.Read != want.Rows || rep.Rows.Accepted != want.Good {
				t.Errorf("exit %d, rows %+v, want %d with %d good", code, rep.Rows, want.Rows, want.Good)
			}
			if !maps.Equal(rep.Rejects, want.Rejected) {
				t.Errorf("rejects %v, want %v", rep.Rejects, want.Rejected)
			}
			held := p.Totals()
			if len(rep.Totals) != len(want.Totals) {
				t.Errorf("%d totals, want %d", len(rep.Totals), len(want.Totals))
			}
			for _, total := range rep.Totals {
				key := total.Meter + " " + total.Category + "." + total.Field
				if total.Sum != want.Totals[key] || held.Sum(total.Meter, total.Category+"."+total.Field) != total.Sum {
					t.Errorf("total of %s is %s, want %s", key, total.Sum, want.Totals[key])
				}
			}
		})
	}
}

// The demo ends well, and says what it should.
func TestDemo(t *testing.T) {
	out := runProgram(t, "demo")
	for _, want := range []string{"kill -9", "finished in 2 runs", "Every good row is there once", "Exact sums: 6 of 6"} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "WRONG") || strings.Count(out, "right\n") != 3 {
		t.Errorf("the demo's table is not right:\n%s", out)
	}
	if strings.Contains(out, filepath.Join(os.TempDir(), "m3import-demo-")) || !strings.Contains(out, " DIR/state/imports/") || !strings.Contains(out, "m3import demo --dir") {
		t.Errorf("the demo names files that are gone, or not how to keep them:\n%s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "m3import-demo-*")); len(left) > 0 {
		t.Logf("demo folders of other runs, or left behind: %v", left)
	}
}

// A demo with a directory leaves its files there, and takes no directory that
// holds any: those of an earlier demo would be counted, too.
func TestDemoDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	if out := runProgram(t, "demo", "--dir", "new"); !strings.Contains(out, "the report are in "+filepath.Join(os.Getenv("PWD"), "new")) {
		t.Errorf("the demo does not say where its files are:\n%s", out)
	}
	if _, err := os.Stat("new/mapping.yaml"); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"demo", "--dir", "new"}, nil, &out, &out); code != exitUsage || !strings.Contains(out.String(), "not empty (it holds mapping.yaml)") {
		t.Errorf("a second demo in the same directory ends with %d:\n%s", code, &out)
	}
}
