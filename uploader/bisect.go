package uploader

import (
	"context"
	"fmt"
	"slices"
)

const (
	// maxRefusals is from how many refusals on a batch is given up when most of
	// it is refused. Taking k of n measurements out costs about
	// 2k·log2(n/k)+2k requests: a tenth of a full batch some 850, most of the
	// platform's minute. Up to there, and as long as more is taken than
	// refused, going on is what was asked for, and how many rejects are too
	// many is the caller's to say. Past it, singles are all that is sent, and
	// a file of such batches would take days to be refused row by row. Where
	// the caller has said how many may be refused, that is the bound.
	maxRefusals = 100
	// firstCredit is how many 403s in a row are put down to the content before
	// the credentials are proved again. With one guilty measurement in a batch
	// there are never so many: one half of each pair is innocent.
	firstCredit = 4
	// maxProofs bounds how often new doubt may come up at the end. Each time
	// takes a token that was ended before its time.
	maxProofs = 5
)

// delivery is the submission of one batch: whole, as a rule. Halves are sent
// instead of a request that was refused, and halves of those, so that one
// guilty measurement among n costs at most 2·log2(n) requests more.
//
// A status that is about the content settles what is refused. One that may be
// about us, the 403 above all, does not: it is what an ended token, a wrong
// organization and a missing permission are answered with, too. Then a
// measurement that stands alone is only a suspect, until the platform has
// taken another one, in a request that began after the suspect's answer and
// with the same token. Without that, nothing is refused.
//
// A delivery that ends in an error tells of which measurements from the first one
// on the fate is known. Of those behind it may have delivered some, and nobody is
// told which: they are sent again, to the platform the same.
type delivery struct {
	c *Client
	b *Batch
	// scratch is the body of a part, made anew for each: one copy of the
	// part's bytes, into the same memory.
	scratch  []byte
	token    token // the last that was used; empty: none
	outlived bool  // a 403 has outlived a new token
	suspects []suspect
	taken    int   // measurements
	calls    int   // answered for good, so far
	granted  grant // the last one that was taken
	why      blame // of the last request that was refused
	doubt    int   // 403s since the platform last took something from this delivery
	credit   int   // that many start a proof
	// searching says that something was refused, so that the calls which follow
	// are made to find what.
	searching bool
	search    Search // counted for it
	// departure is told of each request; left says that some of the batch may
	// have been taken.
	departure Departure
	left      bool
	unsure    []span // of which a request ended without a word of their fate
	took      []bool // which measurements were taken; nil: none, or all
	allowed   allowance
}

// suspect is a measurement that was refused when it stood alone.
type suspect struct {
	Refusal
	why   blame
	hint  string
	grant // that it did not get
}

// grant is the right to submit that a call had; the zero grant is none.
type grant struct {
	token int // its generation
	call  int // counted from 1, in the delivery
}

// covers tells whether the right that other went without was there: it shows
// in a later call with the same token.
func (g grant) covers(other grant) bool { return g.token == other.token && g.call > other.call }

// span is a run of measurements of a batch: from, and up to but without to.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

func (s span) halves() (left, right span) {
	middle := s.from + s.len()/2
	return span{s.from, middle}, span{middle, s.to}
}

// deliver gets the measurements of s taken, or makes suspects of them.
func (d *delivery) deliver(ctx context.Context, s span) error {
	ok, err := d.ask(ctx, s)
	switch {
	case ok || err != nil || s.len() == 1:
		return err
	case d.why == onContentOrUs && d.c.witness.body() == nil:
		return d.introduce(ctx, s)
	}
	return d.split(ctx, s, d.why)
}

// split delivers the halves of s, more than one measurement of which at least
// one was refused, so it is known. Both halves are sent before a half is
// split: then one of a pair is usually taken, which shows that the platform
// takes something from us.
func (d *delivery) split(ctx context.Context, s span, why blame) error {
	before := len(d.suspects)
	left, right := s.halves()
	leftTaken, err := d.ask(ctx, left)
	if err != nil {
		return err
	}
	leftWhy := d.why
	if leftTaken && right.len() > 1 && d.inside(s, why) {
		return d.split(ctx, right, why)
	}
	rightTaken, err := d.ask(ctx, right)
	if err != nil {
		return err
	}
	rightWhy := d.why
	if !leftTaken && left.len() > 1 {
		if err := d.split(ctx, left, leftWhy); err != nil {
			return err
		}
	}
	if !rightTaken && right.len() > 1 {
		if err := d.split(ctx, right, rightWhy); err != nil {
			return err
		}
	}
	if why != onContent && len(d.suspects) == before {
		// All of it was taken, in parts.
		d.c.sizes.refused(d.size(s), why == onSize)
	}
	return nil
}

