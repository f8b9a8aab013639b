package pipeline

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

// moody is a choosy platform that now and then settles only the first so many
// measurements of a batch, of which it may have taken others, too.
type moody struct {
	choosy
	mu  sync.Mutex
	rnd *rand.Rand
}

var errMood = errors.New("not today")

func (m *moody) Submit(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	m.mu.Lock()
	whole, n := m.rnd.IntN(2) == 0, m.rnd.IntN(b.Len()+1)
	m.mu.Unlock()
	if whole {
		return m.choosy.Submit(ctx, b)
	}
	first := new(uploader.Batch)
	for i := range n {
		if err := first.Add(b.Item(i)); err != nil {
			return nil, err
		}
	}
	refused, err := m.choosy.Submit(ctx, first)
	if err = cmp.Or(err, errMood); n == 0 {
		return nil, err
	}
	return nil, &uploader.Partly{Settled: n, Refusals: refused, Err: err}
}

// Of a batch that is settled in part, the rows that are are committed, and no
// others: however often that happens, in the end counts, totals, source lines and
// rejects are those of a recount, and each mark on the way sums, vouches for no
// more than was taken, and tells that there is more.
func TestPartOfABatchIsSettled(t *testing.T) {
	dir := t.TempDir()
	mapping := parse(t, usageMapping)
	cuts, gained := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		first, want := drawImport(r, dir)
		p, j := &moody{choosy: choosy{dislikes: dislike}, rnd: rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))}, new(memory)
		im := first
		for {
			im.Mapping, im.Submit, im.Journal = mapping, p, j
			before := im.Mark
			err := im.Run(t.Context())
			if err == nil {
				break
			}
			n := im.Mark.Counts
			if !errors.Is(err, errMood) || !n.Sums() || n.Measurements > int64(len(p.items)) || int(n.Rejected) != len(j.rejects) {
				r.Fatalf("%v: mark %+v, %d measurements were taken, %d reject lines", err, im.Mark, len(p.items), len(j.rejects))
			}
			if im.Mark.Position.Before(before.Position) || im.Mark.FirstSent.IsZero() || im.Mark.MaxUncertain == 0 {
				r.Fatalf("from %v to %v, %d in doubt since %v, although a batch was taken in part", before.Position, im.Mark.Position, im.Mark.MaxUncertain, im.Mark.FirstSent)
			}
			if cuts++; before.Position != im.Mark.Position {
				gained++
			}
			im = &Import{Sources: first.Sources, Select: first.Select, Limits: first.Limits, Reader: first.Reader,
				Encoders: first.Encoders, Uploads: first.Uploads, Mark: im.Mark}
		}
		// What a batch had landed behind its first rows was sent again, to the
		// platform the same.
		slices.Sort(p.order)
		want.compare(r, im.Mark, slices.Compact(p.order), j)
	})
	if cuts == 0 || gained == 0 {
		t.Errorf("%d batches were cut, %d runs got on by it: the test tests nothing", cuts, gained)
	}
}

// Rows of standard input whose chunk was not kept cannot be found again: then
// nothing of the batch is settled, and the end is the same.
func TestPartOfABatchOfStandardInput(t *testing.T) {
	text := smallHead + strings.Join(smallRows(60), "")
	im, j, err := importThrice(t, checkpoint.Source{Path: "-"}, strings.NewReader(text), 99, func() error {
		return &uploader.Partly{Settled: 15, Err: errMood}
	})
	if !errors.Is(err, errMood) {
		t.Errorf("error %v, want %v", err, errMood)
	}
	isAfterTwo(t, im.Mark, j)
}
