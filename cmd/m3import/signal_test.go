//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/m3import/m3import/uploader"
)

// sampleArgs are a whole import of the samples in 210 requests.
func sampleArgs(t *testing.T) []string {
	t.Helper()
	samples, err := filepath.Abs("../../samples")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-m", filepath.Join(samples, "mapping.yaml"), "--rate-limit", "none", "--progress", "none",
		"--batch-size", "20", "--workers", "2", "--chunk-bytes", "3000"}
	for _, day := range []string{"01.csv", "02.ndjson", "03.parquet"} {
		args = append(args, filepath.Join(samples, "usage-2026-01-"+day))
	}
	return args
}

// The first signal stops cleanly: what is in the air lands and is committed,
// the command that goes on is printed, and nothing is ever sent twice.
func TestSignals(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGINT, exitInt}, {syscall.SIGTERM, exitTerm}, {syscall.SIGHUP, exitHup}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			t.Parallel()
			args := sampleArgs(t)
			v := newVictim(t, args...)
			v.pause.Store(int64(10 * time.Millisecond))
			cmd, out := v.command(append([]string{"run", "--state", "state"}, args...)...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-v.alive
			for range 1000 { // alive may be about the token, and what has not left then never does
				if v.platform.Totals().Measurements > 0 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			for _, s := range []syscall.Signal{syscall.SIGUSR1, c.signal} {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond) // two at once may come in any order
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, out)
			}
			for _, want := range []string{"m3import: usage-2026-01-01.csv, ", "m3import: stopping: ", "everything before it is settled", "go on with  m3import run --batch-size 20 "} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
			if n := v.platform.Totals().Measurements; n == 0 || n == 4200 {
				t.Fatalf("%d measurements arrived: the signal was too early or too late for the test", n)
			}
			v.pause.Store(0)
			v.run(nil)
			if held := v.platform.Totals(); held.Measurements != 4200 || held.Duplicates != 0 {
				t.Errorf("%d measurements, %d of them sent twice; want 4200 and none", held.Measurements, held.Duplicates)
			}
		})
	}
}

// Of many starts at once one runs; the others name it and exit 11.
func TestOneRunAtATime(t *testing.T) {
	t.Parallel()
	args := sampleArgs(t)
	v := newVictim(t, args...)
	v.pause.Store(int64(20 * time.Millisecond))
	first, firstOut := v.command(append([]string{"run", "--state", "state"}, args...)...)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	<-v.alive
	second, out := v.command(append([]string{"run", "--state", "state"}, args...)...)
	second.Run()
	if code := second.ProcessState.ExitCode(); code != exitLocked || !strings.Contains(out.String(), "is in use by process") {
		t.Errorf("exit code %d, want %d\n%s", code, exitLocked, out)
	}
	status, out := v.command("status", "--state", "state")
	if err := status.Run(); err != nil || !strings.Contains(out.String(), "running  state") {
		t.Errorf("status beside a run: %v\n%s", err, out)
	}
	first.Wait()
	if code := first.ProcessState.ExitCode(); code != exitRejects {
		t.Errorf("the first run ended with %d\n%s", code, firstOut)
	}
	if held := v.platform.Totals(); held.Measurements != 4200 || held.Duplicates != 0 {
		t.Errorf("%d measurements, %d sent twice", held.Measurements, held.Duplicates)
	}
}

// No request carries more than the platform takes, by the platform's count.
func TestRequestSizes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("event_id,account,meter,ts,gb,requests,region,note\n")
	for i := range 5000 { // about 795 bytes a measurement: bytes fill a request before a thousand are in
		fmt.Fprintf(&text, "wide-%04d,acme,api,2026-01-01T00:00:00Z,1.0000,1,eu-west-1,%s\n", i, strings.Repeat("w", 600))
	}
	path := filepath.Join(dir, "wide.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	v := newVictim(t, "-m", sampleArgs(t)[1], "--rate-limit", "none", path)
	v.run(nil)
	held := v.platform.Totals()
	if held.Measurements != 5000 || held.LargestBody > uploader.MaxBytes || held.LargestBatch > uploader.MaxItems {
		t.Errorf("%d measurements, largest body %d bytes, largest batch %d", held.Measurements, held.LargestBody, held.LargestBatch)
	}
	if held.LargestBody < uploader.MaxBytes-2000 {
		t.Errorf("the largest body has %d bytes: requests are not filled", held.LargestBody)
	}
}

// A pipe that says nothing does not hold up a stop.
func TestStopWhileStandardInputIsSilent(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	cmd, out := v.command("run", "--state", "state", "--rate-limit", "none", "-m", sampleArgs(t)[1], "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, "event_id,account,meter,ts,gb,requests,region,note")
	for i := range 20_000 { // enough for the reader to look at, and to go on
		fmt.Fprintf(in, "e%d,acme,api,2026-01-01T00:00:00Z,1,1,,\n", i)
	}
	<-v.alive
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // the pipe is still open
	if code := cmd.ProcessState.ExitCode(); code != exitTerm {
		t.Errorf("exit code %d, want %d\n%s", code, exitTerm, out)
	}
	in.Close()
}
