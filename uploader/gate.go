package uploader

import "time"

// gate is the part of a book that answers a 429. Closed, it lets nobody
// through until a time. Then it tries: one request, and when that is not
// throttled two at once, then four, then it is open. So a hundred workers
// cost one more 429 each time the limit still holds, not a hundred; and a
// limit that somebody else shares is met with a few requests instead of a
// burst.
type gate struct {
	state  gateState
	until  instant // closed: when it tries
	room   int     // trying: requests that may be under way
	tries  int     // trying: requests under way
	tried  instant // trying: when the last of them left
	passes int     // trying: answers that were no 429, since room is what it is
	// epoch counts the closings. Workers that were under way together get
	// their 429s together; only the first is news, and lengthens the wait.
	epoch int
	// crowd is how many more were refused together with the first refusal of
	// the last closing: the gate is not open before as many pass together, or
	// all who wait would meet the same limit once more. When probes are refused
	// for crowdFor, it was not their number.
	crowd int

	passing bool          // a request has passed since the first of the last refusals
	refused instant       // not passing: when that was
	since   instant       // not open: since when
	total   time.Duration // all earlier times of not being open
}

type gateState uint8

const (
	open gateState = iota
	closed
	trying
)

// fullRoom is the number of requests at once at which trying ends, unless more
// were refused at once.
const fullRoom = 4

const (
	// gateFloor is the time from one try to the next when the server does not
	// say: the limit per second holds "for the rest of that second".
	gateFloor = time.Second
	// After floorFor of refusals the tries become rarer, by a part of the time
	// that the refusals have lasted: a limit of minutes cannot be told from an
	// outage of seconds, and should not cost a request every second.
	floorFor   = 32 * time.Second
	rarer      = 6
	rarestGate = 30 * time.Second
	// crowdFor is longer than a crowd keeps a window of a second full, also
	// where refused requests count and trips vary.
	crowdFor = 5 * time.Second
	// longestShut is the longest that a server's wish is kept for others, who
	// may be other programs, days later: then one asks again.
	longestShut = time.Hour
	// lostAfter is when a try that was not heard of again is given up: its
	// process may have been stopped.
	lostAfter = 2 * time.Minute
)

func (g *gate) delay(now instant) time.Duration {
	switch {
	case g.state == closed:
		return max(0, g.until.sub(now))
	case g.state == trying && g.tries >= g.room:
		if now.sub(g.tried) < lostAfter {
			return never
		}
	}
	return 0
}

func (g *gate) admit(now instant) {
	switch {
	case g.state == closed:
		g.state, g.room, g.tries, g.passes = trying, 1, 0, 0
	case g.state == trying && g.tries >= g.room:
		g.tries = 0
	}
	if g.state == trying {
		g.tries++
		g.tried = now
	}
}

// passed is told of a request that was not throttled. It returns whether it is
// the first one that passed after refusals.
func (g *gate) passed(now instant, epoch int, answered bool) bool {
	if g.state != trying || epoch != g.epoch {
		return false
	}
	g.tries = max(0, g.tries-1)
	if !answered {
		return false // it says nothing about the limit; the next one tries
	}
	first := !g.passing
	g.passing = true
	if g.passes++; g.passes < g.room {
		return first
	}
	g.passes = 0
	if g.room *= 2; g.room > max(fullRoom, g.crowd) {
		g.state = open
		g.total += now.sub(g.since)
	}
	return first
}

// refuse is told of a 429. It returns whether that is news, and then whether
// it is the first since a request passed.
func (g *gate) refuse(now instant, epoch int, after time.Duration) (news, first bool) {
	if epoch == g.epoch && g.state != closed {
		news, first = true, g.state == open || g.passing
		left := now
		if g.state == trying {
			left = g.tried
		}
		if g.state == open {
			g.since = now
		}
		if first {
			g.refused, g.passing = now, false
		}
		g.epoch++
		if first || now.sub(g.refused) >= crowdFor {
			g.crowd = 0
		}
		g.state, g.until = closed, now
		if after <= 0 {
			g.until = max(now, left.add(spacing(now.sub(g.refused))))
		}
	} else if g.state == closed {
		g.crowd = min(g.crowd+1, maxInFlight)
	}
	if g.state == closed && after > 0 {
		g.until = max(g.until, now.add(backoff(0, min(after, longestShut))))
	}
	return news, first
}

// spacing is the time from one try to the next when refusals have lasted for
// so long. Other hosts may be trying, too, hence some chance.
func spacing(lasted time.Duration) time.Duration {
	if lasted < floorFor {
		return gateFloor + randomUpTo(gateFloor/100)
	}
	d := min(lasted/rarer, rarestGate)
	return d + randomUpTo(d/10)
}

// shutTime is for how long altogether the gate has not been open.
func (g *gate) shutTime(now instant) time.Duration {
	if g.state == open {
		return g.total
	}
	return g.total + now.sub(g.since)
}

// hopeless tells whether patience ends before the gate can open.
func (g *gate) hopeless(now instant, patience time.Duration) bool {
	return g.state != open && patience <= 0 ||
		g.state == closed && g.until.sub(now) > patience
}

// shift moves all times by d.
func (g *gate) shift(d time.Duration) {
	for _, t := range []*instant{&g.until, &g.tried, &g.refused, &g.since} {
		*t = max(0, t.add(d))
	}
}
