package checkpoint

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
)

// Import is one import of a state directory, as it was left.
type Import struct {
	Plan    Plan   `json:"plan"`
	Mark    Mark   `json:"mark"`
	Rejects string `json:"rejects"`          // the file, also when it is empty
	Report  string `json:"report,omitempty"` // the file, when there is one
	// Current is set on the import that the directory is about.
	Current bool `json:"current"`
}

// Imports reads all imports of a state directory, oldest first, without locking
// or changing it. Directories of imports that a crash kept from beginning are
// left out; one that is damaged is an error, and the others are returned with it.
func Imports(dir string) ([]Import, error) { return imports(OS, dir) }

func imports(fsys FS, dir string) ([]Import, error) {
	now, err := load(fsys, dir)
	if err != nil {
		return nil, err
	}
	return importsBeside(fsys, dir, now)
}

// Imports is the function of that name for the directory of the journal. Of its
// own import the journal knows what it would read.
func (j *Journal) Imports() ([]Import, error) {
	if j.err != nil {
		return imports(j.fsys, j.dir) // what a commit that failed has left
	}
	now := j.state
	now.mark, _ = j.Mark()
	return importsBeside(j.fsys, j.dir, now)
}

// importsBeside reads all imports but the one that the directory is about.
func importsBeside(fsys FS, dir string, now state) (all []Import, err error) {
	entries, err := fsys.ReadDir(filepath.Join(dir, importsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		home := filepath.Join(dir, importsName, e.Name())
		one := Import{Rejects: filepath.Join(home, rejectsName), Current: now.begun && e.Name() == now.plan.ID}
		var perr error
		if one.Current {
			one.Plan, one.Mark = now.plan, now.mark
		} else if one.Plan, perr = loadPlan(fsys, filepath.Join(home, planName), e.Name()); perr == nil {
			one.Mark, perr = loadMark(fsys, filepath.Join(home, markName), &one.Plan)
		}
		switch {
		case perr == nil && (one.Current || one.Mark.Begun()):
		case perr != nil && (one.Current || e.IsDir() && leftBehind(fsys, home, perr)):
			err = errors.Join(err, perr)
			continue
		default:
			continue // it never began
		}
		if report := filepath.Join(home, reportName); exists(fsys, report) {
			one.Report = report
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b Import) int { return a.Plan.Started.Compare(b.Plan.Started) })
	return all, err
}

// leftBehind reports whether an import whose plan or mark cannot be read may have
// sent something. A crash in Begin leaves files out, or the one torn that it
// wrote last: whatever is damaged in spite of a later one was whole.
func leftBehind(fsys FS, home string, perr error) bool {
	damaged, ok := errors.AsType[*DamagedError](perr)
	if !ok || exists(fsys, filepath.Join(home, reportName)) {
		return true // another version wrote it, or the disk does not give it
	}
	later := false
	for _, name := range []string{rejectsName, sourcesName} {
		info, err := fsys.Stat(filepath.Join(home, name))
		if err == nil && info.Size() > 0 {
			return true
		}
		later = later || err == nil
	}
	if later && exists(fsys, damaged.Path) {
		return true
	}
	var m Mark // of a plan that is missing
	return loadFrame(fsys, filepath.Join(home, markName), kindMark, &m) == nil && m.Begun()
}
