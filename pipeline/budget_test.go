package pipeline

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/m3import/m3import/checkpoint"
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
	// One commit may take in a window of batches, and rejects stand between rows.
	if n := im.Mark.Counts; n.Rejected <= 10 || n.Rejected > 10+4*20 || !n.Sums() {
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
