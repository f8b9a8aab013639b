package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// inputFlags are what every command that reads sources takes.
type inputFlags struct {
	mapping     string
	format      string
	compression string
	chunkBytes  int
	maxRecord   int
	ifNoInput   string
}

func (f *inputFlags) register(flags *pflag.FlagSet) {
	flags.StringVarP(&f.mapping, "mapping", "m", "", "the mapping `file` (none is needed for the Console's CSV template and for NDJSON measurements)")
	flags.StringVar(&f.format, "format", "", "csv, ndjson or parquet (default: from the content)")
	flags.StringVar(&f.compression, "compression", "", "none, gzip or zstd (default: from the content)")
	flags.IntVar(&f.chunkBytes, "chunk-bytes", 0, "size of the pieces that text is parsed in (default 256 KiB)")
	flags.IntVar(&f.maxRecord, "max-record-bytes", 0, "the longest row accepted; a longer one is a reject (default 1 MiB)")
	flags.StringVar(&f.ifNoInput, "if-no-input", "fail", "what to do when no source matches: fail (exit 9) or ok")
}

func (f *inputFlags) reader() reader.Options {
	return reader.Options{
		Format: reader.Format(f.format), Compression: reader.Compression(f.compression),
		ChunkBytes: f.chunkBytes, MaxRecordBytes: f.maxRecord,
	}
}

// load reads and parses the mapping; none gives nil.
func (f *inputFlags) load() (*mapper.Mapping, error) {
	if f.mapping == "" {
		return nil, nil
	}
	text, err := readUpTo(f.mapping, mapper.MaxMappingBytes+1) // one more is too long
	if errors.Is(err, fs.ErrNotExist) {
		return nil, coded(exitUsage, fmt.Errorf("%s: there is no such file", f.mapping), "-m names the mapping file")
	}
	if err != nil {
		return nil, coded(exitUsage, err, "")
	}
	m, err := mapper.Parse(text)
	if err != nil {
		return nil, coded(exitUsage, fmt.Errorf("%s: %w", f.mapping, err), "every key is explained in docs/mapping.md")
	}
	return m, nil
}

// readUpTo reads the first n bytes of a file, or all of it when it is shorter.
func readUpTo(path string, n int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, n))
}

// sources finds the sources; none at all when that is fine. state is the state
// directory that was named, or "".
func (a *app) sources(f *inputFlags, args []string, state string) ([]string, error) {
	if f.ifNoInput != "ok" && f.ifNoInput != "fail" {
		return nil, coded(exitUsage, fmt.Errorf("--if-no-input %s: there is ok and fail", f.ifNoInput), "")
	}
	paths, notes, err := findSources(args, state, f.ifNoInput == "ok")
	a.sayAll(notes)
	if c, ok := errors.AsType[*codedError](err); ok && c.code == exitNoInput && f.ifNoInput == "ok" {
		return nil, nil
	}
	return paths, err
}

