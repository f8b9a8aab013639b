package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// report is what was measured so far.
type report struct {
	Machine machine  `json:"machine"`
	Rounds  int      `json:"rounds"`
	Lines   []result `json:"lines"`
	Runs    []runs   `json:"runs"`
}

// machine is what it was measured on.
type machine struct {
	Cores int       `json:"cores"`
	CPU   string    `json:"cpu"`
	Go    string    `json:"go"`
	OS    string    `json:"os"`
	Began time.Time `json:"began"`
}

// result is a line of the table. Numbers are in the line's unit.
type result struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit,omitempty"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"`
	Must   float64   `json:"must,omitempty"`
	Goal   float64   `json:"goal,omitempty"`
	// OfMust and OfGoal are how the number stands to what is set: 1 is just
	// reached, more is better, whichever way the number itself goes.
	OfMust float64 `json:"of_must,omitempty"`
	OfGoal float64 `json:"of_goal,omitempty"`
}

// runs are all runs of one program.
type runs struct {
	Name    string   `json:"name"`
	Rows    int64    `json:"rows,omitempty"`
	Samples []sample `json:"samples"`
}

func newReport(b *bench) *report {
	return &report{Rounds: b.rounds, Machine: machine{
		Cores: runtime.NumCPU(), CPU: cpuModel(), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH, Began: time.Now().Round(time.Second),
	}}
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for l := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

// hold holds a contest, as far as its lines match.
func (r *report) hold(ctx context.Context, c contest, pattern *regexp.Regexp) error {
	lines := slices.DeleteFunc(slices.Clone(c.lines), func(l line) bool { return !pattern.MatchString(l.name) })
	entries := slices.DeleteFunc(slices.Clone(c.runs), func(e entry) bool {
		return !slices.ContainsFunc(lines, func(l line) bool { return slices.Contains(l.of, e.name) })
	})
	samples := make(map[string][]sample)
	first := 0
	if c.cold {
		first = 1
	}
	for round := first; round <= r.Rounds; round++ {
		for _, e := range entries {
			s, err := e.do(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			if round == 0 {
				continue // it has made the input, and warmed the page cache
			}
			say("%d/%d  %-44s %6.2f s %6.2f CPU s %6.1f MiB", round, r.Rounds, e.name, s.Wall.Seconds(), s.CPU.Seconds(), float64(s.Peak)/(1<<20))
			samples[e.name] = append(samples[e.name], s)
		}
	}
	for _, l := range lines {
		r.Lines = append(r.Lines, l.result(samples, r.Rounds))
	}
	for _, e := range entries {
		r.Runs = append(r.Runs, runs{e.name, e.rows, samples[e.name]})
	}
	return nil
}

// result works a line out: each round gives a number, from runs that were made
// one right after the other.
func (l line) result(samples map[string][]sample, rounds int) result {
	res := result{Name: l.name, Unit: l.unit, Must: l.must, Goal: l.goal}
	for i := range rounds {
		var of []sample
		for _, name := range l.of {
			of = append(of, samples[name][i])
		}
		res.Rounds = append(res.Rounds, l.value(of...))
	}
	res.Median, res.Min, res.Max = median(res.Rounds), slices.Min(res.Rounds), slices.Max(res.Rounds)
	judged := res.Median
	switch {
	case l.worst && l.higher:
		judged = res.Min
	case l.worst:
		judged = res.Max
	}
	of := func(set float64) float64 {
		switch {
		case set == 0:
			return 0
		case l.higher:
			return judged / set
		}
		return set / judged
	}
	res.OfMust, res.OfGoal = of(l.must), of(l.goal)
	return res
}

// median is the middle number, or the mean of the middle two.
func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (r *report) missed() bool {
	return slices.ContainsFunc(r.Lines, func(l result) bool { return l.Must > 0 && l.OfMust < 1 })
}

func (r *report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// printTables prints what an earlier run wrote as JSON.
func printTables(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return r.write(os.Stdout)
}

// write writes the tables for people.
func (r *report) write(w io.Writer) error {
	m := r.Machine
	lines := table{{"measure", "median", "min", "max", "must", "goal", "of must", "of goal", ""}}
	for _, l := range r.Lines {
		lines = append(lines, []string{l.Name, l.text(l.Median), l.text(l.Min), l.text(l.Max),
			l.text(l.Must), l.text(l.Goal), percent(l.OfMust), percent(l.OfGoal), l.verdict()})
	}
	runs := table{{"program", "seconds", "min", "max", "rows/s", "CPU s", "CPU s/1M rows", "peak MiB"}}
	for _, p := range r.Runs {
		runs = append(runs, p.row())
	}
	_, err := fmt.Fprintf(w, "%d cores, %s, %s %s, %s, %d rounds\n\n%s\n%s",
		m.Cores, m.CPU, m.Go, m.OS, m.Began.Format("2006-01-02 15:04"), r.Rounds, lines, runs)
	return err
}

// row is what a program took, in words.
func (p runs) row() []string {
	var wall, cpu, peak []float64
	for _, s := range p.Samples {
		wall = append(wall, s.Wall.Seconds())
		cpu = append(cpu, s.CPU.Seconds())
		peak = append(peak, float64(s.Peak)/(1<<20))
	}
	row := []string{p.Name, seconds(median(wall)), seconds(slices.Min(wall)), seconds(slices.Max(wall)), "", seconds(median(cpu)), "", ""}
	if p.Rows > 0 {
		row[4] = grouped(int64(float64(p.Rows) / median(wall)))
		row[6] = seconds(median(cpu) / float64(p.Rows) * 1e6)
	}
	if most := slices.Max(peak); most > 0 {
		row[7] = fmt.Sprintf("%.1f", most)
	}
	return row
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }

// table is rows of cells; the first row is the head.
type table [][]string

// String aligns the first column left and the others right, as numbers are.
func (t table) String() string {
	var all strings.Builder
	for _, row := range t {
		var b strings.Builder
		for i, cell := range row {
			width := 0
			for _, other := range t {
				width = max(width, utf8.RuneCountInString(other[i]))
			}
			if i == 0 {
				fmt.Fprintf(&b, "%-*s", width, cell)
			} else {
				fmt.Fprintf(&b, "  %*s", width, cell)
			}
		}
		all.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	}
	return all.String()
}

func (l result) text(v float64) string {
	switch {
	case v == 0:
		return ""
	case l.Unit == "MiB":
		return fmt.Sprintf("%.1f MiB", v)
	case l.Unit == "%":
		return fmt.Sprintf("%.1f %%", 100*v)
	case v < 0.1:
		return fmt.Sprintf("%.4f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// verdict is one word on a line.
func (l result) verdict() string {
	switch {
	case l.Must == 0 && l.Goal == 0:
		return ""
	case l.Must > 0 && l.OfMust < 1:
		return "MISSED"
	case l.Goal > 0 && l.OfGoal < 1:
		return "must"
	}
	return "goal"
}

func percent(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", math.Floor(100*v)) // 99.9 is not there yet
}

// grouped writes a number with its digits in threes.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
