package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A Fault is one thing in a state directory that is not as it was written, or
// that somebody or a crash has left there.
type Fault struct {
	Path string // absolute
	What string // what is wrong
	// Mend is what Repair does about it. Empty: it does nothing, because what
	// was lost stands nowhere else, and to guess it would lose rows or bill
	// them twice.
	Mend string
	// Restart says that Repair would mend it by beginning the import anew,
	// when RepairOptions.Restart asks for that.
	Restart bool

	mend func() error
}

// RepairOptions of Repair. The zero value looks, and changes nothing.
type RepairOptions struct {
	// Do mends what can be mended.
	Do bool
	// Restart allows to begin the import anew where its mark cannot be known:
	// at its start, under its plan, with nothing counted. All of it is sent
	// again then. The mark says that it may have been sent since the import
	// began, so that whoever goes on from it can tell whether that is too long
	// ago. The mark, rejects and sources that were there are kept beside the
	// new ones, as *.before-repair.
	Restart bool
	// FS is the file system. Default: OS.
	FS FS
}

// AnyNumber is the MaxUncertain of a mark when nobody knows how many
// measurements after it may have been sent.
const AnyNumber = int64(1) << 53

// maxRounds bounds how often a repair looks again: what a damaged file hid can
// be seen once it is mended.
const maxRounds = 5