// runFlags are what `run` takes besides.
type runFlags struct {
	inputFlags
	state        string
	verify       string
	restart      bool
	force        bool
	same         bool
	allowBeyond  bool
	dryRun       bool
	allowRejects bool
	maxErrors    string
	warnErrors   string
	budget       pipeline.Budget // maxErrors, parsed
	warn         pipeline.Budget
	rateLimit    string
	uploads      int
	batchSize    int
	batchBytes   int
	retryFor     time.Duration
	timeout      time.Duration
	drain        time.Duration
	json         bool
	progress     progress

	// What replays set besides.
	selection *pipeline.Selection
	slice     bool               // the selection is what was asked for: it must be there
	org       string             // instead of M3TER_ORG_ID
	original  *checkpoint.Import // whose sources and mapping must be as they were
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [-m mapping.yaml] SOURCE…",
		Short: "Import sources; the same command again resumes",
		Long: `Import every row of the sources into m3ter, once. Sources are files, quoted
globs (with **), directories, or "-" for standard input, which can be imported
but not resumed.

The same command again goes on where the last one stopped, whatever stopped it.
When all is done it sends nothing and exits 0. Rows that cannot be imported go
to rejects.ndjson in the state directory, with the reason; mend them there, then
"m3import replay rejects". Until then each run says that they are open.

Ctrl-C, SIGTERM or a closed terminal stop it cleanly, and SIGUSR1 prints where it
is. To change the rate while it runs, write it into the file rate-limit in the
state directory and send SIGHUP:  echo 10/s > DIR/rate-limit; kill -HUP PID

Credentials come from the environment, never from flags:
  M3TER_API_KEY, M3TER_API_SECRET   a service user's access key (or M3TER_API_TOKEN)
  M3TER_ORG_ID                      the organization: its id, or the Console's URL
  M3TER_API_SECRET_FILE, …          a file that holds the secret instead
  M3TER_BASE_URL, M3TER_INGEST_URL  other endpoints, such as the local sandbox
Every flag can be set as M3IMPORT_<FLAG>, too: M3IMPORT_RATE_LIMIT=none.

` + exitCodeHelp,
		Example: `  export M3TER_API_KEY=… M3TER_API_SECRET=… M3TER_ORG_ID=…
  m3import run -m mapping.yaml usage-2026-01.csv.gz
  m3import run -m mapping.yaml 'usage/2025-*/**/*.parquet' --progress plain
  m3import run -m mapping.yaml - < usage.csv.gz`,
		Args: someArgs("source"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.setCommand(cmd, args); err != nil {
				return err
			}
			return a.importAs(cmd.Context(), &f, args, "")
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// register adds the flags of every command that sends.
func (f *runFlags) register(flags *pflag.FlagSet) {
	f.inputFlags.register(flags)
	flags.StringVar(&f.state, "state", "", "the state `directory` of this import (default: one for each set of sources, below the user's state directory)")
	flags.StringVar(&f.verify, "verify", "quick", "how a source is compared with what it was: quick (size, times, first and last 64 KiB) or full (every byte)")
	flags.BoolVar(&f.restart, "restart", false, "give the unfinished import up and begin anew, with the same uids")
	flags.BoolVar(&f.same, "same", false, "take a source that has the size and the ends of one imported before for the same, whatever its time; and a copy beside it, too")
	flags.BoolVar(&f.force, "force", false, "import sources again that were imported before, with the same uids; and copies of others")
	flags.BoolVar(&f.allowBeyond, "allow-beyond-dedupe-window", false, "send rows again that were first sent more than 34 days ago: m3ter may bill them twice")
	flags.BoolVar(&f.dryRun, "dry-run", false, "do everything but send: as m3import check does, and say what of it was imported before")
	flags.BoolVar(&f.allowRejects, "allow-rejects", false, "exit 0 although rows were rejected")
	flags.StringVar(&f.maxErrors, "max-errors", "", "stop with exit 4 when more rows are rejected: a `number`, or a share such as 1% (of at least 1000 rows)")
	flags.StringVar(&f.warnErrors, "warn-errors", "", "warn when more rows are rejected: a `number` or a share")
	addRateLimit(flags, &f.rateLimit, "requests in rolling windows (several, or several times: all hold), or none")
	flags.IntVar(&f.uploads, "workers", pipeline.DefaultUploads, "requests in the air at once")
	flags.IntVar(&f.batchSize, "batch-size", uploader.MaxItems, "most measurements in a request")
	flags.IntVar(&f.batchBytes, "batch-bytes", uploader.MaxBytes, "most bytes in a request body")
	flags.DurationVar(&f.retryFor, "retry-for", 15*time.Minute, "how long to try on when nothing gets through, before exit 5")
	flags.DurationVar(&f.timeout, "request-timeout", time.Minute, "how long one request may take")
	flags.DurationVar(&f.drain, "shutdown-timeout", pipeline.DefaultDrain, "how long requests in the air may take to land after Ctrl-C")
	flags.BoolVar(&f.json, "json", false, "print the report as JSON")
	flags.StringVar(&f.progress.mode, "progress", "auto", "auto (a bar on a terminal, lines otherwise), plain, json or none")
	flags.DurationVar(&f.progress.interval, "progress-interval", time.Minute, "how often a line of progress is written")
}

func (f *runFlags) validate() error {
	for _, b := range []struct {
		name, text string
		to         *pipeline.Budget
	}{{"--max-errors", f.maxErrors, &f.budget}, {"--warn-errors", f.warnErrors, &f.warn}} {
		if b.text == "" {
			continue
		}
		var err error
		if *b.to, err = pipeline.ParseBudget(b.text); err != nil {
			return coded(exitUsage, fmt.Errorf("%s: %w", b.name, err), "")
		}
	}
	if err := checkLimits(f.batchSize, f.batchBytes); err != nil {
		return err
	}
	switch {
	case f.verify != "quick" && f.verify != "full":
		return coded(exitUsage, fmt.Errorf("--verify %s: there is quick and full", f.verify), "")
	case f.uploads < 1 || f.uploads > 256:
		return coded(exitUsage, fmt.Errorf("--workers %d: 1 to 256 are of use", f.uploads), "")
	case f.drain <= 0:
		return coded(exitUsage, fmt.Errorf("--shutdown-timeout %v: requests in the air need some time to land", f.drain), "")
	case f.retryFor <= 0:
		return coded(exitUsage, fmt.Errorf("--retry-for %v: it must be more than nothing (1ms for a single try)", f.retryFor), "")
	case f.timeout <= 0:
		return coded(exitUsage, fmt.Errorf("--request-timeout %v: a request needs some time", f.timeout), "")
	case f.progress.interval <= 0:
		return coded(exitUsage, fmt.Errorf("--progress-interval %v: it must be more than nothing", f.progress.interval), "")
	}
	switch f.progress.mode {
	case "auto", "plain", "json", "none":
		return nil
	}
	return coded(exitUsage, fmt.Errorf("--progress %s: there is auto, plain, json and none", f.progress.mode), "")
}

// importAs is `run` and the replays, which are imports of another kind: it
// finishes an unfinished import first, then begins one for what is new.
func (a *app) importAs(ctx context.Context, f *runFlags, args []string, kind string) error {
	if err := f.validate(); err != nil {
		return err
	}
	outliveReaders()
	ctx, rate, end := a.untilHangup(ctx)
	defer end()
	err := a.importUnder(ctx, f, args, kind, rate)
	if _, ok := errors.AsType[*codedError](err); err != nil && !ok {
		err = coded(exitCode(ctx, err), err, "") // what ended ctx is not known above
	}
	return err
}

func (a *app) importUnder(ctx context.Context, f *runFlags, args []string, kind string, rate *rateControl) error {
	if f.dryRun {
		dry := &checkFlags{inputFlags: f.inputFlags, state: f.state, same: f.same, force: f.force, json: f.json, rateLimit: f.rateLimit,
			batchSize: f.batchSize, batchBytes: f.batchBytes, selection: f.selection, slice: f.slice}
		dry.foresee = func() error { return a.foresee(f, args, kind) }
		return a.check(ctx, dry, args)
	}
	j, client, err := a.prepare(f, args, kind)
	if err != nil {
		return err
	}
	if len(j.paths) == 0 {
		a.say("no source matched, and --if-no-input says that is fine")
		return a.reportNothing(ctx, f, "", nil)
	}
	if j.paths[0] == "-" {
		a.say("standard input cannot be read twice: this import cannot be resumed, only begun again")
	}
	dir, err := a.stateFor(f.state, j)
	if err != nil {
		return err
	}
	if err := a.preflight(ctx, f, j); err != nil {
		return err
	}
	if f.state != "" {
		a.noteOthers(dir)
	}
	journal, err := checkpoint.Open(dir, checkpoint.Options{Command: a.command})
	if err != nil {
		return withRoom(err, dir)
	}
	defer journal.Close()
	rate.control(journal.Dir(), client)

	r := &runner{app: a, f: f, job: j, client: client, submit: client, journal: journal}
	if err = r.all(ctx); len(r.ran) == 0 {
		err = a.reportNothing(ctx, f, journal.Dir(), err)
	}
	r.remind(err)
	return withRoom(errors.Join(err, journal.Close()), journal.Dir())
}

// prepare turns flags, arguments and environment into a job and a client.
func (a *app) prepare(f *runFlags, args []string, kind string) (*job, *uploader.Client, error) {
	paths, err := a.sources(&f.inputFlags, args, f.state)
	if err != nil {
		return nil, nil, err
	}
	mapping, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	if err := checkPerRow(mapping, f.batchSize); err != nil {
		return nil, nil, err
	}
	if err := checkStdin(mapping, paths); err != nil {
		return nil, nil, err
	}
	if mapping == nil && len(paths) > 0 && paths[0] == "-" {
		return nil, nil, coded(exitUsage, pipeline.ErrNoShape, "write a mapping and name it with -m; or put the rows into a file, and import that")
	}
	client, cfg, err := a.client(f)
	if err != nil {
		return nil, nil, err
	}
	j, err := newJob(f, args, kind, paths, mapping, cfg)
	return j, client, err
}

// newJob makes the job of a command that sends paths, by a mapping, to where cfg
// says.
func newJob(f *runFlags, args []string, kind string, paths []string, mapping *mapper.Mapping, cfg uploader.Config) (*job, error) {
	abs, err := absolute(args)
	if err != nil {
		return nil, err
	}
	j := &job{
		kind: kind, args: abs, paths: paths, orgID: cfg.OrgID, endpoint: cfg.IngestURL,
		mappingFile: f.mapping, mapping: mapping, mappingHash: "no mapping, version 1",
		verifyFull: f.verify == "full", force: f.force, same: f.same, copies: f.original != nil,
	}
	if mapping != nil {
		j.mappingHash = mapping.Hash()
		if j.mappingFile, err = filepath.Abs(f.mapping); err != nil {
			return nil, err
		}
	}
	j.mappingHash = appendReading(j.mappingHash, &f.inputFlags)
	if f.selection != nil {
		text, err := json.Marshal(f.selection)
		if err != nil {
			return nil, err
		}
		// A part of the rows is other rows than all of them: who has imported
		// the one has not imported the other.
		j.selection = string(text)
		j.mappingHash += rowsMark + shortSum(j.selection)
	}
	if f.original != nil {
		if err := j.like(f.original.Plan); err != nil {
			return nil, coded(exitUsage, err, "put back what changed; or import what is there now with m3import run")
		}
	}
	return j, nil
}

// checkLimits checks the limits of a request.
func checkLimits(size, bytes int) error {
	switch {
	case size < 1 || size > uploader.MaxItems:
		return coded(exitUsage, fmt.Errorf("--batch-size %d: m3ter takes 1 to %d measurements in a request", size, uploader.MaxItems), "")
	case bytes < 1024 || bytes > uploader.MaxBytes:
		return coded(exitUsage, fmt.Errorf("--batch-bytes %d: m3ter takes bodies of up to %d bytes; at least 1024 are needed", bytes, uploader.MaxBytes), "")
	}
	return nil
}

// checkPerRow checks that all measurements of a row go into one request.
func checkPerRow(m *mapper.Mapping, size int) error {
	if n := perRow(m); n > size {
		return coded(exitUsage, fmt.Errorf("--batch-size %d: the mapping makes %d measurements of a row, and they must go into one request", size, n), "")
	}
	return nil
}

// checkStdin checks that standard input has all that uids are made of: two pipes
// are the same source for the rule row, and one is another than the file in it.
func checkStdin(m *mapper.Mapping, paths []string) error {
	if m == nil || len(paths) == 0 || paths[0] != "-" || !m.UsesRule(mapper.RuleRow) {
		return nil
	}
	return coded(exitUsage, errors.New("standard input has no name, and with the uid rule row the name of the source is a part of each uid"),
		"put the rows into a file, and import that; or choose another uid rule (docs/uid.md)")
}

// perRow is how many measurements a row makes.
func perRow(m *mapper.Mapping) int {
	if m == nil {
		return 1
	}
	return max(1, len(m.Measurements))
}

// envFor is the environment, with the organization that a flag names.
func (a *app) envFor(f *runFlags) func(string) (string, bool) {
	if f.org == "" {
		return a.env
	}
	return func(name string) (string, bool) {
		if name == "M3TER_ORG_ID" {
			return f.org, true
		}
		return a.env(name)
	}
}

// client makes the uploader that the environment and the flags describe.
func (a *app) client(f *runFlags) (*uploader.Client, uploader.Config, error) {
	cfg, err := uploader.ConfigFromEnv(a.envFor(f))
	if err != nil {
		return nil, cfg, coded(exitUsage, err, "")
	}
	cred, err := uploader.CredentialsFromEnv(a.env, os.ReadFile)
	if err != nil {
		return nil, cfg, coded(exitUsage, err, "")
	}
	if cfg.Rate, err = uploader.ParseRate(f.rateLimit); err != nil {
		return nil, cfg, coded(exitUsage, fmt.Errorf("--rate-limit: %w", err), "")
	}
	if root, err := checkpoint.DefaultRoot(a.getenv); err == nil {
		cfg.ShareDir = filepath.Join(root, "governor") // all imports of this user share one pace
	}
	cfg.UserAgent = "m3import/" + version()
	cfg.Workers = f.uploads
	cfg.RequestTimeout = f.timeout
	cfg.RetryFor = f.retryFor
	client, err := uploader.New(cfg, cred)
	if err != nil {
		return nil, cfg, coded(exitUsage, err, "")
	}
	return client, client.Config(), nil
}

// stateFor is the state directory of the job.
func (a *app) stateFor(flag string, j *job) (string, error) {
	if flag != "" {
		return flag, nil
	}
	root, err := checkpoint.DefaultRoot(a.getenv)
	if err != nil {
		return "", coded(exitUsage, err, "name a directory with --state")
	}
	return j.stateDir(root), nil
}
