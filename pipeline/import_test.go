package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

const testMapping = `
version: 1
meter: {const: api}
account: account
ts: ts
uid: {key: [id]}
measure: {n: n}
where: {note: {column: note, empty: skip}}
`

// platform is a Submitter that takes everything, and checks that it may.
type platform struct {
	mu     sync.Mutex
	bodies [][]byte
	items  map[string]int // measurement -> times seen
	order  []string       // in the order that they were taken
	before func(n int) error
	n      int
}

func (p *platform) Submit(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if p.before != nil {
		if err := p.before(p.n); err != nil {
			return nil, err
		}
	}
	if b.Len() < 1 || b.Len() > uploader.MaxItems || len(b.Body()) > uploader.MaxBytes {
		return nil, fmt.Errorf("a batch of %d measurements, %d bytes", b.Len(), len(b.Body()))
	}
	if p.items == nil {
		p.items = make(map[string]int)
	}
	for i := range b.Len() {
		m := string(b.Item(i))
		p.items[m]++
		p.order = append(p.order, m)
	}
	p.bodies = append(p.bodies, bytes.Clone(b.Body()))
	return nil, nil
}

// memory is a Journal that keeps what a durable one would after each commit.
type memory struct {
	marks   []checkpoint.Mark
	rejects []string
	sources []string
	pending struct{ rejects, sources []string } // not committed yet
	fail    func(n int) error
}

func (m *memory) Reject(line []byte) { m.pending.rejects = append(m.pending.rejects, string(line)) }
func (m *memory) SourceDone(line []byte) {
	m.pending.sources = append(m.pending.sources, string(line))
}
func (m *memory) Commit(mark checkpoint.Mark) error {
	if m.fail != nil {
		if err := m.fail(len(m.marks)); err != nil {
			return err
		}
	}
	m.rejects = append(m.rejects, m.pending.rejects...)
	m.sources = append(m.sources, m.pending.sources...)
	m.pending.rejects, m.pending.sources = nil, nil
	m.marks = append(m.marks, mark)
	return nil
}

// usage makes CSV with n rows, about one in ten of them bad in some way.
func usage(n int, rnd *rand.Rand) string {
	var b strings.Builder
	b.WriteString("id,account,ts,n,note\n")
	for i := range n {
		amount, note := fmt.Sprint(rnd.IntN(1000)), strings.Repeat("x", rnd.IntN(40))
		switch rnd.IntN(30) {
		case 0:
			amount = "n/a"
		case 1:
			note = `"two` + "\n" + `lines, ""quoted"""`
		case 2:
			note += ",one field too many"
		}
		fmt.Fprintf(&b, "e%06d,acct%d,2026-01-01T00:00:%02dZ,%s,%s\n", i, rnd.IntN(9), i%60, amount, note)
	}
	return b.String()
}

func writeFile(t testing.TB, name, text string) checkpoint.Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return sourceOf(t, path)
}

func sourceOf(t fataler, path string) checkpoint.Source {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return checkpoint.Source{Path: path, Print: checkpoint.Print{Size: info.Size(), Modified: info.ModTime()}}
}