// inside tells whether what s was refused for is inside of one of its
// measurements, so that when one half is taken, the other need not be asked as
// a whole. Otherwise it may be the size of s. Either way a measurement has to
// be refused alone to be refused.
func (d *delivery) inside(s span, why blame) bool {
	return why == onContent || why == onContentOrUs && d.c.sizes.passes(d.size(s))
}

// introduce delivers s when s was refused and nothing was ever taken from us.
// Before anything is halved, the first, the last, and the middle measurement
// are sent alone: when none of them is taken, it is not for a measurement that
// s was refused, as far as anybody can tell, and it ends after five requests.
func (d *delivery) introduce(ctx context.Context, s span) error {
	before := len(d.suspects)
	var asked []int
	for _, i := range []int{s.from, s.to - 1, s.from + s.len()/2} {
		if slices.Contains(asked, i) {
			continue
		}
		ok, err := d.ask(ctx, span{i, i + 1})
		if err != nil {
			return err
		}
		asked = append(asked, i)
		if ok {
			break
		}
	}
	if i := slices.IndexFunc(d.suspects, d.doubtful); i >= 0 && d.c.witness.body() == nil {
		return d.suspects[i].err()
	}
	slices.Sort(asked)
	next := s.from
	for _, i := range append(asked, s.to) {
		if next < i {
			if err := d.deliver(ctx, span{next, i}); err != nil {
				return err
			}
		}
		next = i + 1
	}
	if len(d.suspects) == before {
		d.c.sizes.refused(d.size(s), false)
	}
	return nil
}

// ask sends s, and tells whether it was taken. A single measurement that was
// not is a suspect.
func (d *delivery) ask(ctx context.Context, s span) (bool, error) {
	if d.searching {
		d.searches(Search{Requests: 1})
		d.c.count.bisecting.Add(1)
		d.departure.Pausing() // a stop does not wait for the whole search
		d.departure.Again()
	}
	body := d.body(s)
	what := d.c.submission(body)
	what.token, what.outlived = d.token, d.outlived
	what.departure, what.left = d.departure, d.left
	out := d.c.do(ctx, what)
	d.calls++
	d.left = out.left
	if out.lent {
		d.lend(s)
	}
	if out.unsure {
		d.unsure = append(d.unsure, s)
	}
	if out.token.text != "" {
		d.token = out.token
	}
	switch {
	case out.err == nil:
		d.taken += s.len()
		d.landed(s)
		d.doubt = 0
		d.c.count.accepted.Add(1)
		d.c.count.measurements.Add(int64(s.len()))
		d.c.sizes.took(len(body))
		d.granted = grant{out.token.generation, d.calls}
		d.c.witness.took(d.b.Item(s.from))
		return true, d.told()
	case out.blame == onAll, out.blame == onSize && s.len() == 1:
		return false, out.err
	}
	d.why, d.searching = out.blame, true
	if d.search.Batches == 0 {
		d.searches(Search{Batches: 1})
	}
	if s.len() == 1 {
		d.searches(Search{Refused: 1})
		d.suspects = append(d.suspects, suspect{
			Refusal: Refusal{Item: s.from, Status: out.err.Status, Message: out.err.Message, Hint: hintAlone(out.err), Unsure: d.sentBefore(s.from)},
			why:     out.blame, hint: out.err.Hint, grant: grant{out.token.generation, d.calls},
		})
		if err := d.told(); err != nil {
			return false, err
		}
		if n := len(d.suspects); !d.allowed.said && n >= maxRefusals && n > d.taken {
			return false, d.tooMany(ctx)
		}
	}
	if out.blame == onContentOrUs {
		d.outlived = true
		if d.doubt++; d.doubt >= d.credit {
			return false, d.prove(ctx, out.err)
		}
	}
	return false, nil
}

// sentBefore tells whether a measurement was in a request of whose fate nothing is
// known.
func (d *delivery) sentBefore(item int) bool {
	return slices.ContainsFunc(d.unsure, func(s span) bool { return s.from <= item && item < s.to })
}

// searches counts what is done about what was refused, for as long as the
// delivery lasts.
func (d *delivery) searches(more Search) {
	d.search.Batches += more.Batches
	d.search.Requests += more.Requests
	d.search.Refused += more.Refused
	d.c.count.search.add(more)
}

