package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// openTerminal makes a terminal: what a person sits at, and what a process has.
func openTerminal(t *testing.T) (person, process *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	var number, locked int32
	for _, c := range []struct {
		request uintptr
		value   *int32
	}{{syscall.TIOCGPTN, &number}, {syscall.TIOCSPTLCK, &locked}} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), c.request, uintptr(unsafe.Pointer(c.value))); errno != 0 {
			t.Skipf("no terminals here: %v", errno)
		}
	}
	process, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	return person, process
}

// A bar is drawn on a terminal only, and not on one that says it cannot draw.
func TestDumbTerminal(t *testing.T) {
	_, process := openTerminal(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		term string
		on   *os.File
		want bool
	}{{"xterm-256color", process, true}, {"", process, true}, {"dumb", process, false}, {"xterm", file, false}} {
		a := &app{env: func(name string) (string, bool) { return c.term, name == "TERM" && c.term != "" }}
		if got := a.drawsOn(c.on); got != c.want {
			t.Errorf("TERM=%s on %s: %v", c.term, c.on.Name(), got)
		}
	}
}

// A terminal that is closed stops the import cleanly, also where a control file
// makes another SIGHUP change the rate. Under nohup it does not.
func TestClosedTerminal(t *testing.T) {
	for _, c := range []struct {
		name  string
		nohup bool
		code  int
	}{{"stops", false, exitHup}, {"with nohup", true, exitRejects}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, sampleArgs(t)...)
			v.pause.Store(int64(5 * time.Millisecond))
			if err := os.Mkdir(filepath.Join(v.dir, "state"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(v.dir, "state", "rate-limit"), []byte("none"), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd, _ := v.ready("--progress", "plain", "--progress-interval", "1ms")
			if c.nohup {
				cmd.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`}, cmd.Args...)
				cmd.Path = "/bin/sh"
			}
			person, process := openTerminal(t)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = process, process, process
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			process.Close()
			<-v.alive
			person.Close()
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("it ended with %v, want exit code %d", cmd.ProcessState, c.code)
			}
			if n := v.platform.Totals().Measurements; (n < 4200) == c.nohup {
				t.Fatalf("%d measurements arrived", n)
			}
			v.pause.Store(0)
			v.run(nil)
			v.wantAll(0)
		})
	}
}
