package uploader

import (
	"sync"
	"time"
)

// witness is a measurement that the platform has taken, to ask it again
// whether it takes any from us. It is sent as it was, so it is the same one to
// the platform, which counts it as a duplicate.
type witness struct {
	mu    sync.Mutex
	text  []byte // a request body; nil: none
	since time.Time
}

// How old a witness gets before another one replaces it, and before it is not
// sent any more: the platform knows a uid for 35 days, then it would bill it.
const (
	witnessAge    = time.Hour
	maxWitnessAge = 30 * 24 * time.Hour
)

// took says that a measurement was taken. It is copied, if at all.
func (w *witness) took(item []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.text != nil && time.Since(w.since) <= witnessAge {
		return
	}
	// In new memory: the old text may be on its way.
	w.text = append(append(append([]byte(nil), head...), item...), tail...)
	w.since = time.Now()
}

// body is the witness as a request body, not to be changed; nil: there is none.
func (w *witness) body() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.since) > maxWitnessAge {
		return nil
	}
	return w.text
}
