package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// paced is a platform that is reached through a pace, as by the client: batches
// wait, leave in about the order that they came, sometimes come back throttled,
// and land after a while.
type paced struct {
	platform
	every   time.Duration
	rnd     *rand.Rand
	mu      sync.Mutex
	next    time.Time
	stopped func() bool
	late    map[string]bool // batches that left after the stop, by their first measurement
}

func (p *paced) Submit(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	d := uploader.DepartureOf(ctx)
	d.Waiting()
	for {
		if !p.wait(ctx) {
			return nil, context.Cause(ctx)
		}
		d.Leaving()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p.mu.Lock()
		if p.stopped() {
			p.late[string(b.Item(0))] = true
		}
		throttled, trip := p.rnd.IntN(8) == 0, time.Duration(p.rnd.IntN(int(3*p.every)))
		p.mu.Unlock()
		time.Sleep(trip)
		if !throttled {
			return p.platform.Submit(ctx, b)
		}
		d.Waiting()
	}
}

// wait waits for a turn, and reports whether it came.
func (p *paced) wait(ctx context.Context) bool {
	p.mu.Lock()
	if now := time.Now(); p.next.Before(now) {
		p.next = now
	}
	turn := p.next.Add(time.Duration(p.rnd.IntN(int(p.every)))) // not quite first come, first served
	p.next = p.next.Add(p.every)
	p.mu.Unlock()
	select {
	case <-time.After(time.Until(turn)):
		return true
	case <-ctx.Done():
		return false
	}
}

// A stop does not wait for batches that wait for the pace: they stay, unless a
// later one has left. What the platform took is then what the mark vouches for,
// to the measurement, however often the import is stopped.
func TestStopKeepsWhatHasNotLeft(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(1500, rand.New(rand.NewPCG(30, 31))))
	whole := runWhole(t, src)
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 32))
			uploads := 1 + rnd.IntN(8)
			j := new(memory)
			p := &paced{every: time.Second, rnd: rand.New(rand.NewPCG(seed, 33))}
			var mark checkpoint.Mark
			for stops := 0; ; stops++ {
				ctx, stop := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(int(20*time.Second))))
				p.stopped, p.late = func() bool { return ctx.Err() != nil }, map[string]bool{}
				told := -1
				im := &Import{
					Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: j, Mark: mark,
					Limits: uploader.Limits{Items: 10}, Reader: reader.Options{ChunkBytes: 500}, Uploads: uploads, Drain: time.Hour,
					OnStop: func(n int) { told = n },
				}
				err := im.Run(ctx)
				stop()
				mark = im.Mark
				if taken := int64(len(p.order)); mark.Counts.Measurements != taken {
					t.Fatalf("seed %d: the mark vouches for %d measurements, the platform took %d", seed, mark.Counts.Measurements, taken)
				}
				if err == nil {
					break
				}
				if !errors.Is(err, ErrStopped) || !mark.FirstSent.IsZero() || mark.MaxUncertain != 0 {
					t.Fatalf("seed %d: %v, and %d measurements in doubt since %v: the stop was clean", seed, err, mark.MaxUncertain, mark.FirstSent)
				}
				if told < 0 || told > uploads || len(p.late) > told {
					t.Fatalf("seed %d: %d batches left after the stop, told were %d in the air, of %d uploads", seed, len(p.late), told, uploads)
				}
				if stops > 500 {
					t.Fatal("no end in sight")
				}
			}
			for m, n := range p.items {
				if n != 1 {
					t.Fatalf("seed %d: sent %d times although every stop was clean: %s", seed, n, m)
				}
			}
			mark.Counts.TimesFuture = 0 // it is the year 2000 here, and was not where the whole ran
			compareRuns(t, whole, &run{&p.platform, j, mark})
		})
	}
}

// silent is a platform that never answers.
type silent struct{}

func (silent) Submit(ctx context.Context, _ *uploader.Batch) ([]uploader.Refusal, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("no answer: %w", context.Cause(ctx))
}

