package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
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

// Nor does it wait for what waits for another try in an outage, whatever the server
// asks: it leaves with the exit code of the signal and the command that goes on, and
// that one sends again what may have been taken, as the mark says.
func TestStopDoesNotWaitForAnOutage(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault sandbox.Fault
		rate  string
		held  int64 // at most, after the stop
	}{
		{"503", sandbox.Fault{Status: 503, Headers: map[string]string{"Retry-After": "600"}}, "none", 0},
		{"504 that was taken", sandbox.Fault{Status: 504, At: sandbox.Committed, Headers: map[string]string{"Retry-After": "600"}}, "none", 20},
		{"503, at a slow pace", sandbox.Fault{Status: 503, Headers: map[string]string{"Retry-After": "600"}}, "1/1h", 0},
		{"429", sandbox.Fault{Status: 429, Headers: map[string]string{"Retry-After": "600"}}, "none", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.fault.Name, c.fault.On = "outage", []string{"SubmitMeasurements"}
			p := newPlatform(t, sandbox.Config{Faults: []sandbox.Fault{c.fault}})
			s := newSession(t, p)
			dir := t.TempDir()
			state := filepath.Join(dir, "state")
			writeFiles(t, dir, map[string]string{"m.yaml": guardMapping, "a.csv": endRows("acme", 20, false)})
			args := []string{"run", "-m", filepath.Join(dir, "m.yaml"), "--state", state, "--batch-size", "1", "--workers", "4", "--shutdown-timeout", "10m", "--retry-for", "1h"}
			ctx, stop := context.WithCancel(t.Context())
			var stopped time.Time
			go func() {
				defer stop()
				for range 1000 {
					if n := p.Faults()[0].Struck; n == 4 || n > 0 && c.rate != "none" {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				time.Sleep(200 * time.Millisecond) // the answers come back, and the pause begins
				stopped = time.Now()
			}()
			code, _, stderr := s.runUntil(ctx, append(args, "--rate-limit", c.rate, filepath.Join(dir, "a.csv"))...)
			if late := time.Since(stopped); code != exitInt || late > 20*time.Second || p.Totals().Measurements > c.held || !strings.Contains(stderr, "go on with  m3import run ") {
				t.Fatalf("exit code %d, %s after the stop, %d measurements\n%s", code, late, p.Totals().Measurements, stderr)
			}
			st, err := checkpoint.Peek(state)
			if err != nil {
				t.Fatal(err)
			}
			if doubt := !st.Mark.FirstSent.IsZero() && st.Mark.MaxUncertain > 0; doubt == (c.fault.Status == 429) || st.Mark.Counts.Read != 0 {
				t.Errorf("the mark is %+v", st.Mark)
			}
			taken := p.Totals().Measurements
			p.RemoveFaults()
			code, stdout, stderr := s.run(append(args, filepath.Join(dir, "a.csv"))...)
			if held := p.Totals(); code != exitOK || held.Measurements != 20 || held.Duplicates != taken || held.Conflicts != 0 {
				t.Errorf("exit code %d, %d measurements, %d of them sent twice, want %d\n%s%s", code, held.Measurements, held.Duplicates, taken, stdout, stderr)
			}
		})
	}
}
