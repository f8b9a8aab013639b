package crashfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/checkpoint/crashfs"
)

// put writes content at the end of a file and syncs what sync says: f the file,
// d its directory.
func put(t *testing.T, fsys checkpoint.FS, name, content, sync string) {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	info, err := fsys.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(content), info.Size()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sync, "f") {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(sync, "d") {
		if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func content(fsys checkpoint.FS, name string) string {
	data, err := fsys.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "missing"
	case err != nil:
		return err.Error()
	}
	return string(data)
}

// What a crash that keeps nothing unsynced leaves of /a.
func TestCrashForgets(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(t *testing.T, fsys *crashfs.FS)
		want string
	}{
		{"nothing synced", func(t *testing.T, f *crashfs.FS) { put(t, f, "/a", "1", "") }, "missing"},
		{"only the content", func(t *testing.T, f *crashfs.FS) { put(t, f, "/a", "1", "f") }, "missing"},
		{"only the name", func(t *testing.T, f *crashfs.FS) { put(t, f, "/a", "1", "d") }, ""},
		{"both", func(t *testing.T, f *crashfs.FS) { put(t, f, "/a", "1", "fd") }, "1"},
		{"an append is not the name's", func(t *testing.T, f *crashfs.FS) {
			put(t, f, "/a", "1", "fd")
			put(t, f, "/a", "2", "d")
		}, "1"},
		{"a synced append", func(t *testing.T, f *crashfs.FS) {
			put(t, f, "/a", "1", "fd")
			put(t, f, "/a", "2", "f")
		}, "12"},
		{"a rename before the directory is synced", func(t *testing.T, f *crashfs.FS) {
			put(t, f, "/a", "old", "fd")
			put(t, f, "/b", "new", "f")
			must(t, f.Rename("/b", "/a"))
		}, "old"},
		{"a rename of what was not synced", func(t *testing.T, f *crashfs.FS) {
			put(t, f, "/a", "old", "fd")
			put(t, f, "/b", "new", "")
			must(t, f.Rename("/b", "/a"))
			must(t, f.SyncDir("/"))
		}, ""},
		{"a rename, all synced", func(t *testing.T, f *crashfs.FS) {
			put(t, f, "/a", "old", "fd")
			put(t, f, "/b", "new", "f")
			must(t, f.Rename("/b", "/a"))
			must(t, f.SyncDir("/"))
		}, "new"},
		{"a removal", func(t *testing.T, f *crashfs.FS) {
			put(t, f, "/a", "1", "fd")
			must(t, f.Remove("/a"))
		}, "1"},
		{"a truncation", func(t *testing.T, f *crashfs.FS) {
			put(t, f, "/a", "123", "fd")
			h, err := f.OpenFile("/a", os.O_WRONLY|os.O_TRUNC, 0)
			must(t, err)
			must(t, h.Close())
		}, "123"},
		{"a sync that failed, and the next that did not", func(t *testing.T, f *crashfs.FS) {
			put(t, f, "/a", "1", "fd")
			h, err := f.OpenFile("/a", os.O_WRONLY, 0)
			must(t, err)
			_, err = h.WriteAt([]byte("lost"), 1)
			must(t, err)
			f.Hook(func(op crashfs.Op) *crashfs.Fault {
				if op.Kind == crashfs.Sync {
					return &crashfs.Fault{Err: syscall.EIO}
				}
				return nil
			})
			if err := h.Sync(); !errors.Is(err, syscall.EIO) {
				t.Fatalf("sync: %v, expect EIO", err)
			}
			f.Hook(nil)
			must(t, h.Sync())
			if got := content(f, "/a"); got != "1lost" {
				t.Fatalf("before the crash %q", got)
			}
		}, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fsys := crashfs.New()
			c.do(t, fsys)
			if got := content(fsys.Crash(nil), "/a"); got != c.want {
				t.Errorf("after the crash %q, expect %q", got, c.want)
			}
		})
	}
}

// A crash by chance shows every outcome that a disk may have, and no other.
func TestCrashByChance(t *testing.T) {
	fsys := crashfs.New()
	put(t, fsys, "/a", "ab", "fd")
	put(t, fsys, "/a", "cd", "")
	seen := map[string]int{}
	for seed := range uint64(400) {
		seen[content(fsys.Crash(rand.New(rand.NewPCG(seed, 0))), "/a")]++
	}
	for _, want := range []string{"ab", "abcd", "abc", "ab\x00d", "ab\x00\x00"} {
		if seen[want] == 0 {
			t.Errorf("%q was never left behind: %v", want, seen)
		}
		delete(seen, want)
	}
	if len(seen) > 0 {
		t.Errorf("impossible contents after a crash: %v", seen)
	}
}

