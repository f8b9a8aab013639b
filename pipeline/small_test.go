package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// manySmall are sources of all sizes, most of them small: empty ones, headers
// alone, packed ones, and some that are larger than a bundle may be.
func manySmall(t *testing.T, n int) (list []checkpoint.Source) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(21, 22))
	for i := range n {
		made := func(rows int) string {
			return strings.ReplaceAll(usage(rows, rnd), "\ne", fmt.Sprintf("\ne%04d-", i)) // ids of their own
		}
		name, text := fmt.Sprintf("%04d.csv", i), made(rnd.IntN(60))
		switch rnd.IntN(20) {
		case 0:
			text = ""
		case 1:
			text = made(0)
		case 2:
			text = made(1200)
		case 3:
			text = strings.TrimSuffix(text, "\n")
		case 4:
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			z.Write([]byte(text))
			z.Close()
			name, text = name+".gz", packed.String()
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		list = append(list, sourceOf(t, path))
	}
	return list
}

// Small sources that go through together come to what each comes to alone.
func TestManySmallSources(t *testing.T) {
	list := manySmall(t, 300)
	whole := runWhole(t, list...)
	if n := whole.mark.Counts; n.Read < 5000 || n.Rejected < 100 || len(whole.j.sources) != len(list) {
		t.Fatalf("the test data is of no use: %+v, %d sources", n, len(whole.j.sources))
	}
	var alone run
	alone.p, alone.j = new(platform), new(memory)
	for i := range list {
		im := &Import{Sources: list[:i+1], Mapping: parse(t, testMapping), Submit: alone.p, Journal: alone.j, Mark: alone.mark}
		if err := im.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		alone.mark = im.Mark
	}
	compareRuns(t, whole, &alone)
	for seed := range uint64(10) {
		rnd := rand.New(rand.NewPCG(seed, 23))
		p, j := new(platform), new(memory)
		var mark checkpoint.Mark
		for {
			ctx, stop := context.WithCancel(t.Context())
			p.n = 0
			at := 1 + rnd.IntN(60)
			p.before = func(n int) error {
				if n == at {
					stop()
				}
				return nil
			}
			im := &Import{
				Sources: list, Mapping: parse(t, testMapping), Submit: p, Journal: j, Mark: mark, Uploads: 1 + rnd.IntN(8),
				Limits: uploader.Limits{Items: 1 + rnd.IntN(100)}, Reader: reader.Options{ChunkBytes: []int{0, 1 + rnd.IntN(5000)}[rnd.IntN(2)]},
			}
			err := im.Run(ctx)
			stop()
			mark = im.Mark
			if err == nil {
				break
			}
			if !errors.Is(err, ErrStopped) {
				t.Fatal(err)
			}
		}
		for m, n := range p.items {
			if n != 1 {
				t.Fatalf("seed %d: sent %d times although every stop was clean: %s", seed, n, m)
			}
		}
		compareRuns(t, whole, &run{p, j, mark})
	}
}

// A small source at fault among others ends the import behind the ones before
// it, which are settled to their last row, and nothing of it or after it is sent.
func TestSmallSourceAtFault(t *testing.T) {
	for what, c := range map[string]struct {
		harm func(path string) error
		want string
		is   error
	}{
		"gone": {os.Remove, "changed while the import ran: it is gone", ErrSourceChanged},
		"grown": {func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("e-more,acct1,2026-01-01T00:00:00Z,1,x\n")
			return err
		}, "changed while the import ran: ", ErrSourceChanged},
		"another header": {func(path string) error {
			was, err := os.Stat(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path, []byte("id,account,ts,m,note\n"+strings.Repeat("x", int(was.Size())-21)), 0o644); err != nil {
				return err
			}
			return os.Chtimes(path, was.ModTime(), was.ModTime())
		}, `column "n": not in the header`, nil},
	} {
		t.Run(what, func(t *testing.T) {
			list := manySmall(t, 60)
			for at := 1; at < len(list); at += 7 {
				if strings.HasSuffix(list[at].Path, ".gz") || list[at].Size < 100 {
					continue
				}
				before := runWhole(t, list[:at]...)
				was, err := os.ReadFile(list[at].Path)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.harm(list[at].Path); err != nil {
					t.Fatal(err)
				}
				p, j := new(platform), new(memory)
				im := &Import{Sources: list, Mapping: parse(t, testMapping), Submit: p, Journal: j}
				err = im.Run(t.Context())
				if err == nil || !strings.Contains(err.Error(), filepath.Base(list[at].Path)+": "+c.want) || c.is != nil && !errors.Is(err, c.is) {
					t.Fatalf("source %d: error %v, want %q", at, err, c.want)
				}
				if im.Mark.Position != (checkpoint.Position{Source: at}) || !im.Mark.FirstSent.IsZero() {
					t.Errorf("source %d: the mark is at %v, sent since %v", at, im.Mark.Position, im.Mark.FirstSent)
				}
				compareRuns(t, before, &run{p, j, im.Mark})
				if !slices.Equal(slices.Sorted(slices.Values(p.order)), slices.Sorted(slices.Values(before.p.order))) {
					t.Errorf("source %d: other measurements were sent than those before it", at)
				}
				if err := os.WriteFile(list[at].Path, was, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(list[at].Path, list[at].Modified, list[at].Modified); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// A small file that was another when it was opened than when the import began is
// told from it, although nothing was asked of its path since.
func TestSmallSourceWasAnother(t *testing.T) {
	was := writeFile(t, "usage.csv", usage(10, rand.New(rand.NewPCG(31, 32))))
	for name, src := range map[string]checkpoint.Source{
		"size": {Path: was.Path, Print: checkpoint.Print{Size: was.Size + 1, Modified: was.Modified}},
		"time": {Path: was.Path, Print: checkpoint.Print{Size: was.Size, Modified: was.Modified.Add(1)}},
		"":     was,
	} {
		im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping)}
		opened, _, err := im.open(src.Path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := opened.Next(); err != nil || !opened.Ended() {
			t.Fatalf("%v, ended %v", err, opened.Ended())
		}
		if err := os.Remove(src.Path); err != nil { // nobody looks there
			t.Fatal(err)
		}
		if err := im.unchangedBy(0, opened); errors.Is(err, ErrSourceChanged) != (name != "") {
			t.Errorf("another %s: %v", name, err)
		}
		opened.Close()
		text := usage(10, rand.New(rand.NewPCG(31, 32)))
		if err := os.WriteFile(was.Path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(was.Path, was.Modified, was.Modified); err != nil {
			t.Fatal(err)
		}
	}
}
