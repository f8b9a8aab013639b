package uploader

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A share is a pacer's part in a book that others share.
//
// Every look at the book is a transaction of some microseconds: lock, read two
// heads, decide, write what changed, unlock. There are two looks per request,
// when it may go and when it is over, at rates of some dozen a second. Leases
// of several permits would save looks that cost nothing, and lose exactness.
//
// Whatever goes wrong with the files is no reason for an import to stop: the
// pacer goes on alone, says so in its note, and tries again later. The server
// has its own word on the limits.
type share struct {
	openShelf func() (shelf, error)
	scope     uint64 // names the organization
	orgName   string // of the organization's sheet

	shelf   shelf // nil: not open
	address sheet // the endpoint's: limits of this machine's address
	org     sheet
	id      uint64
	place   int
	joined  bool
	known   bool      // the clock has looked at this book
	reaped  instant   // when dead members were last looked for
	retry   time.Time // alone: until when
	failed  string    // why the pacer is or was alone
	damaged string    // what was found damaged
}

const (
	addressName = "address"
	// aloneFor is how long a pacer stays alone after a failure.
	aloneFor = time.Minute
	// lockPatience is how long the lock is waited for. It is held for
	// microseconds; but its holder may have been stopped.
	lockPatience = 2 * time.Second
	lockPause    = 200 * time.Microsecond
	// reapEvery is how often dead members are looked for, among those who have
	// not been heard of for as long.
	reapEvery = time.Second
)

var (
	errAlone   = errors.New("not shared for now")
	errLocked  = errors.New("its lock is held by a process that does not let go")
	errCrowded = fmt.Errorf("%d others share already", maxMembers)
)

// ofOrganization tells whose limit a window is taken for: m3ter's limit of a
// second is the organization's, that of minutes the address's.
func ofOrganization(w Window) bool { return w.Per < time.Minute }

// look calls f with p's book as it is, and keeps what f makes of it. When it
// returns an error f was not called, and p is alone.
func (s *share) look(p *pacer, f func(now instant)) error {
	if !s.retry.IsZero() && time.Now().Before(s.retry) {
		return errAlone
	}
	if err := s.lock(); err != nil {
		s.leave(p, err)
		return err
	}
	now, err := s.read(p)
	if err == nil {
		f(now)
		s.tell(p)
		if err = s.write(p); err != nil {
			s.leave(p, err)
			return nil // f was called: the book in memory is what it left
		}
	}
	if unlockErr := s.shelf.unlock(); err == nil && unlockErr != nil {
		s.leave(p, unlockErr)
		return nil
	}
	if err != nil {
		s.leave(p, err)
		return err
	}
	s.retry = time.Time{}
	return nil
}

func (s *share) lock() error {
	if s.shelf == nil {
		shelf, err := s.openShelf()
		if err != nil {
			return err
		}
		s.shelf = shelf
	}
	for began := time.Now(); ; time.Sleep(lockPause) {
		ok, err := s.shelf.tryLock()
		if ok || err != nil {
			return err
		}
		if time.Since(began) > lockPatience {
			return errLocked
		}
	}
}

// read reads both sheets, and mends what it cannot read.
func (s *share) read(p *pacer) (instant, error) {
	if s.address.file == nil {
		var err error
		if s.address.file, err = s.shelf.open(addressName); err != nil {
			return 0, err
		}
		if s.org.file, err = s.shelf.open(s.orgName); err != nil {
			return 0, err
		}
	}
	gate := p.book.gate // the book of a pacer that was alone is not what is read
	err := s.address.read(&p.book)
	fresh := isFresh(err)
	if fresh {
		p.book = book{gate: gate}
		s.shelf.release(s.place)
		s.joined = false
	} else if err != nil {
		return 0, err
	}
	was := p.clock.now()
	now := p.clock.look(&p.book, s.known)
	if !s.known {
		p.own = p.own.resized(int(p.own.size), now.sub(was))
		if fresh {
			p.book.gate.shift(now.sub(was))
		}
		s.known = true
	}
	s.address.last, s.org.last = now, now
	if err == nil && !s.joined {
		err = s.address.check()
	}
	if isFresh(err) {
		err = s.mend(&s.address, err, p, now, false)
	}
	if err == nil {
		if err = s.org.read(nil); err == nil && !s.joined {
			err = s.org.check()
		}
		if isFresh(err) {
			err = s.mend(&s.org, err, p, now, true)
		}
	}
	if err == nil && now.sub(s.reaped) >= reapEvery {
		s.reap(p, now)
	}
	if err == nil && !s.joined {
		err = s.join(p, now)
	}
	if err == nil {
		err = s.fit(p)
	}
	return now, errors.Join(err, s.address.err, s.org.err)
}

