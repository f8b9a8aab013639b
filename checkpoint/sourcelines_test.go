package checkpoint_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

// What was written for finished sources is read again, as far as the mark
// vouches for it.
func TestSourceLines(t *testing.T) {
	dir := t.TempDir()
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	ok(t, err)
	ok(t, j.Begin(checkpoint.Plan{ID: "x", Sources: make([]checkpoint.Source, 3)}))
	want := []checkpoint.SourceCounts{
		{Path: `/in/"a".csv`, Counts: checkpoint.Counts{Read: 9, Accepted: 5, Rejected: 3, Filtered: 1, Measurements: 10}},
		{Path: "/in/ü.csv"},
	}
	for _, s := range want {
		j.SourceDone(s.Append(nil))
	}
	ok(t, j.Commit(checkpoint.Mark{Position: checkpoint.Position{Source: 2}}))
	never := checkpoint.SourceCounts{Path: "/never/committed"}
	path := filepath.Join(dir, "imports", "x", "sources.ndjson")
	text, err := os.ReadFile(path)
	ok(t, err)
	ok(t, os.WriteFile(path, append(never.Append(text), '\n'), 0o600))
	n := 0
	for got, err := range checkpoint.SourceLines(dir, "x") {
		ok(t, err)
		if n == len(want) || got != want[n] {
			t.Fatalf("line %d: %+v, want %+v", n+1, got, want)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d lines, want %d", n, len(want))
	}
	ok(t, j.Close())

	ok(t, os.WriteFile(path, append([]byte("no JSON"), text...), 0o600))
	errs := 0
	for _, err := range checkpoint.SourceLines(dir, "x") {
		if errs++; err == nil || errs > 1 {
			t.Errorf("a damaged file, entry %d: error %v", errs, err)
		}
	}
	for _, err := range checkpoint.SourceLines(dir, "y") {
		if err == nil {
			t.Error("an import that is not there has sources")
		}
	}
}
