package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// app is the program with its surroundings, so that a test, and the demo, can
// be a terminal, an environment and a clock.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) (string, bool)
	environ        func() []string // all of env, as NAME=text; nil: not told
	now            func() time.Time

	command []string // as typed, for the resume command
	screen  *screen  // stderr

	verbose   int
	quiet     bool
	logFormat string
	log       *slog.Logger
}

// run is the whole program.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, env: os.LookupEnv, environ: os.Environ, now: time.Now}
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	a.screen = &screen{w: a.stderr}
	if f, ok := a.stderr.(*os.File); ok && a.drawsOn(f) {
		a.screen.columns = func() int { return columnsOfTerminal(f) }
	}
	a.stderr = a.screen
	a.log = slog.New(slog.DiscardHandler)
	a.command = append([]string{"m3import"}, args...)
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	a.printError(err)
	return code
}

// drawsOn reports whether f is a terminal that can be drawn on.
func (a *app) drawsOn(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && a.getenv("TERM") != "dumb"
}

// columnsOfTerminal is how wide a terminal is; those that do not say it are taken
// for as wide as most are at least.
func columnsOfTerminal(f *os.File) int {
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
		return columns
	}
	return 80
}

func (a *app) rootCommand() *cobra.Command {
	var showVersion bool
	root := &cobra.Command{
		Use:   "m3import",
		Short: "Put usage files into the m3ter billing platform, every row once",
		Long: `m3import reads CSV, NDJSON and Parquet usage files, makes measurements of
their rows by a mapping, and puts every one into m3ter exactly once. It
remembers what is done: the same command again goes on where the last one
stopped, and sends nothing when all is done.

See it work, without an account:   m3import demo`,
		Example: `  m3import check -m mapping.yaml 'usage/**/*.csv.gz'    # everything but sending
  m3import run   -m mapping.yaml 'usage/**/*.csv.gz'    # import; again: resume
  m3import status                                       # where imports stand`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.flagsFromEnv(cmd.Flags()); err != nil {
				return err
			}
			a.unknownVariables(cmd.Root())
			return a.setLogger()
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !showVersion {
				return cmd.Help()
			}
			_, err := io.WriteString(a.stdout, versionLine())
			return err
		},
	}
	// Not cobra's own flag: its template is the only one of the program, and with
	// templates the linker keeps every method that there is, 5 MB of them.
	root.Flags().BoolVar(&showVersion, "version", false, "print the version")
	root.CompletionOptions.HiddenDefaultCmd = false
	flags := root.PersistentFlags()
	flags.CountVarP(&a.verbose, "verbose", "v", "log more to stderr: -v what is done, -vv every request")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print nothing but errors and warnings")
	flags.StringVar(&a.logFormat, "log-format", "text", "how log lines look: text or json")
	root.AddCommand(a.runCommand(), a.checkCommand(), a.previewCommand(), a.statusCommand(), a.historyCommand(), a.replayCommand(), a.stateCommand(),
		a.sandboxCommand(), a.demoCommand(), a.versionCommand())
	return root
}

// flagsFromEnv sets each flag that was not given from M3IMPORT_<FLAG>.
func (a *app) flagsFromEnv(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" {
			return
		}
		name := variableOf(f.Name)
		if text, ok := a.env(name); ok {
			if err := flags.Set(f.Name, text); err != nil {
				errs = append(errs, errors.New(name+": "+err.Error()))
			}
		}
	})
	return errors.Join(errs...)
}

// variablePrefix begins the names of the variables that set flags.
const variablePrefix = "M3IMPORT_"

// variableOf is the variable that sets a flag.
func variableOf(flag string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// unknownVariables warns of variables that look like flags, and are those of no
// command: a misspelled one would change nothing, without a word.
func (a *app) unknownVariables(root *cobra.Command) {
	if a.environ == nil {
		return
	}
	known := make(map[string]bool)
	var learn func(cmd *cobra.Command)
	learn = func(cmd *cobra.Command) {
		for _, set := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
			set.VisitAll(func(f *pflag.Flag) { known[variableOf(f.Name)] = true })
		}
		for _, c := range cmd.Commands() {
			learn(c)
		}
	}
	learn(root)
	for _, entry := range a.environ() {
		name, _, _ := strings.Cut(entry, "=")
		// Those of M3IMPORT_TEST are for the program's own tests.
		if strings.HasPrefix(name, variablePrefix) && !known[name] && !strings.HasPrefix(name, variablePrefix+"TEST_") {
			a.warn("warning: %s is set, and there is no flag of that name: it changes nothing", name)
		}
	}
}

func (a *app) setLogger() error {
	level := slog.LevelWarn
	switch {
	case a.verbose == 1:
		level = slog.LevelInfo
	case a.verbose > 1:
		level = slog.LevelDebug
	}
	opt := &slog.HandlerOptions{Level: level}
	switch a.logFormat {
	case "text":
		a.log = slog.New(slog.NewTextHandler(a.stderr, opt))
	case "json":
		a.log = slog.New(slog.NewJSONHandler(a.stderr, opt))
	default:
		return coded(exitUsage, errors.New("--log-format "+a.logFormat+": there is text and json"), "")
	}
	return nil
}

// momentary are flags that say something about one run, and must not be in the
// command that goes on with it.
var momentary = []string{"restart", "force", "same", "allow-beyond-dedupe-window", "dry-run", "json", "verbose", "quiet"}

// setCommand makes a.command what goes on with an import, from any directory:
// the flags that were set, also by the environment, and paths made absolute.
func (a *app) setCommand(cmd *cobra.Command, args []string) error {
	words := strings.Fields(cmd.CommandPath())
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(momentary, f.Name) {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, one := range list.GetSlice() {
				words = append(words, "--"+f.Name, one)
			}
			return
		}
		value := f.Value.String()
		switch f.Name {
		case "mapping", "state", "uids":
			if abs, err := filepath.Abs(value); err == nil {
				value = abs
			}
		}
		switch {
		case f.Value.Type() == "bool" && value == "true":
			words = append(words, "--"+f.Name)
			return
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name+"="+value)
			return
		}
		words = append(words, "--"+f.Name, value)
	})
	abs := args
	if cmd.Name() != "run" || cmd.Parent().Name() != "replay" { // whose argument is an id
		var err error
		if abs, err = absolute(args); err != nil {
			return err
		}
	}
	a.command = append(words, abs...)
	return nil
}

func (a *app) getenv(name string) string {
	text, _ := a.env(name)
	return text
}
