package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/sandbox"
	"github.com/m3import/m3import/uploader"
)

// endRows is a file of n rows of an account, the last of which is bad when that
// is said.
func endRows(account string, n int, bad bool) string {
	text := "id,who,when,n\n"
	for i := range n {
		value := "1"
		if bad && i == n-1 {
			value = "n/a"
		}
		text += fmt.Sprintf("%s-%d,%s,2026-01-01T00:00:00Z,%s\n", account, i, account, value)
	}
	return text
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Each of two imports in one command shows its own first rejects, and where the
// others are.
func TestRejectsOfTwoImports(t *testing.T) {
	m := newMigration(t, 3)
	bad := func(account string) string {
		return strings.ReplaceAll(endRows(account, maxRejectsShown+2, false), "Z,1", "Z,n/a")
	}
	writeFiles(t, m.dir, map[string]string{"a.csv": "id,who,when,n\nx,acme,2026-01-01T00:00:00Z,1\n" + strings.TrimPrefix(bad("acme"), "id,who,when,n\n")})
	if err := m.p.AddFaults(sandbox.Fault{Name: "shut", On: []string{"SubmitMeasurements"}, Status: 404}); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "-m", m.path("m.yaml"), m.path("*.csv")}
	m.does(exitFatal, args...)
	m.p.RemoveFaults()
	writeFiles(t, m.dir, map[string]string{"b.csv": bad("blum")})
	code, _, stderr := m.run(args...)
	first := strings.Index(stderr, "rejected: a.csv:")
	second := strings.LastIndex(stderr, "rejected: b.csv:")
	if code != exitRejects || first < 0 || second < first || !strings.Contains(stderr[second:], "rejected: more; all are in "+m.last("run").Rejects) {
		t.Errorf("exit code %d, want the rejects of both told\n%s", code, stderr)
	}
}

// An import that cannot go on tells some of its differences, however many files
// are gone.
func TestManySourcesGone(t *testing.T) {
	var plan checkpoint.Plan
	for i := range 3 * maxDiffs {
		plan.Sources = append(plan.Sources, checkpoint.Source{Path: filepath.Join(t.TempDir(), fmt.Sprint(i))})
	}
	plan.UIDVersion = mapper.UIDVersion
	_, _, err := new(job).resumable(plan, checkpoint.Mark{})
	if err == nil || strings.Count(err.Error(), "; ") != maxDiffs-1 {
		t.Errorf("%v, want %d differences", err, maxDiffs)
	}
}

// One command finishes the import that was left and does a new one for what
// came since. It exits with the worse of the two ends: an error before rejects,
// rejects before nothing.
func TestTwoImportsInOneCommand(t *testing.T) {
	of := func(account string, status int) sandbox.Fault {
		return sandbox.Fault{On: []string{"SubmitMeasurements"}, When: sandbox.When{Match: &sandbox.Match{Account: account}}, Status: status}
	}
	for _, c := range []struct {
		name     string
		bad      [2]bool
		fault    *sandbox.Fault
		code     int
		held     int64
		finished int
	}{
		{"both clean", [2]bool{}, nil, exitOK, 80, 2},
		{"rejects in the first", [2]bool{true, false}, nil, exitRejects, 79, 2},
		{"rejects in the second", [2]bool{false, true}, nil, exitRejects, 79, 2},
		{"rejects in both", [2]bool{true, true}, nil, exitRejects, 78, 2},
		{"rejects in the first, an outage in the second", [2]bool{true, false}, new(of("new", 503)), exitTemporary, 39, 1},
		{"rejects in the first, no permission for the second", [2]bool{true, false}, new(of("new", 404)), exitFatal, 39, 1},
		{"an outage in the first, which keeps the second from beginning", [2]bool{true, true}, new(of("old", 503)), exitTemporary, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, sandbox.Config{Faults: []sandbox.Fault{{Name: "shut", On: []string{"SubmitMeasurements"}, Status: 404}}})
			s := newSession(t, p)
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": endRows("old", 40, c.bad[0])})
			args := []string{"run", "-m", filepath.Join(dir, "m.yaml"), "--retry-for", "1ms", filepath.Join(dir, "*.csv")}
			if code, _, stderr := s.run(args...); code != exitFatal {
				t.Fatalf("the first command ended with %d\n%s", code, stderr)
			}
			writeFiles(t, dir, map[string]string{"b.csv": endRows("new", 40, c.bad[1])})
			p.RemoveFaults("shut")
			if c.fault != nil {
				if err := p.AddFaults(*c.fault); err != nil {
					t.Fatal(err)
				}
			}
			code, stdout, stderr := s.run(args...)
			if code != c.code || !strings.Contains(stderr, "resuming import ") {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, stderr)
			}
			if n := strings.Count("\n"+stdout, "\nimport ") - strings.Count(stdout, ", not finished"); n != c.finished {
				t.Errorf("%d imports were finished, want %d\n%s", n, c.finished, stdout)
			}
			if held := p.Totals(); held.Measurements != c.held || held.Duplicates != 0 {
				t.Errorf("%d measurements, %d came twice, want %d", held.Measurements, held.Duplicates, c.held)
			}
			p.RemoveFaults()
			want := exitOK
			if c.finished < 2 && (c.bad[1] || c.bad[0] && c.finished == 0) {
				want = exitRejects
			}
			if code, _, stderr := s.run(args...); code != want {
				t.Errorf("the last command ended with %d, want %d\n%s", code, want, stderr)
			}
		})
	}
}

