// Package crashfs has a file system in memory that forgets what was not synced.
// It is for testing what package checkpoint, and anything written against
// checkpoint.FS, promises about crashes, full disks and failing disks: a crash
// is Crash, a fault is what the function given to Hook returns, and a full
// disk is SetSpace.
//
// It does not know what is stored in it, and it is stricter than the file
// systems that people have: a file's content is durable after Sync only, a
// name after SyncDir of its directory only, neither brings the other, and
// nothing that was not synced is kept in order.
package crashfs

import (
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/m3import/m3import/checkpoint"
)

// FS is a file system. New makes one; it is safe for concurrent use.
type FS struct {
	mu    sync.Mutex
	root  *node
	ops   int
	hook  func(Op) *Fault
	space int64 // bytes that files may still grow by; negative: any number
	locks map[*node]bool
}

// New returns an empty file system without limit.
func New() *FS {
	return &FS{root: newNode(true), space: -1, locks: map[*node]bool{}}
}

// node is a file or a directory, twice: as programs see it, and as the disk has
// it, with what may have happened on the disk since.
type node struct {
	dir bool

	data     []byte // of a file, as programs see it
	disk     []byte // as a crash leaves it at least
	unsynced []change

	names     map[string]*node // of a directory, as programs see it
	diskNames map[string]*node
	unsyncedN []rename
}

// change of a file: a write, or a truncation when data is nil.
type change struct {
	at   int64
	data []byte
}

// rename of one directory entry: to gets a node, from goes. Either is empty for
// a creation or a removal.
type rename struct {
	from, to string
	node     *node
}

func newNode(dir bool) *node {
	n := &node{dir: dir}
	if dir {
		n.names, n.diskNames = map[string]*node{}, map[string]*node{}
	}
	return n
}

func (c change) apply(data []byte) []byte {
	size := c.at + int64(len(c.data))
	if c.data == nil {
		return slices.Concat(data, make([]byte, max(0, size-int64(len(data)))))[:size]
	}
	if size > int64(len(data)) {
		data = slices.Concat(data, make([]byte, size-int64(len(data))))
	} else {
		data = slices.Clone(data)
	}
	copy(data[c.at:], c.data)
	return data
}

func (r rename) apply(names map[string]*node) {
	if r.from != "" {
		delete(names, r.from)
	}
	if r.to != "" {
		names[r.to] = r.node
	}
}

// Crash returns the file system as a machine may find it that loses power now:
// no locks, hooks or limits, everything in it durable. Without chance, nothing
// is kept that was not synced. With it, any part of that may be: each write, in
// whole, in part, or as zeros where it made the file longer; each change of a
// name, whatever became of those before it. The original is not changed.
func (f *FS) Crash(chance *rand.Rand) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := New()
	c.root = f.root.crash(chance, map[*node]*node{})
	return c
}

// crash copies n; done has the copies that exist, for files with two names.
func (n *node) crash(chance *rand.Rand, done map[*node]*node) *node {
	if c := done[n]; c != nil {
		return c
	}
	c := newNode(n.dir)
	done[n] = c
	if !n.dir {
		c.disk = n.disk
		for _, change := range n.unsynced {
			for _, part := range change.kept(chance) {
				c.disk = part.apply(c.disk)
			}
		}
		c.data = slices.Clone(c.disk)
		return c
	}
	names := maps.Clone(n.diskNames)
	for _, r := range n.unsyncedN {
		if chance != nil && chance.IntN(2) == 0 {
			r.apply(names)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) { // sorted: a seed is one crash
		c.diskNames[name] = names[name].crash(chance, done)
	}
	c.names = maps.Clone(c.diskNames)
	return c
}

// kept returns what a crash leaves of a change.
func (c change) kept(chance *rand.Rand) []change {
	if chance == nil {
		return nil
	}
	end := c.at + int64(len(c.data))
	switch size := len(c.data); chance.IntN(4) {
	case 0:
		return []change{c}
	case 1: // a run of it reached the disk, in a file that is long enough
		if size == 0 {
			return []change{c}
		}
		from := chance.IntN(size)
		to := from + 1 + chance.IntN(size-from)
		return []change{{at: c.at + int64(from), data: c.data[from:to]}}
	case 2: // the file is longer, and its new end was never written
		if size == 0 {
			return nil
		}
		return []change{{at: end - 1, data: []byte{0}}}
	default:
		return nil
	}
}

// SetSpace sets by how many bytes files may grow before the disk is full; what
// is truncated, removed or replaced makes room. A negative number is no limit.
func (f *FS) SetSpace(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.space = bytes
}

// take takes n bytes of space, or what there is, and says how many it took.
// A negative n gives back.
func (f *FS) take(n int64) int64 {
	if f.space < 0 {
		return n
	}
	n = min(n, f.space)
	f.space -= n
	return n
}

// find returns the node of a name, which is nil when the name is free, and the
// directory that has or would have it. A missing directory is an error.
func (f *FS) find(op, name string) (dir *node, base string, n *node, err error) {
	name = filepath.ToSlash(filepath.Clean(name))
	n = f.root
	for part := range strings.SplitSeq(strings.Trim(name, "/"), "/") {
		switch {
		case part == "":
			return nil, "", f.root, nil
		case n == nil:
			return nil, "", nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOENT}
		case !n.dir:
			return nil, "", nil, &fs.PathError{Op: op, Path: name, Err: syscall.ENOTDIR}
		}
		dir, base, n = n, part, n.names[part]
	}
	return dir, base, n, nil
}

