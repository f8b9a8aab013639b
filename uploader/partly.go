package uploader

import (
	"cmp"
	"errors"
	"slices"
)

// ErrEnough says that a submission ended because more of its measurements were
// refused than its [Departure] allows.
var ErrEnough = errors.New("more measurements of a request are refused than are allowed")

// Partly is the error of a submission that ended when the fate of a part of its
// batch was known: of the first Settled measurements, each of which is among the
// Refusals or accepted. Of the others some may have been taken; submitting them
// again is safe.
type Partly struct {
	Settled  int       // more than 0
	Refusals []Refusal // in the order of the batch
	Err      error     // why it ended: ErrEnough, or an *Error
}

func (p *Partly) Error() string { return p.Err.Error() }

// Unwrap gives Err.
func (p *Partly) Unwrap() error { return p.Err }

// allowance is how many measurements of a batch may be refused, and whether
// anybody has said so.
type allowance struct {
	most int
	said bool
}

// landed notes that s was taken.
func (d *delivery) landed(s span) {
	if s.len() == d.b.Len() {
		return // and it is over
	}
	if d.took == nil {
		d.took = make([]bool, d.b.Len())
	}
	for i := s.from; i < s.to; i++ {
		d.took[i] = true
	}
}

// certain is how many measurements are refused beyond doubt.
func (d *delivery) certain() (n int) {
	for _, s := range d.suspects {
		if !d.doubtful(s) {
			n++
		}
	}
	return n
}

// settled is how far the fate of each measurement from the first one on is known,
// and which of them are refused. It goes no further than to the one that is more
// than are allowed, so that a batch with too many ends at the same measurement in
// whichever order they were found.
func (d *delivery) settled() (n int, refusals []Refusal) {
	refused := make(map[int]Refusal, len(d.suspects))
	for _, s := range d.suspects {
		if !d.doubtful(s) {
			refused[s.Item] = s.Refusal
		}
	}
	for ; n < d.b.Len(); n++ {
		if d.took != nil && d.took[n] {
			continue
		}
		no, ok := refused[n]
		if !ok {
			break
		}
		refusals = append(refusals, no)
		if d.allowed.said && len(refusals) > d.allowed.most {
			return n + 1, refusals
		}
	}
	return n, refusals
}

// enough reports that more measurements are refused than are allowed, and that
// the fate of all before the last of these is known.
func (d *delivery) enough() bool {
	if !d.allowed.said || len(d.suspects) <= d.allowed.most {
		return false
	}
	_, refusals := d.settled()
	return len(refusals) > d.allowed.most
}

// ended is the outcome of a delivery that ends before all of the batch is settled.
// Where most is refused, or we are not wanted, no row is told to be, unless as many
// are allowed: it may be the mapping, and then what was refused would have to be
// mended row by row.
func (d *delivery) ended(why error) error {
	if !d.left && d.search.Batches > 0 {
		d.departure.Waiting()
	}
	e, ok := why.(*Error)
	if ok && (e.Kind != Temporary || len(d.suspects) > d.taken) {
		return why
	}
	n, refusals := d.settled()
	if n == 0 {
		return why
	}
	d.c.count.refused.Add(int64(len(refusals)))
	return &Partly{Settled: n, Refusals: refusals, Err: why}
}

// refusals are those of a delivery whose suspects are no more in doubt.
func (d *delivery) refusals() []Refusal {
	if len(d.suspects) == 0 {
		return nil
	}
	slices.SortFunc(d.suspects, func(a, b suspect) int { return cmp.Compare(a.Item, b.Item) })
	refusals := make([]Refusal, len(d.suspects))
	for i, s := range d.suspects {
		refusals[i] = s.Refusal
	}
	return refusals
}
