package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// All rates that are given hold, however they are given; the lowest tells how
// long it takes.
func TestRateLimitInPieces(t *testing.T) {
	s := newSession(t, newPlatform(t, sandbox.Config{}))
	delete(s.env, "M3IMPORT_RATE_LIMIT")
	dir := t.TempDir()
	file, mapping := filepath.Join(dir, "usage.csv"), filepath.Join(dir, "m.yaml")
	for name, text := range map[string]string{file: actRows(101, 3), mapping: actMapping} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		env     string
		args    []string
		seconds float64
	}{
		{"", []string{"--rate-limit", "1/s", "--rate-limit", "5000/5m"}, 100},
		{"", []string{"--rate-limit", "5000/5m", "--rate-limit", "1/s"}, 100},
		{"", []string{"--rate-limit", "10/s, 5000/5m", "--rate-limit", "1/s"}, 100},
		{"1/s", nil, 100},
		{"1/s", []string{"--rate-limit", "none"}, 0},
	} {
		delete(s.env, "M3IMPORT_RATE_LIMIT")
		if c.env != "" {
			s.env["M3IMPORT_RATE_LIMIT"] = c.env
		}
		for _, command := range [][]string{{"check"}, {"run", "--dry-run"}} {
			code, stdout, stderr := s.run(append(append(command, "--json", "--batch-size", "1", "-m", mapping, file), c.args...)...)
			var report checkReport
			if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != exitOK || report.Seconds != c.seconds {
				t.Errorf("%v %v, with %q in the environment: %v s, want %v (%v, exit code %d)\n%s", command, c.args, c.env, report.Seconds, c.seconds, err, code, stderr)
			}
		}
	}
	code, _, stderr := s.run("check", "-m", mapping, "--rate-limit", "none", "--rate-limit", "1/s", file)
	if code != exitUsage || !strings.Contains(stderr, "none means no limit, and cannot stand beside others") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// The command that goes on with an import is written as people write it, and
// keeps to the rates that were given.
func TestResumeCommandAsTyped(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"--rate-limit 1/s --rate-limit 5000/5m", "m3import run --rate-limit 1/s,5000/5m"},
		{"--allow-rejects", "m3import run --allow-rejects"},
		{"--allow-rejects=false --workers 2", "m3import run --allow-rejects=false --workers 2"},
	} {
		a := &app{env: func(string) (string, bool) { return "", false }}
		cmd, _, err := a.rootCommand().Find([]string{"run"})
		if err == nil {
			err = cmd.ParseFlags(strings.Fields(c.typed))
		}
		if err == nil {
			err = a.setCommand(cmd, nil)
		}
		if got := resumeCommand(a.command); err != nil || got != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.typed, got, c.want, err)
		}
	}
}
