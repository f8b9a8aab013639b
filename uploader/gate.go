package uploader

import "time"

// gate is the part of a pacer that answers a 429. Closed, it lets nobody
// through until a time. Then it tries: one request, and when that is not
// throttled two at once, then four, then it is open. So a hundred workers
// cost one more 429 each time the limit still holds, not a hundred; and a
// limit that somebody else shares is met with a few requests instead of a
// burst. Guarded by the pacer's lock.
type gate struct {
	state   gateState
	until   time.Time // closed: when it tries
	room    int       // trying: requests that may be under way
	tries   int       // trying: requests under way
	passes  int       // trying: answers that were no 429, since room is what it is
	strikes int       // times closed since it was last open
	// epoch counts the closings. Workers that were under way together get
	// their 429s together; only the first is news, and lengthens the wait.
	epoch int

	shutSince time.Time     // not open: since when
	shutTotal time.Duration // all earlier times of not being open
}

type gateState uint8

const (
	open gateState = iota
	closed
	trying
)

// fullRoom is the number of requests at once at which trying ends.
const fullRoom = 4

// gateFloor is the shortest time to be closed when the server does not say:
// the limit per second holds "for the rest of that second".
const gateFloor = time.Second

func (g *gate) delay(now time.Time) time.Duration {
	switch {
	case g.state == closed:
		return max(0, g.until.Sub(now))
	case g.state == trying && g.tries >= g.room:
		return never
	}
	return 0
}

func (g *gate) admit() {
	if g.state == closed {
		g.state, g.room, g.tries, g.passes = trying, 1, 0, 0
	}
	if g.state == trying {
		g.tries++
	}
}

func (g *gate) passed(now time.Time, epoch int, answered bool) {
	if g.state != trying || epoch != g.epoch {
		return
	}
	g.tries--
	if !answered {
		return // it says nothing about the limit; the next one tries
	}
	if g.passes++; g.passes < g.room {
		return
	}
	g.passes = 0
	if g.room *= 2; g.room > fullRoom {
		g.state, g.strikes = open, 0
		g.shutTotal += now.Sub(g.shutSince)
	}
}

func (g *gate) refused(now time.Time, epoch int, after time.Duration) {
	if epoch == g.epoch {
		if g.state == open {
			g.shutSince = now
		}
		g.epoch++
		g.strikes++
		g.state, g.until = closed, now
		if after <= 0 {
			g.until = now.Add(gateFloor + fullJitter(g.strikes-1))
		}
	}
	if g.state == closed && after > 0 {
		if until := now.Add(backoff(0, after)); until.After(g.until) {
			g.until = until
		}
	}
}

// shutTime is for how long altogether the gate has not been open.
func (g *gate) shutTime(now time.Time) time.Duration {
	if g.state == open {
		return g.shutTotal
	}
	return g.shutTotal + now.Sub(g.shutSince)
}

// hopeless tells whether patience ends before the gate can open.
func (g *gate) hopeless(now time.Time, patience time.Duration) bool {
	return g.state != open && patience <= 0 ||
		g.state == closed && g.until.Sub(now) > patience
}
