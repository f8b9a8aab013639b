package checkpoint_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
)

const kib64 = 64 << 10

func fingerprint(t *testing.T, data []byte, modified time.Time, full bool) checkpoint.Print {
	t.Helper()
	name := filepath.Join(t.TempDir(), "source")
	ok(t, os.WriteFile(name, data, 0o600))
	ok(t, os.Chtimes(name, modified, modified))
	f, err := os.Open(name)
	ok(t, err)
	defer f.Close()
	info, err := f.Stat()
	ok(t, err)
	p, err := checkpoint.Fingerprint(f, info, full)
	ok(t, err)
	return p
}

func TestFingerprintDigests(t *testing.T) {
	sum := func(b []byte) string { return sumOf(string(b)) }
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, size := range []int{0, 1, kib64 - 1, kib64, kib64 + 1, 2 * kib64, 2*kib64 + 1, 300_000} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * i >> 8)
		}
		want := checkpoint.Print{
			Size: int64(size), Modified: when,
			Head: sum(data[:min(size, kib64)]), Tail: sum(data[max(0, size-kib64):]),
		}
		if got := fingerprint(t, data, when, false); got != want {
			t.Errorf("%d bytes: %+v, expect %+v", size, got, want)
		}
		want.Full = sum(data)
		if got := fingerprint(t, data, when, true); got != want {
			t.Errorf("%d bytes in full: %+v, expect %+v", size, got, want)
		}
	}
}

func TestPrintDiff(t *testing.T) {
	early, late := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 0, 0, 0, 5e8, time.UTC)
	big := bytes.Repeat([]byte("row\n"), 100_000)
	middle := bytes.Clone(big)
	middle[200_000] = 'R'
	head, tail := bytes.Clone(big), bytes.Clone(big)
	head[0], tail[len(tail)-1] = 'R', ' '
	const times = "modified 2026-01-02T00:00:00Z → 2026-01-02T00:00:00.5Z"
	for _, c := range []struct {
		name     string
		was, is  []byte
		touched  bool
		full     [2]bool
		wantDiff string
	}{
		{"the same", big, big, false, [2]bool{}, ""},
		{"grown", big, append(bytes.Clone(big), "row\n"...), true, [2]bool{}, "size 400000 → 400004 bytes, " + times},
		{"grown from little", []byte("abc"), []byte("abcd"), false, [2]bool{}, "size 3 → 4 bytes"},
		{"emptied", []byte("abc"), nil, false, [2]bool{}, "size 3 → 0 bytes"},
		{"written anew, larger", big, append(bytes.Clone(head), "row\n"...), false, [2]bool{}, "size 400000 → 400004 bytes, first 64 KiB differ"},
		{"small, and other words", []byte("abc"), []byte("abd"), true, [2]bool{}, "content differs, " + times},
		{"another beginning", big, head, true, [2]bool{}, "first 64 KiB differ, " + times},
		{"another end, and the old time", big, tail, false, [2]bool{}, "last 64 KiB differ"},
		{"another middle, and the old time: not to be seen", big, middle, false, [2]bool{}, ""},
		{"another middle", big, middle, true, [2]bool{}, times},
		{"another middle, in full", big, middle, true, [2]bool{true, true}, "content differs between its first and last 64 KiB, " + times},
		{"another middle, and the old time, in full", big, middle, false, [2]bool{true, true}, "content differs between its first and last 64 KiB"},
		{"touched", big, big, true, [2]bool{}, times},
		{"touched, in full", big, big, true, [2]bool{true, true}, ""},
		{"touched, in full only now", big, big, true, [2]bool{false, true}, times},
		{"touched, and small enough to be seen whole", big[:2*kib64], big[:2*kib64], true, [2]bool{}, ""},
		{"touched, and a byte too large for that", big[:2*kib64+1], big[:2*kib64+1], true, [2]bool{}, times},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := early
			if c.touched {
				now = late
			}
			p, q := fingerprint(t, c.was, early, c.full[0]), fingerprint(t, c.is, now, c.full[1])
			if got := p.Diff(q); got != c.wantDiff {
				t.Errorf("%q, expect %q", got, c.wantDiff)
			}
		})
	}
}

func TestFingerprintOfASourceThatShrinks(t *testing.T) {
	name := filepath.Join(t.TempDir(), "source")
	ok(t, os.WriteFile(name, make([]byte, 1000), 0o600))
	info, err := os.Stat(name)
	ok(t, err)
	_, err = checkpoint.Fingerprint(bytes.NewReader(make([]byte, 900)), info, false)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "ends at byte 900, expect 1000") {
		t.Errorf("%v, expect an error that names both lengths", err)
	}
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
