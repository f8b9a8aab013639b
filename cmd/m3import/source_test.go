package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/xitongsys/parquet-go/writer"

	"github.com/m3import/m3import/sandbox"
)

const shiftRows = 4000

// shifted is an import of one file, to which something happens while the
// platform holds its twentieth request with measurements.
type shifted struct {
	*session
	t       *testing.T
	path    string
	mapping string
	was     []byte
	info    os.FileInfo
	change  atomic.Pointer[func()]
}

func newShifted(t *testing.T, name string, content []byte) *shifted {
	t.Helper()
	dir := t.TempDir()
	s := &shifted{t: t, path: filepath.Join(dir, name), mapping: filepath.Join(dir, "m.yaml"), was: content}
	var n atomic.Int64
	s.session = newSession(t, newPlatform(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/measurements") && n.Add(1) == 20 {
				if change := s.change.Load(); change != nil {
					(*change)()
				}
			}
			next.ServeHTTP(w, r)
		})
	}}))
	for path, text := range map[string][]byte{s.path: content, s.mapping: []byte(shiftMapping)} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.info, err = os.Stat(s.path); err != nil {
		t.Fatal(err)
	}
	return s
}

// imports runs the command; want is its exit code.
func (s *shifted) imports(want int, words ...string) {
	s.t.Helper()
	code, stdout, stderr := s.run("run", "-m", s.mapping, "--batch-size", "20", "--workers", "2", "--chunk-bytes", "3000", s.path)
	if code != want {
		s.t.Fatalf("exit code %d, want %d\n%s%s", code, want, stdout, stderr)
	}
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			s.t.Errorf("it does not say %q:\n%s", w, stderr)
		}
	}
}

// exact checks that the platform holds the rows up to the mark, as they were,
// each once, and nothing else.
func (s *shifted) exact() {
	s.t.Helper()
	states, err := filepath.Glob(filepath.Join(s.env["XDG_STATE_HOME"], "m3import", "usage*"))
	if err != nil || len(states) != 1 {
		s.t.Fatalf("state directories %q: %v", states, err)
	}
	code, stdout, stderr := s.run("status", "--state", states[0], "--json")
	var mark int64
	if _, after, ok := strings.Cut(stdout, `"read":`); ok {
		fmt.Sscan(after, &mark)
	}
	if code != exitOK || mark == 0 || mark == shiftRows {
		s.t.Fatalf("exit code %d, mark after row %d: too early or too late for the test\n%s%s", code, mark, stdout, stderr)
	}
	s.holds(mark)
}

// holds checks that the platform holds the first n rows as they were.
func (s *shifted) holds(n int64) {
	s.t.Helper()
	totals := s.p.Totals()
	if totals.Measurements != n || totals.Duplicates+totals.Conflicts != 0 {
		s.t.Errorf("the platform holds %d measurements, %d came twice, %d with other content; want %d", totals.Measurements, totals.Duplicates, totals.Conflicts, n)
	}
	if sum, want := totals.Sum("api", "measure.n"), fmt.Sprint(n*(n-1)/2); sum != want {
		s.t.Errorf("the sum is %s, want %s: rows arrived that were not there at first", sum, want)
	}
}

