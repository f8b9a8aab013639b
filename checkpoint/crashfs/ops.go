package crashfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/m3import/m3import/checkpoint"
)

// Kind of an operation.
type Kind int

// Read is every operation that changes nothing on the disk, closing included.
const (
	Read Kind = iota
	Create
	Write
	Truncate
	Sync
	Rename
	Remove
	Mkdir
	SyncDir
	Lock
)

func (k Kind) String() string {
	return [...]string{"read", "create", "write", "truncate", "sync", "rename", "remove", "mkdir", "syncdir", "lock"}[k]
}

// Op is one operation, about to happen.
type Op struct {
	N    int // counts from 0
	Kind Kind
	Name string // of a rename, the new one
	Len  int    // of a read or a write
}

func (o Op) String() string {
	return fmt.Sprintf("operation %d: %s %s (%d bytes)", o.N, o.Kind, o.Name, o.Len)
}

// Fault makes an operation fail with Err.
type Fault struct {
	Err error
	// Happens says that the operation takes place all the same: its error is
	// about the answer. Not so of a Sync, whose data is lost when it fails, and
	// of a Lock, which nobody would have to give back.
	Happens bool
	// Written is how many bytes of a Write happen before it fails.
	Written int
}

// Hook has fn called before each operation, one at a time and with the file
// system unlocked: fn may call Crash to see a crash between two operations. A
// Fault makes the operation fail, nil lets it happen.
func (f *FS) Hook(fn func(Op) *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = fn
}

// Ops returns how many operations there were.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

func (f *FS) ask(op Op) *Fault {
	f.mu.Lock()
	op.N = f.ops
	f.ops++
	hook := f.hook
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(op)
}

// do runs an operation, or the fault in its place.
func (f *FS) do(op Op, fn func() error) error {
	fault := f.ask(op)
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault == nil {
		return fn()
	}
	if fault.Happens && op.Kind != Sync && op.Kind != Lock {
		if err := fn(); err != nil {
			return err
		}
	}
	return &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: fault.Err}
}

// write is do for a write, of which a part can happen.
func (f *FS) write(op Op, fn func(limit int) error) error {
	fault := f.ask(op)
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault == nil {
		return fn(op.Len)
	}
	limit := min(fault.Written, op.Len)
	if fault.Happens {
		limit = op.Len
	}
	if err := fn(limit); err != nil {
		return err
	}
	return &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: fault.Err}
}

