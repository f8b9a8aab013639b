package checkpoint_test

import (
	"os"
	"testing"

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
