package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Holder says who works in a state directory.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Since   time.Time `json:"since"`
	Command []string  `json:"command,omitempty"`
}

// alive reports whether the holder may still be there: of another host nothing
// is known, so it may. It is for words only; the lock decides.
func (h Holder) alive() bool {
	if h.PID == 0 {
		return false
	}
	if host, err := os.Hostname(); err != nil || host != h.Host {
		return true
	}
	return processExists(h.PID)
}

// Between taking the lock and saying who has it lies a moment in which a second
// run finds the lock held and no holder, or a dead one. It looks again, this
// often and this long apart, before it gives up and names whom it found.
const (
	holderTries = 250
	holderPause = 20 * time.Millisecond
)

// lockDir takes the lock of a state directory, or says who has it.
func lockDir(fsys FS, dir string, me Holder) (io.Closer, error) {
	for try := 0; ; try++ {
		l, err := fsys.Lock(filepath.Join(dir, lockName))
		if err == nil {
			if err := writeHolder(fsys, dir, me); err != nil {
				return nil, errors.Join(fmt.Errorf("state directory %s: %w", dir, err), l.Close())
			}
			return l, nil
		}
		// No lock is not the same as a free lock: two runs in one directory
		// would each believe the other's rows unsent.
		if !errors.Is(err, ErrHeld) {
			return nil, fmt.Errorf("state directory %s cannot be locked: %w; use a directory that you may write to, on a file system that supports locks", dir, err)
		}
		h, _ := readHolder(fsys, dir)
		if h.alive() || try == holderTries {
			return nil, &LockedError{Dir: dir, Holder: h}
		}
		time.Sleep(holderPause)
	}
}

// The holder's words are in a file beside the lock, not in it: on Windows
// nobody else can read the bytes of a file that are locked.
func writeHolder(fsys FS, dir string, h Holder) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, holderName)
	f, err := fsys.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(append(text, '\n'), 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	// Nothing is synced: after a crash there is no holder to name.
	return fsys.Rename(name+".tmp", name)
}

func readHolder(fsys FS, dir string) (h Holder, ok bool) {
	text, err := fsys.ReadFile(filepath.Join(dir, holderName))
	if err != nil {
		return Holder{}, false
	}
	if json.Unmarshal(text, &h) != nil {
		return Holder{}, false
	}
	return h, h.PID != 0
}

// me describes this process.
func me(command []string) Holder {
	host, _ := os.Hostname()
	if command == nil {
		command = os.Args
	}
	return Holder{PID: os.Getpid(), Host: host, Since: time.Now().UTC().Truncate(time.Second), Command: command}
}