// A command that finishes what was left goes on to what came since, also where
// all is to be sent again, and in a slice. What it has just finished is not sent
// once more.
func TestForceAndSliceGoOnToWhatCameSince(t *testing.T) {
	for _, c := range []struct {
		name  string
		old   string // the account of a.csv, which is left unfinished
		first []string
		again []string
		code  int
		held  int64
	}{
		{"force", "acme", []string{"run"}, []string{"run", "--force"}, exitOK, 80},
		{"force both times", "acme", []string{"run", "--force"}, []string{"run", "--force"}, exitOK, 80},
		{"slice", "acme", []string{"replay", "slice", "--account", "acme"}, []string{"replay", "slice", "--account", "acme"}, exitOK, 80},
		{"forced slice", "acme", []string{"replay", "slice", "--account", "acme"}, []string{"replay", "slice", "--account", "acme", "--force"}, exitOK, 80},
		{"slice of what came", "blum", []string{"replay", "slice", "--account", "acme"}, []string{"replay", "slice", "--account", "acme"}, exitOK, 40},
		{"slice of what was left", "blum", []string{"replay", "slice", "--account", "blum"}, []string{"replay", "slice", "--account", "blum"}, exitOK, 40},
		{"slice of nothing", "blum", []string{"replay", "slice", "--account", "nobody"}, []string{"replay", "slice", "--account", "nobody"}, exitNoInput, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t, sandbox.Config{})
			s := newSession(t, p)
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": endRows(c.old, 40, false)})
			with := func(words []string) []string {
				return append(slices.Clone(words), "-m", filepath.Join(dir, "m.yaml"), filepath.Join(dir, "*.csv"))
			}
			ctx, stop := context.WithCancel(t.Context())
			s.now = func() time.Time { // stops once the import has begun
				if begun, _ := filepath.Glob(filepath.Join(s.env["XDG_STATE_HOME"], "m3import", "*", "imports", "*", "mark.json")); len(begun) > 0 {
					stop()
				}
				return time.Now()
			}
			if code, _, stderr := s.runUntil(ctx, with(c.first)...); code != exitInt {
				t.Fatalf("the first command ended with %d\n%s", code, stderr)
			}
			s.now = time.Now
			writeFiles(t, dir, map[string]string{"b.csv": strings.ReplaceAll(endRows("acme", 40, false), "acme-", "new-")})
			code, stdout, stderr := s.run(with(c.again)...)
			if code != c.code || !strings.Contains(stderr, "resuming import ") {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, stderr)
			}
			if n := strings.Count("\n"+stdout, "\nimport "); n != 2 {
				t.Errorf("%d imports, want 2\n%s", n, stdout)
			}
			if held := p.Totals(); held.Measurements != c.held || held.Duplicates != 0 {
				t.Errorf("%d measurements, %d came twice, want %d\n%s", held.Measurements, held.Duplicates, c.held, stderr)
			}
		})
	}
}

