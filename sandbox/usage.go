package sandbox

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/m3import/m3import/internal/decimal"
)

// usage is what the measurements of the organization came to.
type usage struct {
	window  time.Duration // how long a uid is remembered
	discard bool
	seed    maphash.Seed // of measurement.content and uids
	seed2   maphash.Seed // of uids

	mu     sync.Mutex
	uids   map[uidKey]arrival
	held   slabs
	groups map[string]*group // by account, a NUL, meter: no code has a NUL
	counts counts
	key    []byte // scratch
}

// counts are the plain numbers of Totals.
type counts struct {
	submitted, measurements, failed int64
	duplicates, conflicts           int64
	largestBody, largestMeasurement int
	largestBatch                    int
}

// uidKey is 128 bits of hash in the place of a uid: at a billion uids two of
// them meet with a chance of 1 in 10^21, and no uid is kept in memory.
type uidKey [2]uint64

// arrival is the first one of a uid.
type arrival struct {
	at      int64 // nanoseconds since 1970
	content uint64
}

// group is the usage of one meter by one account.
type group struct {
	account, meter string
	measurements   int64
	fields         map[string]*fieldSum // by category, a dot, code
}

type fieldSum struct {
	count int64
	sum   decimal.Sum
}

func (u *usage) init(c Config) {
	u.window, u.discard = c.UIDWindow, c.Discard
	u.seed, u.seed2 = maphash.MakeSeed(), maphash.MakeSeed()
	u.forget()
}

func (u *usage) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget()
}

func (u *usage) forget() {
	u.uids, u.groups = make(map[uidKey]arrival), make(map[string]*group)
	u.held, u.counts = slabs{}, counts{}
}

// take adds the measurements of a request in one step: who looks at the usage
// sees all of them or none.
func (u *usage) take(b *batch, now time.Time, known *accounts, checks *enrichment) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := &u.counts
	c.largestBody = max(c.largestBody, len(b.text))
	c.largestBatch = max(c.largestBatch, len(b.items))
	c.submitted += int64(len(b.items))
	numbers, refs := b.numbers, b.refs
	for i := range b.items {
		m := &b.items[i]
		own := numbers[:m.numbers]
		numbers = numbers[m.numbers:]
		c.largestMeasurement = max(c.largestMeasurement, len(m.raw))
		fields := refs[:m.fields]
		refs = refs[m.fields:]
		var key uidKey
		if m.hasUID() {
			if key = u.uidKey(m); u.repeats(key, m, now.UnixNano()) {
				b.failures = append(b.failures, failure{DuplicateUID, i, "the uid has arrived before"})
				continue
			}
		}
		if kind, reason := checks.refusal(m, fields, &b.names); kind != "" {
			b.failures = append(b.failures, failure{kind, i, reason})
			c.failed++
			continue
		}
		if m.hasUID() { // one that was not ingested may come again, mended
			u.uids[key] = arrival{now.UnixNano(), m.content}
		}
		if reason := checks.miscalculation(m, own); reason != "" {
			b.failures = append(b.failures, failure{CalculationError, i, reason})
		}
		c.measurements++
		u.add(m, own, now, known)
		if !u.discard {
			u.held.append(m.raw)
		}
	}
}

func (u *usage) uidKey(m *measurement) uidKey {
	return uidKey{maphash.Bytes(u.seed, m.uid), maphash.Bytes(u.seed2, m.uid)}
}

// repeats reports whether the uid of m has arrived before, and counts m when
// it has. m3ter's window runs from the first arrival; a repetition does not
// extend it, and past its end the same uid is ingested again. The empty uid is
// a uid: the schema allows it, and the strict reading shows the mistake.
func (u *usage) repeats(key uidKey, m *measurement, now int64) bool {
	old, known := u.uids[key]
	switch {
	case !known || now-old.at >= int64(u.window):
		return false
	case old.content == m.content:
		u.counts.duplicates++
	default:
		u.counts.conflicts++
	}
	return true
}

// add counts m and adds its numbers up.
func (u *usage) add(m *measurement, numbers []number, now time.Time, known *accounts) {
	u.key = append(append(append(u.key[:0], m.account...), 0), m.meter...)
	g := u.groups[string(u.key)]
	if g == nil {
		g = &group{account: string(m.account), meter: string(m.meter), fields: make(map[string]*fieldSum)}
		u.groups[string(u.key)] = g
		known.ensure(g.account, now)
	}
	g.measurements++
	for i := range numbers {
		n := &numbers[i]
		u.key = append(append(append(u.key[:0], memberNames[n.member]...), '.'), n.code...)
		f := g.fields[string(u.key)]
		if f == nil {
			f = new(fieldSum)
			g.fields[string(u.key)] = f
		}
		f.count++
		f.sum.Add(n.value)
	}
}

// slabs hold lines in memory that never moves, so that it can be read while
// more is appended behind.
type slabs struct{ full [][]byte }

const slabBytes = 1 << 20

// append adds line and a line feed. Line breaks in it, which JSON has only
// between tokens, become spaces.
func (s *slabs) append(line []byte) {
	last := len(s.full) - 1
	if last < 0 || cap(s.full[last])-len(s.full[last]) < len(line)+1 {
		s.full = append(s.full, make([]byte, 0, max(slabBytes, len(line)+1)))
		last++
	}
	slab := s.full[last]
	from := len(slab)
	slab = append(append(slab, line...), '\n')
	for i := from; i < len(slab)-1; i++ {
		if slab[i] == '\n' || slab[i] == '\r' {
			slab[i] = ' '
		}
	}
	s.full[last] = slab
}

// snapshot returns the slabs as they are now.
func (u *usage) snapshot() [][]byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([][]byte(nil), u.held.full...)
}