// What has left and not landed within Drain is in doubt, and the mark says so.
func TestStopWithoutAnswers(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(500, rand.New(rand.NewPCG(34, 35))))
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: silent{}, Journal: new(memory),
			Limits: uploader.Limits{Items: 10}, Drain: time.Minute}
		if err := im.Run(ctx); !errors.Is(err, ErrStopped) || time.Since(began) != time.Minute+time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if !im.Mark.FirstSent.Equal(began) || im.Mark.MaxUncertain == 0 {
			t.Errorf("%d measurements in doubt since %v, want some since %v", im.Mark.MaxUncertain, im.Mark.FirstSent, began)
		}
	})
}

// An error ends an import at once, also when its standard input has nothing to
// say at the moment.
func TestErrorDoesNotWaitForStdin(t *testing.T) {
	pr, pw := io.Pipe()
	defer pw.Close()
	no, read := errors.New("the platform says no"), make(chan struct{})
	im := &Import{Sources: []checkpoint.Source{{Path: "-"}}, Stdin: pr, Mapping: parse(t, testMapping), Journal: new(memory),
		Submit: submitFunc(func(context.Context, *uploader.Batch) ([]uploader.Refusal, error) {
			<-read
			return nil, no
		}),
		Reader: reader.Options{ChunkBytes: 1024}}
	go func() {
		io.WriteString(pw, usage(5000, rand.New(rand.NewPCG(1, 1))))
		close(read) // and then nothing, for ever
	}()
	if err := im.Run(t.Context()); !errors.Is(err, no) {
		t.Errorf("error %v, want %v", err, no)
	}
}

type submitFunc func(context.Context, *uploader.Batch) ([]uploader.Refusal, error)

func (f submitFunc) Submit(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	return f(ctx, b)
}

// failing is a platform in an outage: a batch is often answered in a way that says
// nothing of its fate, and pauses before it is tried again. Some of those were
// taken all the same.
type failing struct {
	paced
	longest time.Duration // that one can be
	pause   time.Duration
}

func (p *failing) Submit(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	d := uploader.DepartureOf(ctx)
	d.Waiting()
	left := false
	for {
		if !p.wait(ctx) {
			return nil, context.Cause(ctx)
		}
		d.Leaving()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		p.mu.Lock()
		fate, trip, pause := p.rnd.IntN(4), time.Duration(p.rnd.IntN(int(p.longest))), time.Duration(p.rnd.IntN(int(p.pause)))
		p.mu.Unlock()
		select {
		case <-time.After(trip):
		case <-ctx.Done():
			fate = 1 // without an answer
		}
		if fate == 0 && !left {
			d.Waiting() // throttled
			continue
		}
		left = true
		if fate != 1 {
			if _, err := p.platform.Submit(ctx, b); err != nil || fate == 3 {
				return nil, err
			}
		}
		d.Pausing()
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// A stop does not wait for what waits for another try, as all do in an outage: it
// takes as long as a request that is under way, and the turns of those that must
// leave before it. What may have been taken and is not in the mark is told by it,
// with the time; and in the end nothing is lost.
func TestStopInAnOutage(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(600, rand.New(rand.NewPCG(36, 37))))
	whole := runWhole(t, src)
	clean, given := 0, 0
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 38))
			j := new(memory)
			p := &failing{paced: paced{every: time.Second, rnd: rand.New(rand.NewPCG(seed, 39))}, longest: 5 * time.Second, pause: time.Hour}
			var mark checkpoint.Mark
			for stops := 0; ; stops++ {
				if stops%10 == 9 {
					p.pause = time.Second // the outage is over for a while
				}
				uploads := 1 + rnd.IntN(8)
				began := time.Now()
				atMost := time.Minute
				if stops%10 == 0 {
					atMost = 2 * p.every // perhaps before the first has left, or when it was taken
				}
				ctx, stop := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(int(atMost))))
				im := &Import{
					Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: j, Mark: mark,
					Limits: uploader.Limits{Items: 10}, Reader: reader.Options{ChunkBytes: 500}, Uploads: uploads, Drain: 24 * time.Hour,
				}
				before := mark
				err := im.Run(ctx)
				over, _ := ctx.Deadline()
				late := time.Since(over)
				stop()
				mark, p.pause = im.Mark, time.Hour
				if err == nil {
					break
				}
				if !errors.Is(err, ErrStopped) || late > time.Duration(2*uploads)*(p.every+p.longest) {
					t.Fatalf("seed %d: %v, %s after the stop", seed, err, late)
				}
				inMark := mark.Counts.Measurements
				switch taken := int64(len(p.items)); {
				case taken < inMark:
					t.Fatalf("seed %d: the mark vouches for %d measurements, the platform has %d", seed, inMark, taken)
				case taken > inMark && (mark.FirstSent.IsZero() || mark.MaxUncertain < taken-inMark):
					t.Fatalf("seed %d: %d measurements after the mark were taken, it says %d since %v", seed, taken-inMark, mark.MaxUncertain, mark.FirstSent)
				case !mark.FirstSent.IsZero() && !before.FirstSent.IsZero() && before.Position == mark.Position && mark.FirstSent.After(before.FirstSent):
					t.Fatalf("seed %d: in doubt since %v, and before since %v", seed, mark.FirstSent, before.FirstSent)
				case mark.FirstSent.IsZero():
					clean++
				default:
					given++
					if mark.FirstSent.After(over.Add(late)) || before.FirstSent.IsZero() && mark.FirstSent.Before(began) {
						t.Fatalf("seed %d: in doubt since %v, the run went from %v to %v", seed, mark.FirstSent, began, over)
					}
				}
				if stops > 1000 {
					t.Fatal("no end in sight")
				}
			}
			mark.Counts.TimesFuture = 0 // as above
			compareRuns(t, whole, &run{&p.platform, j, mark})
		})
	}
	if clean == 0 || given == 0 {
		t.Errorf("%d clean stops and %d with batches given up: the test tests nothing", clean, given)
	}
}