// The command that a stopped slice is to be gone on with, typed as it is printed,
// goes on with that slice, whatever its codes are made of.
func TestResumeCommandOfASlice(t *testing.T) {
	p := newPlatform(t, sandbox.Config{Faults: []sandbox.Fault{{Name: "shut", On: []string{"SubmitMeasurements"}, Status: 404}}})
	s := newSession(t, p)
	dir := t.TempDir()
	odd := []string{"acme, inc", "it's", "[x]", `a"b`, "$HOME *"}
	text := "id,who,when,n\n"
	for i, who := range append([]string{"acme", "inc", "x"}, odd...) {
		text += fmt.Sprintf("e%d,\"%s\",2026-01-01T00:00:00Z,1\n", i, strings.ReplaceAll(who, `"`, `""`))
	}
	writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": text})
	args := []string{"replay", "slice", "-m", filepath.Join(dir, "m.yaml"), filepath.Join(dir, "a.csv")}
	for _, who := range odd {
		args = append(args, "--account", who)
	}
	code, _, stderr := s.run(args...)
	_, command, told := strings.Cut(stderr, "go on with  ")
	if code != exitFatal || !told {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	words, err := exec.Command("sh", "-c", "m3import() { printf '%s\\0' \"$@\"; }; "+command).Output()
	if err != nil {
		t.Fatal(err)
	}
	p.RemoveFaults()
	code, stdout, stderr := s.run(strings.Split(strings.TrimSuffix(string(words), "\x00"), "\x00")...)
	if code != exitOK || !strings.Contains(stderr, "resuming import ") || p.Totals().Measurements != int64(len(odd)) {
		t.Errorf("%s: exit code %d, %d measurements\n%s%s", command, code, p.Totals().Measurements, stdout, stderr)
	}
}

// Requests that do not land within --shutdown-timeout after a signal are given
// up: the exit code is that of the signal, the mark is exact, and the resume
// sends them again.
func TestShutdownTimeout(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, exitInt}, {syscall.SIGTERM, exitTerm}, {syscall.SIGHUP, exitHup}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			var n atomic.Int64
			p := newPlatform(t, sandbox.Config{
				Middleware: func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if strings.HasSuffix(r.URL.Path, "/measurements") && n.Add(1) == 4 {
							stop(stopSignal{c.signal})
						}
						next.ServeHTTP(w, r)
					})
				},
				Faults: []sandbox.Fault{{On: []string{"SubmitMeasurements"}, When: sandbox.When{From: 3}, At: sandbox.Committed, Hang: true}},
			})
			s := newSession(t, p)
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": endRows("acme", 400, false)})
			args := []string{"run", "-m", filepath.Join(dir, "m.yaml"), "--batch-size", "10", "--workers", "2", "--shutdown-timeout", "20ms", filepath.Join(dir, "a.csv")}
			code, _, stderr := s.runUntil(ctx, args...)
			for _, want := range []string{"what was in the air had not landed after 20ms", "everything before it is settled", "go on with  m3import run "} {
				if !strings.Contains(stderr, want) {
					t.Errorf("it does not say %q:\n%s", want, stderr)
				}
			}
			if code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, stderr)
			}
			p.RemoveFaults()
			if code, _, stderr := s.run(args...); code != exitOK {
				t.Errorf("the resume ended with %d\n%s", code, stderr)
			}
			if held := p.Totals(); held.Measurements != 400 || held.Duplicates > 40 || held.Duplicates == 0 || held.Conflicts != 0 {
				t.Errorf("%d measurements, %d came twice; want 400, and twice what the window holds of them", held.Measurements, held.Duplicates)
			}
		})
	}
}

// liar is a client whose words are not what it does.
type liar struct {
	uploader.Submitter
	submit func(s uploader.Submitter, ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error)
}

