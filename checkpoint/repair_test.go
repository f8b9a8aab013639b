package checkpoint_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/checkpoint/crashfs"
)

// stranded makes a state directory with a finished import and one that was
// killed after its second mark, and returns the home of the latter.
func stranded(t *testing.T, dir string) (home string) {
	t.Helper()
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	ok(t, err)
	src := []checkpoint.Source{{Path: "/a", Print: checkpoint.Print{Size: 1, Head: "x", Tail: "x"}}}
	began := time.Date(2026, 1, 31, 2, 0, 0, 0, time.UTC)
	ok(t, j.Begin(checkpoint.Plan{ID: "20260130T020000Z-aaaaaa", Started: began.Add(-24 * time.Hour), Sources: src}))
	ok(t, j.Finish(checkpoint.Mark{}))
	ok(t, j.Begin(checkpoint.Plan{ID: "20260131T020000Z-bbbbbb", Started: began, Sources: src}))
	ok(t, j.Commit(checkpoint.Mark{FirstSent: began.Add(time.Minute), MaxUncertain: 7}))
	j.Reject([]byte(`{"n":1}`))
	ok(t, j.Commit(checkpoint.Mark{Position: checkpoint.Position{Offset: 5, Record: 1}, RejectCodes: map[string]int64{"x": 1}, FirstSent: began.Add(time.Hour)}))
	home = filepath.Dir(j.RejectsPath())
	ok(t, j.Close())
	return home
}

// nextMark leaves in the place of mark.json.tmp what a commit writes that does
// not come to its rename: the mark at offset 9, with two rejects.
func nextMark(t *testing.T, dir, home string) {
	t.Helper()
	name := filepath.Join(home, "mark.json")
	was, err := os.ReadFile(name)
	ok(t, err)
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	ok(t, err)
	j.Reject([]byte(`{"n":2}`))
	ok(t, j.Commit(checkpoint.Mark{Position: checkpoint.Position{Offset: 9, Record: 2}, RejectCodes: map[string]int64{"x": 2}}))
	ok(t, j.Close())
	ok(t, os.Rename(name, name+".tmp"))
	ok(t, os.WriteFile(name, was, 0o600))
}

// snapshot is every file below dir.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	ok(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	}))
	return all
}

