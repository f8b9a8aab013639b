package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/sandbox"
)

// The same files named in another way are the same files: what one state
// directory has finished, another does not send again, and says so.
func TestImportedUnderOtherArguments(t *testing.T) {
	m := newMigration(t, 3)
	big := endRows("blum", 4000, false)
	writeFiles(t, m.dir, map[string]string{"a.csv": endRows("acme", 3, false), "b.csv": big})
	run := func(args ...string) []string { return append([]string{"run", "-m", m.path("m.yaml")}, args...) }
	m.does(exitOK, run(m.path("a.csv"), m.path("b.csv"))...)
	id := m.last("run").Import
	requests := func(want int64, what string) {
		t.Helper()
		if got := m.p.Totals(); got.Measurements+got.Duplicates+got.Conflicts != want {
			t.Errorf("%s: %d measurements are held, and %d arrived that were known, want %d in all", what, got.Measurements, got.Duplicates+got.Conflicts, want)
		}
	}
	before := []string{"2 sources imported before, by import " + id + " in ", "nothing to do: 2 sources"}
	m.says(exitOK, before, run(m.path("b.csv"), m.path("a.csv"))...)
	m.says(exitOK, before, run(m.dir)...)
	requests(4003, "in another order, and by their folder")

	// What is new goes in, and nothing else.
	writeFiles(t, m.dir, map[string]string{"c.csv": endRows("cole", 5, false)})
	m.says(exitOK, []string{"2 sources imported before"}, run(m.path("[abc].csv"))...)
	requests(4008, "with a new file")

	// The digests have not seen every byte of the large one.
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(m.path("b.csv"), later, later); err != nil {
		t.Fatal(err)
	}
	m.says(exitUsage, []string{"b.csv: it looks like a source that import " + id + " finished on ", "add --same"}, run(m.path("b*.csv"))...)
	m.says(exitOK, []string{"nothing to do"}, run(m.path("b*.csv"), "--same")...)
	requests(4008, "a touched file")

	// Where it is said, it is sent again: by another mapping, by a state directory
	// of one's own, by force, and by those who made the program forget.
	m.says(exitOK, []string{"up to 3 rows sent before"}, run(m.path("a.csv"), "--state", m.path("own"))...)
	requests(4011, "with --state")
	m.does(exitOK, run(m.path("a*.csv"), "--force")...)
	requests(4014, "with --force")
	writeFiles(t, m.dir, map[string]string{"n.yaml": strings.Replace(guardMapping, "const: api", "const: other", 1)})
	m.does(exitOK, "run", "-m", m.path("n.yaml"), m.path("a.csv"), m.path("c.csv"))
	requests(4022, "under another mapping")
}

func TestResetForgetsUnderOtherArguments(t *testing.T) {
	m := newMigration(t, 3)
	writeFiles(t, m.dir, map[string]string{"a.csv": endRows("acme", 3, false)})
	run := []string{"run", "-m", m.path("m.yaml"), m.path("a.csv")}
	m.does(exitOK, run...)
	m.does(exitOK, "state", "reset", m.last("run").State, "--yes")
	m.does(exitOK, run...)
	if held := m.p.Totals(); held.Measurements != 3 || held.Duplicates != 3 {
		t.Errorf("%d measurements are held, %d came twice, want 3 and 3: a reset is to forget", held.Measurements, held.Duplicates)
	}
}

// With the uid rule row a name makes other rows, elsewhere as well.
func TestImportedUnderAnotherName(t *testing.T) {
	m := newMigration(t, 3)
	text := endRows("acme", 3, false)
	writeFiles(t, m.dir, map[string]string{"m.yaml": strings.Replace(guardMapping, "{key: [id]}", "row", 1), "a.csv": text, "copy.csv": text})
	m.does(exitOK, "run", "-m", m.path("m.yaml"), m.path("a.csv"))
	m.does(exitOK, "run", "-m", m.path("m.yaml"), m.path("copy.csv"))
	if held := m.p.Totals().Measurements; held != 6 {
		t.Errorf("%d measurements are held, want 6", held)
	}
}

// A file that another import is half through with is told before anything is
// sent. That import can be finished while the platform knows its uids, and not
// once it may have forgotten what the other one sent.
func TestPartOfAnUnfinishedImport(t *testing.T) {
	for _, day := range []int64{20, 40} {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		requests := 0
		g := newGuarded(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/measurements") {
					if requests++; requests == 3 {
						stop()
					}
				}
				next.ServeHTTP(w, r)
			})
		}})
		g.write(200)
		args := []string{"run", "-m", g.mapping(), "--batch-size", "10", "--workers", "1", "--chunk-bytes", "100", g.file()}
		if code, _, stderr := g.runUntil(ctx, args...); code != exitInt {
			t.Fatalf("exit code %d\n%s", code, stderr)
		}
		sent := g.p.Totals().Measurements // a batch more than those that it waited for may have left
		g.days.Store(1)
		code, _, stderr := g.run("run", "-m", g.mapping(), filepath.Join(g.dir, "*.csv"))
		for _, want := range []string{"this import shares 1 source (usage.csv) with import ", fmt.Sprintf("which is not finished (usage.csv, after row %d)", sent),
			"to finish that one instead: stop this one, then  m3import run --batch-size 10 ", fmt.Sprintf("up to %d rows sent before", sent)} {
			if code != exitOK || !strings.Contains(stderr, want) {
				t.Fatalf("exit code %d, it should say %q\n%s", code, want, stderr)
			}
		}
		g.holds(200)
		g.days.Store(day)
		code, _, stderr = g.run(args...)
		if day == 20 && code != exitOK || day == 40 && (code != exitUsage || !strings.Contains(stderr, "usage.csv was first imported 39 days ago")) {
			t.Errorf("day %d: exit code %d\n%s", day, code, stderr)
		}
		g.holds(200)
	}
}
