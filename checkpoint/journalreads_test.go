package checkpoint_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

// What a journal says of its directory is what anybody reads there: at any time,
// of imports that are begun, under way, given up and finished.
func TestJournalReadsWhatOthersRead(t *testing.T) {
	dir := t.TempDir()
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	compare := func(when, id string) {
		t.Helper()
		got, err := j.Imports()
		want, err2 := checkpoint.Imports(dir)
		if err != nil || err2 != nil || !reflect.DeepEqual(text(t, got), text(t, want)) {
			t.Errorf("%s: %s (%v), want %s (%v)", when, text(t, got), err, text(t, want), err2)
		}
		if id == "" {
			return
		}
		var lines, others []checkpoint.SourceCounts
		for line, err := range j.SourceLines() {
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
			lines = append(lines, line)
		}
		for line, err := range checkpoint.SourceLines(dir, id) {
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
			others = append(others, line)
		}
		if !reflect.DeepEqual(lines, others) {
			t.Errorf("%s: %v, want %v", when, lines, others)
		}
	}
	compare("new", "")
	for i, finish := range []bool{false, true, true} {
		plan := checkpoint.Plan{ID: fmt.Sprintf("import-%d", i), Sources: []checkpoint.Source{{Path: "/a"}, {Path: "/b", Print: checkpoint.Print{Head: "h"}}}}
		if err := j.Begin(plan); err != nil {
			t.Fatal(err)
		}
		compare("begun", plan.ID)
		for n := range 3 {
			s := checkpoint.SourceCounts{Path: fmt.Sprint("/", n), Counts: checkpoint.Counts{Read: int64(n), Accepted: int64(n)}}
			j.SourceDone(s.Append(nil))
			j.Reject([]byte(`{}`))
			compare("line added", plan.ID)
			if err := j.Commit(checkpoint.Mark{RejectCodes: map[string]int64{"x": int64(n)}, Totals: []checkpoint.Total{{Meter: "m", Sum: "1.5", Count: 1}}}); err != nil {
				t.Fatal(err)
			}
			compare("committed", plan.ID)
		}
		if err := j.WriteReport([]byte("{}")); err != nil {
			t.Fatal(err)
		}
		compare("reported", plan.ID)
		if finish {
			if err := j.Finish(checkpoint.Mark{}); err != nil {
				t.Fatal(err)
			}
			compare("finished", plan.ID)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	compare("closed", "")
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
