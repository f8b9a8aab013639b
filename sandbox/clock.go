package sandbox

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// MaxClockRate is the fastest that a sandbox's clock can run: a day a second.
const MaxClockRate = 86_400

// clock is a clock that can be set and run at any rate: tokens, uid windows,
// rate limits, events and the times of faults all read it, so that 35 days
// pass in one request, and an outage of an hour in a minute.
type clock struct {
	base func() time.Time

	mu     sync.Mutex
	anchor time.Time // of base
	shown  time.Time // at anchor
	rate   float64   // seconds for each of base
}

func (c *clock) start(at time.Time, rate float64) {
	c.anchor = c.base()
	c.shown, c.rate = or(at, c.anchor), rate
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(c.base())
}

// at is what the clock shows when base shows t.
func (c *clock) at(t time.Time) time.Time {
	past := t.Sub(c.anchor)
	if c.rate != 1 {
		// Monotonic, as products of floating-point numbers are, and never
		// past the longest Duration.
		past = time.Duration(min(float64(past)*c.rate, math.MaxInt64/2))
	}
	return c.shown.Add(past).UTC()
}

// change sets the clock to what f makes of the time that it shows, and goes
// on from there at rate, which is left as it is when nil.
func (c *clock) change(f func(time.Time) time.Time, rate *float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.base()
	c.shown, c.anchor = f(c.at(now)), now
	if rate != nil {
		c.rate = *rate
	}
}

func (c *clock) speed() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rate
}

// Now returns the time on the sandbox's clock, in UTC.
func (s *Server) Now() time.Time { return s.clock.now() }

// SetClock sets the sandbox's clock, which goes on from there.
func (s *Server) SetClock(t time.Time) {
	s.clock.change(func(time.Time) time.Time { return t }, nil)
}

// Advance puts the sandbox's clock forward by d, or back when d is negative.
func (s *Server) Advance(d time.Duration) {
	s.clock.change(func(now time.Time) time.Time { return now.Add(d) }, nil)
}

// SetClockRate lets the sandbox's clock go on at rate seconds a second, from
// the time that it shows: 60 makes a minute pass in each, 0 stops it. It is an
// error, and nothing changes, when rate is not from 0 to MaxClockRate. Rate
// limits go by this clock too, and let a client in so much sooner.
func (s *Server) SetClockRate(rate float64) error {
	if err := checkRate(rate); err != nil {
		return err
	}
	s.clock.change(func(now time.Time) time.Time { return now }, &rate)
	return nil
}

func checkRate(rate float64) error {
	if !(rate >= 0 && rate <= MaxClockRate) {
		return fmt.Errorf("rate: must be from 0 to %d seconds a second, not %g", MaxClockRate, rate)
	}
	return nil
}
