package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

func TestBudget(t *testing.T) {
	for _, c := range []struct {
		text           string
		read, rejected int64
		want           bool
	}{
		{"0", 10, 0, false}, {"0", 10, 1, true}, {"50", 1_000_000, 50, false}, {"50", 60, 51, true},
		{"1%", 999, 999, false}, {"1%", 1000, 10, false}, {"1%", 1000, 11, true}, {"0.5%", 2000, 11, true}, {"100%", 5000, 5000, false},
	} {
		b, err := ParseBudget(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.Exceeded(checkpoint.Counts{Read: c.read, Rejected: c.rejected}); got != c.want {
			t.Errorf("%s with %d of %d: exceeded %v, want %v", c.text, c.rejected, c.read, got, c.want)
		}
		if b.String() != c.text {
			t.Errorf("%s is written %s", c.text, b)
		}
	}
	for _, text := range []string{"", "x", "-1", "1.5", "0%", "101%", "NaN%", "%", "1 %"} {
		if b, err := ParseBudget(text); err == nil {
			t.Errorf("%q was taken for %v", text, b)
		}
	}
	if (Budget{}).Exceeded(checkpoint.Counts{Read: 1, Rejected: 1}) {
		t.Error("the zero budget does not allow any number")
	}
}

// An import over its budget stops soon, with an exact mark, and goes on from
// there under a larger one.
func TestTooManyRejects(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(5000, rand.New(rand.NewPCG(41, 42))))
	whole := runWhole(t, src)
	p, j := new(platform), new(memory)
	im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: j,
		Limits: uploader.Limits{Items: 20}, Uploads: 2, Window: 4, MaxRejects: Budget{Limited: true, Rows: 10}}
	if err := im.Run(t.Context()); !errors.Is(err, ErrTooManyRejects) {
		t.Fatalf("error %v, want %v", err, ErrTooManyRejects)
	}
	// It ends with the batch in which the excess is, and rejects stand between rows.
	if n := im.Mark.Counts; n.Rejected <= 10 || n.Rejected > 10+20 || !n.Sums() {
		t.Errorf("stopped at %+v; 10 rejects are allowed", n)
	}
	again := &Import{Sources: im.Sources, Mapping: im.Mapping, Submit: p, Journal: j, Mark: im.Mark, Limits: im.Limits, MaxRejects: im.MaxRejects}
	if err := again.Run(t.Context()); !errors.Is(err, ErrTooManyRejects) || again.Mark.Counts != im.Mark.Counts {
		t.Errorf("under the same budget it went on to %+v, error %v", again.Mark.Counts, err)
	}
	again = &Import{Sources: im.Sources, Mapping: im.Mapping, Submit: p, Journal: j, Mark: im.Mark}
	if err := again.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	compareRuns(t, whole, &run{p, j, again.Mark})
}

