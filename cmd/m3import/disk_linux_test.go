package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/sandbox"
)

// smallDisk mounts a file system of its own for a test; the test is skipped
// where that is not allowed.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("no file system can be mounted here, so there is no full disk to be had: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// remount changes the size of the file system, or makes it read-only.
func remount(t *testing.T, dir, size string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size="+size); err != nil {
		t.Fatal(err)
	}
}

// fill leaves no byte free on the file system of dir.
func fill(t *testing.T, dir string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return ballast
}

// disk is an import whose state, and the pace that it shares with others, are on
// a small disk. Every other row of its file is a reject.
type disk struct {
	*session
	t      *testing.T
	mount  string
	source string
	args   []string
}

const diskRows = 2000

func newDisk(t *testing.T, size string) *disk {
	t.Helper()
	d := &disk{t: t, session: newSession(t, newPlatform(t, sandbox.Config{})), mount: smallDisk(t, size)}
	d.env["XDG_STATE_HOME"] = d.mount
	d.env["M3IMPORT_RATE_LIMIT"] = "2000/1m"
	dir := t.TempDir()
	d.source = filepath.Join(dir, "usage.csv")
	var text strings.Builder
	text.WriteString("id,who,when,n\n")
	for i := range diskRows {
		fmt.Fprintf(&text, "e%d,acme,2026-01-01T00:00:00Z,%s\n", i, [...]string{"1", "n/a"}[i%2])
	}
	for path, text := range map[string]string{d.source: text.String(), filepath.Join(dir, "m.yaml"): guardMapping} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d.args = []string{"run", "-m", filepath.Join(dir, "m.yaml"), "--batch-size", "20", "--workers", "2", "--chunk-bytes", "1000", d.source}
	return d
}

// imports runs the command and returns what it said.
func (d *disk) imports(want int, words ...string) string {
	d.t.Helper()
	code, stdout, stderr := d.run(d.args...)
	if code != want {
		d.t.Fatalf("exit code %d, want %d\n%s%s", code, want, stdout, stderr)
	}
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			d.t.Errorf("it does not say %q:\n%s", w, stderr)
		}
	}
	return stderr
}

// rejects is the reject file of the one import on the disk.
func (d *disk) rejects() []byte {
	d.t.Helper()
	states, err := checkpoint.List(filepath.Join(d.env["XDG_STATE_HOME"], "m3import"))
	if err != nil || len(states) != 1 || states[0].Err != nil {
		d.t.Fatalf("states %v: %v", states, err)
	}
	text, err := os.ReadFile(states[0].Rejects)
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

// A disk that fills up ends the import with words that name the directory and
// what to do, and with an exact mark; with room made, the same command finishes
// as if nothing had happened.
func TestDiskFillsUp(t *testing.T) {
	d := newDisk(t, "512k")
	said := d.imports(exitUsage, "the state could not be written, so the import stops", "no space left on device",
		"make room for the state in "+d.mount, "stopped at usage.csv, after row ", "everything before it is settled", "go on with  m3import run ")
	row := regexp.MustCompile(`after row ([0-9,]+);`).FindStringSubmatch(said)
	if row == nil {
		t.Fatal(said)
	}
	mark, _ := strconv.ParseInt(strings.ReplaceAll(row[1], ",", ""), 10, 64)
	held := d.p.Totals().Measurements
	if mark < 100 || held < mark/2 || held > mark/2+killWindow {
		t.Errorf("the platform holds %d measurements, the mark is after row %d, every other of which is a good one", held, mark)
	}
	d.imports(exitUsage, "no space left on device", "make room for the state in "+d.mount) // it is still full
	remount(t, d.mount, "8m", 0)
	d.imports(exitRejects, "resuming import ")
	if held := d.p.Totals(); held.Measurements != diskRows/2 || held.Duplicates > 2*killWindow || held.Conflicts != 0 {
		t.Errorf("%d measurements, %d came twice; want %d", held.Measurements, held.Duplicates, diskRows/2)
	}
	got := d.rejects()
	d.env["XDG_STATE_HOME"] = t.TempDir() // a calm import of the same file
	d.imports(exitRejects)
	if !bytes.Equal(got, d.rejects()) {
		t.Errorf("the reject file differs from that of a calm import: %s", firstDifference(got, d.rejects()))
	}
}

// A disk that is full from the start keeps the import from starting.
func TestDiskIsFull(t *testing.T) {
	d := newDisk(t, "64k")
	ballast := fill(t, d.mount)
	d.imports(exitUsage, "no space left on device", "make room for the state in "+d.mount)
	if n := d.p.Totals().Submitted; n != 0 {
		t.Errorf("%d measurements were sent, and nobody would know", n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	remount(t, d.mount, "8m", 0)
	d.imports(exitRejects)
}

// A lock that cannot be had is no free lock: the import does not start.
func TestNoLockNoImport(t *testing.T) {
	d := newDisk(t, "8m")
	remount(t, d.mount, "8m", syscall.MS_RDONLY)
	d.imports(exitUsage, "state directory: ", "read-only file system")
	remount(t, d.mount, "8m", 0)
	state := filepath.Join(d.mount, "state")
	d.args = append(d.args, "--state", state)
	for name, spoil := range map[string]func(lock string) error{
		"is a directory":                    func(lock string) error { return os.MkdirAll(lock, 0o700) },
		"too many levels of symbolic links": func(lock string) error { return os.Symlink("lock", lock) },
	} {
		if err := os.RemoveAll(state); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(state, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := spoil(filepath.Join(state, "lock")); err != nil {
			t.Fatal(err)
		}
		d.imports(exitUsage, "state directory "+state+" cannot be locked: ", name, "use a directory that you may write to, on a file system that supports locks")
	}
	if n := d.p.Totals().Submitted; n != 0 {
		t.Errorf("%d measurements were sent without a lock", n)
	}
}
