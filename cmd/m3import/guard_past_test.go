package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// does runs a command of which the exit code must be want, and the words must be
// among what it says.
func (g *guarded) does(want int, words []string, args ...string) (stdout, stderr string) {
	g.t.Helper()
	code, stdout, stderr := g.run(args...)
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			g.t.Errorf("day %d: it does not say %q", g.days.Load(), w)
		}
	}
	if code != want || g.t.Failed() {
		g.t.Fatalf("day %d: %q ends with %d, want %d\n%s%s", g.days.Load(), args, code, want, stdout, stderr)
	}
	return stdout, stderr
}

func (g *guarded) path(name, text string) string {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		g.t.Fatal(err)
	}
	return path
}

// Requests overtake each other: a source behind the mark may have arrived whole
// although nothing of the one at the mark has.
func TestGuardSourcesBehindTheMark(t *testing.T) {
	var taken atomic.Int64
	others := make(chan struct{})
	g := newGuarded(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/measurements") || r.Method != http.MethodPost || taken.Load() > 2 {
				next.ServeHTTP(w, r)
				return
			}
			body := new(bytes.Buffer)
			body.ReadFrom(r.Body)
			if bytes.Contains(body.Bytes(), []byte(`"first"`)) {
				<-others
				taken.Add(1)
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusNotFound)
				w.Write([]byte(`{"message":"gone"}`))
				return
			}
			r.Body = io.NopCloser(body)
			next.ServeHTTP(w, r)
			if taken.Add(1) == 2 {
				close(others)
			}
		})
	}})
	head := "id,who,when,n\n"
	first := g.path("s1.csv", head+"a,first,2026-01-01T00:00:00Z,1\n")
	g.path("s2.csv", head+"b,acme,2026-01-01T00:00:00Z,2\n")
	third := g.path("s3.csv", head+"c,acme,2026-01-01T00:00:00Z,4\n")
	run := []string{"run", "-m", g.mapping(), "--batch-size", "1", filepath.Join(g.dir, "s*.csv")}
	g.does(exitFatal, nil, run...)
	g.holds(2)
	g.days.Store(20)
	g.does(exitOK, []string{"rows sent before: sent again under the same uids"}, "run", "-m", g.mapping(), third, "--state", filepath.Join(g.dir, "x"))
	g.days.Store(40)
	g.does(exitUsage, []string{"s3.csv was first imported 40 days ago"}, "run", "-m", g.mapping(), "--force", third)
	g.does(exitUsage, []string{"s1.csv was first imported 40 days ago"}, "run", "-m", g.mapping(), first)
	g.holds(2)
}

