package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ErrNoState says that a directory holds nothing that an import left there.
var ErrNoState = errors.New("no import has left anything there")

// Entries tells what stands right in a directory: own are this package's, or
// its caller's, by their names; others are somebody else's. A folder imports
// in which nothing else stands is own; one in which there is more is both, and
// then the imports in it are own, as imports/<id>.
func Entries(dir string) (own, others []string, err error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range list {
		switch name := e.Name(); {
		case name == importsName && e.IsDir():
			inside, foreign, err := importsIn(filepath.Join(dir, name))
			if err != nil {
				return nil, nil, err
			}
			if len(foreign) == 0 {
				own = append(own, name)
				continue
			}
			own, others = append(own, inside...), append(others, name)
		case slices.Contains(rootNames, ownName(name)) && e.Type().IsRegular():
			own = append(own, name)
		default:
			others = append(others, name)
		}
	}
	return own, others, nil
}

// importsIn tells the imports in a folder of that name from what else is there.
// An import has a plan or a mark, or what a repair kept of them; one that a crash
// has kept from getting that far has nothing.
func importsIn(dir string) (own, foreign []string, err error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range list {
		ours := false
		if e.IsDir() && checkID(e.Name()) == nil {
			files, err := os.ReadDir(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, nil, err
			}
			ours = len(files) == 0 || slices.ContainsFunc(files, func(f fs.DirEntry) bool {
				return slices.Contains([]string{planName, markName}, ownName(f.Name()))
			})
		}
		if name := filepath.Join(importsName, e.Name()); ours {
			own = append(own, name)
		} else {
			foreign = append(foreign, name)
		}
	}
	return own, foreign, nil
}

// MoveAside moves a state directory to aside, which must not be there: as a
// whole when nothing but state is in it, and else only what is state, so that
// what somebody else keeps there stays where it is. It returns what stays. It is
// ErrNoState when no import has left anything. A run that holds the directory
// is the caller's to look for.
//
// The lock is moved last: a move that was cut short leaves a directory that can
// be moved aside once more.
func MoveAside(dir, aside string) (stays []string, err error) {
	own, others, err := Entries(dir)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(own, isMemory) {
		return nil, ErrNoState
	}
	if len(others) == 0 {
		return nil, os.Rename(dir, aside)
	}
	if err := os.Mkdir(aside, 0o700); err != nil {
		return nil, err
	}
	slices.SortStableFunc(own, func(a, b string) int { return isLock(a) - isLock(b) })
	for _, name := range own {
		to := filepath.Join(aside, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return nil, err
		}
		if err := os.Rename(filepath.Join(dir, name), to); err != nil {
			return nil, fmt.Errorf("%w; what was moved before is in %s", err, aside)
		}
	}
	return others, nil
}

// isMemory is true of what is there only after an import has begun.
func isMemory(entry string) bool {
	name := ownName(entry)
	return name == currentName || name == historyName || name == importsName || filepath.Dir(entry) == importsName
}

func isLock(entry string) int {
	if entry == lockName {
		return 1
	}
	return 0
}
