package checkpoint_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

// midway makes a state directory on the disk with a finished import and one
// that is under way, and returns the home of the latter.
func midway(t testing.TB, dir string) (home string) {
	t.Helper()
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	ok(t, err)
	src := []checkpoint.Source{{Path: "/a", Print: checkpoint.Print{Size: 1, Head: "x", Tail: "x"}}}
	ok(t, j.Begin(checkpoint.Plan{ID: "first", Sources: src}))
	ok(t, j.Finish(checkpoint.Mark{}))
	ok(t, j.Begin(checkpoint.Plan{ID: "second", Sources: src}))
	j.Reject([]byte(`{"n":1}`))
	j.SourceDone([]byte(`{"s":1}`))
	ok(t, j.Commit(checkpoint.Mark{Position: checkpoint.Position{Offset: 5}}))
	home = filepath.Dir(j.RejectsPath())
	ok(t, j.Close())
	return home
}

// refused opens the directory and wants a damaged file to be named.
func refused(t *testing.T, dir, name, reason string) {
	t.Helper()
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	if err == nil {
		m, _ := j.Mark()
		_ = j.Close()
		t.Fatalf("it opens, with the mark %+v", m)
	}
	var damaged *checkpoint.DamagedError
	if !errors.As(err, &damaged) || damaged.Path != name || !strings.Contains(damaged.Reason, reason) {
		t.Fatalf("%v, expect one about %s: %s", err, name, reason)
	}
	if strings.Contains(err.Error(), "move") {
		t.Fatalf("%v: who moves the directory away loses what guards against billing twice", err)
	}
}

// Every state file, cut at every byte and with every byte changed, is refused
// by name: never another mark, never a guess.
func TestTornAndChangedFiles(t *testing.T) {
	dir := t.TempDir()
	home := midway(t, dir)
	for _, name := range []string{filepath.Join(dir, "current"), filepath.Join(home, "plan.json"), filepath.Join(home, "mark.json")} {
		whole, err := os.ReadFile(name)
		ok(t, err)
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		ok(t, err)
		refusedByPeek := func(what string, i int) {
			t.Helper()
			s, err := checkpoint.Peek(dir) // reads as Open does
			var damaged *checkpoint.DamagedError
			var version *checkpoint.VersionError
			if !errors.As(err, &damaged) && !errors.As(err, &version) || !strings.Contains(err.Error(), name) || s.Begun {
				t.Fatalf("%s %s byte %d: %v", name, what, i, err)
			}
		}
		for i, c := range whole {
			_, err := f.WriteAt([]byte{c ^ 1<<(i%7)}, int64(i))
			ok(t, err)
			refusedByPeek("changed in", i)
			_, err = f.WriteAt([]byte{c}, int64(i))
			ok(t, err)
		}
		for i := len(whole) - 1; i >= 0; i-- {
			ok(t, f.Truncate(int64(i)))
			refusedByPeek("cut at", i)
		}
		ok(t, f.Close())
		refused(t, dir, name, "")
		ok(t, os.WriteFile(name, append(whole[:len(whole):len(whole)], '\n'), 0o600))
		refused(t, dir, name, "its end is missing")
		ok(t, os.WriteFile(name, whole, 0o600))
	}
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	ok(t, err)
	ok(t, j.Close())
}

func TestDamage(t *testing.T) {
	type files struct{ dir, home string }
	for _, c := range []struct {
		name   string
		do     func(t *testing.T, f files)
		file   string // that the error names, below dir
		reason string
	}{
		{"no current", func(t *testing.T, f files) { ok(t, os.Remove(f.dir+"/current")) }, "current", "missing, and there is a history.ndjson"},
		{"no current and no history", func(t *testing.T, f files) {
			ok(t, os.Remove(f.dir+"/current"))
			ok(t, os.Remove(f.dir+"/history.ndjson"))
		}, "current", "a mark of the import"},
		{"no plan", func(t *testing.T, f files) { ok(t, os.Remove(f.home+"/plan.json")) }, "imports/second/plan.json", "missing"},
		{"no mark", func(t *testing.T, f files) { ok(t, os.Remove(f.home+"/mark.json")) }, "imports/second/mark.json", "missing"},
		{"no rejects", func(t *testing.T, f files) { ok(t, os.Remove(f.home+"/rejects.ndjson")) }, "imports/second/rejects.ndjson", "missing"},
		{"short rejects", func(t *testing.T, f files) { ok(t, os.Truncate(f.home+"/rejects.ndjson", 7)) }, "imports/second/rejects.ndjson", "it has 7 bytes, and 8 were written"},
		{"short sources", func(t *testing.T, f files) { ok(t, os.Truncate(f.home+"/sources.ndjson", 0)) }, "imports/second/sources.ndjson", "it has 0 bytes, and 8 were written"},
		{"no history", func(t *testing.T, f files) { ok(t, os.Remove(f.dir+"/history.ndjson")) }, "history.ndjson", "missing"},
		{"the mark of another import", func(t *testing.T, f files) {
			ok(t, os.Rename(f.dir+"/imports/first/mark.json", f.home+"/mark.json"))
		}, "imports/second/mark.json", `a mark of import "first", expect "second"`},
		{"the plan of another import", func(t *testing.T, f files) {
			ok(t, os.Rename(f.dir+"/imports/first/plan.json", f.home+"/plan.json"))
		}, "imports/second/plan.json", `the plan of import "first", expect "second"`},
		{"a plan for a mark", func(t *testing.T, f files) { ok(t, os.Rename(f.home+"/plan.json", f.home+"/mark.json")) }, "imports/second/plan.json", "missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.do(t, files{dir, midway(t, dir)})
			refused(t, dir, filepath.Join(dir, c.file), c.reason)
			// Who only looks needs no file that grows.
			if s, err := checkpoint.Peek(dir); (err == nil) != strings.HasSuffix(c.file, ".ndjson") {
				t.Errorf("peek says %+v, %v", s, err)
			}
		})
	}
}

func TestAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(midway(t, dir), "mark.json")
	data, err := os.ReadFile(name)
	ok(t, err)
	ok(t, os.WriteFile(name, []byte(strings.Replace(string(data), `"version":1`, `"version":2`, 1)), 0o600))
	_, err = checkpoint.Open(dir, checkpoint.Options{})
	var version *checkpoint.VersionError
	if !errors.As(err, &version) || version.Got != 2 || version.Path != name {
		t.Errorf("%v, expect a version error about %s", err, name)
	}
}

// What no mark vouches for is cut off; what lies around is no matter.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	home := midway(t, dir)
	for _, name := range []string{home + "/rejects.ndjson", home + "/sources.ndjson", dir + "/history.ndjson"} {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		ok(t, err)
		_, err = f.WriteString("{\"half a li")
		ok(t, errors.Join(err, f.Close()))
	}
	for _, name := range []string{home + "/mark.json.tmp", dir + "/current.tmp", dir + "/holder.json", dir + "/holder.json.tmp"} {
		ok(t, os.WriteFile(name, []byte("{\"half a"), 0o600))
	}
	ok(t, os.MkdirAll(dir+"/imports/third", 0o700)) // an import that was never begun
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	ok(t, err)
	defer j.Close()
	if m, _ := j.Mark(); m.Plan != "second" || m.Position.Offset != 5 {
		t.Errorf("the mark is %+v", m)
	}
	if _, found, err := j.Imported("", "", "", checkpoint.Print{Size: 1, Head: "x", Tail: "x"}); !found || err != nil {
		t.Errorf("the history has lost its source: %v", err)
	}
	for name, want := range map[string]string{"rejects.ndjson": "{\"n\":1}\n", "sources.ndjson": "{\"s\":1}\n"} {
		if got, err := os.ReadFile(filepath.Join(home, name)); string(got) != want || err != nil {
			t.Errorf("%s is %q (%v), expect %q", name, got, err, want)
		}
	}
}

// People mend rejects in place. What a finished import has left is theirs.
func TestRejectsOfAFinishedImportAreTheUsers(t *testing.T) {
	for _, edited := range []string{"", "{}\n", strings.Repeat("{\"mended\":1}\n", 9)} {
		dir := t.TempDir()
		midway(t, dir)
		j, err := checkpoint.Open(dir, checkpoint.Options{})
		ok(t, err)
		m, _ := j.Mark()
		ok(t, j.Finish(m))
		ok(t, j.Close())
		ok(t, os.WriteFile(j.RejectsPath(), []byte(edited), 0o600))
		j, err = checkpoint.Open(dir, checkpoint.Options{})
		ok(t, err)
		rejects := j.RejectsPath()
		ok(t, j.Begin(checkpoint.Plan{}))
		ok(t, j.Close())
		if got, err := os.ReadFile(rejects); string(got) != edited || err != nil {
			t.Errorf("%q (%v), expect %q as it was edited", got, err, edited)
		}
	}
}

func TestDamagedHistory(t *testing.T) {
	dir := t.TempDir()
	midway(t, dir)
	name := filepath.Join(dir, "history.ndjson")
	whole, err := os.ReadFile(name)
	ok(t, err)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	ok(t, err)
	defer f.Close()
	for i, c := range whole {
		_, err := f.WriteAt([]byte{c ^ 4}, int64(i))
		ok(t, err)
		j, err := checkpoint.Open(dir, checkpoint.Options{})
		ok(t, err)
		_, found, err := j.Imported("", "", "", checkpoint.Print{Size: 1, Head: "x", Tail: "x"})
		var damaged *checkpoint.DamagedError
		if found || !errors.As(err, &damaged) || damaged.Path != name {
			t.Fatalf("byte %d changed from %q to %q: found %t, %v", i, c, c^4, found, err)
		}
		ok(t, j.Close())
		_, err = f.WriteAt([]byte{c}, int64(i))
		ok(t, err)
	}
}

func TestPermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "state")
	midway(t, dir)
	ok(t, filepath.WalkDir(filepath.Dir(dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if perm := info.Mode().Perm(); perm&0o077 != 0 {
			t.Errorf("%s has permissions %o, and rows of customers may be in it", path, perm)
		}
		return err
	}))
}