// However the answers are timed, and wherever the excess is found, an import
// over its budget ends at the same row and never as if it were within.
func TestTooManyRejectsIsCertain(t *testing.T) {
	rows := func(good, bad, after int) string {
		var b strings.Builder
		b.WriteString("id,who,when,n\n")
		for i := range good + bad + after {
			n := "1"
			if i >= good && i < good+bad {
				n = "n/a"
			}
			fmt.Fprintf(&b, "e%d,acme,2026-01-01T00:00:00Z,%s\n", i, n)
		}
		return b.String()
	}
	const mapping = "version: 1\nmeter: {const: api}\naccount: who\nts: when\nuid: {key: [id]}\nmeasure: {n: n}\n"
	for _, c := range []struct {
		name    string
		sources []string
		budget  Budget
		over    bool
	}{
		{"found by the only commit", []string{rows(20, 11, 0)}, Budget{Limited: true, Rows: 10}, true},
		{"nothing but rejects", []string{rows(0, 3, 0)}, Budget{Limited: true}, true},
		{"in the last source", []string{rows(50, 0, 0), rows(50, 1, 0)}, Budget{Limited: true}, true},
		{"in the first source", []string{rows(50, 1, 9), rows(50, 0, 0)}, Budget{Limited: true}, true},
		{"a share, found at the end", []string{rows(990, 20, 0)}, Budget{Limited: true, Percent: 1}, true},
		{"as many as are allowed", []string{rows(20, 10, 3)}, Budget{Limited: true, Rows: 10}, false},
		{"much behind it", []string{rows(100, 1, 2000)}, Budget{Limited: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want checkpoint.Mark
			for round := range 12 {
				p, j := new(platform), new(memory)
				im := &Import{Mapping: parse(t, mapping), Submit: p, Journal: j, Limits: uploader.Limits{Items: 10},
					Reader: reader.Options{ChunkBytes: 256}, Uploads: 1 + round%4, Window: 8, MaxRejects: c.budget}
				for i, text := range c.sources {
					im.Sources = append(im.Sources, writeFile(t, fmt.Sprint(i, ".csv"), text))
				}
				err := im.Run(t.Context())
				if errors.Is(err, ErrTooManyRejects) != c.over || err != nil && !c.over {
					t.Fatalf("round %d: error %v, too many rejects: %t (%+v)", round, err, c.over, im.Mark.Counts)
				}
				if round == 0 {
					want = im.Mark
				}
				if im.Mark.Position != want.Position || im.Mark.Counts != want.Counts {
					t.Errorf("round %d: it ended at %v with %+v, before at %v with %+v", round, im.Mark.Position, im.Mark.Counts, want.Position, want.Counts)
				}
				if sent, most := int64(len(p.order)), im.Mark.Counts.Measurements+8*10; sent > most {
					t.Errorf("round %d: %d measurements were sent, at most %d may be", round, sent, most)
				}
			}
		})
	}
}

// Rejects that nobody has to be asked about end an import where they become too
// many, before anything behind that is sent, however many uploads are idle and
// however late the answers are; and a run that may not begin sends nothing.
func TestTooManyRejectsSendsNothingBehind(t *testing.T) {
	for _, c := range []struct {
		name    string
		bad     func(row int) bool
		budget  Budget
		least   int64 // rows read
		atLeast int64 // rejects
	}{
		{"a number", func(row int) bool { return row%40 == 7 }, Budget{Limited: true, Rows: 10}, 400, 11},
		{"none is allowed", func(row int) bool { return row == 900 }, Budget{Limited: true}, 900, 1},
		{"a share", func(row int) bool { return row > 1500 && row%5 == 0 }, Budget{Limited: true, Percent: 2}, 1650, 34},
		{"a share of too few rows to be one", func(row int) bool { return row < 30 }, Budget{Limited: true, Percent: 1}, 1000, 30},
	} {
		var text strings.Builder
		text.WriteString("id,who,when,n\n")
		for i := range 4000 {
			n := "1"
			if c.bad(i) {
				n = "n/a"
			}
			fmt.Fprintf(&text, "e%d,acme,2026-01-01T00:00:00Z,%s\n", i, n)
		}
		src := writeFile(t, "usage.csv", text.String())
		synctest.Test(t, func(t *testing.T) {
			p, j := new(platform), new(memory)
			late := submitFunc(func(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
				time.Sleep(300 * time.Millisecond)
				return p.Submit(ctx, b)
			})
			im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, "version: 1\nmeter: {const: api}\naccount: who\nts: when\nuid: {key: [id]}\nmeasure: {n: n}\n"),
				Submit: late, Journal: j, Limits: uploader.Limits{Items: 20}, Reader: reader.Options{ChunkBytes: 500}, MaxRejects: c.budget}
			if err := im.Run(t.Context()); !errors.Is(err, ErrTooManyRejects) {
				t.Fatalf("%s: error %v, want %v", c.name, err, ErrTooManyRejects)
			}
			n := im.Mark.Counts
			if n.Read < c.least || n.Read > c.least+60 || n.Rejected < c.atLeast || n.Rejected != int64(len(j.rejects)) || !n.Sums() {
				t.Errorf("%s: ended with %+v and %d reject lines, want an end soon after row %d", c.name, n, len(j.rejects), c.least)
			}
			if sent := int64(len(p.order)); sent != n.Measurements {
				t.Errorf("%s: %d measurements were sent, the mark vouches for %d", c.name, sent, n.Measurements)
			}
			sent, marks := p.n, len(j.marks)
			again := &Import{Sources: im.Sources, Mapping: im.Mapping, Submit: p, Journal: j, Mark: im.Mark, MaxRejects: c.budget}
			if err := again.Run(t.Context()); !errors.Is(err, ErrTooManyRejects) || p.n != sent || len(j.marks) != marks {
				t.Errorf("%s: allowed no more, it sent %d batches and wrote %d marks, error %v", c.name, p.n-sent, len(j.marks)-marks, err)
			}
		})
	}
}