// putBack makes the file what it was.
func (s *shifted) putBack() {
	s.t.Helper()
	if err := os.WriteFile(s.path, s.was, 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chtimes(s.path, s.info.ModTime(), s.info.ModTime()); err != nil {
		s.t.Fatal(err)
	}
}

const shiftMapping = "version: 1\nmeter: {const: api}\naccount: {const: acme}\nts: {const: 2026-01-01T00:00:00Z}\nuid: {key: [id]}\nmeasure: {n: n}\n"

// shiftFiles are the same rows in three forms.
func shiftFiles(t *testing.T) map[string][]byte {
	t.Helper()
	type row struct {
		ID string `parquet:"name=id, type=BYTE_ARRAY, convertedtype=UTF8"`
		N  int64  `parquet:"name=n, type=INT64"`
	}
	var text, gz, packed bytes.Buffer
	w, err := writer.NewParquetWriterFromWriter(&packed, new(row), 1)
	if err != nil {
		t.Fatal(err)
	}
	w.RowGroupSize, w.PageSize = 8<<10, 1<<10
	text.WriteString("id,n,padding\n")
	for i := range shiftRows {
		fmt.Fprintf(&text, "event-%05d,%d,%s\n", i, i, strings.Repeat("x", i%60))
		if err := w.Write(row{fmt.Sprintf("event-%05d", i), int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.WriteStop(); err != nil {
		t.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(&gz, gzip.NoCompression) // so that it is read in more than one go
	z.Write(text.Bytes())
	z.Close()
	return map[string][]byte{"usage.csv": text.Bytes(), "usage.csv.gz": gz.Bytes(), "usage.parquet": packed.Bytes()}
}

// What happens to a file while it is read is noticed before anything of it is
// sent that was not there at first. The mark is exact, the words say what to do,
// and with the file put back the same command finishes.
func TestSourceChangesWhileRead(t *testing.T) {
	for name, content := range shiftFiles(t) {
		for what, act := range map[string]struct {
			change func(path string) error
			words  []string
		}{
			"rewritten in place": {func(path string) error {
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				defer f.Close()
				half := int64(len(content) / 2)
				_, err = f.WriteAt(bytes.ReplaceAll(content[half:], []byte("0"), []byte("7")), half)
				return err
			}, []string{" bytes of ", " when it began, "}},
			"shrunk": {func(path string) error { return os.Truncate(path, int64(len(content)*2/3)) }, []string{fmt.Sprintf(", %d bytes of ", len(content)*2/3)}},
			"gone":   {os.Remove, []string{"it is gone: no such file"}},
			"replaced": {func(path string) error {
				if err := os.WriteFile(path+".new", content[:len(content)/3], 0o644); err != nil {
					return err
				}
				return os.Rename(path+".new", path)
			}, []string{fmt.Sprintf(", %d bytes of ", len(content)/3)}},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				t.Parallel()
				s := newShifted(t, name, content)
				change := func() {
					if err := act.change(s.path); err != nil {
						t.Error(err)
					}
				}
				s.change.Store(&change)
				way := []string{"put back what it was, or wait until nobody writes to it (text may have grown), then  m3import run --batch-size 20 ",
					"or begin anew with what is there now:  m3import run --batch-size 20 "}
				if what == "gone" {
					way = []string{"put it back, then  m3import run --batch-size 20 "}
				}
				s.imports(exitUsage, append(append(act.words, way...), name+": changed while the import ran: ",
					"stopped at "+name+", after row ", "; everything before it is settled")...)
				s.exact()
				switch {
				case what == "gone":
					s.imports(exitUsage, name+": there is no such file")
				case name == "usage.parquet" && what != "rewritten in place":
					s.imports(exitUsage, "parquet file without a footer at its end", "the file is cut off")
				default:
					s.imports(exitUsage, "the unfinished import cannot go on: "+s.path+" changed: ", "put back what changed", "add --restart", "add --state DIR")
				}
				s.exact() // nothing more was sent
				s.putBack()
				s.imports(exitOK, "resuming import ")
				s.holds(shiftRows)
			})
		}
	}
}

// A log that is written to while it is read stops the import before half of a
// line can pass for a row; when the line is whole, the same command goes on.
func TestSourceGrowsWhileRead(t *testing.T) {
	t.Parallel()
	content := shiftFiles(t)["usage.csv"]
	s := newShifted(t, "usage.csv", content)
	appends := func(text string) {
		f, err := os.OpenFile(s.path, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(text)
			f.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}
	change := func() { appends(fmt.Sprintf("event-%05d,%d", shiftRows, shiftRows/10)) }
	s.change.Store(&change)
	s.imports(exitUsage, "usage.csv: changed while the import ran: ", "stopped at usage.csv, after row ")
	s.exact()
	appends("0,\n")
	s.imports(exitOK, "longer than it was, and the first and last 64 KiB of then are as they were")
	s.holds(shiftRows + 1)
}

// A file that was copied back, with another time, is the file that it was: a
// resume is not in its way, whether it began before the copy or goes on after.
func TestSourceCopiedBetweenRuns(t *testing.T) {
	t.Parallel()
	content := shiftFiles(t)["usage.csv"][:100<<10] // small enough for its digests to hold every byte
	content = content[:bytes.LastIndexByte(content, '\n')+1]
	rows := int64(bytes.Count(content, []byte("\n")) - 1)
	s := newShifted(t, "usage.csv", content)
	change := func() { os.Truncate(s.path, 50<<10) }
	s.change.Store(&change)
	s.imports(exitUsage, "changed while the import ran")
	s.exact()
	if err := os.WriteFile(s.path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	s.imports(exitOK, "resuming import ")
	s.holds(rows)
}

// What is printed when a source changed while it was read works: the command
// that begins anew imports what is there now, also where one of several is gone.
func TestSourceChangedAdviceWorks(t *testing.T) {
	content := shiftFiles(t)["usage.csv"]
	for what, change := range map[string]func(path string) error{
		"replaced": func(path string) error { return os.WriteFile(path, content[:bytes.IndexByte(content, '\n')+1], 0o644) },
		"gone":     os.Remove,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newShifted(t, "usage.csv", content)
			writeFiles(t, filepath.Dir(s.path), map[string]string{"other.csv": "id,n,padding\nx,1,\n"})
			act := func() {
				if err := change(s.path); err != nil {
					t.Error(err)
				}
			}
			s.change.Store(&act)
			code, _, stderr := s.run("run", "-m", s.mapping, "--batch-size", "20", "--workers", "2", "--chunk-bytes", "3000", filepath.Join(filepath.Dir(s.path), "*.csv"))
			_, command, ok := strings.Cut(stderr, "or begin anew with what is there now:  m3import ")
			command, _, _ = strings.Cut(command, "\n")
			if code != exitUsage || !ok {
				t.Fatalf("exit code %d\n%s", code, stderr)
			}
			var args []string
			for _, word := range strings.Fields(command) {
				args = append(args, strings.Trim(word, "'"))
			}
			if code, _, stderr := s.run(args...); code != exitOK || !strings.Contains(stderr, "gives import ") {
				t.Errorf("%v: exit code %d\n%s", args, code, stderr)
			}
		})
	}
}