// A stop does not wait for requests that are taken apart: each is left after what
// is in the air of it, and its rows are settled up to the first of which nothing is
// known. Going on from there settles the others, however often that happens.
func TestStopWhileTakenApart(t *testing.T) {
	const rows = 6000
	bad := func(i int) bool { return i%97 == 90 }
	src := wireRows(t, rows, bad)
	got := 0 // stops that settled a part of a request
	for _, uploads := range []int{1, 8} {
		w, client := newWire(t, nil)
		j := new(memory)
		mark, wanted := checkpoint.Mark{}, 30
		for stops := 0; ; stops++ {
			ctx, stop := context.WithCancel(t.Context())
			stopped := make(chan struct{})
			before, atStop := w.asked(), 0
			refuse := holding(`"closed"`, 400)
			w.answering(func(items []string) (int, string) {
				if w.requests-before == wanted {
					stop()
					<-stopped // no other has been answered meanwhile
					atStop = w.requests
				}
				return refuse(items)
			})
			im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, wireMapping), Submit: client, Journal: j, Mark: mark,
				Uploads: uploads, Drain: time.Hour, OnStop: func(int) { close(stopped) }}
			err := im.Run(ctx)
			stop()
			if err == nil {
				mark = im.Mark
				break
			}
			n := im.Mark.Counts
			if more := w.asked() - atStop; !errors.Is(err, ErrStopped) || more > uploads-1 {
				t.Fatalf("%d uploads: %v, %d requests were made after the stop, want at most %d", uploads, err, more, uploads-1)
			}
			if !n.Sums() || len(j.rejects) != int(n.Rejected) || n.Measurements > int64(len(w.taken)) || n.Read < mark.Counts.Read {
				t.Fatalf("%d uploads: the mark has %+v, after %+v; %d were taken, %d reject lines", uploads, n, mark.Counts, len(w.taken), len(j.rejects))
			}
			if n.Read > mark.Counts.Read && (n.Read-mark.Counts.Read)%1000 != 0 {
				got++
			}
			if wanted += 20; stops > 200 {
				t.Fatal("no end in sight")
			}
			mark = im.Mark
		}
		if n := mark.Counts; n.Read != rows || n.Rejected != 61 || len(j.rejects) != 61 || len(w.taken) != rows-61 || !n.Sums() {
			t.Errorf("%d uploads: in the end %+v, %d reject lines, %d taken", uploads, n, len(j.rejects), len(w.taken))
		}
	}
	if got == 0 {
		t.Error("no stop settled a part of a request: the test tests nothing")
	}
}
