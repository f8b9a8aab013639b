package pipeline

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"
)

// feed sends 0..n-1 and closes.
func feed(ctx context.Context, g *errgroup.Group, n int) <-chan int {
	in := make(chan int)
	g.Go(func() error {
		defer close(in)
		for i := range n {
			if !send(ctx, in, i) {
				return nil
			}
		}
		return nil
	})
	return in
}

// Whatever the workers take for each value, the results come in the order of
// the input, none twice, none missing, and never more than window are begun
// and not yet delivered.
func TestOrderedKeepsOrderAndWindow(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(r, "n")
		workers := rapid.IntRange(1, 16).Draw(r, "workers")
		window := rapid.IntRange(1, 32).Draw(r, "window")
		delays := rapid.SliceOfN(rapid.IntRange(0, 50), n, n).Draw(r, "delays")
		synctest.Test(t, func(t *testing.T) {
			g, ctx := errgroup.WithContext(t.Context())
			var begun, delivered atomic.Int64
			out := ordered(ctx, g, workers, window, feed(ctx, g, n), func(i int) int {
				// One more may be in the reader's hands and not yet counted.
				if inside := begun.Add(1) - delivered.Load(); inside > int64(window)+1 {
					t.Errorf("%d values between in and out, window is %d", inside, window)
				}
				time.Sleep(time.Duration(delays[i]) * time.Millisecond)
				return i
			})
			want := 0
			for got := range out {
				if got != want {
					t.Fatalf("got value %d, want %d", got, want)
				}
				want++
				delivered.Add(1)
			}
			if want != n {
				t.Errorf("%d values came out of %d", want, n)
			}
			if err := g.Wait(); err != nil {
				t.Error(err)
			}
		})
	})
}

// The end of the context ends everything, also workers that nobody listens to.
func TestOrderedEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g, ctx := errgroup.WithContext(ctx)
		out := ordered(ctx, g, 4, 8, feed(ctx, g, 1000), func(i int) int { return i })
		for range 10 {
			<-out
		}
		cancel()
		if err := g.Wait(); err != nil { // a goroutine left behind fails the bubble
			t.Error(err)
		}
	})
}