// over takes out again what was counted for the delivery.
func (d *delivery) over() {
	d.c.count.search.add(Search{-d.search.Batches, -d.search.Requests, -d.search.Refused})
}

// settle gives the refusals, when it is certain that they are some.
func (d *delivery) settle(ctx context.Context) ([]Refusal, error) {
	for proofs := 0; ; proofs++ {
		i := slices.IndexFunc(d.suspects, d.doubtful)
		if i < 0 {
			break
		}
		if proofs == maxProofs {
			return nil, d.suspects[i].err()
		}
		if err := d.prove(ctx, d.suspects[i].err()); err != nil {
			return nil, err
		}
		// What is still in doubt was answered under a token that has ended
		// since, perhaps before. Under the one that has not, it is asked again.
		var again []suspect
		d.suspects = slices.DeleteFunc(d.suspects, func(s suspect) bool {
			if d.doubtful(s) {
				again = append(again, s)
				return true
			}
			return false
		})
		for _, s := range again {
			if _, err := d.ask(ctx, span{s.Item, s.Item + 1}); err != nil {
				return nil, err
			}
		}
	}
	if d.enough() {
		return nil, ErrEnough
	}
	return d.refusals(), nil
}

// told tells the departure what is settled. The error is that it is enough.
func (d *delivery) told() error {
	d.departure.Settled(d.taken, d.certain())
	if d.enough() {
		return ErrEnough
	}
	return nil
}

// doubtful tells whether a suspect may have been refused because of us.
func (d *delivery) doubtful(s suspect) bool {
	return s.why == onContentOrUs && !d.granted.covers(s.grant)
}

// prove sends a measurement that the platform has taken before, which shows
// whether it still takes any from us. The platform knows it by its uid. If
// nothing is shown, what was refused is the error.
func (d *delivery) prove(ctx context.Context, refused *Error) error {
	body := d.c.witness.body()
	if body == nil {
		return refused
	}
	d.c.count.bisecting.Add(1)
	what := d.c.submission(body)
	what.token = d.token
	what.departure, what.left = d.departure, d.left
	out := d.c.do(ctx, what)
	d.calls++
	if out.token.text != "" {
		d.token = out.token
	}
	switch {
	case out.err != nil && out.blame == onAll:
		return out.err
	case out.err != nil:
		return refused
	}
	d.c.count.accepted.Add(1)
	d.granted = grant{out.token.generation, d.calls}
	d.doubt = 0
	d.credit *= 2
	return nil
}

// err is the error that a suspect is when nothing shows that the platform takes
// anything from us.
func (s *suspect) err() *Error {
	return &Error{Kind: Fatal, Op: opSubmit.String(), Status: s.Status, Message: s.Message, Hint: s.hint}
}

// tooMany is the error when most of the batch is refused.
func (d *delivery) tooMany(ctx context.Context) error {
	if i := slices.IndexFunc(d.suspects, d.doubtful); i >= 0 {
		if err := d.prove(ctx, d.suspects[i].err()); err != nil {
			return err
		}
	}
	last := d.suspects[len(d.suspects)-1]
	return &Error{
		Kind: Refused, Op: opSubmit.String(), Status: last.Status,
		Message: fmt.Sprintf("most of a request is refused, %d measurements of %d so far; the last one: %s",
			len(d.suspects), len(d.suspects)+d.taken, last.Message),
		Hint: hintMost,
	}
}

// body is the request body of s, good until the next one.
func (d *delivery) body(s span) []byte {
	if s.len() == d.b.Len() {
		return d.b.Body()
	}
	d.scratch = append(slices.Grow(d.scratch[:0], d.size(s)), head...)
	d.scratch = append(d.scratch, d.b.body[d.b.start(s.from):d.b.ends[s.to-1]]...)
	d.scratch = append(d.scratch, tail...)
	return d.scratch
}

// lend leaves the body of s to a transport that may not be done with it.
func (d *delivery) lend(s span) {
	if s.len() == d.b.Len() {
		d.b.lent = true
	} else {
		d.scratch = nil
	}
}

// size is that of the body of s.
func (d *delivery) size(s span) int {
	return len(head) + d.b.ends[s.to-1] - d.b.start(s.from) + len(tail)
}

// start is where the i-th measurement begins in the body.
func (b *Batch) start(i int) int {
	if i == 0 {
		return len(head)
	}
	return b.ends[i-1] + len(",")
}
