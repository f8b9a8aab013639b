package sandbox

import (
	"sync"
	"time"
)

// Limit is a number of requests in a rolling window of time. The zero value
// limits nothing.
type Limit struct {
	Requests int           `json:"requests"`
	Per      time.Duration `json:"per"`
}

// DocumentedLimits are the limits of m3ter's Ingest API: 5,000 requests in any
// 5 minutes from one address, and 50 in any second for one organization.
func DocumentedLimits() (perAddress, perOrganization Limit) {
	return Limit{5000, 5 * time.Minute}, Limit{50, time.Second}
}

// limiter holds one exact rolling window per key. A request that is refused
// does not count: the documentation lets a client in again as soon as "the
// rolling total drops below" the limit, and does not say what refused requests
// do to that total.
type limiter struct {
	limit Limit

	mu      sync.Mutex
	windows map[string]*window
}

// admit counts a request of key at now, or reports false when the window that
// ends at now is full.
func (l *limiter) admit(key string, now time.Time) bool {
	if l.limit.Requests <= 0 || l.limit.Per <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.windows == nil {
		l.windows = make(map[string]*window)
	}
	w := l.windows[key]
	if w == nil {
		w = new(window)
		l.windows[key] = w
	}
	return w.admit(l.limit, now)
}

func (l *limiter) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.windows)
}

// window is a ring of the last admitted requests. A new one fits when the one
// that stood limit.Requests before it is limit.Per or longer ago; nothing else
// needs to be known, so the window is exact, not sampled into buckets.
type window struct {
	times []time.Time
	next  int // the oldest entry, once times is full
}

func (w *window) admit(limit Limit, now time.Time) bool {
	if len(w.times) < limit.Requests {
		w.times = append(w.times, now)
		return true
	}
	// A request from the future stands there when the clock was put back;
	// it must not lock the client out until then.
	if ago := now.Sub(w.times[w.next]); ago >= 0 && ago < limit.Per {
		return false
	}
	w.times[w.next] = now
	w.next = (w.next + 1) % limit.Requests
	return true
}
