package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// told is a guarded session whose rows and mappings are said in a word.
type told struct {
	*guarded
	open *atomic.Bool // false: the platform shuts from its second submission on
}

// tell begins a session.
func tell(t *testing.T) *told {
	t.Helper()
	open := new(atomic.Bool)
	open.Store(true)
	var n atomic.Int64
	return &told{newGuarded(t, sandbox.Config{Middleware: shutWhile(open, &n)}), open}
}

// csv writes rows such as "1=5": the row e1 with the amount 5.
func (g *told) csv(name string, rows ...string) string {
	text := "id,who,when,n\n"
	for _, row := range rows {
		id, n, _ := strings.Cut(row, "=")
		text += fmt.Sprintf("e%s,acme,2026-01-01T00:00:0%sZ,%s\n", id, id, n)
	}
	return g.path(name, text)
}

// pack puts a file into a .gz in its place.
func (g *told) pack(path string) string {
	g.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		g.t.Fatal(err)
	}
	var packed strings.Builder
	w := gzip.NewWriter(&packed)
	w.Write(text)
	w.Close()
	if err := os.Remove(path); err != nil {
		g.t.Fatal(err)
	}
	return g.path(filepath.Base(path)+".gz", packed.String())
}

// by writes a mapping with a uid rule, and what else is to stand in it.
func (g *told) by(name, uid string, more ...string) string {
	return g.path(name, strings.Replace(guardMapping, "{key: [id]}", uid, 1)+strings.Join(more, ""))
}

const elsewhere = "where: {r: {const: eu}}\n"

// rejects are the reject files that have something in them.
func (g *told) rejects() (files []string) {
	all, _ := filepath.Glob(filepath.Join(g.env["XDG_STATE_HOME"], "m3import", "*", "imports", "*", "rejects.ndjson"))
	for _, path := range all {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			files = append(files, path)
		}
	}
	return files
}

// mends changes the amount of rejects.
func (g *told) mends(old, now string) {
	g.t.Helper()
	changed := 0
	for _, path := range g.rejects() {
		text, err := os.ReadFile(path)
		if err != nil {
			g.t.Fatal(err)
		}
		mended := strings.ReplaceAll(string(text), `"n":"`+old+`"`, `"n":"`+now+`"`)
		if mended == string(text) {
			continue
		}
		changed++
		if err := os.WriteFile(path, []byte(mended), 0o600); err != nil {
			g.t.Fatal(err)
		}
	}
	if changed == 0 {
		g.t.Fatalf("no reject file has %q", old)
	}
}

// halfWay runs a command that the platform shuts out after the first row.
func (g *told) halfWay(args ...string) {
	g.t.Helper()
	g.open.Store(false)
	g.does(exitFatal, nil, append(args, "--batch-size", "1", "--workers", "1")...)
	g.open.Store(true)
}

const (
	twice     = "and be billed a second time"
	forgotten = "rows would be sent again that the platform may have forgotten"
)