func (l liar) Submit(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	return l.submit(l.Submitter, ctx, b)
}

// part is the first n measurements of a batch.
func part(b *uploader.Batch, n int) *uploader.Batch {
	half := new(uploader.Batch)
	for i := range n {
		if err := half.Add(b.Item(i)); err != nil {
			panic(err)
		}
	}
	return half
}

// An import whose counts are not what the platform took is no success, whatever
// everybody says.
func TestLiesAreFoundOut(t *testing.T) {
	for name, lie := range map[string]func(s uploader.Submitter, ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error){
		"it was sent": func(uploader.Submitter, context.Context, *uploader.Batch) ([]uploader.Refusal, error) {
			return nil, nil
		},
		"all of it was sent": func(s uploader.Submitter, ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
			return s.Submit(ctx, part(b, b.Len()-1))
		},
		"it was sent once": func(s uploader.Submitter, ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
			s.Submit(ctx, b)
			return s.Submit(ctx, b)
		},
		"one was refused": func(s uploader.Submitter, ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
			s.Submit(ctx, b)
			return []uploader.Refusal{{Item: 0, Status: 400, Message: "no"}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t, newPlatform(t, sandbox.Config{}))
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": endRows("acme", 40, false)})
			r, stderr := newRunner(t, s, filepath.Join(dir, "m.yaml"), filepath.Join(dir, "a.csv"))
			r.submit = liar{r.client, lie}
			err := r.all(t.Context())
			if code := exitCode(t.Context(), err); code != exitSums || !strings.Contains(fmt.Sprint(err), "the platform took ") {
				t.Errorf("exit code %d, want %d: %v\n%s", code, exitSums, err, stderr)
			}
			// The same command again is told no lies, and does not believe the books.
			r.submit = r.client
			if again := r.all(t.Context()); exitCode(t.Context(), again) != exitSums || !strings.Contains(fmt.Sprint(again), "the platform took ") {
				t.Errorf("again: exit code %d, want %d: %v", exitCode(t.Context(), again), exitSums, again)
			}
		})
	}
}

// Books that cannot be read at the moment are an error, which passes, and no
// lie, which does not.
func TestUnreadableBooksAreNoLie(t *testing.T) {
	s := newSession(t, newPlatform(t, sandbox.Config{}))
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": endRows("acme", 40, false)})
	r, stderr := newRunner(t, s, filepath.Join(dir, "m.yaml"), filepath.Join(dir, "a.csv"))
	var books string
	r.submit = liar{r.client, func(s uploader.Submitter, ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
		books = filepath.Join(filepath.Dir(r.journal.RejectsPath()), "sources.ndjson")
		if err := os.Rename(books, books+".away"); err != nil {
			return nil, err
		}
		return s.Submit(ctx, b)
	}}
	err := r.all(t.Context())
	if code := exitCode(t.Context(), err); code != exitUsage || !strings.Contains(fmt.Sprint(err), "cannot be proved") {
		t.Errorf("exit code %d, want %d: %v\n%s", code, exitUsage, err, stderr)
	}
	if err := os.Rename(books+".away", books); err != nil {
		t.Fatal(err)
	}
	r.submit = r.client
	if err := r.all(t.Context()); err != nil {
		t.Errorf("with the books back: %v\n%s", err, stderr)
	}
}

// newRunner is what `run` has made when it begins to import.
func newRunner(t *testing.T, s *session, mapping, source string) (*runner, *bytes.Buffer) {
	t.Helper()
	stderr := new(bytes.Buffer)
	a := &app{stdout: io.Discard, stderr: stderr, now: s.now, log: slog.New(slog.DiscardHandler),
		env: func(name string) (string, bool) { v, ok := s.env[name]; return v, ok }}
	f := new(runFlags)
	f.register(pflag.NewFlagSet("run", pflag.ContinueOnError))
	f.mapping, f.rateLimit, f.progress.mode = mapping, "none", "none"
	job, client, err := a.prepare(f, []string{source}, "")
	if err != nil {
		t.Fatal(err)
	}
	journal, err := checkpoint.Open(t.TempDir(), checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { journal.Close() })
	return &runner{app: a, f: f, job: job, client: client, submit: client, journal: journal}, stderr
}

