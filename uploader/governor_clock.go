package uploader

import "time"

// instant is a time of the clock that the pacers of a book share, in
// nanoseconds. It starts as the time since 1970, and never goes back.
type instant int64

func (t instant) add(d time.Duration) instant { return t + instant(d) }
func (t instant) sub(u instant) time.Duration { return time.Duration(t - u) }

// A clock tells the time of the book. Between looks at the book it runs by
// the monotonic clock of this process. Several processes have only the wall
// clock in common, which people and daemons set; the book therefore says how
// far its time is from the wall clock, and each process that looks at it moves
// that offset so that no time passes but what has passed by its own monotonic
// clock. So a wall clock that is set while an import runs changes nothing.
//
// While no import runs nobody can tell a clock set forward from a long pause:
// the windows are then taken for more drained than they are, by at most one
// window's requests, which the server answers with 429. A clock set back is
// noticed by the times in the book, which would be in the future: the book's
// time then goes on from the last of them, and the worst is that the pause is
// not counted, so nothing waits longer than one window.
type clock struct {
	wall  func() time.Time // nil: the machine's
	base  time.Time        // of the last look, with a monotonic reading
	based instant          // what it was then
}

// slew is what a wall clock that is being corrected may differ from the
// monotonic one between two looks; less is not worth moving the offset for.
const slew = time.Millisecond

func newClock() clock {
	now := time.Now()
	return clock{base: now, based: instant(now.UnixNano())}
}

// now is the time that has come since the last look.
func (c *clock) now() instant { return c.based.add(time.Since(c.base)) }

// look reads the clock for b, and corrects b's offset. known tells whether
// this process has looked at b before.
func (c *clock) look(b *book, known bool) instant {
	now := time.Now()
	wall := now
	if c.wall != nil {
		wall = c.wall()
	}
	t := instant(wall.UnixNano() + b.offset)
	if expected := c.based.add(now.Sub(c.base)); known {
		if jump := t.sub(expected); jump > slew || jump < -slew {
			b.offset -= int64(jump)
			t = expected
		}
	}
	if t < b.last {
		if back := b.last.sub(t); back > slew {
			b.offset += int64(back)
		}
		t = b.last
	}
	b.last, c.base, c.based = t, now, t
	return t
}