// OpenFile is os.OpenFile, without O_APPEND and permissions.
func (f *FS) OpenFile(name string, flag int, _ fs.FileMode) (h checkpoint.File, err error) {
	kind := Read
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		kind = Create
	}
	err = f.do(Op{Kind: kind, Name: name}, func() error {
		dir, base, n, err := f.find("open", name)
		switch {
		case err != nil:
			return err
		case n == nil && flag&os.O_CREATE == 0:
			return &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
		case n != nil && flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
			return &fs.PathError{Op: "open", Path: name, Err: syscall.EEXIST}
		case n != nil && n.dir:
			return &fs.PathError{Op: "open", Path: name, Err: syscall.EISDIR}
		case n == nil:
			n = newNode(false)
			dir.link(rename{to: base, node: n})
		case flag&os.O_TRUNC != 0 && len(n.data) > 0:
			f.truncate(n, 0)
		}
		h = &file{fsys: f, name: name, node: n, flag: flag}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// existing runs fn on what must be there, as a read.
func (f *FS) existing(op, name string, dir bool, fn func(n *node)) error {
	return f.do(Op{Kind: Read, Name: name}, func() error {
		_, _, n, err := f.find(op, name)
		switch {
		case err != nil:
			return err
		case n == nil:
			return &fs.PathError{Op: op, Path: name, Err: syscall.ENOENT}
		case dir && !n.dir:
			return &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
		}
		fn(n)
		return nil
	})
}

// ReadFile is os.ReadFile.
func (f *FS) ReadFile(name string) (data []byte, err error) {
	var dir bool
	err = f.existing("open", name, false, func(n *node) { data, dir = slices.Clone(n.data), n.dir })
	if dir {
		return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	}
	return data, err
}

// Stat is os.Stat.
func (f *FS) Stat(name string) (info fs.FileInfo, err error) {
	err = f.existing("stat", name, false, func(n *node) { info = n.stat(name) })
	return info, err
}

// SameFile is os.SameFile.
func (f *FS) SameFile(a, b fs.FileInfo) bool {
	x, okX := a.(stat)
	y, okY := b.(stat)
	return okX && okY && x.node == y.node
}

// ReadDir is os.ReadDir.
func (f *FS) ReadDir(name string) (list []fs.DirEntry, err error) {
	err = f.existing("readdir", name, true, func(n *node) {
		for _, base := range slices.Sorted(maps.Keys(n.names)) {
			list = append(list, fs.FileInfoToDirEntry(n.names[base].stat(base)))
		}
	})
	return list, err
}

// Mkdir is os.Mkdir.
func (f *FS) Mkdir(name string, _ fs.FileMode) error {
	return f.do(Op{Kind: Mkdir, Name: name}, func() error {
		dir, base, n, err := f.find("mkdir", name)
		if err == nil && n != nil {
			err = &fs.PathError{Op: "mkdir", Path: name, Err: syscall.EEXIST}
		}
		if err != nil {
			return err
		}
		dir.link(rename{to: base, node: newNode(true)})
		return nil
	})
}

// Rename is os.Rename of a file within its directory.
func (f *FS) Rename(from, to string) error {
	return f.do(Op{Kind: Rename, Name: to}, func() error {
		dir, old, n, err := f.find("rename", from)
		if err != nil {
			return err
		}
		dir2, base, over, err := f.find("rename", to)
		switch {
		case err != nil:
			return err
		case n == nil:
			return &fs.PathError{Op: "rename", Path: from, Err: syscall.ENOENT}
		case n.dir || dir != dir2:
			return &fs.PathError{Op: "rename", Path: to, Err: syscall.EXDEV}
		case over != nil && over.dir:
			return &fs.PathError{Op: "rename", Path: to, Err: syscall.EEXIST} // what package os says
		case over != nil && over != n:
			f.take(-int64(len(over.data)))
		}
		dir.link(rename{from: old, to: base, node: n})
		return nil
	})
}

// Remove is os.Remove.
func (f *FS) Remove(name string) error {
	return f.do(Op{Kind: Remove, Name: name}, func() error {
		dir, base, n, err := f.find("remove", name)
		switch {
		case err != nil:
			return err
		case n == nil:
			return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOENT}
		case len(n.names) > 0:
			return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
		}
		f.take(-int64(len(n.data)))
		dir.link(rename{from: base})
		return nil
	})
}

// SyncDir makes the names in a directory durable, not what they name.
func (f *FS) SyncDir(name string) error {
	return f.do(Op{Kind: SyncDir, Name: name}, func() error {
		_, _, n, err := f.find("sync", name)
		switch {
		case err != nil:
			return err
		case n == nil || !n.dir:
			return &fs.PathError{Op: "sync", Path: name, Err: syscall.ENOENT}
		}
		for _, r := range n.unsyncedN {
			r.apply(n.diskNames)
		}
		n.unsyncedN = nil
		return nil
	})
}

// Lock takes the lock on a file; a crash frees it.
func (f *FS) Lock(name string) (lock io.Closer, err error) {
	err = f.do(Op{Kind: Lock, Name: name}, func() error {
		dir, base, n, err := f.find("lock", name)
		switch {
		case err != nil:
			return err
		case n == nil:
			n = newNode(false)
			dir.link(rename{to: base, node: n})
		case n.dir:
			return &fs.PathError{Op: "lock", Path: name, Err: syscall.EISDIR}
		case f.locks[n]:
			return checkpoint.ErrHeld
		}
		f.locks[n] = true
		lock = unlock(func() error {
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.locks, n)
			return nil
		})
		return nil
	})
	return lock, err
}

type unlock func() error

func (u unlock) Close() error { return u() }

// stat is what Stat says.
type stat struct {
	name string
	dir  bool
	size int64
	node *node
}

func (n *node) stat(name string) stat {
	return stat{filepath.Base(name), n.dir, int64(len(n.data)), n}
}

func (s stat) Name() string       { return s.name }
func (s stat) Size() int64        { return s.size }
func (s stat) ModTime() time.Time { return time.Time{} }
func (s stat) IsDir() bool        { return s.dir }
func (s stat) Sys() any           { return nil }
func (s stat) Mode() fs.FileMode {
	if s.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