// shutFrom answers submissions from the nth on with what says nothing of their fate, and ends
// an import, until it is open.
func shutFrom(nth int64, open *atomic.Bool) func(http.Handler) http.Handler {
	var requests atomic.Int64
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/measurements") && !open.Load() && requests.Add(1) >= nth {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusTeapot)
				w.Write([]byte(`{"message":"gone"}`))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// What is at stake is told as the most that may have arrived, and the amounts.
func TestGuardTellsTheMost(t *testing.T) {
	var open atomic.Bool
	g := newGuarded(t, sandbox.Config{Middleware: shutFrom(3, &open)})
	g.write(200)
	run := []string{"run", "-m", g.mapping(), "--batch-size", "10", "--workers", "1", "--chunk-bytes", "100", g.file()}
	g.does(exitFatal, nil, run...)
	open.Store(true)
	g.does(exitOK, []string{"up to 30 measurements may have arrived before (usage.csv, after row 20): they are sent again under the same uids"}, run...)
	g.holds(200)
	g.does(exitOK, []string{"up to 200 rows sent before"}, append(run, "--force")...)
	g.days.Store(40)
	g.does(exitUsage, []string{"first imported 40 days ago", "(up to 200 rows then)", "came to, with all its sources: api measure.n 200"}, append(run, "--force")...)
	g.holds(200)
}

// A clock that was set back says nothing about how long ago something was.
func TestGuardClockSetBack(t *testing.T) {
	g := newGuarded(t, sandbox.Config{})
	g.days.Store(400)
	g.imports(exitOK, "")
	g.days.Store(0)
	g.imports(exitUsage, "this machine's clock has not come to yet", "--force")
	g.holds(10)
}

// A file that is packed after its import is the same file.
func TestGuardPackedFile(t *testing.T) {
	g := newGuarded(t, sandbox.Config{})
	g.imports(exitOK, "")
	text, err := os.ReadFile(g.file())
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(text)
	z.Close()
	gz := g.path("usage.csv.gz", packed.String())
	if err := os.Remove(g.file()); err != nil {
		t.Fatal(err)
	}
	run := []string{"run", "-q", "-m", g.mapping(), gz}
	g.days.Store(40)
	g.does(exitUsage, []string{"usage.csv held, was first imported 40 days ago"}, run...)
	g.days.Store(20)
	g.does(exitOK, []string{"usage.csv.gz is usage.csv in another form, or changed, since import"}, "run", "-m", g.mapping(), gz)
	g.holds(10)
}

// What another state directory sent is not known when it cannot be read.
func TestGuardUnreadableState(t *testing.T) {
	g := newGuarded(t, sandbox.Config{})
	g.imports(exitOK, "")
	plans, err := filepath.Glob(filepath.Join(g.env["XDG_STATE_HOME"], "m3import", "usage-*", "imports", "*", "plan.json"))
	if err != nil || len(plans) != 1 {
		t.Fatalf("plans %q, %v", plans, err)
	}
	if err := os.Truncate(plans[0], 30); err != nil {
		t.Fatal(err)
	}
	g.days.Store(40)
	run := []string{"run", "-q", "-m", g.mapping(), filepath.Join(g.dir, "*.csv")}
	g.does(exitUsage, []string{"cannot be read, so it is not known whether rows were sent from there before", "m3import state repair "}, run...)
	g.holds(10)
	g.days.Store(20)
	g.does(exitOK, nil, append(run, "--allow-beyond-dedupe-window")...)
	g.holds(10)
}

// Whoever goes on with standard input pipes all of it in again.
func TestGuardStandardInput(t *testing.T) {
	var open atomic.Bool
	g := newGuarded(t, sandbox.Config{Middleware: shutFrom(3, &open)})
	g.write(50)
	text, err := os.ReadFile(g.file())
	if err != nil {
		t.Fatal(err)
	}
	g.stdin = string(text)
	run := []string{"run", "-m", g.mapping(), "--batch-size", "10", "--workers", "1", "-"}
	g.does(exitFatal, nil, run...)
	g.holds(20)
	g.days.Store(40)
	g.does(exitUsage, []string{"an import of standard input, ", "began 40 days ago and was not finished"}, run...)
	g.holds(20)
	g.days.Store(20)
	open.Store(true)
	g.does(exitOK, nil, run...)
	g.holds(50)
}

// A rejected row may have arrived all the same: out of a source that was mended.
func TestGuardReplayOfRejects(t *testing.T) {
	t.Run("corrected source", func(t *testing.T) {
		g := newGuarded(t, sandbox.Config{})
		bad := "id,who,when,n\na,acme,2026-01-01T00:00:00Z,1\nb,acme,2026-01-01T00:00:00Z,n/a\n"
		g.path("usage.csv", bad)
		g.imports(exitRejects, "")
		g.path("usage.csv", strings.Replace(bad, "n/a", "2", 1))
		g.imports(exitOK, "")
		g.holds(2)
		mendRejects(t, g, "n/a", "2")
		g.days.Store(40)
		g.does(exitUsage, []string{"1 reject may have arrived more than 34 days ago", "usage.csv was read by import"}, "replay", "rejects")
		g.holds(2)
		g.days.Store(20)
		g.does(exitOK, nil, "replay", "rejects")
		g.holds(2)
	})
	t.Run("not imported again", func(t *testing.T) {
		g := newGuarded(t, sandbox.Config{})
		g.path("usage.csv", "id,who,when,n\nb,acme,2026-01-01T00:00:00Z,n/a\n")
		g.imports(exitRejects, "")
		mendRejects(t, g, "n/a", "2")
		g.days.Store(40)
		g.does(exitOK, nil, "replay", "rejects")
		g.holds(1)
	})
}

// A dry run of a replay says what the replay would be refused for.
func TestGuardDryRun(t *testing.T) {
	g := newGuarded(t, sandbox.Config{})
	g.imports(exitOK, "")
	slice := []string{"replay", "slice", "-m", g.mapping(), g.file(), "--account", "acme", "--dry-run"}
	g.days.Store(20)
	g.does(exitOK, []string{"up to 10 rows sent before"}, slice...)
	g.days.Store(40)
	stdout, _ := g.does(exitUsage, []string{"first imported 40 days ago"}, slice...)
	if !strings.Contains(stdout, "sending takes 1 request") {
		t.Errorf("what was found is not told:\n%s", stdout)
	}
	stdout, _ = g.does(exitUsage, []string{"first imported 40 days ago"}, append(slice, "--json")...)
	if !strings.Contains(stdout, `"exit_code": 1,`) || !strings.Contains(stdout, "first imported 40 days ago") {
		t.Errorf("the code and the reason are not in the JSON:\n%s", stdout)
	}
	g.does(exitOK, nil, append(slice, "--allow-beyond-dedupe-window")...)
	id := g.lastImport()
	g.does(exitUsage, []string{"first imported 40 days ago"}, "replay", "run", id, "--org", g.env["M3TER_ORG_ID"], "--same-organization", "--dry-run")
	delete(g.env, "M3TER_ORG_ID")
	g.does(exitOK, []string{"was not looked up"}, slice...)
	g.holds(10)
}

// lastImport is the id of the only import.
func (g *guarded) lastImport() string {
	g.t.Helper()
	homes, err := filepath.Glob(filepath.Join(g.env["XDG_STATE_HOME"], "m3import", "usage-*", "imports", "*"))
	if err != nil || len(homes) != 1 {
		g.t.Fatalf("imports %q, %v", homes, err)
	}
	return filepath.Base(homes[0])
}

// mendRejects changes the only reject file that is not empty.
func mendRejects(t *testing.T, g *guarded, old, now string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(g.env["XDG_STATE_HOME"], "m3import", "usage-*", "imports", "*", "rejects.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	mended := 0
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte(`:"`+old+`"`)) {
			continue
		}
		mended++
		text = bytes.Replace(text, []byte(`:"`+old+`"`), []byte(`:"`+now+`"`), 1)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if mended != 1 {
		t.Fatalf("%d of %d reject files were mended", mended, len(files))
	}
}

// shutWhile answers 404 to all submissions but the first while open is false. n
// counts those.
func shutWhile(open *atomic.Bool, n *atomic.Int64) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch submits := strings.HasSuffix(r.URL.Path, "/measurements"); {
			case open.Load():
				n.Store(0)
			case submits && n.Add(1) > 1:
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusNotFound)
				w.Write([]byte(`{"message":"gone"}`))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
