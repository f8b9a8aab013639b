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

// List peeks into the state directories right below root, by name. A directory
// that cannot be read is in the list with its Err. A root that is not there has
// none.
func List(root string) ([]State, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return list(OS, root)
}

func list(fsys FS, root string) ([]State, error) {
	dirs, err := fsys.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []State
	for _, d := range dirs {
		dir := filepath.Join(root, d.Name())
		if !d.IsDir() || !exists(fsys, filepath.Join(dir, lockName)) {
			continue
		}
		s, err := peek(fsys, dir)
		s.Err = err
		all = append(all, s)
	}
	return all, err
}

func exists(fsys FS, name string) bool {
	_, err := fsys.Stat(name)
	return err == nil
}
