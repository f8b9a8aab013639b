package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// Rows that the platform refuses, next to each other and more than half of a
// request, are taken for a mistake, also with --allow-rejects; the message names
// what gets past them, and that does.
func TestManyRefusedNextToEachOther(t *testing.T) {
	p := newPlatform(t, sandbox.Config{Faults: []sandbox.Fault{{
		When: sandbox.When{Match: &sandbox.Match{Account: "closed"}}, Status: 400, Message: "the account is closed",
	}}})
	s := newSession(t, p)
	dir := t.TempDir()
	good := endRows("acme", 1500, false)
	_, bad, _ := strings.Cut(endRows("closed", 600, false), "\n")
	writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": good + bad})
	args := []string{"run", "--rate-limit", "none", "-m", filepath.Join(dir, "m.yaml"), filepath.Join(dir, "a.csv")}
	for _, c := range []struct {
		flags []string
		code  int
		says  string
	}{
		{[]string{"--allow-rejects"}, exitFatal, "--max-errors"},
		{[]string{"--max-errors", "500"}, exitBudget, "501 of 2,0"},
		{[]string{"--max-errors", "500"}, exitBudget, "raise --max-errors"},
		{[]string{"--max-errors", "700", "--allow-rejects"}, exitOK, "the account is closed"},
	} {
		code, stdout, stderr := s.run(append(args, c.flags...)...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit code %d, want %d and %q\n%s%s", c.flags, code, c.code, c.says, stdout, stderr)
		}
	}
	if held := p.Totals().Measurements; held != 1500 {
		t.Errorf("the platform holds %d measurements, want 1500", held)
	}
}