// What can be mended is, and leads to a mark that was committed, or to the
// start; what cannot is told, and left. Looking changes nothing.
func TestRepair(t *testing.T) {
	type files struct{ dir, home string }
	remove := func(name string) func(t *testing.T, f files) {
		return func(t *testing.T, f files) { ok(t, os.Remove(filepath.Join(f.dir, name))) }
	}
	const second = "imports/20260131T020000Z-bbbbbb/"
	damage := func(name string) func(t *testing.T, f files) {
		return func(t *testing.T, f files) { ok(t, os.Truncate(filepath.Join(f.dir, name), 30)) }
	}
	const keeps, restarts, refuses = 5, 0, -1 // the offset of the mark afterwards
	for _, c := range []struct {
		name   string
		do     func(t *testing.T, f files)
		file   string // of the first fault
		what   string
		offset int64
	}{
		{"nothing", func(*testing.T, files) {}, "", "", keeps},
		{"leftovers", func(t *testing.T, f files) {
			for _, name := range []string{"mark.json.tmp", "plan.json.tmp", "report.json.tmp"} {
				ok(t, os.WriteFile(filepath.Join(f.home, name), []byte("{"), 0o600))
			}
			ok(t, os.WriteFile(filepath.Join(f.dir, "current.tmp"), nil, 0o600))
		}, "current.tmp", "while it was writing it", keeps},
		{"a dead holder", func(t *testing.T, f files) {
			ok(t, os.WriteFile(filepath.Join(f.dir, "holder.json"), []byte(`{"pid":1}`), 0o600))
		}, "holder.json", "no more", keeps},
		{"no lock", remove("lock"), "", "", keeps},
		{"a longer reject file", func(t *testing.T, f files) {
			ok(t, os.WriteFile(filepath.Join(f.home, "rejects.ndjson"), []byte("{\"n\":1}\n{\"n\":2}\n{\"ha"), 0o600))
		}, second + "rejects.ndjson", "it has 20 bytes, and the mark vouches for 8", keeps},
		{"a shorter reject file", func(t *testing.T, f files) {
			ok(t, os.Truncate(filepath.Join(f.home, "rejects.ndjson"), 7))
		}, second + "rejects.ndjson", "it has 7 bytes, and 8 were written", restarts},
		{"no reject file", remove(second + "rejects.ndjson"), second + "rejects.ndjson", "missing, and had 8 bytes", restarts},
		{"no reject file, and what was written is kept", func(t *testing.T, f files) {
			ok(t, os.Rename(filepath.Join(f.home, "rejects.ndjson"), filepath.Join(f.home, "rejects.ndjson.as-written")))
		}, second + "rejects.ndjson", "missing, and had 8 bytes", keeps},
		{"a shorter reject file, and what was written is kept, ahead of the mark", func(t *testing.T, f files) {
			ok(t, os.WriteFile(filepath.Join(f.home, "rejects.ndjson.as-written"), []byte("{\"n\":1}\n{\"n\":2}\n{\"ha"), 0o600))
			ok(t, os.Truncate(filepath.Join(f.home, "rejects.ndjson"), 7))
		}, second + "rejects.ndjson", "it has 7 bytes, and 8 were written", keeps},
		{"no reject file, and what is kept is of another mark", func(t *testing.T, f files) {
			remove(second+"rejects.ndjson")(t, f)
			ok(t, os.WriteFile(filepath.Join(f.home, "rejects.ndjson.as-written"), []byte("{\"n\":7}\n"), 0o600))
		}, second + "rejects.ndjson", "missing, and had 8 bytes", restarts},
		{"no sources, where none was finished", remove(second + "sources.ndjson"), second + "sources.ndjson", "it is missing", keeps},
		{"no mark", remove(second + "mark.json"), second + "mark.json", "missing", restarts},
		{"a damaged mark", damage(second + "mark.json"), second + "mark.json", "does not begin as a mark", restarts},
		{"a damaged mark beside a newer one", func(t *testing.T, f files) {
			nextMark(t, f.dir, f.home)
			damage(second+"mark.json")(t, f)
		}, second + "mark.json", "does not begin as a mark", 9},
		{"no mark beside a newer one", func(t *testing.T, f files) {
			nextMark(t, f.dir, f.home)
			remove(second+"mark.json")(t, f)
		}, second + "mark.json", "missing", 9},
		{"a damaged mark beside a newer one whose rejects are gone", func(t *testing.T, f files) {
			nextMark(t, f.dir, f.home)
			damage(second+"mark.json")(t, f)
			ok(t, os.Truncate(filepath.Join(f.home, "rejects.ndjson"), 8))
		}, second + "mark.json", "does not begin as a mark", restarts},
		{"a damaged mark beside a newer one with other rejects", func(t *testing.T, f files) {
			nextMark(t, f.dir, f.home)
			damage(second+"mark.json")(t, f)
			ok(t, os.WriteFile(filepath.Join(f.home, "rejects.ndjson"), []byte("{\"n\":123456789}\n"), 0o600))
		}, second + "mark.json", "does not begin as a mark", restarts},
		{"a damaged mark beside half of another", func(t *testing.T, f files) {
			nextMark(t, f.dir, f.home)
			damage(second+"mark.json")(t, f)
			damage(second+"mark.json.tmp")(t, f)
		}, second + "mark.json", "does not begin as a mark", restarts},
		{"no current", remove("current"), "current", "missing", keeps},
		{"a damaged current", damage("current"), "current", "does not begin as a current", keeps},
		{"no current, and a mark that is damaged, too", func(t *testing.T, f files) {
			remove("current")(t, f)
			damage(second+"mark.json")(t, f)
		}, "current", "cannot be read, and may have begun later", refuses},
		{"no current, and an import that never began", func(t *testing.T, f files) {
			remove("current")(t, f)
			ok(t, os.Mkdir(filepath.Join(f.dir, "imports", "20260129T020000Z-cccccc"), 0o700))
		}, "current", "missing", keeps},
		{"no current, and a history of imports that are gone", func(t *testing.T, f files) {
			remove("current")(t, f)
			ok(t, os.RemoveAll(filepath.Join(f.dir, "imports", "20260130T020000Z-aaaaaa")))
		}, "current", "which is not here", refuses},
		{"no plan", remove(second + "plan.json"), second + "plan.json", "missing", refuses},
		{"a damaged plan", damage(second + "plan.json"), second + "plan.json", "does not begin as a plan", refuses},
		{"no history", remove("history.ndjson"), "history.ndjson", "it is missing, and had", refuses},
		{"a damaged history", damage("history.ndjson"), "history.ndjson", "it has 30 bytes", refuses},
		{"a changed history", func(t *testing.T, f files) {
			h, err := os.OpenFile(filepath.Join(f.dir, "history.ndjson"), os.O_RDWR, 0)
			ok(t, err)
			_, err = h.WriteAt([]byte("X"), 100)
			ok(t, errors.Join(err, h.Close()))
		}, "history.ndjson", "line 1: it has the checksum", refuses},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			home := stranded(t, dir)
			rejects, err := os.ReadFile(filepath.Join(home, "rejects.ndjson"))
			ok(t, err)
			c.do(t, files{dir, home})
			before := snapshot(t, dir)

			look, err := checkpoint.Repair(dir, checkpoint.RepairOptions{Restart: c.offset == restarts})
			ok(t, err)
			delete(before, filepath.Join(dir, "lock"))
			after := snapshot(t, dir)
			delete(after, filepath.Join(dir, "lock"))
			if a, b := asText(before), asText(after); a != b {
				t.Fatalf("looking has changed\n%s\ninto\n%s", a, b)
			}
			if c.file == "" && len(look) > 0 || c.file != "" && (len(look) == 0 || look[0].Path != filepath.Join(dir, c.file) || !strings.Contains(look[0].What, c.what)) {
				t.Fatalf("found %+v, want %s: %s", look, c.file, c.what)
			}
			if c.offset == restarts { // it has to be asked for
				some, err := checkpoint.Repair(dir, checkpoint.RepairOptions{Do: true})
				ok(t, err)
				if n := len(some); n == 0 || some[n-1].Mend != "" || !some[n-1].Restart {
					t.Fatalf("without being asked to begin anew: %+v", some)
				}
			}

			did, err := checkpoint.Repair(dir, checkpoint.RepairOptions{Do: true, Restart: true})
			ok(t, err)
			if len(did) < len(look) {
				t.Errorf("mended %+v, found %+v", did, look)
			}
			left, err := checkpoint.Repair(dir, checkpoint.RepairOptions{})
			ok(t, err)
			if c.offset == refuses {
				if len(left) == 0 || left[0].Mend != "" || left[0].Restart {
					t.Errorf("it is mended, and cannot be: %+v", left)
				}
				return
			}
			if len(left) > 0 {
				t.Errorf("after a repair there is still %+v", left)
			}
			j, err := checkpoint.Open(dir, checkpoint.Options{})
			ok(t, err)
			defer j.Close()
			p, _ := j.Plan()
			m, begun := j.Mark()
			if p.ID != "20260131T020000Z-bbbbbb" || m.Position.Offset != c.offset || !begun {
				t.Errorf("import %s goes on at %+v, want offset %d", p.ID, m, c.offset)
			}
			if c.offset == restarts {
				if !m.FirstSent.Equal(p.Started) || m.MaxUncertain != checkpoint.AnyNumber {
					t.Errorf("a mark at the start, and the rows may have been sent since: %+v", m)
				}
				if text, _ := os.ReadFile(filepath.Join(home, "rejects.ndjson")); len(text) > 0 {
					t.Errorf("the rejects begin with %q", text)
				}
			}
			if _, found, err := j.Imported("", "", "", checkpoint.Print{Size: 1, Head: "x", Tail: "x"}); !found || err != nil {
				t.Errorf("the history has lost its source: %v", err)
			}
			if _, had := before[filepath.Join(home, "rejects.ndjson")]; had && c.file == second+"rejects.ndjson" {
				kept, err := os.ReadFile(filepath.Join(home, "rejects.ndjson.before-repair"))
				if err != nil || string(kept) != before[filepath.Join(home, "rejects.ndjson")] {
					t.Errorf("kept %q, %v; the rejects were %q", kept, err, rejects)
				}
			}
		})
	}
}