// A report whose numbers do not agree proves nothing, whichever of them is wrong.
func TestProof(t *testing.T) {
	honest := func() *report {
		return &report{
			Rows:    checkpoint.Counts{Read: 100, Accepted: 90, Rejected: 7, Filtered: 3, Measurements: 180},
			Rejects: map[string]int64{"number": 4, "time": 3}, Requests: uploader.Stats{Measurements: 160},
			Sources: []sourceReport{{Counts: checkpoint.Counts{Read: 60}}, {Counts: checkpoint.Counts{Read: 40}}},
		}
	}
	before := checkpoint.Counts{Measurements: 20}
	if why := honest().proof(before, true); why != "" {
		t.Errorf("what agrees is said not to: %s", why)
	}
	for name, lie := range map[string]func(*report){
		"a row read and lost":                func(r *report) { r.Rows.Read++ },
		"a row accepted twice":               func(r *report) { r.Rows.Accepted++ },
		"a row rejected and accepted":        func(r *report) { r.Rows.Rejected++ },
		"a row filtered and not counted":     func(r *report) { r.Rows.Filtered-- },
		"a reject without a reason":          func(r *report) { r.Rejects["time"]-- },
		"a reason without a reject":          func(r *report) { r.Rejects["time"]++ },
		"a source that was read twice":       func(r *report) { r.Sources = append(r.Sources, r.Sources[1]) },
		"a source that is missing":           func(r *report) { r.Sources = r.Sources[:1] },
		"a measurement that was not taken":   func(r *report) { r.Requests.Measurements-- },
		"a measurement that was not counted": func(r *report) { r.Requests.Measurements++ },
	} {
		r := honest()
		lie(r)
		if r.proof(before, true) == "" {
			t.Errorf("%s is not found out", name)
		}
	}
	// What was in the air when a run was stopped may have been taken.
	r := honest()
	r.Requests.Measurements++
	if why := r.proof(before, false); why != "" {
		t.Errorf("after a stop: %s", why)
	}
}

// A request that a stop cut short is no outage.
func TestExitCodeOfAStop(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		err    error
		code   int
	}{
		{syscall.SIGINT, &uploader.Error{Kind: uploader.Temporary, Err: fmt.Errorf("%w: late", pipeline.ErrStopped)}, exitInt},
		{syscall.SIGTERM, &uploader.Error{Kind: uploader.Temporary, Err: pipeline.ErrStopped}, exitTerm},
		{syscall.SIGTERM, &uploader.Error{Kind: uploader.Temporary}, exitTemporary}, // it gave up, and then the signal came
		{syscall.SIGTERM, errors.Join(errSums, pipeline.ErrStopped), exitSums},
	} {
		ctx, stop := context.WithCancelCause(t.Context())
		stop(stopSignal{c.signal})
		if code := exitCode(ctx, c.err); code != c.code {
			t.Errorf("%v after %v: exit code %d, want %d", c.err, c.signal, code, c.code)
		}
	}
}

// More rejects than --max-errors allows are exit code 4, also where only the
// last commit of the input finds them and where --allow-rejects is given.
func TestTooManyRejectsAtTheEnd(t *testing.T) {
	s := newSession(t, newPlatform(t, sandbox.Config{}))
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": endRows("acme", 20, true), "b.csv": endRows("blum", 20, true)})
	args := []string{"run", "-m", filepath.Join(dir, "m.yaml"), filepath.Join(dir, "*.csv"), "--max-errors"}
	for _, c := range []struct {
		flags []string
		code  int
	}{{[]string{"1"}, exitBudget}, {[]string{"1", "--allow-rejects"}, exitBudget}, {[]string{"2"}, exitRejects}} {
		if code, _, stderr := s.run(append(args, c.flags...)...); code != c.code {
			t.Errorf("--max-errors %v: exit code %d, want %d\n%s", c.flags, code, c.code, stderr)
		}
	}
}