func isFresh(err error) bool { return err == errEmptySheet || err == errDamagedSheet }

// mend makes a new sheet, for an empty file or a damaged one.
func (s *share) mend(sheet *sheet, why error, p *pacer, now instant, org bool) error {
	if err := sheet.format(leastKept); err != nil {
		return err
	}
	if why != errDamagedSheet {
		return nil
	}
	s.damaged = "the record of earlier requests was damaged; requests start evenly, without a burst"
	n, gap := 0, time.Duration(0)
	for _, w := range p.limits {
		if ofOrganization(w.Window) == org && w.span/time.Duration(w.Requests) > gap {
			n, gap = w.Requests, w.span/time.Duration(w.Requests)
		}
	}
	sheet.fillEvenly(now, min(n, leastKept), time.Duration(n)*gap)
	return nil
}

// fit gives the sheets room for the windows of p.
func (s *share) fit(p *pacer) error {
	for _, w := range p.limits {
		sheet := &s.address
		if ofOrganization(w.Window) {
			sheet = &s.org
		}
		if uint64(w.Requests) > sheet.size {
			if err := sheet.grow(w.Requests); err != nil {
				return err
			}
		}
	}
	return nil
}

// join takes a place among the members.
func (s *share) join(p *pacer, now instant) error {
	for place := range p.book.members {
		if p.book.members[place].id != 0 {
			continue
		}
		ok, err := s.shelf.claim(place)
		if err != nil {
			return err
		}
		if ok {
			s.place, s.joined = place, true
			if s.id == 0 {
				s.id = rand.Uint64() | 1
			}
			p.book.members[place] = member{id: s.id, floor: -1}
			return nil
		}
	}
	return errCrowded
}

// reap takes the places of dead members, whose requests are over now at the
// latest. Those of another organization are entered for the address only: its
// own windows are short.
func (s *share) reap(p *pacer, now instant) {
	s.reaped = now
	for place := range p.book.members {
		m := &p.book.members[place]
		if m.id == 0 || s.joined && (place == s.place || now.sub(m.beat) < reapEvery) || !s.shelf.vacant(place) {
			continue
		}
		for range m.inFlight {
			s.address.push(now, true)
			if m.scope == s.scope {
				s.org.push(now, true)
			}
		}
		p.book.gate.tries = max(0, p.book.gate.tries-m.inFlight)
		*m = member{}
	}
}

// tell writes into the book what the others have to know of p.
func (s *share) tell(p *pacer) {
	m := &p.book.members[s.place]
	m.id, m.scope, m.beat, m.inFlight = s.id, s.scope, p.book.last, min(p.inFlight, maxInFlight)
	if m.floor = -1; p.trips.known() {
		m.floor = p.trips.floor()
	}
	m.told = [maxShared]Window{}
	for i, w := range p.limits[:min(len(p.limits), maxShared)] {
		m.told[i] = w.Window
	}
}

func (s *share) write(p *pacer) error {
	// The organization's first: a request that only one of the two counts
	// should be in the one that matters for minutes, but a process that dies
	// in between is found dead, and its requests are entered then.
	if err := s.org.write(nil); err != nil {
		return err
	}
	return s.address.write(&p.book)
}

// leave makes p go on alone after an error, with what is known.
func (s *share) leave(p *pacer, err error) {
	s.failed = err.Error()
	s.retry = time.Now().Add(aloneFor)
	if s.joined {
		p.own.findings = s.address.findings
		for _, f := range s.org.findings {
			if f.per != 0 {
				*p.own.finding(f.per) = f
			}
		}
	}
	s.close()
}

func (s *share) close() {
	if s.shelf != nil {
		s.shelf.close() // and with it the lock, and the place
	}
	s.shelf, s.joined, s.known, s.reaped = nil, false, false, 0
	s.address, s.org = sheet{}, sheet{}
}

// shared is how many requests a window is told to hold, all members together:
// the most that any of them was told. A member keeps to its own windows, too,
// so one with a lower rate takes less, and is not starved by the others.
func (s *share) shared(b *book, w Window) int {
	n := w.Requests
	for i := range b.members {
		m := &b.members[i]
		if m.id == 0 || ofOrganization(w) && m.scope != s.scope {
			continue
		}
		for _, told := range m.told {
			if told.Per == w.Per {
				n = max(n, told.Requests)
			}
		}
	}
	return min(n, maxWindowRequests)
}

// inFlight is how many requests of all members are under way, for a window of
// the organization or of the address.
func (s *share) inFlight(b *book, p *pacer, org bool) int {
	n := p.inFlight
	for i := range b.members {
		if m := &b.members[i]; m.id != 0 && i != s.place && (!org || m.scope == s.scope) {
			n += m.inFlight
		}
	}
	return n
}
