package uploader

import (
	"encoding/binary"
	"time"
)

// A book is what the pacers that talk to one endpoint have in common. A pacer
// that is alone has one of its own.
type book struct {
	last    instant // when somebody last looked at it; no time in it is later
	offset  int64   // its time minus the wall clock's, see clock
	grants  uint64  // permits given, ever
	gate    gate
	members [maxMembers]member
}

// A member is a pacer that shares a book, mostly a process.
type member struct {
	id       uint64 // random; 0: the place is free
	scope    uint64 // of its organization
	beat     instant
	wants    instant // somebody waits there, and looks again at this time
	turn     uint64  // book.grants at the last permit that it got
	inFlight int
	floor    time.Duration     // of its trips; -1: not known
	told     [maxShared]Window // what it was told to keep to
}

const (
	maxMembers = 24
	maxShared  = 4 // windows of one member
	// maxInFlight is more than any process has under way.
	maxInFlight = 100_000
)

// yield is how long a member leaves a free place to each of those whose turn
// it is before. Who waits for the same place wakes at the same time, so it is
// soon taken. late is how much later than it said a member may look again and
// still be counted among those who wait.
const (
	yield = 2 * time.Millisecond
	late  = 20 * time.Millisecond
)

// rank is how many others wait whose turn is before that of the member in
// place self.
func (b *book) rank(self int, now instant) int {
	n := 0
	for i := range b.members {
		if m := &b.members[i]; i != self && m.id != 0 && m.wants.add(late) >= now && m.turn < b.members[self].turn {
			n++
		}
	}
	return n
}

// floor is the floor of all members' trips, since all go the same way: one
// that is new need not find it out.
func (b *book) floor() time.Duration {
	floor := never
	for i := range b.members {
		if m := &b.members[i]; m.id != 0 && m.floor >= 0 {
			floor = min(floor, m.floor)
		}
	}
	return floor % never
}

// codec reads or writes numbers in a fixed order, so that one function is both
// the writer of a form and its reader.
type codec struct {
	buf     []byte
	at      int
	writing bool
}

func (c *codec) u64(v *uint64) {
	if c.at+8 > len(c.buf) {
		c.at = len(c.buf) + 1 // too short: ok says so
		return
	}
	if c.writing {
		binary.LittleEndian.PutUint64(c.buf[c.at:], *v)
	} else {
		*v = binary.LittleEndian.Uint64(c.buf[c.at:])
	}
	c.at += 8
}

func (c *codec) ok() bool { return c.at <= len(c.buf) }

func number[T ~int | ~int64 | ~uint8](c *codec, v *T) {
	n := uint64(*v)
	c.u64(&n)
	*v = T(n)
}

func (c *codec) flag(v *bool) {
	var n uint64
	if *v {
		n = 1
	}
	c.u64(&n)
	*v = n != 0
}

func (b *book) code(c *codec) {
	number(c, &b.last)
	number(c, &b.offset)
	c.u64(&b.grants)
	b.gate.code(c)
	used := 0
	for used = len(b.members); used > 0 && b.members[used-1].id == 0; used-- {
	}
	number(c, &used)
	for i := range b.members {
		if i >= used {
			b.members[i] = member{}
			continue
		}
		b.members[i].code(c)
	}
}

func (g *gate) code(c *codec) {
	number(c, &g.state)
	number(c, &g.until)
	number(c, &g.room)
	number(c, &g.tries)
	number(c, &g.tried)
	number(c, &g.passes)
	number(c, &g.epoch)
	number(c, &g.crowd)
	c.flag(&g.passing)
	number(c, &g.refused)
	number(c, &g.since)
	number(c, &g.total)
}

func (m *member) code(c *codec) {
	c.u64(&m.id)
	c.u64(&m.scope)
	number(c, &m.beat)
	number(c, &m.wants)
	c.u64(&m.turn)
	number(c, &m.inFlight)
	number(c, &m.floor)
	for i := range m.told {
		number(c, &m.told[i].Requests)
		number(c, &m.told[i].Per)
	}
}

func (l *ledger) code(c *codec) {
	c.u64(&l.total)
	c.u64(&l.accepted)
	c.u64(&l.size)
	for i := range l.findings {
		l.findings[i].code(c)
	}
}

func (f *finding) code(c *codec) {
	number(c, &f.per)
	number(c, &f.limit)
	number(c, &f.since)
	number(c, &f.pause)
	number(c, &f.before)
	number(c, &f.first)
	number(c, &f.fewest)
	number(c, &f.refusals)
	number(c, &f.reached)
}

// The sound methods tell whether what was read can be: a head whose checksum is
// right is what was written, but nobody should hang because of one.

func (b *book) sound() bool {
	const far = 1 << 61
	if b.last <= 0 || b.last > far || b.offset > far || b.offset < -far || !b.gate.sound(b.last) {
		return false
	}
	for i := range b.members {
		if !b.members[i].sound(b.last) {
			return false
		}
	}
	return true
}

func (g *gate) sound(last instant) bool {
	return g.state <= trying && between(0, g.room, 2*maxInFlight) && between(0, g.crowd, maxInFlight) && between(0, g.tries, maxInFlight) && between(0, g.passes, 2*maxInFlight) &&
		between(0, g.until, last.add(2*longestShut)) && between(0, g.tried, last) && between(0, g.refused, last) &&
		between(0, g.since, last) && g.total >= 0
}

func (m *member) sound(last instant) bool {
	for _, w := range m.told {
		if !between(0, w.Requests, maxWindowRequests) || !between(0, w.Per, maxWindowPer) {
			return false
		}
	}
	return between(0, m.beat, last) && between(0, m.wants, last.add(2*time.Hour)) &&
		between(0, m.inFlight, maxInFlight) && between(-1, m.floor, time.Hour)
}

func (l *ledger) sound(last instant) bool {
	for i := range l.findings {
		if f := &l.findings[i]; !between(0, f.limit, maxWindowRequests) || !between(0, f.since, last) || !between(0, f.pause, maxWindowPer) {
			return false
		}
	}
	return between(1, l.size, maxWindowRequests) && l.accepted < 1<<62 && l.total < 1<<62
}

func between[T ~int | ~int64 | ~uint64](low, x, high T) bool { return low <= x && x <= high }
