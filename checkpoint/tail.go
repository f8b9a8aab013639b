package checkpoint

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
)

// tail is a file that grows at its end, together with the mark: the mark says
// how much of it counts.
type tail struct {
	file  File
	buf   []byte // lines that are not in the file
	spill int    // lines of so many bytes are written ahead of the commit
	size  int64  // of the file, as written
	sum   uint32 // CRC-32C of that, of rejects
	dirty bool   // changed since the last sync
	err   error  // of a write ahead, for the commit to report
	// watch looks for what others did to the file, of rejects: people mend them.
	// Nil: nobody has a reason to.
	watch func(t *tail) error
}

// openTail opens a tail at the length that is vouched for and cuts off the rest.
func openTail(fsys FS, name string, vouched int64, spill int) (tail, error) {
	info, err := fsys.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return tail{}, &DamagedError{Path: name, Reason: "it is missing"}
	case err != nil:
		return tail{}, err
	case info.Size() < vouched:
		return tail{}, &DamagedError{Path: name, Reason: fmt.Sprintf("it has %d bytes, and %d were written", info.Size(), vouched)}
	}
	f, err := fsys.OpenFile(name, os.O_RDWR, 0o600)
	if err != nil {
		return tail{}, err
	}
	if info.Size() > vouched {
		if err := f.Truncate(vouched); err != nil {
			return tail{}, errors.Join(err, f.Close())
		}
	}
	// Dirty, because of the cut, be it this one or one that a former process
	// made and did not live to sync. A crash may undo it and the next opening
	// repeats it; but nothing is cut once the import is finished, so that no
	// mark may be without it.
	return tail{file: f, size: vouched, spill: spill, dirty: true}, nil
}

// add appends a line and its newline. It may write ahead of the commit, which
// is safe: what no mark vouches for, opening cuts off.
func (t *tail) add(line []byte) {
	t.buf = append(append(t.buf, line...), '\n')
	if len(t.buf) >= t.spill {
		t.write()
	}
}

func (t *tail) write() {
	if len(t.buf) > 0 && t.file == nil && t.err == nil {
		t.err = errors.New("line added while no import is under way")
	}
	if len(t.buf) > 0 && t.err == nil {
		t.err = t.look()
	}
	if len(t.buf) == 0 || t.err != nil {
		t.buf = t.buf[:0]
		return
	}
	// At an offset, not by O_APPEND: the file continues where the mark says,
	// whatever anyone else appended meanwhile.
	n, err := t.file.WriteAt(t.buf, t.size)
	t.size += int64(n)
	t.sum = crc32.Update(t.sum, castagnoli, t.buf[:n])
	t.buf, t.dirty, t.err = t.buf[:0], true, err
}

// sync makes durable all that was added.
func (t *tail) sync() error {
	t.write()
	if t.err == nil && t.dirty {
		t.err = t.file.Sync()
		t.dirty = false
	}
	if t.err == nil {
		t.err = t.look()
	}
	return t.err
}

// look is an error when somebody has changed the file.
func (t *tail) look() error {
	if t.watch == nil || t.file == nil {
		return nil
	}
	return t.watch(t)
}

// close drops what was not synced. An error of closing says nothing of what was.
func (t *tail) close() {
	if t.file != nil {
		_ = t.file.Close()
	}
	*t = tail{}
}
