package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// State is what a state directory says to somebody who only looks.
type State struct {
	Dir string `json:"dir"`
	// Begun is false when no import has begun there; then Plan and Mark are zero.
	Begun bool `json:"begun"`
	Plan  Plan `json:"plan,omitzero"`
	Mark  Mark `json:"mark,omitzero"`
	// Holder is who works in the directory, nil when nobody seems to. Only
	// Open knows for certain.
	Holder  *Holder `json:"holder,omitempty"`
	Rejects string  `json:"rejects,omitempty"` // the file, also when it is empty
	Report  string  `json:"report,omitempty"`  // the file, when there is one
	// Former are the ids of the other imports of the directory, oldest first.
	Former []string `json:"former,omitempty"`
	// Err is why the rest could not be read; List sets it.
	Err error `json:"-"`
}

// Peek reads a state directory without locking or changing it; it may run
// beside a journal. The error is fs.ErrNotExist when there is no such
// directory, and otherwise as Open's; what could be read is returned with it.
func Peek(dir string) (State, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return State{}, err
	}
	return peek(OS, dir)
}

func peek(fsys FS, dir string) (State, error) {
	s := State{Dir: dir}
	if info, err := fsys.Stat(dir); err != nil {
		return s, err
	} else if !info.IsDir() {
		return s, fmt.Errorf("%s is not a directory", dir)
	}
	if h, ok := readHolder(fsys, dir); ok && h.alive() {
		s.Holder = &h
	}
	loaded, err := load(fsys, dir)
	s.Begun, s.Plan, s.Mark = loaded.begun, loaded.plan, loaded.mark
	imports, e := fsys.ReadDir(filepath.Join(dir, importsName))
	if e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	for _, d := range imports {
		if d.IsDir() && d.Name() != s.Plan.ID {
			s.Former = append(s.Former, d.Name())
		}
	}
	if s.Begun {
		home := filepath.Join(dir, importsName, s.Plan.ID)
		s.Rejects = filepath.Join(home, rejectsName)
		if report := filepath.Join(home, reportName); exists(fsys, report) {
			s.Report = report
		}
	}
	return s, err
}

// List peeks into the state directories below root, by name: those right in it, and
// those in folders there that are none themselves; links to directories count. A
// directory that cannot be read is in the list with its Err. A root that is not
// there has none.
func List(root string) ([]State, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return list(OS, root, 1)
}

// list looks into folders down to so many levels below dir.
func list(fsys FS, dir string, deeper int) (all []State, err error) {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, d := range entries {
		below := filepath.Join(dir, d.Name())
		info, e := fsys.Stat(below) // of what a link leads to
		if errors.Is(e, fs.ErrNotExist) || e == nil && !info.IsDir() {
			continue
		}
		is := false
		if e == nil {
			is, e = holdsState(fsys, below)
		}
		switch {
		case e != nil:
			all = append(all, State{Dir: below, Err: e})
		case is:
			s, e := peek(fsys, below)
			s.Err = e
			all = append(all, s)
		case deeper > 0:
			more, e := list(fsys, below, deeper-1)
			if e != nil {
				more = append(more, State{Dir: below, Err: e})
			}
			all = append(all, more...)
		}
	}
	return all, err
}

// holdsState reports whether anything that a state directory remembers by is in
// dir. A lock is no sign: others have locks, too, and one that somebody took for a
// stale one, and away, is no reason to forget the rest.
func holdsState(fsys FS, dir string) (bool, error) {
	for _, name := range []string{currentName, importsName, historyName} {
		switch _, err := fsys.Stat(filepath.Join(dir, name)); {
		case err == nil:
			return true, nil
		case !errors.Is(err, fs.ErrNotExist):
			return false, err
		}
	}
	return false, nil
}

func exists(fsys FS, name string) bool {
	_, err := fsys.Stat(name)
	return err == nil
}
