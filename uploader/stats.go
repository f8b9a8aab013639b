package uploader

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stats are what a client has done so far. Requests are those that submit
// measurements; requests for tokens and configuration are not among them.
type Stats struct {
	Requests     int64 `json:"requests"`
	Accepted     int64 `json:"accepted"`     // requests that were accepted
	Measurements int64 `json:"measurements"` // in accepted requests
	Refused      int64 `json:"refused"`      // measurements that Submit has told to be refused
	Bisecting    int64 `json:"bisecting"`    // calls made to find what was refused; those that repeat one are Retries
	Retries      int64 `json:"retries"`      // requests that repeat another one
	Throttled    int64 `json:"throttled"`    // answers of status 429
	Uncertain    int64 `json:"uncertain"`    // requests without an answer, or with one that says nothing about their fate
	Refreshes    int64 `json:"refreshes"`    // tokens fetched after the first one
	BytesSent    int64 `json:"bytes_sent"`   // of bodies, repeated ones included
	// ByStatus counts the answers by status; 0 is no answer.
	ByStatus map[int]int64 `json:"by_status,omitempty"`
	// What the workers waited for, summed over them: the rate windows, the
	// server's 429, and the time between retries. In JSON it is nanoseconds.
	PaceWait     time.Duration `json:"pace_wait"`
	ThrottleWait time.Duration `json:"throttle_wait"`
	BackoffWait  time.Duration `json:"backoff_wait"`
}

// Trouble is what keeps a client from getting on just now.
type Trouble struct {
	Since time.Time // of the first failure after the last good answer
	Until time.Time // while throttled: when the next request may go; else zero
	Err   *Error    // the last failure
	Count int64     // failures since Since
}

// Search is what goes on about requests whose content was refused.
type Search struct {
	Batches  int64 // that are being taken apart
	Requests int64 // made for that so far, for those batches
	Refused  int64 // measurements of them that were refused alone
}

// Search is safe to call at any time.
func (c *Client) Search() Search {
	n := &c.count.search
	return Search{Batches: n.batches.Load(), Requests: n.requests.Load(), Refused: n.refused.Load()}
}

// searching counts for the time that it lasts.
type searching struct{ batches, requests, refused atomic.Int64 }

func (s *searching) add(more Search) {
	s.batches.Add(more.Batches)
	s.requests.Add(more.Requests)
	s.refused.Add(more.Refused)
}

// counters are Stats while they are counted.
type counters struct {
	search searching

	requests, accepted, measurements, refused, bisecting atomic.Int64
	retries, throttled, uncertain, bytes                 atomic.Int64
	paceWait, throttleWait, backoffWait                  atomic.Int64
	byStatus                                             [1000]atomic.Int64

	mu      sync.Mutex
	trouble Trouble
}

func (c *counters) exchanged(x exchange, size int) {
	c.requests.Add(1)
	c.bytes.Add(int64(size))
	if x.status >= 0 && x.status < len(c.byStatus) {
		c.byStatus[x.status].Add(1)
	}
	if x.status == 429 {
		c.throttled.Add(1)
	}
}

func (c *counters) waited(p permit) {
	c.paceWait.Add(int64(p.paced))
	c.throttleWait.Add(int64(p.gated))
}

func (c *counters) good() {
	c.mu.Lock()
	c.trouble = Trouble{}
	c.mu.Unlock()
}

func (c *counters) bad(err Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trouble.Count == 0 {
		c.trouble.Since = time.Now()
	}
	c.trouble.Count++
	c.trouble.Err = &err
}

// Stats is safe to call at any time.
func (c *Client) Stats() Stats {
	n := &c.count
	s := Stats{
		Requests: n.requests.Load(), Accepted: n.accepted.Load(), Measurements: n.measurements.Load(),
		Refused: n.refused.Load(), Bisecting: n.bisecting.Load(),
		Retries: n.retries.Load(), Throttled: n.throttled.Load(), Uncertain: n.uncertain.Load(),
		Refreshes: c.auth.renewals(), BytesSent: n.bytes.Load(),
		PaceWait:     time.Duration(n.paceWait.Load()),
		ThrottleWait: time.Duration(n.throttleWait.Load()),
		BackoffWait:  time.Duration(n.backoffWait.Load()),
		ByStatus:     map[int]int64{},
	}
	for status := range n.byStatus {
		if count := n.byStatus[status].Load(); count > 0 {
			s.ByStatus[status] = count
		}
	}
	return s
}

// Trouble tells what has gone wrong since the last good answer, and whether
// anything has. Safe to call at any time; it is for showing.
func (c *Client) Trouble() (Trouble, bool) {
	c.count.mu.Lock()
	t := c.count.trouble
	c.count.mu.Unlock()
	t.Until = c.pace.shutUntil()
	return t, t.Count > 0
}
