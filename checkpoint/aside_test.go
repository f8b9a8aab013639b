package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tree makes files, and folders for names with a slash at their end.
func tree(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "state")
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o700)
		} else {
			err = os.WriteFile(path, []byte(name), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// filesIn are the files below a directory, and nil when it is not there.
func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

func TestMoveAside(t *testing.T) {
	state := []string{
		"current", "current.before-repair", "current.tmp", "history.ndjson", "holder.json", "imports/a/mark.json", "imports/a/notes.txt", "imports/a/plan.json",
		"imports/b/plan.json", "lock", "rate-limit",
	}
	usage := []string{"imports/2026/usage.csv", "imports/notes.txt", "lock.md", "old/current", "usage.csv"}
	for _, test := range []struct {
		name         string
		moved, stays []string
		others       []string
	}{
		{"state alone", state, nil, nil},
		{"beside usage", state, usage[2:], []string{"lock.md", "old", "usage.csv"}},
		{"usage in a folder imports", state, usage, []string{"imports", "lock.md", "old", "usage.csv"}},
		{"a damaged one", []string{"imports/a/mark.json", "lock"}, []string{"usage.csv"}, []string{"usage.csv"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := tree(t, append(slices.Clone(test.moved), test.stays...)...)
			aside := dir + ".aside"
			others, err := MoveAside(dir, aside)
			if err != nil || !slices.Equal(others, test.others) {
				t.Errorf("it returns %q, %v; want %q", others, err, test.others)
			}
			if got := filesIn(t, aside); !slices.Equal(got, test.moved) {
				t.Errorf("moved: %q, want %q", got, test.moved)
			}
			if got := filesIn(t, dir); !slices.Equal(got, test.stays) {
				t.Errorf("stays: %q, want %q", got, test.stays)
			}
			if _, err := os.Stat(dir); len(test.stays) == 0 && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the directory is still there: %v", err)
			}
		})
	}
}

// A file lock is in many a folder that no import has ever seen.
func TestMoveAsideNoState(t *testing.T) {
	for _, names := range [][]string{{"lock", "usage.csv"}, {"lock", "holder.json"}, {"lock", "current/x"}} {
		dir := tree(t, names...)
		if _, err := MoveAside(dir, dir+".aside"); !errors.Is(err, ErrNoState) {
			t.Errorf("%q: %v, want ErrNoState", names, err)
		}
		slices.Sort(names)
		if got := filesIn(t, dir); !slices.Equal(got, names) {
			t.Errorf("%q is there, want %q", got, names)
		}
	}
}

// What a move that was cut short has left can be moved once more.
func TestMoveAsideTwice(t *testing.T) {
	dir := tree(t, "current", "imports/a/plan.json", "lock", "usage.csv")
	if _, err := MoveAside(dir, dir+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir+".1", "imports"), filepath.Join(dir, "imports")); err != nil {
		t.Fatal(err)
	}
	if _, err := MoveAside(dir, dir+".1"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over what was moved before: %v", err)
	}
	if _, err := MoveAside(dir, dir+".2"); err != nil {
		t.Error(err)
	}
	if got := filesIn(t, dir); !slices.Equal(got, []string{"usage.csv"}) {
		t.Errorf("%q is there", got)
	}
}