// A row that may be in is found again, wherever it comes from: under whatever name,
// path or packing, out of a source or a reject file, under whatever mapping. Each
// of these was a way to have it billed twice without a question.
func TestGuardFindsWhatWasSent(t *testing.T) {
	for name, play := range map[string]func(g *told){
		"packed, then sent again": func(g *told) {
			m := g.by("m.yaml", "row")
			g.does(exitOK, nil, "run", "-m", m, g.csv("a.csv", "1=1"))
			g.days.Store(5)
			packed := g.pack(filepath.Join(g.dir, "a.csv"))
			g.does(exitOK, nil, "run", "-m", m, packed, "--force")
			g.days.Store(36)
			g.does(exitUsage, []string{forgotten, "36 days ago"}, "run", "-m", m, packed, "--force")
		},
		"packed, and grown twice": func(g *told) {
			m := g.mapping()
			g.does(exitOK, nil, "run", "-m", m, g.csv("a.csv", "1=1"))
			g.days.Store(10)
			g.does(exitOK, nil, "run", "-m", m, g.pack(g.csv("a.csv", "1=1", "2=2")))
			g.days.Store(36)
			g.does(exitUsage, []string{forgotten, "36 days ago"}, "run", "-m", m, g.pack(g.csv("a.csv", "1=1", "2=2", "3=3")))
			g.holds(2)
		},
		"a replay that was stopped, mended otherwise": func(g *told) {
			g.does(exitRejects, nil, "run", "-m", g.by("m.yaml", "content"), g.csv("a.csv", "1=x", "2=x"))
			g.mends("x", "1")
			g.halfWay("replay", "rejects")
			g.mends("1", "2")
			g.does(exitUsage, []string{"add --restart"}, "replay", "rejects")
			g.does(exitUsage, []string{"rejects that are in already", twice}, "replay", "rejects", "--restart")
			g.mends("2", "1")
			g.does(exitOK, nil, "replay", "rejects")
			g.holds(2)
		},
		"a replay that was stopped, under another key": func(g *told) {
			g.does(exitRejects, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=x", "2=x"))
			g.mends("x", "1")
			g.halfWay("replay", "rejects")
			g.does(exitUsage, []string{"another mapping", twice}, "replay", "rejects", "-m", g.by("m2.yaml", "{key: [id, when]}"), "--restart")
		},
		"a reject file run by hand after its replay": func(g *told) {
			m := g.by("m.yaml", "content")
			g.does(exitRejects, nil, "run", "-m", m, g.csv("a.csv", "1=x"))
			g.mends("x", "1")
			g.does(exitOK, nil, "replay", "rejects")
			g.mends("1", "2")
			g.does(exitUsage, []string{twice}, "run", "-m", m, "--format", "ndjson", "--compression", "none", g.rejects()[0])
		},
		"a reject file run by hand before its replay": func(g *told) {
			m := g.by("m.yaml", "content")
			g.does(exitRejects, nil, "run", "-m", m, g.csv("a.csv", "1=x"))
			g.mends("x", "1")
			g.does(exitOK, nil, "run", "-m", m, "--format", "ndjson", "--compression", "none", g.rejects()[0])
			g.mends("1", "2")
			g.does(exitUsage, []string{twice}, "replay", "rejects", g.stateOf("a-"))
		},
		"the same row in another reject file": func(g *told) {
			m := g.by("m.yaml", "content")
			g.does(exitRejects, nil, "run", "-m", m, g.csv("a.csv", "1=x", "2=2"))
			g.mends("x", "1")
			g.does(exitOK, nil, "replay", "rejects")
			g.does(exitRejects, nil, "run", "-m", m, filepath.Join(g.dir, "a.csv"), "--force")
			g.mends("x", "1.0")
			g.does(exitUsage, []string{"may be in already: 1 reject"}, "replay", "rejects")
			g.holds(2)
		},
		"a replay that goes on late, and a source that was mended since": func(g *told) {
			g.does(exitRejects, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=x", "2=x"))
			state := g.stateOf("a-")
			g.mends("x", "1")
			g.halfWay("replay", "rejects", state)
			g.csv("a.csv", "1=1", "2=1")
			g.does(exitOK, nil, "run", "-m", g.mapping(), filepath.Join(g.dir, "[a].csv"))
			g.days.Store(40)
			g.does(exitUsage, []string{forgotten}, "replay", "rejects", state)
			g.holds(2)
		},
		"a reject of a source that was moved": func(g *told) {
			moved := filepath.Join(g.dir, "b.csv")
			g.does(exitRejects, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=x", "2=2"))
			g.mends("x", "1")
			g.does(exitOK, nil, "replay", "rejects")
			g.days.Store(10)
			g.moves("a.csv", "b.csv")
			g.does(exitRejects, nil, "run", "-m", g.by("m2.yaml", "{key: [id]}", elsewhere), moved)
			g.days.Store(36)
			g.mends("x", "1")
			g.does(exitUsage, []string{forgotten}, "replay", "rejects", g.stateOf("b-"), "--dry-run")
			g.does(exitUsage, []string{forgotten}, "replay", "rejects", g.stateOf("b-"))
		},
		"a state directory that was moved": func(g *told) {
			g.does(exitRejects, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=x", "2=x"))
			g.mends("x", "1")
			g.halfWay("replay", "rejects")
			g.does(exitOK, nil, "run", "-m", g.mapping(), filepath.Join(g.dir, "a.csv"), "--restart")
			state := g.stateOf("a-")
			if err := os.Rename(state, state+"-old"); err != nil {
				g.t.Fatal(err)
			}
			g.mends("1", "1.0")
			g.days.Store(40)
			g.does(exitUsage, []string{forgotten}, "replay", "rejects")
		},
		"an import that goes on, and another mapping since": func(g *told) {
			m, a := g.by("m.yaml", "content"), g.csv("a.csv", "1=1", "2=2", "3=3")
			g.halfWay("run", "-m", m, a)
			g.days.Store(1)
			_, stderr := g.does(exitOK, nil, "run", "-m", g.by("m2.yaml", "content", elsewhere), filepath.Join(g.dir, "[a].csv"), "--force")
			if strings.Contains(stderr, "under the same uids") {
				g.t.Errorf("they are not the same uids:\n%s", stderr)
			}
			g.does(exitUsage, []string{"another mapping", twice}, "run", "-m", m, a)
			g.holds(4)
		},
		"a folder by a link": func(g *told) {
			if err := errors.Join(os.Mkdir(filepath.Join(g.dir, "real"), 0o755), os.Symlink("real", filepath.Join(g.dir, "link"))); err != nil {
				g.t.Skip(err)
			}
			g.csv("real/a.csv", "1=1")
			g.does(exitOK, nil, "run", "-m", g.mapping(), filepath.Join(g.dir, "link", "a.csv"))
			g.days.Store(36)
			g.does(exitUsage, []string{forgotten}, "run", "-m", g.mapping(), g.csv("real/a.csv", "1=1", "2=2"))
		},
		"a content under a name that is known": func(g *told) {
			m2 := g.by("m2.yaml", "{key: [id, when]}")
			g.does(exitOK, nil, "run", "-m", g.mapping(), g.csv("b.csv", "1=1"))
			g.does(exitOK, nil, "run", "-m", m2, g.csv("a.csv", "9=9"))
			g.does(exitUsage, []string{"another mapping", twice}, "run", "-m", m2, g.csv("a.csv", "1=1"))
		},
		"moved, and grown": func(g *told) {
			g.does(exitOK, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=1", "2=2"))
			g.days.Store(36)
			g.moves("a.csv", "b.csv")
			g.does(exitUsage, []string{forgotten, "a.csv held, was first imported 36 days ago"}, "run", "-m", g.mapping(), g.csv("b.csv", "1=1", "2=2", "3=3"))
		},
		"moved, and grown, and large": func(g *told) {
			long := strings.Repeat("\n", 70_000)
			g.does(exitOK, nil, "run", "-m", g.mapping(), g.path("a.csv", "id,who,when,n\n"+long+"e1,acme,2026-01-01T00:00:00Z,1\n"))
			g.days.Store(36)
			g.moves("a.csv", "b.csv")
			b := g.path("b.csv", "id,who,when,n\n"+long+"e1,acme,2026-01-01T00:00:00Z,1\ne2,acme,2026-01-01T00:00:00Z,1\n")
			g.does(exitUsage, []string{forgotten, "a.csv held, was first imported 36 days ago"}, "run", "-m", g.mapping(), b)
			b = g.path("b.csv", "id,who,when,n\n"+long+"e5,acme,2026-01-01T00:00:00Z,1\ne2,acme,2026-01-01T00:00:00Z,1\n")
			g.does(exitOK, nil, "run", "-m", g.mapping(), b) // it begins otherwise
		},
		"moved, and grown, under another mapping": func(g *told) {
			g.does(exitOK, nil, "run", "-m", g.by("m.yaml", "content"), g.csv("a.csv", "1=1", "2=2"))
			g.moves("a.csv", "b.csv")
			g.does(exitUsage, []string{"another mapping", twice}, "run", "-m", g.by("m2.yaml", "content", elsewhere), g.csv("b.csv", "1=1", "2=2", "3=3"))
		},
		"moved, and grown, where names count": func(g *told) {
			g.does(exitOK, nil, "run", "-m", g.by("m.yaml", "row"), g.csv("a.csv", "1=1", "2=2"))
			g.moves("a.csv", "b.csv")
			g.does(exitOK, []string{"b.csv begins with what ", "a.csv held in import"}, "run", "-m", g.by("m.yaml", "row"), g.csv("b.csv", "1=1", "2=2", "3=3"))
		},
		"moved, grown, and grown again": func(g *told) {
			g.does(exitOK, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=1", "2=2"))
			g.days.Store(25)
			g.moves("a.csv", "b.csv")
			g.does(exitOK, nil, "run", "-m", g.mapping(), g.csv("b.csv", "1=1", "2=2", "3=3"))
			g.days.Store(40)
			g.does(exitUsage, []string{forgotten, "first imported 40 days ago"}, "run", "-m", g.mapping(), g.csv("b.csv", "1=1", "2=2", "3=3", "4=4"))
		},
		"corrected, and moved": func(g *told) {
			g.does(exitOK, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=1", "2=2"))
			g.days.Store(5)
			g.does(exitOK, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=1", "3=2"))
			g.moves("a.csv", "b.csv")
			g.days.Store(38)
			g.does(exitUsage, []string{forgotten, "first imported 38 days ago"}, "run", "-m", g.mapping(), filepath.Join(g.dir, "b.csv"), "--force")
		},
		"another row in the place of one that was rejected": func(g *told) {
			m := g.by("m.yaml", "content")
			g.does(exitRejects, nil, "run", "-m", m, g.csv("a.csv", "1=x", "2=2"))
			g.mends("x", "1.0")
			g.days.Store(1)
			g.does(exitRejects, nil, "run", "-m", m, g.csv("a.csv", "3=x", "1=1", "2=2"))
			g.days.Store(2)
			g.does(exitUsage, []string{"may be in already"}, "replay", "rejects", g.stateOf("a-"))
		},
		"old rows behind the mark of a grown file": func(g *told) {
			a := g.csv("a.csv", "1=1", "2=2")
			g.does(exitOK, nil, "run", "-m", g.mapping(), a)
			g.days.Store(5)
			g.does(exitOK, nil, "run", "-m", g.mapping(), g.csv("a.csv", "9=9"))
			g.days.Store(10)
			g.csv("a.csv", "1=1", "2=2", "3=3", "9=9")
			g.open.Store(false)
			g.does(exitFatal, nil, "run", "-m", g.mapping(), a, "--batch-size", "2", "--workers", "1")
			g.open.Store(true)
			g.days.Store(45)
			g.does(exitUsage, []string{forgotten}, "run", "-m", g.mapping(), a)
		},
		"a slice, tried": func(g *told) {
			g.does(exitOK, nil, "run", "-m", g.by("m.yaml", "content"), g.csv("a.csv", "1=1"))
			g.does(exitUsage, []string{"another mapping"}, "replay", "slice", "-m", g.by("m2.yaml", "content", elsewhere), filepath.Join(g.dir, "a.csv"), "--lines", "2-2", "--dry-run")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := tell(t)
			play(g)
		})
	}
}

func (g *told) moves(from, to string) {
	g.t.Helper()
	if err := os.Rename(filepath.Join(g.dir, from), filepath.Join(g.dir, to)); err != nil {
		g.t.Fatal(err)
	}
}

// stateOf is the state directory whose name begins so.
func (g *told) stateOf(name string) string {
	g.t.Helper()
	dirs, err := filepath.Glob(filepath.Join(g.env["XDG_STATE_HOME"], "m3import", name+"*"))
	if err != nil || len(dirs) != 1 {
		g.t.Fatalf("state directories %s*: %q, %v", name, dirs, err)
	}
	return dirs[0]
}

// lastOf is the id of the only import of a state directory.
func (g *told) lastOf(name string) string {
	g.t.Helper()
	ids, err := os.ReadDir(filepath.Join(g.stateOf(name), "imports"))
	if err != nil || len(ids) != 1 {
		g.t.Fatal(ids, err)
	}
	return ids[0].Name()
}

// Rows that are in under another mapping, in the organization that a run is to be
// sent to, would be billed beside it.
func TestGuardReplayRunToWhereTheyAre(t *testing.T) {
	g := tell(t)
	next := newSession(t, newPlatform(t, sandbox.Config{OrgID: otherOrg}))
	a := g.csv("a.csv", "1=1")
	g.does(exitOK, nil, "run", "-m", g.by("m.yaml", "content"), a)
	id := g.lastOf("a-")
	next.env["XDG_STATE_HOME"] = g.env["XDG_STATE_HOME"]
	if code, _, stderr := next.run("run", "-m", g.by("m2.yaml", "content", elsewhere), a, "--state", filepath.Join(g.dir, "state")); code != exitOK {
		t.Fatal(stderr)
	}
	// In a directory of its own, only those below the user's are known.
	if err := os.Rename(filepath.Join(g.dir, "state"), filepath.Join(g.env["XDG_STATE_HOME"], "m3import", "other")); err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{{"--dry-run"}, nil} {
		code, _, stderr := next.run(append([]string{"replay", "run", id, "--org", otherOrg}, flags...)...)
		if code != exitUsage || !strings.Contains(stderr, twice) {
			t.Errorf("%q: exit code %d\n%s", flags, code, stderr)
		}
	}
	if n := next.p.Totals().Measurements; n != 1 {
		t.Errorf("it holds %d measurements", n)
	}
}

// What a state directory remembers counts wherever that is kept, and when it cannot
// be had, it is said.
func TestGuardLooksIntoEveryState(t *testing.T) {
	for name, c := range map[string]struct {
		hide  func(g *told, root, state string) error
		code  int
		words string
	}{
		"without its lock": {func(_ *told, _, state string) error { return os.Remove(filepath.Join(state, "lock")) }, exitUsage, forgotten},
		"by a link": {func(g *told, _, state string) error {
			far := filepath.Join(g.t.TempDir(), "far")
			return errors.Join(os.Rename(state, far), os.Symlink(far, state))
		}, exitUsage, forgotten},
		"below a folder": {func(_ *told, root, state string) error {
			return errors.Join(os.Mkdir(filepath.Join(root, "team"), 0o755), os.Rename(state, filepath.Join(root, "team", "x")))
		}, exitUsage, forgotten},
		"a root that leads nowhere": {func(_ *told, root, _ string) error {
			return errors.Join(os.Rename(root, root+"-old"), os.Symlink("m3import", root))
		}, exitUsage, "so it is not known what was sent before"},
		"no home": {func(g *told, _, _ string) error { delete(g.env, "XDG_STATE_HOME"); return nil }, exitOK,
			"warning: what other state directories know is not looked up"},
	} {
		t.Run(name, func(t *testing.T) {
			g := tell(t)
			g.does(exitOK, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=1"))
			state := g.stateOf("a-")
			if err := c.hide(g, filepath.Dir(state), state); err != nil {
				t.Skip(err)
			}
			g.days.Store(36)
			g.does(c.code, []string{c.words}, "run", "-m", g.mapping(), filepath.Join(g.dir, "[a].csv"), "--state", filepath.Join(g.dir, "own"))
		})
	}
}

// What was rejected stays open until it is in, or was deleted by a person: not when
// its file is elsewhere, and not when a twin of it went in.
func TestOpenUntilItIsIn(t *testing.T) {
	t.Run("a file that is gone", func(t *testing.T) {
		g := tell(t)
		run := []string{"run", "-m", g.mapping(), g.csv("a.csv", "1=x")}
		g.does(exitRejects, nil, run...)
		path := g.rejects()[0]
		if err := os.Rename(path, path+".bak"); err != nil {
			t.Fatal(err)
		}
		g.does(exitOK, []string{"still open: 1 rejected row of earlier imports"}, run...)
		g.does(exitRejects, []string{"wrote 1 reject to ", "the file is not there", "leave an empty one:  : > " + path}, "replay", "rejects")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, stderr := g.does(exitOK, nil, run...); strings.Contains(stderr, "still open") {
			t.Error(stderr)
		}
	})
	t.Run("a twin", func(t *testing.T) {
		g := tell(t)
		run := []string{"run", "-m", g.mapping(), g.csv("a.csv", "1=x")}
		g.does(exitRejects, nil, run...)
		g.does(exitRejects, nil, append(run, "--force")...)
		g.does(exitRejects, []string{"1 of 1"}, "replay", "rejects")
		g.mends("x", "1")
		g.does(exitOK, nil, "replay", "rejects")
		g.holds(1)
		if _, stderr := g.does(exitOK, nil, run...); strings.Contains(stderr, "still open") {
			t.Error(stderr)
		}
	})
	t.Run("the directory is named to go on with", func(t *testing.T) {
		g := tell(t)
		g.does(exitRejects, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=x", "2=x"))
		g.mends("x", "1")
		g.open.Store(false)
		g.does(exitFatal, []string{"m3import replay rejects", g.stateOf("a-")}, "replay", "rejects", "--batch-size", "1", "--workers", "1")
	})
	t.Run("the one that changed is named to be forced", func(t *testing.T) {
		g := tell(t)
		m := g.by("m.yaml", "row")
		glob := filepath.Join(g.dir, "[ab].csv")
		g.csv("b.csv", "5=5")
		a := g.csv("a.csv", "1=1")
		g.does(exitOK, nil, "run", "-m", m, glob)
		g.days.Store(40)
		g.csv("a.csv", "2=2")
		g.does(exitUsage, []string{forgotten}, "run", "-m", m, glob)
		g.days.Store(20)
		g.does(exitUsage, []string{twice, "send it alone, with  m3import run", "--force " + a}, "run", "-m", m, glob)
	})
}

// A row may have been taken by a try that had no answer, and have been refused by
// the next: its reject says since when, and the guard counts from then.
func TestGuardRejectThatMayBeIn(t *testing.T) {
	var tries atomic.Int64
	g := &told{newGuarded(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/measurements") || tries.Load() < 0 {
				next.ServeHTTP(w, r)
				return
			}
			answer := func(status int, text string) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				w.Write([]byte(text))
			}
			body, _ := io.ReadAll(r.Body)
			switch r.Body = io.NopCloser(bytes.NewReader(body)); {
			case tries.Add(1) == 1:
				next.ServeHTTP(httptest.NewRecorder(), r)
				answer(http.StatusGatewayTimeout, `{"message":"late"}`)
			case bytes.Contains(body, []byte("00:00:01Z")):
				answer(http.StatusBadRequest, `{"message":"closed"}`)
			default:
				next.ServeHTTP(w, r)
			}
		})
	}}), new(atomic.Bool)}
	m := g.by("m.yaml", "content")
	g.does(exitRejects, []string{"may have been taken"}, "run", "-m", m, g.csv("a.csv", "1=1", "2=2"))
	g.holds(2)
	tries.Store(-1 << 40)
	for day, words := range map[int64]string{10: "may be in already: 1 reject", 40: forgotten} {
		g.days.Store(day)
		flags := []string{"replay", "rejects"}
		if day == 40 {
			flags = append(flags, "--force")
		}
		g.does(exitUsage, []string{words}, append(flags, "--dry-run")...)
		g.does(exitUsage, []string{words}, flags...)
	}
	g.holds(2)
	g.days.Store(10)
	g.does(exitOK, []string{"may be in already"}, "replay", "rejects", "--force")
	g.holds(2)
}

// What shares nothing but a header with what was sent, or was asked about once, goes
// in without a question, however long ago that was.
func TestGuardAsksNoMoreThanItMust(t *testing.T) {
	t.Run("a header alone", func(t *testing.T) {
		g := tell(t)
		glob := filepath.Join(g.dir, "[a-z].csv")
		g.does(exitOK, nil, "run", "-m", g.mapping(), glob, "--if-no-input", "ok")
		g.csv("a.csv")
		g.does(exitOK, nil, "run", "-m", g.mapping(), glob)
		g.days.Store(1)
		g.csv("a.csv", "1=1")
		g.does(exitOK, nil, "run", "-m", g.mapping(), glob)
		g.days.Store(40)
		g.csv("b.csv", "2=2")
		g.does(exitOK, nil, "run", "-m", g.mapping(), glob)
		g.holds(2)
	})
	t.Run("standard input, once", func(t *testing.T) {
		g := tell(t)
		g.stdin = "id,who,when,n\na,acme,2026-01-01T00:00:00Z,1\nb,acme,2026-01-01T00:00:00Z,1\n"
		run := []string{"run", "-m", g.mapping(), "-"}
		g.halfWay(run...)
		g.does(exitOK, nil, run...)
		g.days.Store(40)
		g.does(exitUsage, []string{forgotten}, run...)
		g.stdin = strings.ReplaceAll(g.stdin, "acme", "other")
		g.does(exitOK, nil, append(run, "--allow-beyond-dedupe-window")...)
		g.days.Store(80)
		g.does(exitOK, nil, run...)
	})
	t.Run("a row that every import rejected", func(t *testing.T) {
		g := tell(t)
		m := g.by("m.yaml", "content")
		for day, rows := range [][]string{{"1=x"}, {"1=x", "2=2"}, {"1=x", "2=2", "3=3"}} {
			g.days.Store(int64(day))
			g.does(exitRejects, nil, "run", "-m", m, g.csv("a.csv", rows...))
		}
		g.mends("x", "1")
		g.days.Store(20)
		g.does(exitOK, nil, "replay", "rejects")
		g.holds(3)
	})
	t.Run("the old rows are before the mark", func(t *testing.T) {
		g := tell(t)
		g.does(exitOK, nil, "run", "-m", g.mapping(), g.csv("a.csv", "1=1"))
		g.days.Store(10)
		run := []string{"run", "-m", g.mapping(), g.csv("a.csv", "1=1", "2=2", "3=3")}
		g.halfWay(run...)
		g.days.Store(45)
		if _, stderr := g.does(exitOK, nil, append(run, "--allow-beyond-dedupe-window")...); strings.Contains(stderr, "was first imported") {
			t.Error(stderr)
		}
		g.holds(3)
	})
}
