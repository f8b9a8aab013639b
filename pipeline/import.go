package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// Defaults of Import.
const (
	DefaultUploads = 8
	DefaultDrain   = 30 * time.Second
)

// DefaultWindow is three batches for each upload: one in the air, and two that are
// settled, so that the others go on while a commit waits for the disk.
func DefaultWindow(uploads int) int { return 3 * uploads }

// ErrStopped is what Run returns when it was asked to stop and did: all that
// was read is settled and committed, and there is more to read.
var ErrStopped = errors.New("stopped before the end of the input")

// A Journal remembers what is settled. *checkpoint.Journal is the durable one.
type Journal interface {
	// Reject and SourceDone keep one line each; durable with the next Commit.
	Reject(line []byte)
	SourceDone(line []byte)
	// Commit makes m, and every line before it, durable as one.
	Commit(m checkpoint.Mark) error
}

// Import is one import, ready to run: what to read, how to map it, who takes
// it, and where it is remembered. Fill it in, call Run once.
type Import struct {
	// Sources are the input, in order.
	Sources []checkpoint.Source
	// Mapping is how rows become measurements. Default: each source must be
	// in one of the two shapes that need no mapping.
	Mapping *mapper.Mapping
	// Reader overrides what the mapping says about reading, field by field
	// where it is not zero. Default: what the mapping says.
	Reader reader.Options
	// Select takes a part of the rows; the others count as filtered. When it
	// picks rows, so do those that cannot be mapped. Default: all rows.
	Select *Selection
	// Stdin is what the source "-" reads. An io.Closer is closed when the import
	// ends, so that a Read which waits for a quiet producer holds up no error.
	Stdin io.Reader
	// Submit takes the batches.
	Submit uploader.Submitter
	// Limits are the limits of one batch. Default: the platform's.
	Limits uploader.Limits
	// Journal remembers.
	Journal Journal
	// Mark is where to go on from. Default: the beginning.
	Mark checkpoint.Mark
	// Encoders is how many goroutines parse and map. Default: GOMAXPROCS.
	Encoders int
	// Uploads is how many batches are in the air at once. Default: 8.
	Uploads int
	// Window is the most batches that may be sent or settled but not yet
	// committed: what a crash can send twice. Default: DefaultWindow of Uploads.
	Window int
	// Drain is how long batches in the air may take to land after Run was
	// asked to stop. Default: 30 s.
	Drain time.Duration
	// MaxRejects ends the import with ErrTooManyRejects when it is exceeded,
	// over the whole import. Default: any number of rejects is fine.
	MaxRejects Budget
	// OnReject is told of each reject when it is durable, in file order, from
	// one goroutine. Default: nobody is told.
	OnReject func(Reject)
	// OnRemark is told what there is to say of a source that was read to its
	// end, from the goroutine that reads. Default: nobody is told.
	OnRemark func(path string, r reader.Remark)
	// OnStop is told, when Run was asked to stop, how many batches are in the
	// air: they land, and no others leave. Default: nobody is told.
	OnStop func(inAir int)
	// Now is the clock. Default: time.Now.
	Now func() time.Time

	once     sync.Once // setDefaults
	wayOnce  sync.Once
	way      way // of Mapping
	wayErr   error
	selector *selector
	status   status
	slots    chan struct{} // one for each parcel between pack and commit
	flights  flights
	encodeds sync.Pool // *encoded
	parcels  sync.Pool // *parcel
	batches  sync.Pool // *uploader.Batch
}

