package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// FS is what a journal asks of a file system. It is a seam for tests: package
// crashfs has one that forgets what was not synced and fails on demand.
//
// Names are absolute paths. Errors are those of package os: a missing file
// answers to errors.Is(err, fs.ErrNotExist).
type FS interface {
	// OpenFile is os.OpenFile. A file that it creates is durable only after
	// SyncDir of its directory, its content only after File.Sync.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	ReadFile(name string) ([]byte, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	// SameFile is os.SameFile, of what Stat and File.Stat say.
	SameFile(a, b fs.FileInfo) bool
	Mkdir(name string, perm fs.FileMode) error
	// Rename MUST replace an existing file in one step: whoever looks, now or
	// after a crash, finds the old file or the new one under the name.
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the entries of a directory durable: what was created in
	// it, renamed into it and removed from it. It MUST NOT return before.
	SyncDir(name string) error
	// Lock takes the exclusive lock on the file of that name, creating it,
	// without waiting. Closing gives it back; so MUST the end of the process,
	// however it ends. The error is ErrHeld when somebody has it; any other
	// error means that locking does not work.
	Lock(name string) (io.Closer, error)
}

// File is an open file of an FS. *os.File is one.
type File interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Stat() (fs.FileInfo, error)
	// Sync makes the content durable. After an error nobody knows what is on
	// the disk, and a second Sync that succeeds does not mend that: the kernel
	// may have dropped the pages that it could not write.
	Sync() error
	Close() error
}

// ErrHeld is what FS.Lock returns when another has the lock.
var ErrHeld = errors.New("lock is held")

// OS is the file system of the machine.
var OS FS = osFS{}

type osFS struct{}

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // not f: a nil *os.File would make a File that is not nil
	}
	return f, nil
}

func (osFS) ReadFile(name string) ([]byte, error)       { return os.ReadFile(name) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (osFS) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }
func (osFS) SameFile(a, b fs.FileInfo) bool             { return os.SameFile(a, b) }
func (osFS) Mkdir(name string, perm fs.FileMode) error  { return os.Mkdir(name, perm) }
func (osFS) Rename(from, to string) error               { return os.Rename(from, to) }
func (osFS) Remove(name string) error                   { return os.Remove(name) }
func (osFS) SyncDir(name string) error                  { return syncDir(name) }

func (osFS) Lock(name string) (io.Closer, error) {
	l := flock.New(name)
	ok, err := l.TryLock()
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, ErrHeld
	}
	return l, nil
}

// mkdirAll makes dir and what is missing above it, each durable in its parent
// before the next one down is made.
func mkdirAll(fsys FS, dir string, perm fs.FileMode) error {
	switch info, err := fsys.Stat(dir); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%s is not a directory", dir)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return fmt.Errorf("%s: %w", dir, fs.ErrNotExist)
	}
	if err := mkdirAll(fsys, parent, perm); err != nil {
		return err
	}
	if err := fsys.Mkdir(dir, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(parent)
}

// replace puts content in the place of the file of that name: after a crash
// the name has the old content or the new one, and after a nil error the new.
func replace(fsys FS, name string, content []byte) error {
	temp := name + ".tmp"
	if err := create(fsys, temp, content); err != nil {
		return err
	}
	// The content is durable before the name points to it, so that no crash
	// leaves the name with an empty or half a file.
	if err := fsys.Rename(temp, name); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// create writes a file and syncs it, but not its directory entry.
func create(fsys FS, name string, content []byte) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
