package uploader

import (
	"sync"
	"time"
)

// proof remembers that the platform takes measurements from this client: when
// it last did, and one measurement that it took, to ask it again. That one is
// sent as it was, so it is the same measurement to the platform, which counts
// it as a duplicate.
type proof struct {
	mu         sync.Mutex
	generation int   // of the token
	began      int64 // of the request that was taken and began last; 0: none
	witness    []byte
	since      time.Time // when the witness was taken
}

// How old a witness gets before another one replaces it, and before it is not
// sent any more: the platform knows a uid for 35 days, then it would bill it.
const (
	witnessAge    = time.Hour
	maxWitnessAge = 30 * 24 * time.Hour
)

// took notes an attempt that was taken with item in it, or nil for the witness.
func (p *proof) took(a attempt, item []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.began > p.began {
		p.generation, p.began = a.token.generation, a.began
	}
	if item != nil && (p.witness == nil || time.Since(p.since) > witnessAge) {
		p.witness = append(append(append([]byte(nil), head...), item...), tail...) // new memory: the old may be on its way
		p.since = time.Now()
	}
}

// covers tells whether something was taken with the token in a request that
// began after a time.
func (p *proof) covers(used token, over int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.generation == used.generation && p.began > over
}

// any tells whether anything was ever taken.
func (p *proof) any() bool { return p.body() != nil }

// body is a request body of the witness alone, not to be changed; nil: none.
func (p *proof) body() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.since) > maxWitnessAge {
		return nil
	}
	return p.witness
}
