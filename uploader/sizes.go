package uploader

import (
	"iter"
	"sync"
	"time"
)

// sizes learns how large a request body may be where something between us and
// the platform takes less than the platform does: from bodies that were
// refused, and then taken in parts.
type sizes struct {
	mu       sync.Mutex
	passed   int // the largest body that was taken
	tooLarge int // the smallest body that was refused for its size; 0: none
	tried    time.Time
}

const (
	// sizeMemory is for how long a learned limit is kept to before one larger
	// body is tried: proxies are mended, and one that had a bad moment must
	// not cost the rest of an import.
	sizeMemory = 10 * time.Minute
	// smallestRule is the lowest limit that is known of a firewall
	// (SizeRestrictions_BODY of the AWS Core rule set). A smaller body was not
	// refused for its size, unless the answer says so.
	smallestRule = 8 << 10
)

// limit is the largest body to send: halfway between what passes and what does
// not, so that a few refusals find the limit; what passes, when that is near,
// so that not every body tries.
func (s *sizes) limit() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.tooLarge == 0:
		return MaxBytes
	case time.Since(s.tried) > sizeMemory:
		s.tried = time.Now() // this one tries; the others wait for what comes of it
		return MaxBytes
	case s.passed >= s.tooLarge-s.tooLarge/4:
		return s.passed
	}
	return (s.passed + s.tooLarge) / 2
}

// passes tells whether bodies of about that size have been taken.
func (s *sizes) passes(size int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passed >= size-size/10
}

// took says that a body was taken.
func (s *sizes) took(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passed = max(s.passed, size)
	if size >= s.tooLarge {
		s.tooLarge = 0
	}
}

// refused says that a body was refused, and then taken in parts. certain tells
// that the answer said that it was for the size; otherwise nothing is learned
// from a size that has passed before.
func (s *sizes) refused(size int, certain bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !certain && (size <= smallestRule || s.passed >= size-size/10) {
		return
	}
	if s.tooLarge == 0 || size < s.tooLarge {
		s.tooLarge = size
	}
	if s.passed >= s.tooLarge {
		s.passed = s.tooLarge / 2 // it was another limit then
	}
	s.tried = time.Now()
}

// pieces cuts the batch into runs of measurements that are no larger than what
// is known to be too large when they are sent: as few as can be, of about the
// same size. A single measurement is a piece however large it is.
func (d *delivery) pieces(limit func() int) iter.Seq[span] {
	return func(yield func(span) bool) {
		n := d.b.Len()
		for from := 0; from < n; {
			rest, most := d.size(span{from, n}), limit()
			fair := rest
			if rest > most {
				fair = len(head) + rest/((rest+most-1)/most) + len(tail)
			}
			to := from + 1
			for to < n && d.size(span{from, to}) < fair && d.size(span{from, to + 1}) <= most {
				to++
			}
			if !yield(span{from, to}) {
				return
			}
			from = to
		}
	}
}
