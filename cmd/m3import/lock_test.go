//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// hang leaves every request with measurements without an answer.
func hang() sandbox.Fault {
	return sandbox.Fault{Name: "hang", On: []string{"SubmitMeasurements"}, Hang: true}
}

// Of fifty starts at once one runs; the others exit 11 and name it, with its
// process, its host and since when.
func TestFiftyStarts(t *testing.T) {
	n := 50
	if testing.Short() {
		n = 10
	}
	args := append([]string{"run", "--state", "state"}, sampleArgs(t)...)
	v := newVictimOf(t, sandbox.Config{Faults: []sandbox.Fault{hang()}})
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	type start struct {
		cmd *exec.Cmd
		out *bytes.Buffer
	}
	ended := make(chan start, n)
	for range n {
		cmd, out := v.command(args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { cmd.Wait(); ended <- start{cmd, out} }()
	}
	var losers []start
	for len(losers) < n-1 { // whoever runs cannot end while nobody answers
		losers = append(losers, <-ended)
	}
	v.platform.RemoveFaults()
	winner := <-ended
	if code := winner.cmd.ProcessState.ExitCode(); code != exitRejects {
		t.Errorf("the one that ran ended with %d\n%s", code, winner.out)
	}
	for _, l := range losers {
		want := fmt.Sprintf("is in use by process %d on %s since 20", winner.cmd.Process.Pid, host)
		if code := l.cmd.ProcessState.ExitCode(); code != exitLocked || !strings.Contains(l.out.String(), want) {
			t.Errorf("exit code %d, want %d with %q\n%s", code, exitLocked, want, l.out)
		}
	}
	if held := v.platform.Totals(); held.Measurements != 4200 || held.Duplicates != 0 {
		t.Errorf("%d measurements, %d came twice", held.Measurements, held.Duplicates)
	}
}

// A holder that died is in nobody's way, whatever it left behind.
func TestDeadHolder(t *testing.T) {
	t.Parallel()
	v := newVictimOf(t, sandbox.Config{Faults: []sandbox.Fault{hang()}}, sampleArgs(t)...)
	if code := v.run(&moment{step: arrived, nth: 1}); code != -1 {
		t.Fatalf("it ended with %d, and was to be killed", code)
	}
	text, err := os.ReadFile(filepath.Join(v.dir, "state", "holder.json"))
	if err != nil || !strings.Contains(string(text), fmt.Sprintf(`"pid":%d,`, v.proc.Pid)) {
		t.Fatalf("the dead process %d left no word: %s %v", v.proc.Pid, text, err)
	}
	v.platform.RemoveFaults()
	if code := v.run(nil); code != exitRejects {
		t.Errorf("the next run ended with %d", code)
	}
	if held := v.platform.Totals(); held.Measurements != 4200 || held.Duplicates > killWindow {
		t.Errorf("%d measurements, %d came twice", held.Measurements, held.Duplicates)
	}
}
