package sandbox

import (
	"sync/atomic"
	"time"
)

// clock is a running clock that can be set: tokens, uid windows and rate
// limits all read it, so that 35 days pass in one request.
type clock struct {
	base   func() time.Time
	offset atomic.Int64 // nanoseconds ahead of base
}

func (c *clock) now() time.Time {
	return c.base().Add(time.Duration(c.offset.Load())).UTC()
}

func (c *clock) set(t time.Time) { c.offset.Store(int64(t.Sub(c.base()))) }

func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// Now returns the time on the sandbox's clock, in UTC.
func (s *Server) Now() time.Time { return s.clock.now() }

// SetClock sets the sandbox's clock, which goes on from there.
func (s *Server) SetClock(t time.Time) { s.clock.set(t) }

// Advance puts the sandbox's clock forward by d, or back when d is negative.
func (s *Server) Advance(d time.Duration) { s.clock.advance(d) }
