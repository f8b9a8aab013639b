package uploader

import (
	"errors"
	"io"
	"runtime"
	"sync"
)

// memShelf is what several shelves in one process stand on: files in memory,
// and the locks of processes that can be killed.
type memShelf struct {
	mu     sync.Mutex
	locked *memProcess
	files  map[string]*memFile
	seats  map[int]*memProcess
	looks  int
}

func newMemShelf() *memShelf {
	return &memShelf{files: map[string]*memFile{}, seats: map[int]*memProcess{}}
}

// memProcess is one process's side of a memShelf.
type memProcess struct {
	*memShelf
	dead   bool
	broken error // of all that it writes
	// writes, when positive, is after how many bytes the process is killed.
	writes int
}

var errKilled = errors.New("killed")

func (s *memShelf) process() *memProcess { return &memProcess{memShelf: s} }

func (p *memProcess) pacer(org string, windows []Window) *pacer {
	g := newPacer(windows)
	g.share = newShare(org, func() (shelf, error) { return p, nil })
	return g
}

// kill frees what the process holds, as the system does.
func (p *memProcess) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.die()
}

func (p *memProcess) die() {
	p.dead = true
	if p.locked == p {
		p.locked = nil
	}
	for place, holder := range p.seats {
		if holder == p {
			delete(p.seats, place)
		}
	}
}

func (p *memProcess) tryLock() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false, errKilled
	}
	// A real process would sleep and look again. In a synctest bubble no time
	// passes while others wait for the mutex that a pacer holds meanwhile; but
	// whoever has the lock is running.
	for range 1000 * 1000 {
		if p.locked == nil {
			break
		}
		p.mu.Unlock()
		runtime.Gosched()
		p.mu.Lock()
	}
	if p.locked != nil {
		return false, nil
	}
	p.locked = p
	p.looks++
	return true, nil
}

func (p *memProcess) unlock() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.locked == p {
		p.locked = nil
	}
	return nil
}

func (p *memProcess) open(name string) (file, error) {
	if p.broken != nil {
		return nil, p.broken
	}
	f := p.files[name]
	if f == nil {
		f = new(memFile)
		p.files[name] = f
	}
	return &memHandle{p, f}, nil
}

func (p *memProcess) claim(place int) (bool, error) {
	if p.seats[place] != nil {
		return false, nil
	}
	p.seats[place] = p
	return true, nil
}

func (p *memProcess) release(place int) {
	if p.seats[place] == p {
		delete(p.seats, place)
	}
}

func (p *memProcess) vacant(place int) bool { return p.seats[place] == nil }

func (p *memProcess) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	dead := p.dead
	p.die()
	p.dead = dead
}

type memFile struct{ content []byte }

type memHandle struct {
	p *memProcess
	*memFile
}

func (f *memHandle) ReadAt(buf []byte, at int64) (int, error) {
	if f.p.dead {
		return 0, errKilled
	}
	if at >= int64(len(f.content)) {
		return 0, io.EOF
	}
	n := copy(buf, f.content[at:])
	if n < len(buf) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memHandle) WriteAt(buf []byte, at int64) (int, error) {
	switch {
	case f.p.dead:
		return 0, errKilled
	case f.p.broken != nil:
		return 0, f.p.broken
	}
	kill := f.p.writes > 0 && f.p.writes <= len(buf)
	if kill {
		buf = buf[:f.p.writes-1]
	} else if f.p.writes > 0 {
		f.p.writes -= len(buf)
	}
	if need := at + int64(len(buf)); need > int64(len(f.content)) {
		f.content = append(f.content, make([]byte, need-int64(len(f.content)))...)
	}
	copy(f.content[at:], buf)
	if kill {
		f.p.mu.Lock()
		f.p.die()
		f.p.mu.Unlock()
		return len(buf), errKilled
	}
	return len(buf), nil
}
