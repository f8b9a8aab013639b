package uploader

import (
	"sort"
	"time"
)

// A ledger keeps when the last requests were over, and what was found out
// about the limits that hold for them.
type ledger struct {
	total    uint64 // requests entered, ever
	accepted uint64 // of them, those that the server did not throttle
	size     uint64 // how many are kept
	cells    cells
	findings [maxFindings]finding
}

// An entry is one request: when it was over, and how many before it were not
// throttled. The second makes counting a window's accepted ones a search for
// the window's start.
type entry struct {
	at       instant
	accepted uint64
}

// cells hold the entries of a ledger, the i-th of all in cell i modulo size.
// They are written in turn.
type cells interface {
	load(cell uint64) entry
	store(cell uint64, e entry)
}

// memory is cells that grow as they are needed.
type memory []entry

func (m *memory) load(cell uint64) entry { return (*m)[cell] }

func (m *memory) store(cell uint64, e entry) {
	if cell == uint64(len(*m)) {
		*m = append(*m, e)
		return
	}
	(*m)[cell] = e
}

func newLedger(size int) ledger {
	return ledger{size: uint64(size), cells: new(memory)}
}

// push enters a request that was over at a time, which MUST not be before that
// of the entry before.
func (l *ledger) push(at instant, accepted bool) {
	if l.size > 0 {
		l.cells.store(l.total%l.size, entry{at, l.accepted})
		l.total++
	}
	if accepted {
		l.accepted++
	}
}

func (l *ledger) kept() int { return int(min(l.total, l.size)) }

// latest is when the n-th last request was over, counted from 1, when it is
// known.
func (l *ledger) latest(n int) (instant, bool) {
	if n > l.kept() {
		return 0, false
	}
	return l.at(n).at, true
}

func (l *ledger) at(n int) entry { return l.cells.load((l.total - uint64(n)) % l.size) }

// within is how many requests of the last span were not throttled.
func (l *ledger) within(now instant, span time.Duration) int {
	since := now.add(-span)
	kept := l.kept()
	// The n-th last with n from kept down to 1 is in the order of time.
	i := sort.Search(kept, func(i int) bool { return l.at(kept-i).at > since })
	if i == kept {
		return 0
	}
	return int(l.accepted - l.at(kept-i).accepted)
}

// resized is l with room for size entries, in memory, its times moved by
// shift.
func (l *ledger) resized(size int, shift time.Duration) ledger {
	r := newLedger(size)
	r.findings = l.findings
	for n := min(l.kept(), size); n > 0; n-- {
		e := l.at(n)
		r.cells.store(r.total, entry{e.at.add(shift), e.accepted})
		r.total++
	}
	// total only says which cell is next, and how many there are.
	r.accepted = l.accepted
	return r
}

// fillEvenly enters n requests as if they had been made at a steady rate in
// the span before now. That is what is assumed of a ledger that cannot be
// read: there is no burst then, and no standstill either. To take the window
// for full would hold every import back for minutes for nothing in most
// cases; to take it for empty would allow twice the limit.
func (l *ledger) fillEvenly(now instant, n int, span time.Duration) {
	for i := range n {
		l.push(now.add(-span+time.Duration(float64(span)*float64(i+1)/float64(n))), true)
	}
}
