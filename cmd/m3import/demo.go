package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/samples"
	"github.com/m3import/m3import/sandbox"
)

// The demo crashes its import while this request is being answered: about half
// of the requests that the samples make in batches of this size.
const (
	demoCrashAt   = 21
	demoBatchSize = 100
)

func (a *app) demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See an import, a crash and a resume, without an account",
		Long: `Start a local platform, import the bundled samples (CSV, NDJSON and Parquet, with
bad rows among them), kill the import in the middle, run the same command again,
and compare what the platform holds with what is right. No network, no account.`,
		Example: "  m3import demo\n  m3import demo --dir /tmp/demo    # and look at the files afterwards",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), dir) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "work in this `directory`, which must be empty or new, and leave the files there (default: a temporary one)")
	return cmd
}

// demonstration is one run of the demo.
type demonstration struct {
	app      *app
	dir      string
	keep     bool // the directory stays
	platform *sandbox.Server
	url      string
	files    []samples.File
	submits  atomic.Int64
	child    atomic.Pointer[os.Process] // the one to kill
}

func (a *app) demo(ctx context.Context, dir string) (err error) {
	keep := dir != ""
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if !keep {
		if dir, err = os.MkdirTemp("", "m3import-demo-*"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	} else if held, err := os.ReadDir(dir); err == nil && len(held) > 0 {
		return coded(exitUsage, fmt.Errorf("--dir %s: not empty (it holds %s): the demo needs a directory of its own", dir, held[0].Name()),
			"name one that is empty or not there yet")
	}
	d := &demonstration{app: a, dir: dir, keep: keep}
	if err := d.unpack(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	if err := d.serve(ctx, served); err != nil {
		stop()
		return err
	}
	err = d.play(ctx)
	stop()
	return errors.Join(err, <-served)
}

// unpack puts the samples into the directory.
func (d *demonstration) unpack() error {
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	err := fs.WalkDir(samples.Demo, ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := samples.Demo.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(d.dir, path), text, 0o644)
	})
	if err != nil {
		return err
	}
	var all []samples.File
	if err := json.Unmarshal(samples.Expected, &all); err != nil {
		return err
	}
	for _, f := range all {
		if _, err := samples.Demo.Open(f.Name); err == nil {
			d.files = append(d.files, f)
		}
	}
	return nil
}

// serve starts the platform on a free port of the loopback interface.
func (d *demonstration) serve(ctx context.Context, served chan<- error) error {
	l, err := sandbox.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	d.platform = sandbox.New(sandbox.Config{Middleware: d.crash})
	d.url = "http://" + l.Addr().String()
	go func() { served <- d.platform.Serve(ctx, l) }()
	return nil
}

// crash kills the import when the platform has taken a batch and has not yet
// said so: the worst moment, as the importer cannot know that it arrived.
func (d *demonstration) crash(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/measurements") || d.submits.Add(1) != demoCrashAt {
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(discard{header: make(http.Header)}, r)
		if p := d.child.Load(); p != nil {
			p.Kill()
		}
		panic(http.ErrAbortHandler) // no answer
	})
}

// discard is an answer that nobody gets.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// play runs the acts.
func (d *demonstration) play(ctx context.Context) error {
	p := &printer{w: d.app.stdout}
	var rows, good int64
	for _, f := range d.files {
		rows, good = rows+f.Rows, good+f.Good
	}
	p.linef("m3import demo: three days of usage, three formats, one crash\n")
	p.linef("1. A platform to import into: %s, in this process. No network, no account.\n", d.url)
	p.linef("2. %s of usage, %s of them bad on purpose:", plural(rows, "row"), grouped(rows-good))
	for _, f := range d.files {
		p.linef("     %s", f.Name)
	}
	p.linef("\n3. The import:\n\n     $ %s\n", resumeCommand(append([]string{"m3import"}, d.args()...)))
	if _, err := d.run(ctx); err != nil {
		return err
	}
	before := d.platform.Totals()
	p.linef("   … and kill -9 in the middle: the platform had taken a batch, the importer never heard.")
	p.linef("   The platform holds %s.\n", plural(before.Measurements, "measurement"))

	p.linef("4. The same command again:\n")
	text, err := d.run(ctx)
	if err != nil {
		return err
	}
	if !d.keep { // paths below it are gone when somebody reads this
		text = strings.ReplaceAll(text, d.dir, "DIR")
	}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		p.linef("%s", strings.TrimRight("     "+line, " "))
	}
	p.linef("\n5. What the platform holds now:\n")
	ok, err := d.compare(p)
	if err != nil || p.err != nil {
		return errors.Join(err, p.err)
	}
	if !ok {
		return coded(exitSums, errors.New("demo: the platform does not hold what it should"), "")
	}
	p.linef("   Every good row is there once; every bad row is in the reject file, with its reason.\n")
	if d.keep {
		p.linef("The files, the reject file and the report are in %s.", d.dir)
	} else {
		p.linef("DIR was a temporary directory. To look at the files, the reject file and the report:")
		p.linef("     m3import demo --dir /tmp/demo")
	}
	p.linef("Next, your own file: README.md, \"A real import in five minutes\", begins with how to install m3import.")
	return p.err
}

