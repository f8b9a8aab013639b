package uploader

import "time"

// A finding is what 429s have taught about one window, when the real limit is
// lower than the one that was told, or when somebody else uses a part of it.
//
// A 429 does not say which limit was met. But a limit shows itself: requests
// are refused while the window holds so many, and one passes as soon as it
// holds fewer. So each stretch of refusals, from the first to the next request
// that passes, is a test of every window. A window is cleared when something
// is refused although it was empty or is a good deal emptier than at the first
// refusal, or when something passes although it is as full as before. So an
// outage of the server's clears all windows, unless it ends just when the first
// request leaves one. What is left over is believed at once when several probes
// were refused in between, otherwise at the second time, so that a stray 429
// costs nothing.
//
// A limit that is believed is then tried to be exceeded by a hundredth of what
// was told, then two, four, and so on, each time after a pause: longer each
// time that the same limit is met again.
type finding struct {
	per    time.Duration // of the window; 0: not in use
	limit  int           // requests; 0: none believed
	since  instant       // when it was set
	pause  time.Duration // before it is tried to be exceeded
	before int           // at how many the last stretch that proved too little was refused

	// Of the present stretch of refusals: how many requests the window held at
	// the first refusal, and at the fewest, of which 0 clears the window.
	first, fewest int
	refusals      int

	reached int // the most that the window held since the limit was set
}

const (
	maxFindings   = maxShared
	shortestPause = 30 * time.Second
	longestPause  = time.Hour
	// believedAfter is how many refusals in a stretch convince.
	believedAfter = 4
	// staleAfter is when time alone proves enough: whoever took a part of the
	// limit yesterday may be gone.
	staleAfter = 6 * time.Hour
)

// finding of the window. When there are too many, the oldest makes room.
func (l *ledger) finding(per time.Duration) *finding {
	oldest := &l.findings[0]
	for i := range l.findings {
		f := &l.findings[i]
		if f.per == per {
			return f
		}
		if oldest.per != 0 && (f.per == 0 || f.since < oldest.since) {
			oldest = f
		}
	}
	*oldest = finding{per: per}
	return oldest
}

// known is what was found about the window, nil when nothing was.
func (l *ledger) known(per time.Duration) *finding {
	for i := range l.findings {
		if f := &l.findings[i]; f.per == per && f.limit > 0 {
			return f
		}
	}
	return nil
}

// budget is how many requests the window may hold now, at most told.
func (f *finding) budget(now instant, told int) int {
	if f.limit == 0 {
		return told
	}
	b, step, pause := f.limit, max(1, told/100), max(f.pause, shortestPause)
	most := told
	if now.sub(f.since) < staleAfter {
		most = min(told, f.limit+2*max(0, f.reached-f.limit)+step)
	}
	for t := f.since.add(pause); t <= now && b < most; t = t.add(pause) {
		b += step
		step *= 2
	}
	return min(b, most)
}

// refused is a refusal that is not about the same moment as an earlier one,
// when the window held so many requests. first tells that it begins a stretch.
func (f *finding) refused(now instant, held, told int, first bool) {
	if first {
		f.first, f.fewest, f.refusals = held, held, 0
		if f.limit > 0 && held >= f.limit && f.budget(now, told) > f.limit {
			// It was a try to exceed what is believed, and what is believed
			// held until then.
			f.believe(now, max(f.limit, held-held/100-1), told)
			f.fewest = 0
		}
	}
	f.refusals++
	f.fewest = min(f.fewest, held)
}

// late is a request that was under way at the first refusal of a stretch and
// was not refused: it was in the window, too.
func (f *finding) late() {
	f.first++
	if f.fewest > 0 {
		f.fewest++
	}
}

// passed ends a stretch, with so many requests in the window. It returns
// whether the window is taken for the one that was met.
func (f *finding) passed(now instant, held, told int) bool {
	suspect, first := f.fewest, f.first
	f.first, f.fewest = 0, 0
	if suspect == 0 || suspect < first-first/50 || held >= suspect || suspect > told {
		return false
	}
	tolerance := suspect / 4
	if f.limit > 0 {
		tolerance = max(1, f.limit/10)
	}
	similar := f.before > 0 && abs(suspect-f.before) <= tolerance
	f.before = suspect
	if similar || f.refusals >= believedAfter {
		f.believe(now, suspect-suspect/100, told)
		return true
	}
	return false
}

// forget ends a stretch that was about another window.
func (f *finding) forget() { f.first, f.fewest = 0, 0 }

func (f *finding) believe(now instant, limit, told int) {
	if again := f.limit > 0 && limit >= f.limit && limit-f.limit <= max(1, told/20); again {
		f.pause = min(2*f.pause, longestPause)
	} else {
		f.pause = max(shortestPause, f.per)
	}
	f.limit, f.since, f.before, f.reached = max(1, limit), now, limit, 0
}

func abs(n int) int { return max(n, -n) }