func parse(t testing.TB, text string) *mapper.Mapping {
	t.Helper()
	m, err := mapper.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The same measurements and the same rejects come out whatever the sizes of
// chunks and batches and however many goroutines work.
func TestSameWhateverTheSizes(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(3000, rand.New(rand.NewPCG(1, 2))))
	var want []string
	var wantRejects []string
	var wantTotals []checkpoint.Total
	for _, c := range []struct{ batch, chunk, encoders, uploads int }{
		{1000, 0, 1, 1}, {1000, 64, 2, 8}, {7, 1 << 10, 4, 64}, {1, 4 << 10, 1, 1}, {1, 300, 8, 64}, {1000, 1, 3, 3},
	} {
		t.Run(fmt.Sprintf("batch=%d,chunk=%d,encoders=%d,uploads=%d", c.batch, c.chunk, c.encoders, c.uploads), func(t *testing.T) {
			p, j := new(platform), new(memory)
			im := &Import{
				Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: j,
				Limits: uploader.Limits{Items: c.batch}, Reader: reader.Options{ChunkBytes: c.chunk},
				Encoders: c.encoders, Uploads: c.uploads,
			}
			if err := im.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := slices.Sorted(slices.Values(p.order))
			if want == nil {
				want, wantRejects, wantTotals = got, j.rejects, im.Mark.Totals
				if len(want) < 2000 || len(wantRejects) < 100 {
					t.Fatalf("the test data is of no use: %d measurements, %d rejects", len(want), len(wantRejects))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d measurements, other than the %d of the first configuration", len(got), len(want))
			}
			if !slices.Equal(j.rejects, wantRejects) {
				t.Errorf("%d rejects, other than the %d of the first configuration", len(j.rejects), len(wantRejects))
			}
			if !slices.Equal(im.Mark.Totals, wantTotals) {
				t.Errorf("totals %v, want %v", im.Mark.Totals, wantTotals)
			}
			n := im.Mark.Counts
			if !n.Sums() || n.Read != 3000 || n.Accepted != int64(len(got)) || n.Rejected != int64(len(j.rejects)) {
				t.Errorf("counts %+v do not sum", n)
			}
		})
	}
}

// However often an import is stopped, and wherever, going on from the mark
// sends exactly the rest: each row once, each reject once and in order.
func TestStopAndGoOn(t *testing.T) {
	text := usage(2000, rand.New(rand.NewPCG(3, 4)))
	a, b := writeFile(t, "a.csv", text), writeFile(t, "b.csv", usage(500, rand.New(rand.NewPCG(5, 6))))
	whole := runWhole(t, a, b)
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		p, j := new(platform), new(memory)
		var mark checkpoint.Mark
		stops := 0
		for {
			ctx, stop := context.WithCancel(t.Context())
			p.n = 0
			at := 1 + rnd.IntN(60)
			p.before = func(n int) error {
				if n == at {
					stop()
				}
				return nil
			}
			im := &Import{
				Sources: []checkpoint.Source{a, b}, Mapping: parse(t, testMapping), Submit: p, Journal: j, Mark: mark,
				Limits: uploader.Limits{Items: 10}, Reader: reader.Options{ChunkBytes: 1 + rnd.IntN(5000)}, Uploads: 1 + rnd.IntN(8),
			}
			err := im.Run(ctx)
			stop()
			mark = im.Mark
			if err == nil {
				break
			}
			if !errors.Is(err, ErrStopped) {
				t.Fatal(err)
			}
			if stops++; stops > 500 {
				t.Fatal("no end in sight")
			}
		}
		for m, n := range p.items {
			if n != 1 {
				t.Fatalf("seed %d: sent %d times although every stop was clean: %s", seed, n, m)
			}
		}
		compareRuns(t, whole, &run{p, j, mark})
	}
}

// run is what an import came to.
type run struct {
	p    *platform
	j    *memory
	mark checkpoint.Mark
}

func runWhole(t *testing.T, sources ...checkpoint.Source) *run {
	t.Helper()
	p, j := new(platform), new(memory)
	im := &Import{Sources: sources, Mapping: parse(t, testMapping), Submit: p, Journal: j}
	if err := im.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &run{p, j, im.Mark}
}

func compareRuns(t *testing.T, want, got *run) {
	t.Helper()
	if len(got.p.items) != len(want.p.items) {
		t.Errorf("%d distinct measurements, want %d", len(got.p.items), len(want.p.items))
	}
	for m := range want.p.items {
		if got.p.items[m] == 0 {
			t.Fatalf("lost: %s", m)
		}
	}
	if !slices.Equal(got.j.rejects, want.j.rejects) {
		t.Errorf("the reject file differs: %d lines, want %d", len(got.j.rejects), len(want.j.rejects))
	}
	if !slices.Equal(got.j.sources, want.j.sources) {
		t.Errorf("the source lines differ: %q, want %q", got.j.sources, want.j.sources)
	}
	if got.mark.Counts != want.mark.Counts || !slices.Equal(got.mark.Totals, want.mark.Totals) {
		t.Errorf("mark %+v, want %+v", got.mark, want.mark)
	}
}