func asText(v any) string {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestRepairRefuses(t *testing.T) {
	if _, err := checkpoint.Repair(t.TempDir(), checkpoint.RepairOptions{Do: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is none: %v", err)
	}
	dir := t.TempDir()
	j, err := checkpoint.Open(dir, checkpoint.Options{Command: []string{"m3import", "run"}})
	ok(t, err)
	defer j.Close()
	_, err = checkpoint.Repair(dir, checkpoint.RepairOptions{Do: true})
	if locked := (*checkpoint.LockedError)(nil); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("a directory in use: %v", err)
	}
	newer := t.TempDir()
	mark := filepath.Join(stranded(t, newer), "mark.json")
	text, err := os.ReadFile(mark)
	ok(t, err)
	ok(t, os.WriteFile(mark, []byte(strings.Replace(string(text), `"version":1`, `"version":2`, 1)), 0o600))
	_, err = checkpoint.Repair(newer, checkpoint.RepairOptions{Do: true, Restart: true})
	if version := (*checkpoint.VersionError)(nil); !errors.As(err, &version) {
		t.Errorf("another version: %v", err)
	}
}

// A finished import's rejects are the user's, whatever their length.
func TestRepairLeavesMendedRejectsAlone(t *testing.T) {
	for _, text := range []string{"", "{}\n", strings.Repeat("x", 99)} {
		dir := t.TempDir()
		home := stranded(t, dir)
		j, err := checkpoint.Open(dir, checkpoint.Options{})
		ok(t, err)
		m, _ := j.Mark()
		ok(t, j.Finish(m))
		ok(t, j.Close())
		ok(t, os.WriteFile(filepath.Join(home, "rejects.ndjson"), []byte(text), 0o600))
		faults, err := checkpoint.Repair(dir, checkpoint.RepairOptions{Do: true, Restart: true})
		if got, _ := os.ReadFile(filepath.Join(home, "rejects.ndjson")); err != nil || len(faults) > 0 || string(got) != text {
			t.Errorf("%q became %q: %+v, %v", text, got, faults, err)
		}
	}
}

// A repair that is killed before any operation, or in which any operation
// fails, is repaired by the next one, to the same mark.
func TestRepairIsKilledAnywhere(t *testing.T) {
	put := func(fsys *crashfs.FS, name string, content []byte) {
		f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		ok(t, err)
		_, err = f.WriteAt(content, 0)
		ok(t, errors.Join(err, f.Sync(), f.Close(), fsys.SyncDir(filepath.Dir(name))))
	}
	// A killed import whose mark is damaged. With next, the commit that was
	// under way is whole.
	damaged := func(next bool) (*crashfs.FS, string) {
		w := newWorld()
		ok(t, w.open())
		ok(t, w.begin(1))
		w.reject("one")
		ok(t, w.commit(false))
		mark := filepath.Join(filepath.Dir(w.j.RejectsPath()), "mark.json")
		w.reject("two")
		ok(t, w.commit(false))
		whole, err := w.fsys.ReadFile(mark)
		ok(t, err)
		ok(t, w.close())
		put(w.fsys, mark, whole[:50])
		if next {
			put(w.fsys, mark+".tmp", whole)
		}
		put(w.fsys, filepath.Join(stateDir, "holder.json"), []byte("{}"))
		disk := w.fsys.Crash(nil) // which also counts its operations anew
		return disk, mark
	}
	repair := func(disk *crashfs.FS) error {
		_, err := checkpoint.Repair(stateDir, checkpoint.RepairOptions{Do: true, Restart: true, FS: disk})
		return err
	}
	for _, next := range []bool{true, false} {
		calm, _ := damaged(next)
		ok(t, repair(calm))
		for n := range calm.Ops() {
			for _, kill := range []bool{true, false} {
				disk, _ := damaged(next)
				var left *crashfs.FS
				disk.Hook(func(op crashfs.Op) *crashfs.Fault {
					if op.N != n {
						return nil
					}
					left = disk.Crash(rand.New(rand.NewPCG(uint64(n), 5)))
					return &crashfs.Fault{Err: syscall.EIO, Happens: n%2 == 0}
				})
				err := repair(disk)
				disk.Hook(nil)
				if left == nil {
					t.Fatalf("operation %d of %d did not come (%v)", n, calm.Ops(), err)
				}
				if !kill {
					left = disk
				}
				if err := repair(left); err != nil {
					t.Fatalf("operation %d, killed %v: the next repair: %v\n%s", n, kill, err, listing(left, stateDir))
				}
				j, err := checkpoint.Open(stateDir, checkpoint.Options{FS: left})
				ok(t, err)
				if m, _ := j.Mark(); (m.Position.Offset == 20) != next || (m.Position.Offset == 0) == next || (m.MaxUncertain == checkpoint.AnyNumber) == next {
					t.Fatalf("operation %d, killed %v, next %v: the mark is %+v", n, kill, next, m)
				}
				ok(t, j.Close())
			}
		}
	}
}
