//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
)

// transcript is what a process says, for a test that reads along.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// waitFor waits until the words are said. A process that does not say them is
// given up after a minute.
func (o *transcript) waitFor(t *testing.T, words string) {
	t.Helper()
	for range 6000 {
		if strings.Contains(o.String(), words) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it does not say %q:\n%s", words, o)
}

// ready is the victim's import, ready to start, with more flags.
func (v *victim) ready(flags ...string) (*exec.Cmd, *transcript) {
	v.t.Helper()
	cmd, _ := v.command(append(append([]string{"run", "--state", "state"}, v.args...), flags...)...)
	said := new(transcript)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(cmd.Env, "XDG_STATE_HOME="+v.dir)
	return cmd, said
}

// wantAll checks that the platform has all of the samples, and how often an
// upload was repeated.
func (v *victim) wantAll(duplicates int64) {
	v.t.Helper()
	if held := v.platform.Totals(); held.Measurements != 4200 || held.Duplicates != duplicates || held.Conflicts != 0 {
		v.t.Errorf("%d measurements, %d sent twice, %d in conflict; want 4200, %d, 0", held.Measurements, held.Duplicates, held.Conflicts, duplicates)
	}
}

// At one request an hour an import would take a week. The control file speeds
// it up while it runs; one that makes no sense is told, and changes nothing.
func TestChangeTheRateWhileRunning(t *testing.T) {
	t.Parallel()
	args := sampleArgs(t)
	args[slices.Index(args, "none")] = "1/1h"
	v := newVictim(t, args...)
	cmd, said := v.ready()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	<-v.alive
	control := filepath.Join(v.dir, "state", "rate-limit")
	ask := func(text, answer string) {
		t.Helper()
		if err := os.WriteFile(control, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		said.waitFor(t, answer)
	}
	ask("faster please\n", `m3import: rate limit stays 1/h: `+control+`: rate "faster please": "faster please" is not requests/time`)
	ask("0/s", `m3import: rate limit stays 1/h: `+control+`: rate "0/s": "0" is not a number of requests from 1`)
	ask(strings.Repeat("x", 5000), `m3import: rate limit stays 1/h: `+control+`: not a file with one line`)
	ask(" 2/1h, 100/s\n", `m3import: rate limit is now 2/h,100/s, from `+control)
	if n := v.platform.Totals().Measurements; n > 3*20 {
		t.Errorf("%d measurements arrived at two requests an hour", n)
	}
	ask("none\n", `m3import: rate limit is now none, from `+control)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitRejects || !strings.Contains(said.String(), "this run: 4,237 rows") {
		t.Errorf("exit code %d, want %d\n%s", code, exitRejects, said)
	}
	v.wantAll(0)
}

// Under nohup a SIGHUP stops nothing.
func TestHangupUnderNohup(t *testing.T) {
	t.Parallel()
	v := newVictim(t, sampleArgs(t)...)
	v.pause.Store(int64(2 * time.Millisecond))
	cmd, said := v.ready()
	cmd.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`}, cmd.Args...)
	cmd.Path = "/bin/sh"
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-v.alive
	for range 3 {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitRejects {
		t.Errorf("exit code %d, want %d\n%s", code, exitRejects, said)
	}
	v.wantAll(0)
}

// Whoever read the output has left: the import goes on, and its exit code is
// its own. The report is in the state directory.
func TestOutputThatNobodyReads(t *testing.T) {
	t.Parallel()
	for _, output := range []string{"stdout", "stderr", "both"} {
		t.Run(output, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, sampleArgs(t)...)
			v.pause.Store(int64(time.Millisecond))
			cmd, _ := v.ready("-vv", "--allow-rejects", "--progress", "plain", "--progress-interval", "1ms")
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stdout, cmd.Stderr = nil, nil
			if output != "stderr" {
				cmd.Stdout = w
			}
			if output != "stdout" {
				cmd.Stderr = w
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			if output != "stdout" { // which has nothing to say before the end
				if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
					t.Error(err)
				}
			}
			<-v.alive
			r.Close()
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitOK {
				t.Errorf("it ended with %v, want exit code %d", cmd.ProcessState, exitOK)
			}
			v.wantAll(0)
			state, err := checkpoint.Peek(filepath.Join(v.dir, "state"))
			if err != nil || !state.Mark.Finished || state.Report == "" {
				t.Errorf("the state says %+v, %v", state, err)
			}
		})
	}
}
