package uploader

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// A shelf is where the pacers of one endpoint keep their book: some files
// under a lock. All methods but tryLock are called with the lock held.
type shelf interface {
	// tryLock takes the lock when nobody has it.
	tryLock() (bool, error)
	unlock() error
	// open opens a file, and makes it, empty, when it does not exist.
	open(name string) (file, error)
	// claim takes a member's place; it is held until release, or until the
	// process dies in whatever way.
	claim(place int) (bool, error)
	release(place int)
	// vacant tells whether nobody holds a place. It is not asked for a place
	// that is held through this shelf.
	vacant(place int) bool
	close()
}

type file interface {
	io.ReaderAt
	io.WriterAt
}

// dirShelf is a shelf in a directory.
type dirShelf struct {
	dir   string
	lock  *flock.Flock
	files []*os.File
	seats map[int]*flock.Flock
}

var _ shelf = (*dirShelf)(nil)

// openDir makes dir when it is missing. Only its owner can read what is in it.
func openDir(dir string) (*dirShelf, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &dirShelf{dir: dir, lock: flock.New(filepath.Join(dir, "lock")), seats: map[int]*flock.Flock{}}, nil
}

func (s *dirShelf) tryLock() (bool, error) { return s.lock.TryLock() }
func (s *dirShelf) unlock() error          { return s.lock.Unlock() }

func (s *dirShelf) open(name string) (file, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	s.files = append(s.files, f)
	return f, nil
}

func (s *dirShelf) seat(place int) *flock.Flock {
	return flock.New(filepath.Join(s.dir, fmt.Sprintf("member-%02d", place)))
}

func (s *dirShelf) claim(place int) (bool, error) {
	l := s.seat(place)
	ok, err := l.TryLock()
	if !ok || err != nil {
		return false, errors.Join(err, l.Close())
	}
	s.seats[place] = l
	return true, nil
}

func (s *dirShelf) release(place int) {
	if l := s.seats[place]; l != nil {
		_ = l.Close()
		delete(s.seats, place)
	}
}

func (s *dirShelf) vacant(place int) bool {
	l := s.seat(place)
	ok, err := l.TryLock()
	_ = l.Close()
	return ok && err == nil
}

func (s *dirShelf) close() {
	for place := range s.seats {
		s.release(place)
	}
	for _, f := range s.files {
		_ = f.Close()
	}
	s.files = nil
	_ = s.lock.Close()
}
