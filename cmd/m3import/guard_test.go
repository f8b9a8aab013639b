package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/sandbox"
)

const guardMapping = "version: 1\nmeter: {const: api}\naccount: who\nts: when\nuid: {key: [id]}\nmeasure: {n: n}\n"

// guarded is a session with a file of n rows, and a clock to turn.
type guarded struct {
	*session
	t    *testing.T
	dir  string
	days atomic.Int64 // also read by the platform
}

func newGuarded(t *testing.T, cfg sandbox.Config) *guarded {
	t.Helper()
	g := &guarded{t: t, dir: t.TempDir()}
	start := time.Now()
	now := func() time.Time { return start.Add(time.Duration(g.days.Load()) * 24 * time.Hour) }
	cfg.Now = now
	g.session = newSession(t, newPlatform(t, cfg))
	g.now = now
	g.write(10)
	if err := os.WriteFile(g.mapping(), []byte(guardMapping), 0o644); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *guarded) file() string    { return filepath.Join(g.dir, "usage.csv") }
func (g *guarded) mapping() string { return filepath.Join(g.dir, "mapping.yaml") }

func (g *guarded) write(rows int) {
	g.t.Helper()
	text := "id,who,when,n\n"
	for i := range rows {
		text += fmt.Sprintf("e%d,acme,2026-01-01T00:00:00Z,1\n", i)
	}
	if err := os.WriteFile(g.file(), []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
}

// imports runs an import; want is the exit code, words what it must say.
func (g *guarded) imports(want int, words string, flags ...string) {
	g.t.Helper()
	code, stdout, stderr := g.run(append([]string{"run", "-m", g.mapping(), g.file()}, flags...)...)
	if code != want || !strings.Contains(stderr, words) {
		g.t.Fatalf("day %d: exit code %d, want %d with %q\n%s%s", g.days.Load(), code, want, words, stdout, stderr)
	}
}

func (g *guarded) holds(want int64) {
	g.t.Helper()
	if got := g.p.Totals().Measurements; got != want {
		g.t.Fatalf("day %d: the platform holds %d measurements, want %d", g.days.Load(), got, want)
	}
}

// A file that grows brings its old rows along. Past the platform's memory of
// uids that would bill them twice, so it is refused; before, it is said.
func TestGuardGrownFile(t *testing.T) {
	g := newGuarded(t, sandbox.Config{})
	g.imports(exitOK, "")
	g.days.Store(33)
	g.write(12)
	g.imports(exitOK, "up to 10 rows sent before: sent again under the same uids")
	g.holds(12)
	g.days.Store(34)
	g.write(13)
	g.imports(exitUsage, "usage.csv was first imported 34 days ago")
	g.holds(12)
	g.imports(exitUsage, "--allow-beyond-dedupe-window", "--force")
	g.days.Store(36) // now the platform has really forgotten them
	g.imports(exitOK, "", "--allow-beyond-dedupe-window")
	g.holds(12 + 10 + 1) // what the guard is for: the first ten are there twice
}

func TestGuardForce(t *testing.T) {
	g := newGuarded(t, sandbox.Config{})
	g.imports(exitOK, "")
	g.days.Store(20)
	g.imports(exitOK, "up to 10 rows sent before", "--force")
	g.days.Store(40)
	g.imports(exitOK, "nothing to do")
	g.imports(exitUsage, "first imported 40 days ago", "--force")
	g.holds(10)
}

// After a clean stop nothing is in doubt, and a resume is safe at any time;
// after a crash it is not.
func TestGuardResume(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean=%v", clean), func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var g *guarded
			requests := 0
			g = newGuarded(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.HasSuffix(r.URL.Path, "/measurements") {
						if requests++; requests == 3 {
							stop()
							if !clean {
								w.Header().Set("Content-Type", "application/json")
								w.WriteHeader(http.StatusTeapot) // somebody else's word: it may have arrived
								w.Write([]byte(`{"message":"gone"}`))
								return
							}
						}
					}
					next.ServeHTTP(w, r)
				})
			}})
			g.write(200)
			args := []string{"run", "-m", g.mapping(), "--batch-size", "10", "--workers", "1", "--chunk-bytes", "100", g.file()}
			if code, _, stderr := g.runUntil(ctx, args...); clean && code != exitInt || !clean && code == exitOK {
				t.Fatalf("exit code %d\n%s", code, stderr)
			}
			g.days.Store(40)
			code, _, stderr := g.run(args...)
			switch {
			case clean && code != exitOK:
				t.Errorf("a resume after a clean stop: exit code %d\n%s", code, stderr)
			case !clean && (code != exitUsage || !strings.Contains(stderr, "without a clean stop 40 days ago, and up to 30 measurements may have arrived then (usage.csv, after row") || !strings.Contains(stderr, "they come to: api measure.n 30")):
				t.Errorf("a resume after a crash: exit code %d\n%s", code, stderr)
			}
			if !clean {
				if code, _, stderr := g.run(append(args, "--allow-beyond-dedupe-window")...); code != exitOK {
					t.Errorf("allowed: exit code %d\n%s", code, stderr)
				}
			}
		})
	}
}