// A platform that fails for good ends the import; the mark is exact: nothing
// before it is unsettled, and going on from it completes the set.
func TestPlatformFails(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(2000, rand.New(rand.NewPCG(8, 9))))
	whole := runWhole(t, src)
	broken := errors.New("the platform is gone")
	for failAt := 1; failAt < 40; failAt += 3 {
		p, j := &platform{before: func(n int) error {
			if n >= failAt {
				return broken
			}
			return nil
		}}, new(memory)
		im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: j, Limits: uploader.Limits{Items: 50}}
		if err := im.Run(t.Context()); !errors.Is(err, broken) {
			t.Fatalf("error %v, want %v", err, broken)
		}
		if got := im.Mark.Counts.Measurements; got > int64(len(p.order)) {
			t.Fatalf("the mark vouches for %d measurements, %d were taken", got, len(p.order))
		}
		p.before = nil
		im = &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: j, Mark: im.Mark, Limits: uploader.Limits{Items: 50}}
		if err := im.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		compareRuns(t, whole, &run{p, j, im.Mark})
	}
}

// When the state cannot be written, nothing more is sent than the window.
func TestJournalFails(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(5000, rand.New(rand.NewPCG(8, 9))))
	full := errors.New("no space left on device")
	p, j := new(platform), &memory{fail: func(n int) error {
		if n >= 2 {
			return full
		}
		return nil
	}}
	im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: j,
		Limits: uploader.Limits{Items: 10}, Uploads: 2, Window: 6}
	if err := im.Run(t.Context()); !errors.Is(err, full) {
		t.Fatalf("error %v, want %v", err, full)
	}
	vouched := j.marks[len(j.marks)-1].Counts.Measurements
	if ahead := int64(len(p.order)) - vouched; ahead > 6*10 {
		t.Errorf("%d measurements were sent that no mark vouches for; the window is 6 batches of 10", ahead)
	}
}

// At no time are more batches sent and not committed than the window holds:
// that is what a crash can send twice.
func TestWindowBoundsACrash(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(4000, rand.New(rand.NewPCG(10, 11))))
	for _, window := range []int{1, 2, 5, 16} {
		j := new(memory)
		var most int64
		p := new(platform)
		p.before = func(int) error { // holds p.mu
			var vouched int64
			if len(j.marks) > 0 {
				vouched = j.marks[len(j.marks)-1].Counts.Measurements
			}
			most = max(most, int64(len(p.order))+20-vouched)
			return nil
		}
		guarded := &lockedJournal{memory: j, mu: &p.mu}
		im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: guarded,
			Limits: uploader.Limits{Items: 20}, Uploads: 4, Window: window}
		if err := im.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if most > int64(window)*20 {
			t.Errorf("window %d: %d measurements were sent and not committed at one time, at most %d may be", window, most, window*20)
		}
	}
}

type lockedJournal struct {
	*memory
	mu *sync.Mutex
}

func (l *lockedJournal) Commit(m checkpoint.Mark) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.memory.Commit(m)
}