// args are the arguments of the import that the demo runs.
func (d *demonstration) args() []string {
	args := []string{"run", "-m", "mapping.yaml", "--batch-size", fmt.Sprint(demoBatchSize), "--rate-limit", "none"}
	for _, f := range d.files {
		args = append(args, f.Name)
	}
	return args
}

// run runs the import as a process of its own and returns what it printed. The
// exit code is right when the process was killed or has rejects to report.
func (d *demonstration) run(ctx context.Context) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, self, append(d.args(), "--progress", "none")...)
	cmd.Dir = d.dir
	for _, line := range os.Environ() { // no settings, and no token of somebody's, for the demo's platform
		if !strings.HasPrefix(line, "M3TER_") && (!strings.HasPrefix(line, "M3IMPORT_") || strings.HasPrefix(line, "M3IMPORT_TEST")) {
			cmd.Env = append(cmd.Env, line)
		}
	}
	cmd.Env = append(cmd.Env, d.platform.Env(d.url)...)
	cmd.Env = append(cmd.Env, "M3IMPORT_STATE="+filepath.Join(d.dir, "state"))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		return "", err
	}
	d.child.Store(cmd.Process)
	err = cmd.Wait()
	d.child.Store(nil)
	if code := cmd.ProcessState.ExitCode(); code == exitOK || code == exitRejects || code == -1 && d.submits.Load() >= demoCrashAt {
		return out.String(), nil
	}
	return "", fmt.Errorf("demo: the import failed: %w\n%s", err, errs.String())
}

// compare prints what is right beside what is there, for each file.
func (d *demonstration) compare(p *printer) (ok bool, err error) {
	held := make(map[string]int64)
	for m := range d.platform.Measurements() {
		var day struct{ TS string }
		if err := json.Unmarshal(m, &day); err != nil {
			return false, err
		}
		held[day.TS[:len("2006-01-02")]]++
	}
	rejected, err := d.rejected()
	if err != nil {
		return false, err
	}
	ok = true
	var rows [][]string
	for _, f := range d.files {
		day := strings.TrimPrefix(f.Name, "usage-")[:len("2006-01-02")]
		bad := f.Rows - f.Good
		verdict := "right"
		if held[day] != f.Good || rejected[f.Name] != bad {
			ok, verdict = false, "WRONG"
		}
		rows = append(rows, []string{f.Name, grouped(f.Rows), grouped(f.Good), grouped(held[day]), grouped(bad), grouped(rejected[f.Name]), verdict})
	}
	table(p.w, "     ", []column{{"file", false}, {"rows", true}, {"good", true}, {"on the platform", true}, {"bad", true}, {"in rejects.ndjson", true}, {"", false}}, rows)

	totals := d.platform.Totals()
	sums, wrong := d.sums(&totals)
	if wrong > 0 {
		ok = false
	}
	p.linef("\n   Exact sums: %d of %d as they should be, to the last digit (%s).", sums-wrong, sums, d.longest(&totals))
	p.linef("   Sent twice because of the crash: %s. An import saves its place every few requests, and never", plural(totals.Duplicates, "measurement"))
	p.linef("   lets more than %d be on their way or unsaved at a time: nobody can know which of those had arrived. The", pipeline.DefaultWindow(pipeline.DefaultUploads))
	p.linef("   platform knew the uids, and counted them once.")
	return ok && totals.Conflicts == 0, nil
}

// sums compares the exact sum of each meter and field over all files.
func (d *demonstration) sums(totals *sandbox.Totals) (n, wrong int) {
	want := make(map[string]string)
	for _, f := range d.files {
		for key, sum := range f.Totals {
			want[key] = addDecimals(want[key], sum)
		}
	}
	for key, sum := range want {
		meter, field, _ := strings.Cut(key, " ")
		if n++; totals.Sum(meter, field) != sum {
			wrong++
		}
	}
	return n, wrong
}

// longest is one of the sums, the one with the most digits.
func (d *demonstration) longest(totals *sandbox.Totals) string {
	var text string
	for _, m := range totals.Meters {
		for _, f := range m.Fields {
			if t := fmt.Sprintf("%s %s = %s", m.Meter, f.Name, f.Sum); len(t) > len(text) {
				text = t
			}
		}
	}
	return text
}

// rejected counts the lines of the reject file by source.
func (d *demonstration) rejected() (map[string]int64, error) {
	paths, err := filepath.Glob(filepath.Join(d.dir, "state", "imports", "*", "rejects.ndjson"))
	if err != nil {
		return nil, err
	}
	if len(paths) != 1 {
		return nil, fmt.Errorf("demo: one reject file expected below %s, found %d", d.dir, len(paths))
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		return nil, err
	}
	n := make(map[string]int64)
	for line := range bytes.Lines(text) {
		var r struct {
			Reject struct{ Source string } `json:"_reject"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, err
		}
		n[r.Reject.Source]++
	}
	return n, nil
}

// addDecimals adds two exact decimals; "" is nothing.
func addDecimals(a, b string) string {
	var sum decimal.Sum
	for _, text := range []string{a, b} {
		if v, ok := decimal.Parse([]byte(text)); ok {
			sum.Add(v)
		}
	}
	return sum.String()
}
