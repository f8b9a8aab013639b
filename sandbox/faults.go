package sandbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxGarbage bounds the random body of a fault.
const maxGarbage = 16 << 20

// FaultState is a rule and what it has done.
type FaultState struct {
	Fault
	// Added is when, on the sandbox's clock.
	Added time.Time `json:"added"`
	// Counted are the requests that When counts, Struck those it chose.
	Counted int64 `json:"counted"`
	Struck  int64 `json:"struck"`
}

// AddFaults puts rules behind those there are: all, or none when one of them
// is wrong or its name is taken. It is safe at any time.
//
// Several rules may choose one request. Then delays add up and tokens are
// revoked first; of resets, hangs and answers at the same Point the first rule
// has it, and an earlier Point comes before a later one, which may not be
// reached; headers are all set; the answer, whoever gave it, comes as slowly
// as the first drip says and is cut at the earliest cut.
// Rules with When.Match are asked after those with When.Contains, and both
// after all others.
func (s *Server) AddFaults(rules ...Fault) error {
	return s.faults.add(s.clock.now(), rules)
}

// RemoveFaults takes away the rules of these names, or all when there are
// none, and lets go the requests that they hold. It returns how many it found.
func (s *Server) RemoveFaults(names ...string) int { return s.faults.remove(names) }

// Faults returns the rules in their order, with their counts.
func (s *Server) Faults() []FaultState {
	states := []FaultState{}
	for _, r := range s.faults.snapshot() {
		states = append(states, r.state())
	}
	return states
}

// faults are the rules of a Server.
type faults struct {
	seed  uint64
	start time.Time

	mu    sync.Mutex
	named int // rules that were given a name
	rules atomic.Pointer[[]*rule]
}

// rule is a Fault that is in force.
type rule struct {
	Fault
	start time.Time     // of the sandbox
	draws uint64        // where its random numbers begin
	gone  chan struct{} // closed when it is taken away

	mu      sync.Mutex
	added   time.Time
	counted int64
	struck  int64
}

// snapshot returns the rules in their order. It is not to be changed.
func (f *faults) snapshot() []*rule {
	if rules := f.rules.Load(); rules != nil {
		return *rules
	}
	return nil
}

func (f *faults) add(now time.Time, more []Fault) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.snapshot()
	rules, named := slices.Clone(old), f.named
	for i := range more {
		fault := more[i]
		if fault.Name == "" {
			named++
			fault.Name = "fault-" + strconv.Itoa(named)
		}
		if err := fault.Check(); err != nil {
			return &faultError{i, more[i].Name, err}
		}
		if slices.ContainsFunc(rules, func(r *rule) bool { return r.Name == fault.Name }) {
			return &faultError{i, more[i].Name, fmt.Errorf("name: a rule %q is there already; take it away first", fault.Name)}
		}
		rules = append(rules, &rule{
			Fault: fault.clone(), start: f.start, draws: mix(f.seed, textHash(fault.Name)),
			added: now, gone: make(chan struct{}),
		})
	}
	f.named = named
	f.rules.Store(&rules)
	return nil
}

// faultError says which of several rules is wrong.
type faultError struct {
	index int
	name  string // as given
	err   error
}

func (e *faultError) Error() string {
	at := "faults[" + strconv.Itoa(e.index) + "]"
	if e.name != "" {
		at += " (" + e.name + ")"
	}
	return at + ": " + e.err.Error()
}

func (e *faultError) Unwrap() error { return e.err }

func (f *faults) remove(names []string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var kept []*rule
	old := f.snapshot()
	for _, r := range old {
		if len(names) > 0 && !slices.Contains(names, r.Name) {
			kept = append(kept, r)
			continue
		}
		close(r.gone)
	}
	f.rules.Store(&kept)
	return len(old) - len(kept)
}

// restart begins counts and times anew.
func (f *faults) restart(now time.Time) {
	for _, r := range f.snapshot() {
		r.mu.Lock()
		r.added, r.counted, r.struck = now, 0, 0
		r.mu.Unlock()
	}
}

func (r *rule) state() FaultState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return FaultState{r.Fault.clone(), r.added, r.counted, r.struck}
}

// concerns reports whether the rule is about an operation, "" being none.
func (r *rule) concerns(operation string) bool {
	return len(r.On) == 0 || slices.Contains(r.On, operation)
}

// count counts a request of which all else holds, and reports whether the
// rule chooses it.
func (r *rule) count(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &r.When
	began := r.added
	if w.SinceStart {
		began = r.start
	}
	if past := now.Sub(began) - w.After; past < 0 || w.For > 0 && past >= w.For {
		return false
	}
	r.counted++
	n, from := r.counted, int64(max(w.From, 1))
	switch {
	case n < from || w.To > 0 && n > int64(w.To),
		w.Every > 1 && (n-from)%int64(w.Every) != 0,
		w.Times > 0 && r.struck >= int64(w.Times),
		w.Probability > 0 && r.draw(n) >= w.Probability:
		return false
	}
	r.struck++
	return true
}

// draw is the random number in [0,1) of the n-th request.
func (r *rule) draw(n int64) float64 {
	return rand.New(rand.NewPCG(r.draws, uint64(n))).Float64()
}

// garbage is the random body of the n-th answer.
func (r *rule) garbage(n int) []byte {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], r.draws)
	body := make([]byte, n)
	rand.NewChaCha8(seed).Read(body)
	return body
}

func textHash(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

// tripped reports whether body has one of the texts where Contains looks.
func (w *When) tripped(body []byte) bool {
	if w.Within > 0 && len(body) > w.Within {
		body = body[:w.Within]
	}
	body = lowerASCII(body)
	return slices.ContainsFunc(w.Contains, func(text string) bool {
		return bytes.Contains(body, lowerASCII([]byte(text)))
	})
}

func lowerASCII(text []byte) []byte {
	lower := bytes.Clone(text)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return lower
}

// find returns the index of the first measurement like m, -1 when there is none.
func (m *Match) find(items []measurement) int {
	like := func(want string, got []byte) bool { return want == "" || want == string(got) }
	return slices.IndexFunc(items, func(item measurement) bool {
		return like(m.UID, item.uid) && like(m.Meter, item.meter) && like(m.Account, item.account) &&
			(m.Text == "" || bytes.Contains(item.raw, []byte(m.Text)))
	})
}

// clone keeps a rule apart from the data that it was made of.
func (f Fault) clone() Fault {
	f.On, f.When.Contains = slices.Clone(f.On), slices.Clone(f.When.Contains)
	f.Headers = maps.Clone(f.Headers)
	copied(&f.When.Match)
	copied(&f.Drip)
	copied(&f.Cut)
	return f
}

func copied[T any](p **T) {
	if *p != nil {
		v := **p
		*p = &v
	}
}
