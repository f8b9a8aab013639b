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