func TestSpace(t *testing.T) {
	fsys := crashfs.New()
	put(t, fsys, "/old", "12345", "fd")
	fsys.SetSpace(3)
	h, err := fsys.OpenFile("/a", os.O_WRONLY|os.O_CREATE, 0)
	must(t, err)
	n, err := h.WriteAt([]byte("abcd"), 0)
	if n != 3 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("wrote %d bytes with %v, expect 3 and ENOSPC", n, err)
	}
	must(t, fsys.Remove("/old"))
	n, err = h.WriteAt([]byte("defgh"), 3)
	if n != 5 || err != nil {
		t.Fatalf("wrote %d bytes with %v into the room that was made, expect 5", n, err)
	}
	must(t, h.Truncate(6))
	if n, err = h.WriteAt([]byte("ghi"), 6); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("wrote %d bytes with %v, expect 2 and ENOSPC", n, err)
	}
}

// Without crashes and faults, programs cannot tell an FS from the real thing.
func TestBehavesAsTheSystemDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root, err := os.MkdirTemp("", "crashfs")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(root)
		mem := crashfs.New()
		name := rapid.SampledFrom([]string{"a", "b", "d", "d/a", "d/b", "a/x", "d/e", "d/e/a"})
		for range rapid.IntRange(1, 25).Draw(t, "operations") {
			a, b := name.Draw(t, "name"), name.Draw(t, "other")
			at, text := rapid.IntRange(0, 9).Draw(t, "at"), rapid.StringN(0, 9, 9).Draw(t, "text")
			kind := rapid.SampledFrom([]string{"write", "create", "excl", "trunc", "truncate", "rename", "remove", "mkdir", "syncdir", "read", "stat", "readdir", "lock"}).Draw(t, "kind")
			if kind == "rename" && filepath.Dir(a) != filepath.Dir(b) {
				continue
			}
			do := func(fsys checkpoint.FS, root string) string {
				return step(fsys, filepath.Join(root, a), filepath.Join(root, b), kind, at, text)
			}
			if got, want := do(mem, "/"), do(checkpoint.OS, root); got != want {
				t.Fatalf("%s %s %s: %s, and on the system %s", kind, a, b, got, want)
			}
		}
	})
}

// step does one thing and says what came of it.
func step(fsys checkpoint.FS, a, b, kind string, at int, text string) string {
	open := func(flag int) string {
		h, err := fsys.OpenFile(a, flag, 0o600)
		if err != nil {
			return words(err)
		}
		defer h.Close()
		switch kind {
		case "write":
			n, err := h.WriteAt([]byte(text), int64(at))
			return fmt.Sprint(n, words(err), words(h.Sync()))
		case "truncate":
			return words(h.Truncate(int64(at)))
		}
		p := make([]byte, 5)
		n, err := h.ReadAt(p, int64(at))
		return fmt.Sprintf("%q %v", p[:n], err != nil)
	}
	switch kind {
	case "write", "truncate":
		return open(os.O_RDWR)
	case "create":
		return open(os.O_RDWR | os.O_CREATE)
	case "excl":
		return open(os.O_RDWR | os.O_CREATE | os.O_EXCL)
	case "trunc":
		return open(os.O_RDWR | os.O_CREATE | os.O_TRUNC)
	case "rename":
		if info, err := fsys.Stat(a); err == nil && info.IsDir() {
			return "directories are not renamed"
		}
		return words(fsys.Rename(a, b))
	case "remove":
		return words(fsys.Remove(a))
	case "mkdir":
		return words(fsys.Mkdir(a, 0o700))
	case "syncdir":
		if info, err := fsys.Stat(a); err == nil && !info.IsDir() {
			return "files are not directories"
		}
		return words(fsys.SyncDir(a))
	case "read":
		data, err := fsys.ReadFile(a)
		return fmt.Sprintf("%q %s", data, words(err))
	case "stat":
		info, err := fsys.Stat(a)
		if err != nil {
			return words(err)
		}
		if info.IsDir() {
			return info.Name() + "/"
		}
		return fmt.Sprint(info.Name(), info.Size())
	case "readdir":
		list, err := fsys.ReadDir(a)
		return fmt.Sprint(list, words(err))
	case "lock":
		l, err := fsys.Lock(a)
		if err != nil {
			return words(err)
		}
		defer l.Close()
		_, err = fsys.Lock(a)
		return fmt.Sprint("held, then ", errors.Is(err, checkpoint.ErrHeld))
	}
	panic(kind)
}

// words is what an error says about the system, without the names.
func words(err error) string {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e.Error()
	}
	return fmt.Sprint(err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
