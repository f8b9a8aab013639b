package checkpoint_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
)

func TestImportFromBeginToEnd(t *testing.T) {
	dir := t.TempDir()
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := j.Plan(); ok {
		t.Error("a fresh directory has a plan")
	}
	print := checkpoint.Print{Size: 3, Head: "h", Tail: "h"}
	if err := j.Begin(checkpoint.Plan{OrgID: "o", Sources: []checkpoint.Source{{Path: "/a", Print: print}}}); err != nil {
		t.Fatal(err)
	}
	j.Reject([]byte(`{"a":1}`))
	if err := j.Commit(checkpoint.Mark{Position: checkpoint.Position{Offset: 1}, Runs: 1}); err != nil {
		t.Fatal(err)
	}
	j.Reject([]byte(`{"never":"committed"}`))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if j, err = checkpoint.Open(dir, checkpoint.Options{}); err != nil {
		t.Fatal(err)
	}
	if m, ok := j.Mark(); !ok || m.Position.Offset != 1 || m.RejectsLen != 8 {
		t.Errorf("mark %+v, %t", m, ok)
	}
	j.Reject([]byte(`{"a":2}`))
	j.SourceDone([]byte(`{}`))
	if err := j.Finish(checkpoint.Mark{Position: checkpoint.Position{Source: 1}}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(j.RejectsPath())
	if want := "{\"a\":1}\n{\"a\":2}\n"; string(got) != want || err != nil {
		t.Errorf("rejects %q, expect %q (%v)", got, want, err)
	}
	if _, ok, err := j.Imported("o", "", "", print); !ok || err != nil {
		t.Errorf("a finished source is not in the history (%v)", err)
	}
	if _, ok, _ := j.Imported("another", "", "", print); ok {
		t.Error("a source is taken for imported into another organization")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMisuse(t *testing.T) {
	open := func() *checkpoint.Journal {
		j, err := checkpoint.Open(t.TempDir(), checkpoint.Options{Buffer: 10})
		ok(t, err)
		t.Cleanup(func() { _ = j.Close() })
		return j
	}
	begun := func() *checkpoint.Journal {
		j := open()
		ok(t, j.Begin(checkpoint.Plan{Sources: make([]checkpoint.Source, 2)}))
		ok(t, j.Commit(checkpoint.Mark{Position: checkpoint.Position{Source: 1, Offset: 10, Record: 3}}))
		return j
	}
	at := func(source int, offset, record int64) checkpoint.Mark {
		return checkpoint.Mark{Position: checkpoint.Position{Source: source, Offset: offset, Record: record}}
	}
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"a commit before the beginning", func() error { return open().Commit(checkpoint.Mark{}) }, "before an import has begun"},
		{"a report before the beginning", func() error { return open().WriteReport(nil) }, "before an import has begun"},
		{"a source that does not exist", func() error { return begun().Commit(at(3, 0, 0)) }, "source 3, offset 0, line 0, record 0 is outside the 2 sources"},
		{"a time that cannot be written", func() error { return begun().Commit(checkpoint.Mark{FirstSent: time.Unix(1<<40, 0)}) }, "its first_sent is in the year"},
		{"back to the source before", func() error { return begun().Commit(at(0, 99, 99)) }, "is before the last one's, source 1, offset 10"},
		{"back in the source", func() error { return begun().Commit(at(1, 9, 9)) }, "is before the last one's"},
		{"back by a record", func() error { return begun().Finish(at(1, 10, 2)) }, "is before the last one's"},
		{"a commit after the end", func() error {
			j := begun()
			ok(t, j.Finish(at(2, 0, 0)))
			return j.Commit(at(2, 0, 0))
		}, "which is finished"},
		{"an end after the end", func() error {
			j := begun()
			ok(t, j.Finish(at(2, 0, 0)))
			return j.Finish(at(2, 0, 0))
		}, "which is finished"},
		{"a reject after the end", func() error {
			j := begun()
			ok(t, j.Finish(at(2, 0, 0)))
			j.Reject([]byte(strings.Repeat("x", 99)))
			return j.Commit(at(2, 0, 0))
		}, "which is finished"},
		{"a commit after closing", func() error {
			j := begun()
			ok(t, j.Close())
			return j.Commit(at(2, 0, 0))
		}, "file already closed"},
		{"a beginning after closing", func() error {
			j := begun()
			ok(t, j.Close())
			return j.Begin(checkpoint.Plan{})
		}, "file already closed"},
		{"a name that leaves the directory", func() error { return open().Begin(checkpoint.Plan{ID: "../x"}) }, `import id "../x"`},
		{"a name that is taken", func() error {
			j := open()
			ok(t, j.Begin(checkpoint.Plan{ID: "x"}))
			return j.Begin(checkpoint.Plan{ID: "x"})
		}, "file exists"},
		{"a giving up of nothing", func() error { return open().GiveUp() }, "without an unfinished import"},
		{"a giving up of the first import", func() error { return begun().GiveUp() }, "no import was finished here"},
		{"a giving up of what is finished", func() error {
			j := begun()
			ok(t, j.Finish(at(2, 0, 0)))
			return j.GiveUp()
		}, "without an unfinished import"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.do(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, expect an error with %q", err, c.want)
			}
		})
	}
}

func TestNewID(t *testing.T) {
	at := time.Date(2026, 1, 31, 3, 0, 0, 0, time.FixedZone("", 3600))
	a, b := checkpoint.NewID(at), checkpoint.NewID(at)
	if !regexp.MustCompile(`^20260131T020000Z-[0-9a-f]{6}$`).MatchString(a) || a == b {
		t.Errorf("%s and %s", a, b)
	}
}

// The caller may reuse what it committed, and change what it was given.
func TestMarkIsTheCallers(t *testing.T) {
	j, err := checkpoint.Open(t.TempDir(), checkpoint.Options{})
	ok(t, err)
	defer j.Close()
	ok(t, j.Begin(checkpoint.Plan{}))
	if m, committed := j.Mark(); committed || m.Plan == "" || m.Position != (checkpoint.Position{}) {
		t.Errorf("before the first commit %+v, %t", m, committed)
	}
	m := checkpoint.Mark{Totals: []checkpoint.Total{{Meter: "a"}}, RejectCodes: map[string]int64{"x": 1}}
	ok(t, j.Commit(m))
	m.Totals[0].Meter, m.RejectCodes["x"] = "b", 2
	got, _ := j.Mark()
	got.Totals[0].Field = "changed"
	if again, _ := j.Mark(); again.Totals[0] != (checkpoint.Total{Meter: "a"}) || again.RejectCodes["x"] != 1 {
		t.Errorf("%+v", again)
	}
}
