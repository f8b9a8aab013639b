package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/m3import/m3import/sandbox"
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

// A terminal of 80 columns shows one bar in its last line, whatever goes wrong
// meanwhile: what does not fit is cut, and a message has its line for itself.
func TestBarKeepsItsLine(t *testing.T) {
	t.Parallel()
	person, process := openTerminal(t)
	size := [4]uint16{24, 80}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size))); errno != 0 {
		t.Fatal(errno)
	}
	p := newPlatform(t, sandbox.Config{Faults: []sandbox.Fault{{Name: "outage", On: []string{"SubmitMeasurements"}, When: sandbox.When{From: 2},
		Status: 503, Message: "Service Unavailable"}}})
	shown := make(chan *paper)
	go func() {
		seen := &paper{columns: 80, lines: [][]rune{nil}}
		defer func() { shown <- seen }()
		// The outage lasts until a bar was drawn that tells of it, after the line that does.
		for piece := make([]byte, 4096); ; {
			n, err := person.Read(piece)
			if seen.print(string(piece[:n])); strings.Count(seen.text(), "trying again") > 1 {
				p.RemoveFaults("outage")
			}
			if err != nil {
				return
			}
		}
	}()
	dir := t.TempDir()
	file := filepath.Join(dir, "usage.csv")
	if err := os.WriteFile(file, []byte(actRows(4000, 10)), 0o644); err != nil {
		t.Fatal(err)
	}
	mapping := filepath.Join(dir, "m.yaml")
	if err := os.WriteFile(mapping, []byte(actMapping), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newSession(t, p)
	delete(s.env, "M3IMPORT_PROGRESS")
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: process, now: time.Now, env: func(name string) (string, bool) { v, ok := s.env[name]; return v, ok }}
	code := a.run(t.Context(), []string{"run", "--batch-size", "100", "--workers", "1", "-m", mapping, file})
	process.Close()
	seen := <-shown
	if code != exitOK || p.Totals().Measurements != 4000 {
		t.Errorf("exit code %d", code)
	}
	// What is left is the line that tells of the outage, which takes two of them.
	if strings.Count(seen.text(), "trying again") != 1 {
		t.Errorf("the outage is not told once:\n%s", seen.text())
	}
	for i, line := range seen.lines {
		if text := strings.TrimSpace(string(line)); text != "" && i > 1 || i == 0 && !strings.HasPrefix(text, "m3import: usage.csv, 100 rows") {
			t.Errorf("line %d is left on the screen: %q", i+1, text)
		}
	}
}

// paper is what a terminal shows, as far as it is used here: lines that wrap, and
// of which the last can be written over.
type paper struct {
	columns int
	lines   [][]rune
	at      int
}

func (p *paper) print(text string) {
	for _, r := range text {
		last := &p.lines[len(p.lines)-1]
		switch r {
		case '\r':
			p.at = 0
		case '\n':
			p.lines, p.at = append(p.lines, nil), 0
		default:
			if p.at == p.columns {
				p.lines, p.at = append(p.lines, nil), 0
				last = &p.lines[len(p.lines)-1]
			}
			for len(*last) <= p.at {
				*last = append(*last, ' ')
			}
			(*last)[p.at] = r
			p.at++
		}
	}
}

func (p *paper) text() string {
	var b strings.Builder
	for _, line := range p.lines {
		b.WriteString(string(line) + "\n")
	}
	return b.String()
}

// What a bar says fits in any terminal, and does not lag behind.
func TestBarText(t *testing.T) {
	l := progressLine{Rows: 6300, Rejected: 1, RowsPerSec: 1575, BytesDone: 263, BytesTotal: 1000, SecondsLeft: 11}
	for _, c := range []struct {
		columns int
		trouble string
		want    string
	}{
		{79, "", "6,300 rows, 1 rejected, 1,575 rows/s, 11 s left  26% [====>..................]"},
		{70, "", "6,300 rows, 1 rejected, 1,575 rows/s, 11 s left  26% [==>...........]"},
		{50, "", " 26% 6,300 rows, 1 rejected, 1,575 rows/s, 11 s …"},
		{85, "落\n\x1b[2J", " 26% 6,300 rows, 1 rejected, 1,575 rows/s, 11 s left, trying again: 落  [2J"},
		{79, "status 503: Service Unavailable", " 26% 6,300 rows, 1 rejected, 1,575 rows/s, 11 s left, trying again: status 50…"},
	} {
		l.Trouble = c.trouble
		got := cutTo(barText(l, c.columns), c.columns)
		if got != c.want || columnsOf(got) > c.columns {
			t.Errorf("%d columns: %q, want %q", c.columns, got, c.want)
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