// Repair looks for what is wrong in a state directory, and mends what it can
// when it is told to. It never makes up a position: each mend either takes away
// what nothing depends on, or puts back what the rest of the directory proves,
// or begins the import anew and says so in its mark. Every mend is one step, so
// that a crash in between leaves a directory that can be repaired again.
//
// The faults are those that were mended, or can be, and those that cannot, in
// that order. The error is a *LockedError when a run works in the directory, a
// *VersionError when another version of the program wrote it, fs.ErrNotExist
// when it is no state directory, and one of the file system otherwise.
func Repair(dir string, opt RepairOptions) (faults []Fault, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	r := &repair{fsys: opt.FS, dir: dir, opt: opt}
	if r.fsys == nil {
		r.fsys = OS
	}
	if err := r.isState(); err != nil {
		return nil, err
	}
	lock, err := r.fsys.Lock(filepath.Join(dir, lockName))
	if errors.Is(err, ErrHeld) {
		h, _ := readHolder(r.fsys, dir)
		return nil, &LockedError{Dir: dir, Holder: h}
	}
	if err != nil {
		return nil, fmt.Errorf("state directory %s cannot be locked: %w", dir, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	for range maxRounds {
		found, err := r.diagnose()
		if err != nil {
			return faults, err
		}
		again := false
		var stays []Fault
		for _, f := range found {
			if f.mend == nil {
				stays = append(stays, f)
				continue
			}
			if opt.Do {
				if err := f.mend(); err != nil {
					return faults, fmt.Errorf("%s: %w; what was not mended is as it was", f.Path, err)
				}
				again = true
			}
			faults = append(faults, f)
		}
		if !again {
			return append(faults, stays...), nil
		}
	}
	return faults, fmt.Errorf("state directory %s: there is something to mend after %d rounds", dir, maxRounds)
}

// repair is one look at a state directory.
type repair struct {
	fsys FS
	dir  string
	opt  RepairOptions
}

func (r *repair) isState() error {
	for _, name := range []string{lockName, currentName, historyName, importsName} {
		if has, err := r.has(filepath.Join(r.dir, name)); has || err != nil {
			return err
		}
	}
	return fmt.Errorf("%s is not a state directory: %w", r.dir, fs.ErrNotExist)
}

// has reports whether a file is there. A disk that cannot say so is an error,
// never a no: a repair that took it for one would put another in its place.
func (r *repair) has(path string) (bool, error) {
	_, err := r.fsys.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// remove mends a file that nothing depends on.
func (r *repair) remove(path, what string) Fault {
	return Fault{Path: path, What: what, Mend: "nothing depends on it; it is removed", mend: func() error {
		if err := r.fsys.Remove(path); err != nil {
			return err
		}
		return r.fsys.SyncDir(filepath.Dir(path))
	}}
}

// create mends a file that is missing and was empty.
func (r *repair) create(path string) Fault {
	return Fault{Path: path, What: "it is missing", Mend: "nothing was in it, by the mark; it is made again, empty", mend: func() error {
		if err := create(r.fsys, path, nil); err != nil {
			return err
		}
		return r.fsys.SyncDir(filepath.Dir(path))
	}}
}

// cut mends a file that is longer than is vouched for. Opening would cut it,
// too, and what is cut could be somebody's work: a copy of the whole is kept.
func (r *repair) cut(path string, size, vouched int64) Fault {
	return Fault{
		Path: path,
		What: fmt.Sprintf("it has %d bytes, and the mark vouches for %d: what follows belongs to rows that are sent again", size, vouched),
		Mend: "it is cut, and kept whole as " + filepath.Base(path) + asideSuffix,
		mend: func() error {
			if err := r.keep(path); err != nil {
				return err
			}
			f, err := r.fsys.OpenFile(path, os.O_RDWR, 0o600)
			if err != nil {
				return err
			}
			err = f.Truncate(vouched)
			if err == nil {
				err = f.Sync()
			}
			return errors.Join(err, f.Close())
		},
	}
}

// adopt mends a mark by the one that was being written in its place.
func (r *repair) adopt(path, what string, m *Mark) Fault {
	return Fault{
		Path: path, What: what,
		Mend: fmt.Sprintf("the commit that was being written beside it is whole, and everything that it counts is on the disk: it takes its place (%s)", m.Position),
		mend: func() error {
			if err := r.keep(path); err != nil {
				return err
			}
			if err := r.fsys.Rename(path+tempSuffix, path); err != nil {
				return err
			}
			return r.fsys.SyncDir(filepath.Dir(path))
		},
	}
}

// restart mends a mark, or files that are shorter than it says, by a mark at
// the start of the import.
func (r *repair) restart(p *Plan, path, what string) Fault {
	f := Fault{Path: path, What: what, Restart: true}
	if !r.opt.Restart {
		return f
	}
	f.Mend = "the import begins anew at its start, with nothing counted; the mark, rejects and sources that were there are kept as *" + asideSuffix
	f.mend = func() error {
		home := filepath.Join(r.dir, importsName, p.ID)
		for _, name := range []string{markName, rejectsName, sourcesName} {
			path := filepath.Join(home, name)
			if err := r.keep(path); err != nil {
				return err
			}
			if has, err := r.has(path); err != nil {
				return err
			} else if !has && name != markName {
				if err := create(r.fsys, path, nil); err != nil {
					return err
				}
			}
		}
		// All files are there before a mark says so, and what is in them does
		// not count once it does: opening cuts it off.
		if err := r.fsys.SyncDir(home); err != nil {
			return err
		}
		m := Mark{Version: Version, Plan: p.ID, FirstSent: p.Started, MaxUncertain: AnyNumber, Updated: now()}
		return replace(r.fsys, filepath.Join(home, markName), appendFrame(nil, kindMark, m.appendJSON(nil)))
	}
	return f
}

const (
	tempSuffix  = ".tmp"
	asideSuffix = ".before-repair"
	// writtenSuffix is of the rejects as they were written, when a run found that
	// somebody had put another file in their place, or none.
	writtenSuffix = ".as-written"
)

// keep makes a copy of a file, if there is one, beside it, under a name that is
// not taken: what is kept is never overwritten by what a second repair finds.
func (r *repair) keep(path string) error {
	data, err := r.fsys.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	aside := path + asideSuffix
	for n := 2; ; n++ {
		was, err := r.fsys.ReadFile(aside)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil || bytes.Equal(was, data) {
			return err
		}
		aside = fmt.Sprintf("%s%s-%d", path, asideSuffix, n)
	}
	if err := create(r.fsys, aside, data); err != nil {
		return err
	}
	return r.fsys.SyncDir(filepath.Dir(aside))
}
