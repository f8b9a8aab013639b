package sandbox

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Limit is a number of requests in a rolling window of time. The zero value
// limits nothing.
type Limit struct {
	Requests int           `json:"requests"`
	Per      time.Duration `json:"per"`
}

func (l Limit) check() string {
	if l.Requests < 0 || l.Per < 0 || (l.Requests == 0) != (l.Per == 0) {
		return "must have requests and per, such as 50 and 1s"
	}
	if l.Requests > maxLimit {
		return "must be at most " + strconv.Itoa(maxLimit) + " requests"
	}
	return ""
}

// maxLimit bounds the memory of a window.
const maxLimit = 1_000_000

// DocumentedLimits are the limits of m3ter's Ingest API: 5,000 requests in any
// 5 minutes from one address, and 50 in any second for one organization.
func DocumentedLimits() (perAddress, perOrganization Limit) {
	return Limit{5000, 5 * time.Minute}, Limit{50, time.Second}
}

// Limits are the limits in force.
type Limits struct {
	PerAddress      Limit `json:"per_address"`
	PerOrganization Limit `json:"per_organization"`
}

// Limits returns the limits in force.
func (s *Server) Limits() Limits { return Limits{s.address.current(), s.org.current()} }

// SetLimits puts other limits in force; a zero Limit ends one. Requests that
// were let in count on, as far as the old limit had to remember them. It is an
// error, and nothing changes, when a limit has only one of its two numbers.
func (s *Server) SetLimits(limits Limits) error {
	if err := limits.check(); err != nil {
		return err
	}
	s.address.set(limits.PerAddress)
	s.org.set(limits.PerOrganization)
	return nil
}

func (l *Limits) check() error {
	if wrong := l.PerAddress.check(); wrong != "" {
		return errors.New("per_address: " + wrong)
	}
	if wrong := l.PerOrganization.check(); wrong != "" {
		return errors.New("per_organization: " + wrong)
	}
	return nil
}

// limiter holds one exact rolling window per key. A request that it refuses
// does not count: the documentation lets a client in again as soon as "the
// rolling total drops below" the limit, and does not say what refused requests
// do to that total.
type limiter struct {
	mu      sync.Mutex
	limit   Limit
	windows map[string]*window
}

// admit counts a request of key at now. When the window that ends at now is
// full it returns the limit, and how long until there is room again.
func (l *limiter) admit(key string, now time.Time) (full bool, limit Limit, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit.Requests <= 0 || l.limit.Per <= 0 {
		return false, l.limit, 0
	}
	if l.windows == nil {
		l.windows = make(map[string]*window)
	}
	w := l.windows[key]
	if w == nil {
		w = new(window)
		l.windows[key] = w
	}
	wait = w.admit(l.limit, now)
	return wait > 0, l.limit, wait
}

func (l *limiter) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.windows)
}

func (l *limiter) current() Limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit
}

func (l *limiter) set(limit Limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = limit
	for _, w := range l.windows {
		w.resize(limit.Requests)
	}
}

// window is a ring of the last admitted requests. A new one fits when the one
// that stood limit.Requests before it is limit.Per or longer ago; nothing else
// needs to be known, so the window is exact, not sampled into buckets.
type window struct {
	times []time.Time
	next  int // the oldest entry, once times is full
}

// admit counts a request, or returns how long until it would fit.
func (w *window) admit(limit Limit, now time.Time) (wait time.Duration) {
	if len(w.times) < limit.Requests {
		w.times = append(w.times, now)
		return 0
	}
	// A request from the future stands there when the clock was put back;
	// it must not lock the client out until then.
	if ago := now.Sub(w.times[w.next]); ago >= 0 && ago < limit.Per {
		return limit.Per - ago
	}
	w.times[w.next] = now
	w.next = (w.next + 1) % limit.Requests
	return 0
}

// resize keeps the newest n.
func (w *window) resize(n int) {
	ordered := slices.Concat(w.times[w.next:], w.times[:w.next])
	w.times, w.next = ordered[max(0, len(ordered)-n):], 0
}

// admitAddress counts a request that submits from the client's address, or
// answers it when that has sent too many. What counts: each that arrives,
// good or bad, whatever faults make of it after its arrival; not the ones that
// are refused here.
func (s *Server) admitAddress(w http.ResponseWriter, r *http.Request) bool {
	return s.within(w, r, &s.address, clientAddress(r), "address")
}

// admitOrganization is admitAddress for the organization's limit. What counts:
// each request that has a good token and its address's leave, and that no
// fault has answered before.
func (s *Server) admitOrganization(w http.ResponseWriter, r *http.Request) bool {
	return s.within(w, r, &s.org, s.config.OrgID, "organization")
}

func (s *Server) within(w http.ResponseWriter, r *http.Request, l *limiter, key, per string) bool {
	full, limit, wait := l.admit(key, s.clock.now())
	if !full {
		return true
	}
	if rate := s.clock.speed(); s.config.RetryAfter && rate > 0 {
		seconds := math.Ceil(wait.Seconds() / rate) // as the client counts them
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	refuse(w, r, http.StatusTooManyRequests,
		"Too Many Requests: more than "+strconv.Itoa(limit.Requests)+" in "+limit.Per.String()+" from one "+per)
	return false
}