// Rows of several sources share requests: ten thousand small files make as
// many requests as one large file.
func TestBatchesSpanSources(t *testing.T) {
	var sources []checkpoint.Source
	dir := t.TempDir()
	for i := range 100 {
		path := filepath.Join(dir, fmt.Sprintf("%03d.csv", i))
		var b strings.Builder
		b.WriteString("id,account,ts,n,note\n")
		for k := range 50 {
			fmt.Fprintf(&b, "%d-%d,acme,2026-01-01T00:00:00Z,1,\n", i, k)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		sources = append(sources, sourceOf(t, path))
	}
	r := runWhole(t, sources...)
	if len(r.p.bodies) != 5 || len(r.p.order) != 5000 {
		t.Errorf("%d measurements in %d requests, want 5000 in 5", len(r.p.order), len(r.p.bodies))
	}
	if len(r.j.sources) != 100 {
		t.Errorf("%d source lines, want 100", len(r.j.sources))
	}
	for _, line := range r.j.sources {
		if !strings.Contains(line, `"read":50,"accepted":50,"rejected":0`) {
			t.Errorf("source line %s", line)
		}
	}
}

// Requests are as full as the order allows: as many as an independent count
// says, over a million rows of mixed width.
func TestRequestsAreFull(t *testing.T) {
	rows := 1_000_000
	if testing.Short() {
		rows = 50_000
	}
	rnd := rand.New(rand.NewPCG(12, 13))
	var want, items, size int
	pr, pw := io.Pipe()
	go func() {
		buf := []byte("id,account,ts,n,note\n")
		pad := bytes.Repeat([]byte("y"), 2000)
		for i := range rows {
			n := 1 + rnd.IntN(200)
			if rnd.IntN(4) == 0 {
				n = 1 + rnd.IntN(2000)
			}
			// The measurement, counted by hand: everything but the pad is fixed.
			m := len(`{"uid":"00000000-0000-0000-0000-000000000000","meter":"api","account":"acme","ts":"2026-01-01T00:00:00Z","where":{"note":""},"measure":{"n":7}}`) + n
			if items == 1000 || size+m+1 > 511_999 || want == 0 {
				want, items, size = want+1, 0, len(`{"measurements":[]}`)-1
			}
			items, size = items+1, size+m+1
			buf = fmt.Appendf(buf, "%08d,acme,2026-01-01T00:00:00Z,7,%s\n", i, pad[:n])
			if len(buf) > 1<<20 {
				pw.Write(buf)
				buf = buf[:0]
			}
		}
		pw.Write(buf)
		pw.Close()
	}()
	audit := new(Audit)
	defer audit.Close()
	im := &Import{Sources: []checkpoint.Source{{Path: "-"}}, Stdin: pr, Mapping: parse(t, testMapping), Submit: audit, Journal: Forget{}, Uploads: 1}
	if err := im.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if im.Mark.Counts.Accepted != int64(rows) {
		t.Errorf("%d rows accepted, want %d", im.Mark.Counts.Accepted, rows)
	}
	if audit.Requests != int64(want) {
		t.Errorf("%d requests, want %d", audit.Requests, want)
	}
	r, err := audit.Repeats(5)
	if err != nil || r.Same+r.Other != 0 {
		t.Errorf("repeats %+v, error %v: all uids differ", r, err)
	}
}

// Nothing is sent of a source that is not what it was when the import began.
func TestSourceChangesWhileRead(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(100, rand.New(rand.NewPCG(14, 15))))
	src.Modified = src.Modified.Add(-time.Second)
	im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: new(platform), Journal: new(memory)}
	err := im.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "changed while the import ran") {
		t.Fatalf("error %v, want one that says that the source changed", err)
	}
	if !errors.Is(err, ErrSourceChanged) || im.Mark.Counts.Read != 0 || im.Mark.Position.Source != 0 {
		t.Errorf("%v; mark %+v: something was read", err, im.Mark)
	}
	if !im.Mark.FirstSent.IsZero() || im.Mark.MaxUncertain != 0 {
		t.Errorf("mark %+v: nothing was sent, so nothing is in doubt", im.Mark)
	}
}

// What a run did is told apart from what the import has come to, in every count.
func TestStatusOfThisRun(t *testing.T) {
	before := checkpoint.Counts{Read: 4, Accepted: 2, Rejected: 1, Filtered: 1, Measurements: 2, TimesTruncated: 1, NumbersInexact: 1, TimesAncient: 1, TimesFuture: 1, WithoutAmount: 1}
	after := checkpoint.Counts{Read: 9, Accepted: 5, Rejected: 2, Filtered: 2, Measurements: 7, TimesTruncated: 4, NumbersInexact: 3, TimesAncient: 2, TimesFuture: 4, WithoutAmount: 5}
	var s status
	s.begin(&Import{Mark: checkpoint.Mark{Counts: before}})
	s.committed(checkpoint.Mark{Counts: after})
	want := checkpoint.Counts{Read: 5, Accepted: 3, Rejected: 1, Filtered: 1, Measurements: 5, TimesTruncated: 3, NumbersInexact: 2, TimesAncient: 1, TimesFuture: 3, WithoutAmount: 4}
	if s.now.ThisRun != want || s.now.Counts != after {
		t.Errorf("of this run %+v, want %+v; of all %+v", s.now.ThisRun, want, s.now.Counts)
	}
	want.Add(before)
	if want != after {
		t.Errorf("Sub and Add do not undo each other: %+v, want %+v", want, after)
	}
}
