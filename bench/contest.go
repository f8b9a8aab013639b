package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// contest is a set of runs that take turns: A B C, A B C, …, so that a machine
// that is slower for a minute is slower for all of them.
type contest struct {
	name  string
	cold  bool // there is no round before the first to warm up
	runs  []entry
	lines []line
}

// entry is one program with its input, by a name that lines know it by.
type entry struct {
	name string
	rows int64 // that it handles; 0: no rate is told
	// do makes one run. It is called in the bench's own directory, one at a time.
	do func(context.Context) (sample, error)
}

// line is a line of the table: a number that comes out of each round.
type line struct {
	name   string
	of     []string // the runs it is about
	value  func(...sample) float64
	must   float64 // 0: none is set
	goal   float64
	higher bool   // more is better
	worst  bool   // judged by its worst round, as limits are, not by its median
	unit   string // "x", "%", "MiB", ""
}

// ratio of what two runs took.
func cpuRatio(s ...sample) float64  { return float64(s[0].CPU) / float64(s[1].CPU) }
func wallRatio(s ...sample) float64 { return float64(s[0].Wall) / float64(s[1].Wall) }
func peakRatio(s ...sample) float64 { return float64(s[0].Peak) / float64(s[1].Peak) }
func peak(s ...sample) float64      { return float64(s[0].Peak) / (1 << 20) }
func value(s ...sample) float64     { return s[0].Num }

// runRatio is how many times faster the first run was than the second.
func speedRatio(s ...sample) float64 { return 1 / wallRatio(s...) }

// sumRatio is the CPU of the first run over that of the others together.
func sumRatio(s ...sample) float64 {
	var sum time.Duration
	for _, part := range s[1:] {
		sum += part.CPU
	}
	return float64(s[0].CPU) / float64(sum)
}

// load is one import that is measured.
type load struct {
	in     input
	manner manner
	env    []string
	args   []string
	peak   bool
}

// importing is a whole import of an input from nothing.
func (b *bench) importing(name string, l load) entry {
	return entry{name: name, rows: l.in.rows, do: func(ctx context.Context) (sample, error) {
		path, err := b.make(ctx, l.in)
		if err != nil {
			return sample{}, err
		}
		if err := b.sink.set(l.manner); err != nil {
			return sample{}, err
		}
		s, _, err := b.run(b.fresh(), path, l).run(ctx)
		if err != nil {
			return s, err
		}
		c, err := b.sink.counts()
		s.Num = float64(c.Requests)
		return s, err
	}}
}

// fresh is a directory for the state of one import, and of all else that an
// import remembers.
func (b *bench) fresh() string {
	b.states++
	return b.path(fmt.Sprintf("state-%d", b.states))
}

// run is `m3import run` of path. Nothing is switched off but the rate limit.
func (b *bench) run(state, path string, l load) program {
	args := append([]string{"run", "-m", b.mapping(), "--state", filepath.Join(state, "import"), "--rate-limit", "none"}, l.args...)
	env := append(b.sink.env(), "XDG_STATE_HOME="+state)
	return program{path: b.product(), args: append(args, path), env: append(env, l.env...), peak: l.peak}
}

// checking is `m3import check` of an input.
func (b *bench) checking(name string, in input) entry {
	return entry{name: name, rows: in.rows, do: func(ctx context.Context) (sample, error) {
		path, err := b.make(ctx, in)
		if err != nil {
			return sample{}, err
		}
		s, _, err := program{path: b.product(), args: []string{"check", "-m", b.mapping(), path}}.run(ctx)
		return s, err
	}}
}

// bareReading is reading an input with the library that one would take.
func (b *bench) bareReading(name string, in input) entry {
	return entry{name: name, rows: in.rows, do: func(ctx context.Context) (sample, error) {
		path, err := b.make(ctx, in)
		if err != nil {
			return sample{}, err
		}
		s, out, err := program{path: filepath.Join(b.bin, "bare"), args: []string{in.format, path}}.run(ctx)
		if err == nil && string(out) != fmt.Sprintln(in.rows) {
			err = fmt.Errorf("%s read %s rows, want %d", name, out, in.rows)
		}
		return s, err
	}}
}

// naive is the plain importer.
func (b *bench) naive(name string, in input) entry {
	return entry{name: name, rows: in.rows, do: func(ctx context.Context) (sample, error) {
		path, err := b.make(ctx, in)
		if err != nil {
			return sample{}, err
		}
		if err := b.sink.set(manner{}); err != nil {
			return sample{}, err
		}
		s, _, err := program{path: filepath.Join(b.bin, "naive"), args: []string{"-w", "8", "-url", b.sink.measurements(), "-f", path}}.run(ctx)
		if err != nil {
			return s, err
		}
		c, err := b.sink.counts()
		if want := (in.rows + 999) / 1000; err == nil && c.Requests != want {
			err = fmt.Errorf("%s sent %d requests, want %d", name, c.Requests, want)
		}
		return s, err
	}}
}

// blasting is sending the bodies that an import of an input makes, made
// before. Its CPU and time are those of the sending alone.
func (b *bench) blasting(name string, in input, m manner) entry {
	bodies := b.path("bodies-" + in.name())
	recorded := false
	return entry{name: name, rows: in.rows, do: func(ctx context.Context) (sample, error) {
		if !recorded {
			if _, err := b.importing("", load{in: in, manner: manner{record: bodies}}).do(ctx); err != nil {
				return sample{}, err
			}
			recorded = true
		}
		if err := b.sink.set(m); err != nil {
			return sample{}, err
		}
		_, out, err := program{path: filepath.Join(b.bin, "blast"), args: []string{"-w", "8", "-url", b.sink.measurements(), bodies}}.run(ctx)
		if err != nil {
			return sample{}, err
		}
		var told struct{ Wall, CPU, Requests int64 }
		err = json.Unmarshal(out, &told)
		return sample{Wall: time.Duration(told.Wall), CPU: time.Duration(told.CPU), Num: float64(told.Requests)}, err
	}}
}
