package checkpoint_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

func TestPeekBesideAJournal(t *testing.T) {
	dir := t.TempDir()
	if s, err := checkpoint.Peek(dir); err != nil || s.Begun || s.Holder != nil {
		t.Errorf("an empty directory: %+v, %v", s, err)
	}
	home := midway(t, dir)
	j, err := checkpoint.Open(dir, checkpoint.Options{Command: []string{"m3import"}})
	ok(t, err)
	defer j.Close()
	ok(t, j.WriteReport([]byte("{}")))
	s, err := checkpoint.Peek(dir)
	ok(t, err)
	m, _ := j.Mark()
	p, _ := j.Plan()
	if !reflect.DeepEqual(s.Mark, m) || !reflect.DeepEqual(s.Plan, p) || !s.Begun {
		t.Errorf("peek says %+v, the journal %+v and %+v", s, p, m)
	}
	if s.Holder == nil || s.Holder.PID != os.Getpid() || s.Dir != dir || !reflect.DeepEqual(s.Former, []string{"first"}) {
		t.Errorf("peek says %+v", s)
	}
	if s.Rejects != j.RejectsPath() || s.Report != filepath.Join(home, "report.json") {
		t.Errorf("peek says rejects %s and report %s", s.Rejects, s.Report)
	}
}

func TestList(t *testing.T) {
	root := t.TempDir()
	if all, err := checkpoint.List(filepath.Join(root, "none")); len(all) != 0 || err != nil {
		t.Errorf("a root that is not there: %v, %v", all, err)
	}
	midway(t, filepath.Join(root, "b"))
	midway(t, filepath.Join(root, "a"))
	bad := midway(t, filepath.Join(root, "c"))
	ok(t, os.WriteFile(filepath.Join(bad, "mark.json"), nil, 0o600))
	ok(t, os.Mkdir(filepath.Join(root, "not a state directory"), 0o700))
	ok(t, os.WriteFile(filepath.Join(root, "file"), nil, 0o600))
	ok(t, os.Symlink("nowhere", filepath.Join(root, "dangling")))
	ok(t, os.MkdirAll(filepath.Join(root, "locked", "by others", "lock"), 0o700))
	// Kept elsewhere, below a folder of its own, and without its lock.
	far := filepath.Join(t.TempDir(), "far")
	midway(t, far)
	ok(t, os.Symlink(far, filepath.Join(root, "d")))
	midway(t, filepath.Join(root, "e", "f"))
	midway(t, filepath.Join(root, "g"))
	ok(t, os.Remove(filepath.Join(root, "g", "lock")))
	all, err := checkpoint.List(root)
	ok(t, err)
	var names []string
	for _, s := range all {
		names = append(names, filepath.Base(s.Dir))
		if damaged := filepath.Base(s.Dir) == "c"; (s.Err != nil) != damaged || s.Begun == damaged {
			t.Errorf("%+v", s)
		}
	}
	if !reflect.DeepEqual(names, []string{"a", "b", "c", "d", "f", "g"}) {
		t.Errorf("the list is %v", names)
	}
	if _, err := checkpoint.List(filepath.Join(root, "file")); err == nil {
		t.Error("a file has a list of state directories")
	}
}

func TestPeekAtNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if _, err := checkpoint.Peek(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, expect that it does not exist", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("looking has made a directory")
	}
}
