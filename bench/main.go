// Bench measures m3import, side by side with what it is compared to: a plain
// importer, and the libraries that one would read the files with.
//
//	go run -C bench .                    # everything, about half an hour
//	go run -C bench . --quick            # fewer rows and rounds: for a change's author
//	go run -C bench . --only '^CSV'      # the lines whose name matches
//	go run -C bench . --json             # for a program to read
//
// It builds the product and its rivals, makes the inputs (kept in the cache
// directory), lets the programs of a contest take turns for some rounds, and
// prints a table: median, least and most, and how that stands to what must be
// reached and to the goal. The exit code is 1 when a must is missed.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
)

// errMissed ends a bench that ran well and found a line below its must.
var errMissed = errors.New("a must was missed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	b := &bench{}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.BoolVar(&b.quick, "quick", false, "half of the rows, three rounds")
	flags.IntVar(&b.rounds, "rounds", 0, "rounds of each contest (default 5, with --quick 3)")
	only := flags.String("only", "", "measure the lines whose name matches this `pattern`")
	asJSON := flags.Bool("json", false, "print JSON instead of tables")
	flags.StringVar(&b.dir, "dir", "", "where inputs are kept (default: m3import-bench in the user's cache directory)")
	flags.BoolVar(&b.keep, "keep", false, "keep the inputs of gigabytes, too")
	flags.StringVar(&b.parent, "work", "", "where state is kept while it is measured, a disk whose speed shows (default: where inputs are)")
	read := flags.String("read", "", "measure nothing: print the tables of a `file` that --json made")
	product := flags.String("product", "", "measure this `program` instead of the one in this checkout")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *read != "" {
		return printTables(*read)
	}
	pattern, err := regexp.Compile("(?i)" + *only)
	if err != nil {
		return err
	}
	defer b.tearDown()
	if err := b.setUp(ctx, *product); err != nil {
		return err
	}

	r := newReport(b)
	for _, c := range contests(b) {
		if err := r.hold(ctx, c, pattern); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		b.tidy()
	}
	if *asJSON {
		err = r.writeJSON(os.Stdout)
	} else {
		err = r.write(os.Stdout)
	}
	if err == nil && r.missed() {
		err = errMissed
	}
	return err
}

// bench is a run of the benchmarks: where things are, and how much is measured.
type bench struct {
	quick  bool
	rounds int
	dir    string // inputs, kept from run to run
	bin    string // programs
	parent string // of work; "": dir
	work   string // programs, state and all else that is removed at the end; "": not made yet
	sink   *sink
	keep   bool
	big    []string // inputs to remove after the contest
	states int      // directories handed out
}

// setUp builds the programs and starts the sink.
func (b *bench) setUp(ctx context.Context, product string) (err error) {
	if b.rounds <= 0 {
		b.rounds = 5
		if b.quick {
			b.rounds = 3
		}
	}
	if b.dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		b.dir = filepath.Join(cache, "m3import-bench")
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp(cmp.Or(b.parent, b.dir), "run-"); err != nil {
		return err
	}
	b.bin = filepath.Join(b.work, "bin")
	if err := b.build(ctx, product); err != nil {
		return err
	}
	if err := os.WriteFile(b.mapping(), []byte(mapping), 0o644); err != nil {
		return err
	}
	b.sink, err = startSink(filepath.Join(b.bin, "sink"))
	return err
}

// build builds the product as it is in the checkout around the bench, and the
// programs beside it. -trimpath and stripping are what a release has.
func (b *bench) build(ctx context.Context, product string) error {
	root, err := checkout(ctx)
	if err != nil {
		return err
	}
	say("building")
	steps := []program{
		{path: "go", dir: filepath.Join(root, "bench"), args: []string{"build", "-o", b.bin + "/", "./cmd/..."}},
	}
	if product == "" {
		steps = append(steps, program{path: "go", dir: root,
			args: []string{"build", "-trimpath", "-ldflags=-s -w", "-o", b.bin + "/", "./cmd/m3import"}})
	}
	for _, p := range steps {
		if _, _, err := p.run(ctx); err != nil {
			return err
		}
	}
	if product == "" {
		return nil
	}
	if product, err = filepath.Abs(product); err != nil {
		return err
	}
	return os.Symlink(product, b.product())
}

// tidy removes what a contest leaves behind that nobody needs again.
func (b *bench) tidy() {
	left, _ := filepath.Glob(b.path("state-*"))
	if !b.keep {
		left = append(left, b.big...)
	}
	b.big = nil
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			say("%v", err)
		}
	}
}

func (b *bench) tearDown() {
	if b.work == "" {
		return
	}
	if b.sink != nil {
		b.sink.stop()
	}
	b.tidy()
	if err := os.RemoveAll(b.work); err != nil {
		say("%v", err)
	}
}

func (b *bench) product() string         { return filepath.Join(b.bin, "m3import") }
func (b *bench) mapping() string         { return filepath.Join(b.work, "mapping.yaml") }
func (b *bench) path(elem string) string { return filepath.Join(b.work, elem) }

// say tells the person that waits; what was measured goes to standard output.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