// What an earlier import sent is not known when its state is damaged: then
// nothing is sent that it may have sent too long ago.
func TestGuardDamagedImport(t *testing.T) {
	g := newGuarded(t, sandbox.Config{Faults: []sandbox.Fault{{Name: "shut", On: []string{"SubmitMeasurements"}, Status: 418}}})
	g.imports(exitFatal, "") // unfinished, and what it sent may have arrived
	g.p.RemoveFaults()
	g.imports(exitOK, "", "--restart")
	marks, err := filepath.Glob(filepath.Join(g.env["XDG_STATE_HOME"], "m3import", "usage-*", "imports", "*", "mark.json"))
	if err != nil || len(marks) != 2 {
		t.Fatalf("marks %q, %v", marks, err)
	}
	former := marks[0]
	if text, err := os.ReadFile(former); err != nil {
		t.Fatal(err)
	} else if strings.Contains(string(text), `"finished":true`) {
		former = marks[1]
	}
	if err := errors.Join(os.Truncate(former, 30), os.Remove(filepath.Join(filepath.Dir(former), "report.json"))); err != nil {
		t.Fatal(err)
	}
	g.write(12)
	g.imports(exitUsage, "state file "+former+" is damaged")
	g.holds(10)
	code, stdout, stderr := g.run("state", "repair", filepath.Dir(filepath.Dir(filepath.Dir(former))))
	if code != exitUsage || !strings.Contains(stdout, "mark.json: ") || !strings.Contains(stderr, "put back a copy") {
		t.Errorf("a repair ends with %d\n%s%s", code, stdout, stderr)
	}
}

// Thousands of sources of one import are looked up with one reading of what it
// came to: here the file is gone after the first.
func TestGuardReadsCountsOnce(t *testing.T) {
	m := newMigration(t, 3)
	writeFiles(t, m.dir, map[string]string{"a.csv": endRows("acme", 3, false), "b.csv": endRows("blum", 4, false)})
	m.does(exitOK, "run", "-m", m.path("m.yaml"), m.path("*.csv"))
	dir := m.last("run").State
	imports, err := checkpoint.Imports(dir)
	if err != nil || len(imports) != 1 {
		t.Fatalf("%d imports, %v", len(imports), err)
	}
	k := newKnown(imports[0], dir)
	if n := (sourceOf{&k, 0}).accepted(); n != 3 {
		t.Errorf("%d rows of a.csv were accepted, want 3", n)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(imports[0].Rejects), "sources.ndjson")); err != nil {
		t.Fatal(err)
	}
	if n := (sourceOf{&k, 1}).accepted(); n != 4 {
		t.Errorf("%d rows of b.csv were accepted, want 4", n)
	}
}
