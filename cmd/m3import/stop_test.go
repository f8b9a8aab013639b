package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/sandbox"
)

// A stop does not wait for the rate limits: what has not left stays, and the
// same command sends it later, nothing twice.
func TestStopDoesNotWaitForThePace(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, sandbox.Config{})
	s := newSession(t, p)
	path := filepath.Join(t.TempDir(), "usage.csv")
	var text strings.Builder
	text.WriteString("uid,account,meter,ts,measure.n\n")
	for i := range 20 {
		fmt.Fprintf(&text, "e%d,acme,api,2026-01-01T00:00:00Z,1\n", i)
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer stop()
		for range 1000 { // both requests that an hour allows
			if p.Totals().Measurements == 2 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	code, _, stderr := s.runUntil(ctx, "run", "--rate-limit", "2/1h", "--batch-size", "1", "--workers", "1", "--shutdown-timeout", "10m", path)
	if held := p.Totals().Measurements; code != exitInt || held != 2 || !strings.Contains(stderr, "m3import: stopping: ") || strings.Contains(stderr, "had not landed") {
		t.Errorf("exit code %d, %d measurements arrived, want 2 and a clean stop:\n%s", code, held, stderr)
	}
	code, stdout, stderr := s.run("run", "--batch-size", "1", path)
	if held := p.Totals(); code != exitOK || held.Measurements != 20 || held.Duplicates != 0 {
		t.Errorf("exit code %d, %d measurements, %d of them sent twice\n%s%s", code, held.Measurements, held.Duplicates, stdout, stderr)
	}
}
