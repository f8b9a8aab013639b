package uploader

import "context"

// A Departure follows a batch to the moment when it leaves. Until then whoever
// submits it can keep it: by ending the context that Submit was given, after
// which nothing of it leaves any more. That is how an import stops although
// batches wait for the rate limits.
//
// It also knows when nothing of the batch is under way although some of it may
// have been taken, or it is taken apart: then ending the context costs no answer, and only leaves the
// fate of the batch uncertain.
//
// The methods are called by the goroutine that called Submit, never when it has
// returned.
type Departure interface {
	// Waiting is called when nothing of the batch can have been taken: at the
	// start, and when all that was sent of it came back with an answer that says
	// so, throttled above all.
	Waiting()
	// Leaving is called after Waiting or Pausing, right before a request leaves.
	// Where the context has ended when it returns, the request stays.
	Leaving()
	// Pausing is called when nothing of the batch is under way, some of it may have
	// been taken, and another request has to be made: the same after a pause, or
	// with a new token, or when the server lets us again. It is also called before
	// each request for a part, as the batch is taken apart, whether any was taken
	// or not; if none was in the end, Waiting is called once more.
	Pausing()
	// Again is called when a request of the batch was refused, before another one is
	// made for that: with a new token, or for a part. It may wait, until what others
	// hear of the platform shows that it is of use; not past the end of the context
	// that Submit was given.
	Again()
	// Allowed is asked once, at the start: how many measurements of the batch may
	// be refused. When there are more, taking it apart ends with ErrEnough; and
	// when somebody has said so, most of it may be refused.
	Allowed() (most int, said bool)
	// Settled is called when more is known: how many measurements of the batch were
	// taken so far, and how many are refused for certain.
	Settled(taken, refused int)
}

type departureKey struct{}

// WithDeparture gives a context whose submission, one, is followed by d. A
// Submitter that knows nothing of departures calls none of its methods.
func WithDeparture(ctx context.Context, d Departure) context.Context {
	return context.WithValue(ctx, departureKey{}, d)
}

// DepartureOf is what follows the submissions of ctx; it does nothing when
// nothing does.
func DepartureOf(ctx context.Context) Departure {
	if d, ok := ctx.Value(departureKey{}).(Departure); ok {
		return d
	}
	return nobody{}
}

type nobody struct{}

func (nobody) Waiting() {}
func (nobody) Leaving() {}
func (nobody) Pausing() {}
func (nobody) Again()   {}

func (nobody) Allowed() (int, bool) { return 0, false }
func (nobody) Settled(int, int)     {}