// link makes a change of a directory's names, not yet durable.
func (n *node) link(r rename) {
	r.apply(n.names)
	n.unsyncedN = append(n.unsyncedN, r)
}

// file is an open file.
type file struct {
	fsys *FS
	name string
	node *node
	flag int
	shut bool
}

func (h *file) do(kind Kind, size int, fn func() error) error {
	return h.fsys.do(Op{Kind: kind, Name: h.name, Len: size}, func() error {
		if h.shut {
			return &fs.PathError{Op: kind.String(), Path: h.name, Err: os.ErrClosed}
		}
		if kind != Read && kind != Sync && h.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
			return &fs.PathError{Op: kind.String(), Path: h.name, Err: syscall.EBADF}
		}
		return fn()
	})
}

func (h *file) ReadAt(p []byte, at int64) (n int, err error) {
	err = h.do(Read, len(p), func() error {
		if at < int64(len(h.node.data)) {
			n = copy(p, h.node.data[at:])
		}
		if n < len(p) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

func (h *file) WriteAt(p []byte, at int64) (n int, err error) {
	err = h.fsys.write(Op{Kind: Write, Name: h.name, Len: len(p)}, func(limit int) error {
		if h.shut || h.flag&(os.O_WRONLY|os.O_RDWR) == 0 {
			return &fs.PathError{Op: "write", Path: h.name, Err: syscall.EBADF}
		}
		size := int64(len(h.node.data))
		grow := max(0, at+int64(limit)-size)
		got := h.fsys.take(grow)
		n = max(0, limit-int(grow-got))
		if n > 0 {
			c := change{at: at, data: slices.Clone(p[:n])}
			h.node.data = c.apply(h.node.data)
			h.node.unsynced = append(h.node.unsynced, c)
		}
		if got < grow {
			return &fs.PathError{Op: "write", Path: h.name, Err: syscall.ENOSPC}
		}
		return nil
	})
	return n, err
}

func (h *file) Stat() (info fs.FileInfo, err error) {
	err = h.do(Read, 0, func() error {
		info = h.node.stat(h.name)
		return nil
	})
	return info, err
}

func (h *file) Truncate(size int64) error {
	return h.do(Truncate, 0, func() error {
		h.fsys.truncate(h.node, size)
		return nil
	})
}

func (f *FS) truncate(n *node, size int64) {
	f.take(size - int64(len(n.data)))
	c := change{at: size}
	n.data = c.apply(n.data)
	n.unsynced = append(n.unsynced, c)
}

// Sync makes the content durable. When a fault fails it, what it was for is
// lost for good, as it can be on Linux: programs still see it, later Syncs
// succeed, and a crash brings the disk's truth to light.
func (h *file) Sync() error {
	err := h.do(Sync, 0, func() error {
		for _, c := range h.node.unsynced {
			h.node.disk = c.apply(h.node.disk)
		}
		h.node.unsynced = nil
		return nil
	})
	if err != nil {
		h.fsys.mu.Lock()
		defer h.fsys.mu.Unlock()
		h.node.unsynced = nil
	}
	return err
}

func (h *file) Close() error {
	return h.do(Read, 0, func() error {
		h.shut = true
		return nil
	})
}

var _ checkpoint.FS = (*FS)(nil)
