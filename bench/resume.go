package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// resuming compares the time from the start of a program to its first request:
// of an import that goes on at nine tenths of a large file, and of one that
// begins at its start.
func resuming(b *bench, name string, in input) contest {
	in.big = true
	from := b.path("interrupted-" + in.name())
	fresh, again := name+" fresh start", name+" resume at 90 %"
	return contest{
		name: name + " resume",
		runs: []entry{
			{name: fresh, do: func(ctx context.Context) (sample, error) { return b.firstRequest(ctx, in, "") }},
			{name: again, do: func(ctx context.Context) (sample, error) {
				if _, err := os.Stat(from); err != nil {
					if err := b.interrupt(ctx, in, from); err != nil {
						return sample{}, err
					}
				}
				return b.firstRequest(ctx, in, from)
			}},
		},
		lines: []line{{name: name + ": time to the first request, resumed at 90 % / from the start",
			of: []string{again, fresh}, value: wallRatio, must: 1.5, goal: 1.1, unit: "x"}},
	}
}

// firstRequest starts an import, waits for its first request, and kills it.
// The state is a copy of from, or none.
func (b *bench) firstRequest(ctx context.Context, in input, from string) (s sample, err error) {
	path, err := b.make(ctx, in)
	if err != nil {
		return s, err
	}
	state := b.fresh()
	if from != "" {
		if err := os.CopyFS(state, os.DirFS(from)); err != nil {
			return s, err
		}
	}
	if err := b.sink.set(manner{hold: time.Hour}); err != nil {
		return s, err
	}
	began := time.Now()
	cmd, err := b.begin(b.run(state, path, load{}))
	if err != nil {
		return s, err
	}
	c, err := b.until(ctx, func(c counts) bool { return c.First != 0 })
	err = errors.Join(err, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
	s.Wall = time.Unix(0, c.First).Sub(began)
	s.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return s, err
}

// interrupt imports nine tenths of an input and leaves the state in to.
func (b *bench) interrupt(ctx context.Context, in input, to string) error {
	path, err := b.make(ctx, in)
	if err != nil {
		return err
	}
	say("importing nine tenths of %s", in.name())
	if err := b.sink.set(manner{}); err != nil {
		return err
	}
	cmd, err := b.begin(b.run(to, path, load{}))
	if err != nil {
		return err
	}
	_, err = b.until(ctx, func(c counts) bool { return c.Requests >= in.rows/1000*9/10 })
	err = errors.Join(err, cmd.Process.Signal(os.Interrupt))
	if e, ok := errors.AsType[*exec.ExitError](cmd.Wait()); err == nil && (!ok || e.ExitCode() != exitInterrupted) {
		return fmt.Errorf("import of %s: it was to be stopped, and ended with %v", in.name(), cmd.ProcessState)
	}
	return err
}

// exitInterrupted is the product's exit code after Ctrl-C.
const exitInterrupted = 130

// begin starts a program and leaves it running.
func (b *bench) begin(p program) (*exec.Cmd, error) {
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
	return cmd, cmd.Start()
}

// until waits for the sink's counts.
func (b *bench) until(ctx context.Context, enough func(counts) bool) (counts, error) {
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		if c, err := b.sink.counts(); err != nil || enough(c) {
			return c, err
		}
	}
	return counts{}, errors.Join(ctx.Err(), errors.New("the import did not get so far within ten minutes"))
}

// binarySize is the size of the product as it is released.
func binarySize(b *bench) contest {
	run := "binary"
	return contest{
		name: run, cold: true,
		runs: []entry{{name: run, do: func(context.Context) (sample, error) {
			path, err := filepath.EvalSymlinks(b.product())
			if err != nil {
				return sample{}, err
			}
			info, err := os.Stat(path)
			if err != nil {
				return sample{}, err
			}
			return sample{Num: float64(info.Size()) / (1 << 20)}, nil
		}}},
		lines: []line{{name: "binary, stripped", of: []string{run}, value: value, must: 16, goal: 13, unit: "MiB"}},
	}
}
