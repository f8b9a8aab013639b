package checkpoint_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

func TestHistory(t *testing.T) {
	dir := t.TempDir()
	open := func() *checkpoint.Journal {
		j, err := checkpoint.Open(dir, checkpoint.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { j.Close() })
		return j
	}
	j := open()
	for range j.History() {
		t.Fatal("a new directory has a history")
	}
	for i := range 3 {
		src := checkpoint.Source{Path: fmt.Sprintf("/in/%d", i), Print: checkpoint.Print{Size: 1, Head: "h", Tail: "t"}}
		if err := j.Begin(checkpoint.Plan{OrgID: "o", Endpoint: "e", MappingHash: "m", Sources: []checkpoint.Source{src}}); err != nil {
			t.Fatal(err)
		}
		if err := j.Finish(checkpoint.Mark{Position: checkpoint.Position{Source: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()

	j = open()
	n := 0
	for f, err := range j.History() {
		if err != nil {
			t.Fatal(err)
		}
		if f.Path != fmt.Sprintf("/in/%d", n) || f.OrgID != "o" || f.Endpoint != "e" || f.MappingHash != "m" || f.When.IsZero() || f.Began.IsZero() || f.Began.After(f.When) || f.Import == "" || f.Size != 1 {
			t.Errorf("entry %d: %+v", n, f)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d entries, want 3", n)
	}

	path := filepath.Join(dir, "history.ndjson")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range j.History() {
		last = err
	}
	if _, ok := errors.AsType[*checkpoint.DamagedError](last); !ok {
		t.Errorf("a damaged history ends with %v", last)
	}
}
