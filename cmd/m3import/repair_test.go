package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/sandbox"
)

// stopped is an import of 200 rows in 20 requests that was stopped cleanly
// after about three, and the command that goes on with it.
func stopped(t *testing.T) (g *guarded, again []string, state string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	requests := 0
	g = newGuarded(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
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
	state = filepath.Join(t.TempDir(), "state")
	again = []string{"run", "-m", g.mapping(), "--state", state, "--batch-size", "10", "--workers", "1", "--chunk-bytes", "100", g.file()}
	if code, _, stderr := g.runUntil(ctx, again...); code != exitInt {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	if n := g.p.Totals().Measurements; n == 0 || n == 200 {
		t.Fatalf("%d measurements arrived: it was stopped too early or too late", n)
	}
	return g, again, state
}

// commandIn is the last command that a message tells to type.
func commandIn(t *testing.T, message string) []string {
	t.Helper()
	all := regexp.MustCompile(`(?m)(?:^ *|  )m3import ([a-z].*)$`).FindAllStringSubmatch(message, -1)
	if len(all) == 0 {
		t.Fatalf("it names no command:\n%s", message)
	}
	return strings.Fields(all[len(all)-1][1]) // the paths of these tests have no spaces
}

// Whatever is done to a state directory, each message names the command that
// helps, and in the end the platform has every row once.
func TestStateRepairHelps(t *testing.T) {
	damage := func(path string) {
		t.Helper()
		if err := os.Truncate(path, 40); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		file   string // that is damaged
		steps  []int  // exit codes of the commands that the messages name, one after the other
		resent bool
	}{
		{"current", "current", []int{exitUsage, exitOK}, false},
		{"mark", "mark.json", []int{exitUsage, exitOK}, true},
		{"plan", "plan.json", []int{exitUsage, exitOK}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, again, state := stopped(t)
			was, err := checkpoint.Peek(state)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(state, c.file)
			if c.file != "current" {
				path = filepath.Join(filepath.Dir(was.Rejects), c.file)
			}
			damage(path)
			before := g.p.Totals().Measurements

			code, stdout, message := g.run("status", "--state", state)
			if !strings.Contains(stdout, "damaged  state") {
				t.Errorf("status: exit code %d\n%s%s", code, stdout, message)
			}
			if words := commandIn(t, stdout); !slices.Equal(words, []string{"state", "repair", state}) {
				t.Errorf("status names %q", words)
			}
			code, _, message = g.run(again...)
			if code != exitUsage || !strings.Contains(message, path) {
				t.Fatalf("exit code %d, and it does not name %s\n%s", code, path, message)
			}
			for _, want := range c.steps {
				words := commandIn(t, message)
				code, stdout, message = g.run(words...)
				if code == exitUsage && strings.Contains(message, "add --yes") {
					code, stdout, message = g.run(append(words, "--yes")...)
				}
				if code != want {
					t.Fatalf("%q: exit code %d, want %d\n%s%s", words, code, want, stdout, message)
				}
			}
			code, stdout, message = g.run(again...)
			if code != exitOK {
				t.Fatalf("after the repair: exit code %d\n%s%s", code, stdout, message)
			}
			g.holds(200)
			if d := g.p.Totals().Duplicates; c.resent != (d > 0) || d > before {
				t.Errorf("%d of %d measurements were sent twice", d, before)
			}
		})
	}
}

// An import that is begun anew because its position was lost may not bill twice
// what the platform has forgotten.
func TestStateRepairIsGuarded(t *testing.T) {
	g, again, state := stopped(t)
	was, err := checkpoint.Peek(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(was.Rejects), "mark.json")); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := g.run("state", "repair", state, "--from-start", "--yes"); code != exitOK || !strings.Contains(stdout, "mended: the import begins anew") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	before := g.p.Totals().Measurements
	g.days.Store(34)
	if code, _, stderr := g.run(again...); code != exitUsage || !strings.Contains(stderr, "34 days ago, and any number of measurements may have arrived then (usage.csv, at its start)") {
		t.Errorf("after 34 days: exit code %d\n%s", code, stderr)
	}
	g.holds(before)
	g.days.Store(33)
	code, _, stderr := g.run(again...)
	if code != exitOK || !strings.Contains(stderr, "the position of import "+was.Plan.ID+" was lost once") {
		t.Errorf("after 33 days: exit code %d\n%s", code, stderr)
	}
	g.holds(200)
}

func TestStateRepairSays(t *testing.T) {
	g, _, state := stopped(t)
	if code, stdout, stderr := g.run("state", "repair", state); code != exitOK || stdout != "" || !strings.Contains(stderr, "nothing is wrong with") {
		t.Errorf("a sound directory: exit code %d\n%s%s", code, stdout, stderr)
	}
	left := filepath.Join(state, "current.tmp")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := g.run("state", "repair", state, "--json")
	var line repairFinding
	if err := json.Unmarshal([]byte(stdout), &line); err != nil || line.Path != left || line.Mend == "" || line.Mended || code != exitUsage {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr = g.run("state", "repair", state, "--yes"); code != exitOK || !strings.Contains(stdout, "current.tmp: a run has ended while it was writing it\n    mended: ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := g.run("state", "repair", t.TempDir()); code != exitUsage || !strings.Contains(stderr, "is not a state directory") {
		t.Errorf("no state directory: exit code %d\n%s", code, stderr)
	}
	held, err := checkpoint.Open(state, checkpoint.Options{Command: []string{"m3import", "run"}})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if code, _, stderr := g.run("state", "repair", state, "--yes"); code != exitLocked || !strings.Contains(stderr, "is in use by process") {
		t.Errorf("a directory in use: exit code %d\n%s", code, stderr)
	}
}

// What is said of a state that cannot be read leads out of it: a repair where one
// can help, and nothing that makes the guard against late repetitions forget.
func TestUnreadableStateSays(t *testing.T) {
	for _, c := range []struct {
		name, from, to string
		hint           string
		repair         int // exit code of state repair --yes
	}{
		{"damaged", "m3import current", "m3import curran", "what can be mended is told by  m3import state repair ", exitOK},
		{"of another version", `"version":1`, `"version":9`, "or forget what was imported here, and begin anew:  m3import state reset ", exitUsage},
	} {
		g, again, state := stopped(t)
		current := filepath.Join(state, "current")
		text, err := os.ReadFile(current)
		if err != nil || !strings.Contains(string(text), c.from) {
			t.Fatalf("%s, %v", text, err)
		}
		if err := os.WriteFile(current, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{again, {"status", "--state", state}} {
			_, stdout, stderr := g.run(args...)
			if said := stdout + stderr; !strings.Contains(said, c.hint+state) || strings.Contains(said, "move") {
				t.Errorf("%s, %s:\n%s", c.name, args[0], said)
			}
		}
		if code, stdout, stderr := g.run("state", "repair", state, "--yes"); code != c.repair || (code != exitOK) != strings.Contains(stderr, c.hint+state) {
			t.Errorf("%s: the repair ends with %d\n%s%s", c.name, code, stdout, stderr)
		}
		if c.repair != exitOK {
			if code, _, stderr := g.run("state", "reset", state, "--yes"); code != exitOK {
				t.Errorf("%s: the reset ends with %d\n%s", c.name, code, stderr)
			}
		}
		if code, _, stderr := g.run(again...); code != exitOK {
			t.Errorf("%s: the import ends with %d\n%s", c.name, code, stderr)
		}
		g.holds(200)
	}
}
