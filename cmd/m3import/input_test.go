package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// Names that would break a line are quoted; names that the state cannot hold
// are told before anything is sent, as nothing could be resumed under them.
func TestOddNames(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not every file system takes such names")
	}
	const row = "id,who,when,amount\n%,acme,2026-01-01T00:00:00Z,1\n"
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "odd"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, dir, map[string]string{
		"m.yaml":    "version: 1\nmeter: {const: api}\naccount: who\nts: when\nuid: {key: [id]}\nmeasure: {n: amount}\n",
		"odd/a.csv": strings.Replace(row, "%", "1", 1), "odd/b\n  total 9\x1b[2J.csv": strings.Replace(row, "%", "2", 1),
	})
	s := newSession(t, newPlatform(t, sandbox.Config{}))
	code, stdout, stderr := s.run("run", "-m", filepath.Join(dir, "m.yaml"), filepath.Join(dir, "odd"))
	if code != exitOK || !strings.Contains(stdout, `"b\n  total 9\x1b[2J.csv"`) || strings.Contains(stdout, "\x1b") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	bad := filepath.Join(dir, "bad\xff.csv")
	if err := os.WriteFile(bad, []byte(row), 0o600); err != nil {
		t.Skip(err)
	}
	code, _, stderr = s.run("run", "-m", filepath.Join(dir, "m.yaml"), bad)
	if code != exitUsage || !strings.Contains(stderr, `bad\xff.csv": the name is not UTF-8`) {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

// Nothing that may be usage is passed by in silence.
func TestWhatADirectoryLeavesOut(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"usage/state", "usage/older", "usage/.hidden", "usage/_temporary", "few"} {
		if err := os.MkdirAll(name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"usage/a.csv", "usage/b.NDJSON.gz", "usage/c.csv.bz2", "usage/d.txt", "usage/e.json", "usage/f.xlsx", "usage/_SUCCESS", "usage/.g.bz2", "few/a.csv", "few/b.zip"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ dir, want string }{
		{"usage", "left out of usage: 4 files not called as sources are (c.csv.bz2, d.txt, e.json, …), and 1 folder (a glob such as 'usage/**/*.csv' finds what is below)"},
		{"few", "left out of few: 1 file not called as sources are (b.zip)"},
		{"usage/*", ""},
	} {
		_, notes, err := findSources([]string{c.dir}, "usage/state", false)
		if got := strings.Join(notes, "\n"); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.dir, got, err, c.want)
		}
	}
}

// Large files of the same size and ends are the same only when every byte is.
func TestCopiesOfLargeFiles(t *testing.T) {
	head := "id,who,when,amount\n1,acme,2026-01-01T00:00:00Z,1\n" + strings.Repeat("\n", 100_000)
	tail := strings.Repeat("\n", 100_000)
	middle := func(n string) string { return head + "2,acme,2026-01-01T00:00:00Z," + n + "\n" + tail }
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"m.yaml": "version: 1\nmeter: {const: api}\naccount: who\nts: when\nuid: row\nmeasure: {n: amount}\n",
		"a.csv":  middle("2"), "b.csv": middle("3"), "c.csv": middle("2"),
	})
	s := newSession(t, newPlatform(t, sandbox.Config{}))
	mapping := filepath.Join(dir, "m.yaml")
	code, stdout, stderr := s.run("run", "-m", mapping, filepath.Join(dir, "[ab].csv"))
	if code != exitOK || strings.Contains(stderr, "holds what") {
		t.Errorf("another middle: exit code %d\n%s%s", code, stdout, stderr)
	}
	code, _, stderr = s.run("run", "-m", mapping, filepath.Join(dir, "[bc].csv"), filepath.Join(dir, "a.csv"))
	if code != exitUsage || !strings.Contains(stderr, "a.csv holds what ") {
		t.Errorf("the same: exit code %d\n%s", code, stderr)
	}
}
