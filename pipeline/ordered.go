package pipeline

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
)

// ordered applies fn to the values of in on n goroutines and delivers the
// results in the order of in. At most window values are between in and the
// returned channel. The channel is closed when in is, or when ctx ends; fn
// must come back soon after ctx ends.
//
// Order costs a promise for each value, kept in a queue: the place is taken
// before the work is handed out, so nothing is ever sorted or searched for.
func ordered[In, Out any](ctx context.Context, g *errgroup.Group, n, window int, in <-chan In, fn func(In) Out) <-chan Out {
	type job struct {
		value   In
		promise chan Out
	}
	// One value waits at the head of the line outside of the queue.
	places := make(chan chan Out, max(window-1, 0))
	jobs := make(chan job)
	out := make(chan Out)
	promises := sync.Pool{New: func() any { return make(chan Out, 1) }}

	g.Go(func() error { // take places, in order
		defer close(places)
		defer close(jobs)
		for {
			value, ok := receive(ctx, in)
			if !ok {
				return nil
			}
			promise := promises.Get().(chan Out)
			if !send(ctx, places, promise) || !send(ctx, jobs, job{value, promise}) {
				return nil
			}
		}
	})
	for range n {
		g.Go(func() error { // work, in any order
			for j := range jobs {
				j.promise <- fn(j.value) // never blocks: the promise holds one
			}
			return nil
		})
	}
	g.Go(func() error { // deliver, in order
		defer close(out)
		for promise := range places {
			value, ok := receive(ctx, promise)
			if !ok || !send(ctx, out, value) {
				return nil
			}
			promises.Put(promise) // kept, so nobody holds it any more
		}
		return nil
	})
	return out
}

// receive takes a value from c; false when c is closed or ctx has ended.
func receive[T any](ctx context.Context, c <-chan T) (T, bool) {
	select {
	case v, ok := <-c:
		return v, ok
	case <-ctx.Done():
		var zero T
		return zero, false
	}
}

// send puts v into c; false when ctx ended first.
func send[T any](ctx context.Context, c chan<- T, v T) bool {
	select {
	case c <- v:
		return true
	case <-ctx.Done():
		return false
	}
}
