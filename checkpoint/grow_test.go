package checkpoint_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

func printOf(t *testing.T, path string, full bool) checkpoint.Print {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, err := checkpoint.Fingerprint(f, info, full)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A file continues what it was when it begins with it, and only then.
func TestContinues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for _, size := range []int{0, 1, 1000, 64 << 10, 100 << 10, 300 << 10} {
		was := bytes.Repeat([]byte("0123456789abcdef\n"), size/17+1)[:size]
		if err := os.WriteFile(path, was, 0o600); err != nil {
			t.Fatal(err)
		}
		quick, full := printOf(t, path, false), printOf(t, path, true)
		middle := bytes.Clone(was)
		if size == 300<<10 {
			middle[150<<10] ^= 1
		}
		for _, c := range []struct {
			what        string
			now         []byte
			quick, full bool
		}{
			{"the same", was, true, true},
			{"longer", append(bytes.Clone(was), "more"...), true, true},
			{"shorter", was[:max(0, size-1)], size == 0, size == 0},
			{"another start", append([]byte("x"), was...), size == 0, size == 0},
			{"another end", append(append([]byte{}, was[:max(0, size-1)]...), "!!"...), size == 0, size == 0},
			{"changed in the middle", append(middle, "more"...), true, size != 300<<10},
		} {
			r := bytes.NewReader(c.now)
			for _, p := range []struct {
				checkpoint.Print
				want bool
			}{{quick, c.quick}, {full, c.full}} {
				if got, err := p.Continues(r, int64(len(c.now))); got != p.want || err != nil {
					t.Errorf("size %d, %s, full %v: %v, %v; want %v", size, c.what, p.Full != "", got, err, p.want)
				}
			}
		}
	}
}

func TestAmend(t *testing.T) {
	dir := t.TempDir()
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	src := []checkpoint.Source{{Path: "/a", Print: checkpoint.Print{Size: 1, Head: "h", Tail: "t"}}}
	if err := j.Amend(src); err == nil {
		t.Error("amended before an import had begun")
	}
	if err := j.Begin(checkpoint.Plan{Sources: src}); err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(checkpoint.Mark{Position: checkpoint.Position{Offset: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Amend([]checkpoint.Source{{Path: "/b"}}); err == nil {
		t.Error("amended into another source")
	}
	grown := []checkpoint.Source{{Path: "/a", Print: checkpoint.Print{Size: 2, Head: "h", Tail: "u"}}}
	if err := j.Amend(grown); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if j, err = checkpoint.Open(dir, checkpoint.Options{}); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	p, _ := j.Plan()
	m, ok := j.Mark()
	if p.Sources[0] != grown[0] || !ok || m.Position.Offset != 1 {
		t.Errorf("plan %+v, mark %+v", p, m)
	}
	if err := j.Finish(checkpoint.Mark{Position: checkpoint.Position{Source: 1}}); err != nil {
		t.Fatal(err)
	}
	if _, found, err := j.Imported("", "", "", grown[0].Print); !found || err != nil {
		t.Errorf("the amended source is not in the history: %v", err)
	}
}
