package reader

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// told is all that there is to know of a source, as text.
func told(src *Source, err error) string {
	if err != nil {
		return "refused: " + err.Error()
	}
	defer src.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "%q %s %s %q\n", src.Base(), src.Format(), src.Compression(), src.Columns())
	for {
		chunk, err := src.Next()
		if err != nil {
			fmt.Fprintf(&b, "%v %v %v\n", err, src.Remarks(), src.Ended())
			return b.String()
		}
		fmt.Fprintf(&b, "%v %v %d %d\n", chunk.Start, chunk.End, chunk.Begun, chunk.Consumed)
		for rec, err := range chunk.Records() {
			if err != nil {
				fmt.Fprintf(&b, "%v\n", err)
				continue
			}
			fmt.Fprintf(&b, "%v %v %s %v %s\n", rec.Pos, rec.End, rec.Source, rec.Values, rec.AppendJSON(nil))
		}
		chunk.Release()
	}
}

// headers are sources that begin alike, or nearly.
func headers(t *testing.T) (paths []string) {
	dir := t.TempDir()
	long := func(n int) string { return "id,n\nx," + strings.Repeat("1", n-len("id,n\nx,")) }
	for i, text := range []string{
		"id,n\nx,1\n", "id,n\ny,2\n", "id,n,m\nx,1,2\n", "id,n", "id,n\n", "id,n\nz,3", "id,n\r\nx,1\r\n", "id,n\r\ny,2\r\n", "id,n\rx,1\r", "id,n\r",
		"\ufeffid,n\nx,1\n", "id,n\nx,1\n", "\n\nid,n\nx,1\n", "\n\nid,n\ny,1\n", "\nid,n\ny,1\n", "# a\nid,n\nx,1\n", "# a\nid,n\ny,1\n", "# b\nid,n\ny,1\n",
		"id,\"n\n\"\nx,1\n", "id,\"n\n\"\ny,1\n", "id,\"n\nx,1\n", "id,n,n\nx,1,2\n", "id,n,n\ny,1,2\n", "id\nx\n", "", "\n", "id,n\n\"x\ny\",2\n", "id,n\nx\n",
		"id,n\n" + strings.Repeat("x,"+strings.Repeat("1", 1000)+"\n", 80), long(sniffBytes - 1), long(sniffBytes), long(sniffBytes + 1),
		"id,n," + strings.Repeat("w", 70_000) + "\nx,1,2\n", "id,n," + strings.Repeat("w", 70_000) + "\ny,1,2\n", "{\"id\":\"x\",\"n\":1}\n", "id\tn\nx\t1\n",
	} {
		for _, ext := range []string{"csv", "tsv"} {
			path := filepath.Join(dir, fmt.Sprintf("%03d.%s", i, ext))
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
	}
	return paths
}

// What an Opener remembers of one source changes nothing about the next one.
func TestOpenerIsOpen(t *testing.T) {
	paths := headers(t)
	for name, opt := range map[string]Options{
		"plain":        {Columns: cols("id", "n")},
		"comments":     {Columns: cols("id"), CSV: CSVOptions{Comment: "#"}},
		"skip":         {Columns: []Column{{Name: "id", Optional: true}}, CSV: CSVOptions{SkipLines: 1}},
		"names":        {Columns: cols("b"), CSV: CSVOptions{Names: []string{"a", "b"}}},
		"skip, names":  {Columns: cols("b"), CSV: CSVOptions{SkipLines: 1, Names: []string{"a", "b"}}},
		"no quotes":    {Columns: cols("id"), CSV: CSVOptions{Quote: "none"}},
		"lf":           {Columns: cols("id"), CSV: CSVOptions{Newline: "lf"}},
		"small chunks": {Columns: cols("id", "n"), ChunkBytes: 7},
		"small rows":   {Columns: cols("id", "n"), MaxRecordBytes: 6},
	} {
		t.Run(name, func(t *testing.T) {
			opener := NewOpener(opt)
			want := make([]string, len(paths))
			for i, path := range paths {
				want[i] = told(Open(path, opt))
			}
			for i := range 3 * len(paths) { // each behind itself, its neighbours, and the first
				at := []int{i / 3, (i/3 + 1) % len(paths), 0}[i%3]
				for range 1 + i%2 {
					if got := told(opener.Open(paths[at])); got != want[at] {
						t.Fatalf("%s:\n%.400s\nwant\n%.400s", filepath.Base(paths[at]), got, want[at])
					}
				}
			}
		})
	}
}

// An Opener is for many at once, and a chunk's memory is its own until it is
// released, whatever else is opened, read and closed meanwhile.
func TestOpenerForMany(t *testing.T) {
	dir := t.TempDir()
	opener := NewOpener(Options{Columns: cols("id")})
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			type held struct {
				chunk *Chunk
				want  string
			}
			var all []held
			for i := range 200 {
				id := fmt.Sprintf("%d-%d", g, i)
				path := filepath.Join(dir, id+".csv")
				if err := os.WriteFile(path, []byte("id,n\n"+strings.Repeat(id+",1\n", 1+i%50)), 0o644); err != nil {
					t.Error(err)
					return
				}
				src, err := opener.Open(path)
				if err != nil {
					t.Error(err)
					return
				}
				if i%3 > 0 { // the others are only looked at
					chunk, err := src.Next()
					if err != nil || !src.Ended() {
						t.Errorf("%s: %v, ended %v", id, err, src.Ended())
						return
					}
					all = append(all, held{chunk, id})
				}
				if err := src.Close(); err != nil {
					t.Error(err)
				}
				if len(all) > 5 {
					for rec, err := range all[0].chunk.Records() {
						if err != nil || string(rec.Values[0].Text) != all[0].want || rec.Source != all[0].want+".csv" {
							t.Errorf("%s: %v, %v", all[0].want, rec.Values, err)
							return
						}
					}
					all[0].chunk.Release()
					all = slices.Delete(all, 0, 1)
				}
			}
		})
	}
	group.Wait()
}

// A source that was read whole can be sought.
func TestSeekInSmallFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("id\na\nb\nc\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	src, err := Open(path, Options{Columns: cols("id")})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for _, s := range []struct {
		at   Pos
		want string
	}{{Pos{5, 3}, "bc"}, {Pos{7, 4}, "c"}, {Pos{}, "abc"}, {Pos{9, 5}, ""}, {Pos{3, 2}, "abc"}} {
		if err := src.SeekTo(s.at); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for {
			chunk, err := src.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for rec, err := range chunk.Records() {
				if err != nil {
					t.Fatal(err)
				}
				got.Write(rec.Values[0].Text)
			}
			chunk.Release()
		}
		if got.String() != s.want {
			t.Errorf("from %v: %q, want %q", s.at, got.String(), s.want)
		}
	}
}

// A small file that changes between its opening and its end is noticed, and has
// not ended.
func TestSmallFileChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("id\na\nb\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	src, err := NewOpener(Options{}).OpenFile("x.csv", &growing{File: f, path: path})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = src.Next()
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "x.csv: file changed while it was read") || src.Ended() {
		t.Errorf("%v, ended %v", err, src.Ended())
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Stat(); err == nil {
		t.Error("the file was not closed")
	}
}

// growing is a file that is written to once it was looked at.
type growing struct {
	*os.File
	path string
	once sync.Once
}

func (g *growing) Read(p []byte) (int, error) {
	n, err := g.File.Read(p)
	g.once.Do(func() {
		if f, err := os.OpenFile(g.path, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			f.WriteString("c")
			f.Close()
		}
	})
	return n, err
}