// When it is the platform that refuses too many rows, taking requests apart ends
// with the row that is one too many, of all that are taken apart at the time; at
// the same row whatever the timing. The rows up to there are settled, and going on
// under a larger budget settles the others.
func TestTooManyRefusals(t *testing.T) {
	third := func(i int) bool { return i%3 == 1 }
	for _, c := range []struct {
		name     string
		rows     int
		bad      func(int) bool
		budget   Budget
		read     int64
		rejected int64
		requests int // of the first run, at most
	}{
		{"every third row", 9_000, third, Budget{Limited: true, Rows: 10}, 32, 11, 800},
		{"none is allowed", 5_000, func(i int) bool { return i == 3456 }, Budget{Limited: true}, 3457, 1, 100},
		{"a share", 6_000, func(i int) bool { return i >= 3000 && third(i) }, Budget{Limited: true, Percent: 2}, 3242, 81, 4500},
		{"a share that counts at the end of the first request", 3_000, third, Budget{Limited: true, Percent: 10}, 1000, 333, 5500},
		{"adjacent ones", 3_000, func(i int) bool { return i >= 1200 && i < 1800 }, Budget{Limited: true, Rows: 400}, 1601, 401, 1200},
	} {
		src := wireRows(t, c.rows, c.bad)
		for round := range 2 {
			w, client := newWire(t, holding(`"closed"`, 400))
			j := new(memory)
			im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, wireMapping), Submit: client, Journal: j, MaxRejects: c.budget, Uploads: 1 + 7*round}
			if err := im.Run(t.Context()); !errors.Is(err, ErrTooManyRejects) {
				t.Fatalf("%s: error %v, want %v", c.name, err, ErrTooManyRejects)
			}
			n := im.Mark.Counts
			if n.Read != c.read || n.Rejected != c.rejected || !n.Sums() || len(j.rejects) != int(n.Rejected) {
				t.Errorf("%s, %d uploads: ended with %+v and %d reject lines, want %d of %d rows", c.name, im.Uploads, n, len(j.rejects), c.rejected, c.read)
			}
			if w.requests > c.requests {
				t.Errorf("%s, %d uploads: %d requests, want at most %d", c.name, im.Uploads, w.requests, c.requests)
			}
			if testing.Short() && round == 0 {
				continue // the resume is the same, and thousands of requests
			}
			again := &Import{Sources: im.Sources, Mapping: im.Mapping, Submit: client, Journal: j, Mark: im.Mark, MaxRejects: Budget{Limited: true, Percent: 100}}
			if err := again.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			bad := 0
			for i := range c.rows {
				if c.bad(i) {
					bad++
				}
			}
			if n := again.Mark.Counts; len(w.taken) != c.rows-bad || n.Accepted != int64(c.rows-bad) || len(j.rejects) != bad || n.Rejected != int64(bad) {
				t.Errorf("%s: in the end %+v, %d were taken and %d rejected, want %d and %d", c.name, n, len(w.taken), len(j.rejects), c.rows-bad, bad)
			}
		}
	}
}