// Run imports until the end of the input, an error, or the end of ctx.
// Cancelling ctx stops the reading and lets no more batches leave: what is in
// the air lands (within Drain) and is committed, what waits to leave is read
// again by the next run, as is what has left and waits to be tried again, and Run
// returns ErrStopped. After any
// error the journal holds an exact mark to go on from. A nil error means that
// every row of the input is settled and committed; the last commit is still
// the caller's, by checkpoint.Journal.Finish with the Mark that Run left.
func (im *Import) Run(ctx context.Context) error {
	im.once.Do(im.setDefaults)
	if err := im.tooMany(im.Mark.Counts); err != nil {
		return err // an earlier run ended so, and was allowed no more since
	}
	com, err := im.begin()
	if err != nil {
		return err
	}
	sending, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abort(nil)
	defer im.stopWith(ctx, abort)()

	g, sending := errgroup.WithContext(sending)
	if in, ok := im.Stdin.(io.Closer); ok {
		defer context.AfterFunc(sending, func() { in.Close() })()
	}
	pieces := make(chan []piece)
	parcels := make(chan *parcel)

	g.Go(func() error { defer close(pieces); return im.cut(ctx, sending, pieces) })
	encoded := ordered(sending, g, im.Encoders, 2*im.Encoders, pieces, im.encodeAll)
	g.Go(func() error { defer close(parcels); return im.pack(sending, encoded, parcels) })
	settled := ordered(sending, g, im.Uploads, im.Window, parcels, func(p *parcel) *parcel { return im.submit(sending, p) })
	g.Go(func() error { return com.run(sending, settled) })

	err = g.Wait()
	im.Mark = com.saved
	return err
}

// stopWith stops the sending when ctx ends, and makes a stop that takes longer
// than Drain an abort.
func (im *Import) stopWith(ctx context.Context, abort context.CancelCauseFunc) (cancel func()) {
	late := make(chan *time.Timer, 1)
	stop := context.AfterFunc(ctx, func() {
		inAir := im.flights.stop()
		if im.OnStop != nil {
			im.OnStop(inAir)
		}
		late <- time.AfterFunc(im.Drain, func() {
			abort(fmt.Errorf("%w: what was in the air had not landed after %v", ErrStopped, im.Drain))
		})
	})
	return func() {
		if !stop() {
			(<-late).Stop()
		}
	}
}

func (im *Import) setDefaults() {
	if im.Encoders <= 0 {
		im.Encoders = runtime.GOMAXPROCS(0)
	}
	if im.Uploads <= 0 {
		im.Uploads = DefaultUploads
	}
	if im.Window <= 0 {
		im.Window = DefaultWindow(im.Uploads)
	}
	if im.Drain <= 0 {
		im.Drain = DefaultDrain
	}
	if im.Now == nil {
		im.Now = time.Now
	}
	im.selector = newSelector(im.Select)
	im.slots = make(chan struct{}, im.Window)
	im.flights.budget = im.MaxRejects
	im.status.begin(im)
}

// submit settles one parcel: it comes back with its fate known, or with the
// error that keeps it unknown, or with both when it is known of a part. ErrStopped
// says that nothing of it was sent.
func (im *Import) submit(ctx context.Context, p *parcel) *parcel {
	if p.err != nil {
		return p
	}
	if p.batch.Len() == 0 {
		im.unload(p)
		return p
	}
	if audit, ok := im.Submit.(*Audit); ok {
		audit.from(im, p.runs)
	}
	p.began = im.Now()
	flying := im.flights.start(ctx, p, p.began)
	var refusals []uploader.Refusal
	err := context.Cause(flying)
	if err == nil {
		refusals, err = im.Submit.Submit(flying, p.batch)
	}
	ended := im.flights.end(p)
	known, partly := errors.AsType[*uploader.Partly](err)
	switch {
	case err == nil && len(refusals) > 0:
		err = im.refuse(p, refusals)
	case err != nil && ended != nil:
		err = ended
	case errors.Is(err, uploader.ErrEnough):
		err = fmt.Errorf("%w: of one request alone, allowed are %v", ErrTooManyRejects, im.MaxRejects)
	}
	if err != nil {
		im.flights.fail(p, err)
	}
	im.flights.next(p) // not before it is known that it failed
	if p.err = err; partly {
		if some, bad := im.partly(p, known); some && bad == nil {
			p.err, p.then = nil, err
		}
	} else if err == nil {
		p.kept = p.batch.Len()
		im.unload(p)
	}
	return p
}
