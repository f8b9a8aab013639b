package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func packGzip(t testing.TB, name string, texts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&b)
		w.Name, w.Comment, w.Extra = name, name, []byte(name)
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func packZstd(t testing.TB, skippable bool, texts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	for i, text := range texts {
		if skippable {
			fmt.Fprintf(&b, "%c\x2a\x4d\x18\x05\x00\x00\x00notes", 0x50+i)
		}
		w, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstd.MinWindowSize), zstd.WithZeroFrames(true), zstd.WithEncoderCRC(i%2 == 0))
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 { // without a size in the header
			err = errors.Join(err, writeFlush(w, text))
		} else {
			_, err = w.Write([]byte(text))
		}
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if skippable {
		b.WriteString("\x5f\x2a\x4d\x18\x00\x00\x00\x00")
	}
	return b.Bytes()
}

func writeFlush(w *zstd.Encoder, text string) error {
	_, err := w.Write([]byte(text))
	return errors.Join(err, w.Flush())
}

// packed are small files in every packing: the rows are 1 to 4.
func packed(t testing.TB) map[string][]byte {
	texts := []string{"a,b\r\n1,one\r\n2,\"two\r\n", "and more\"\r\n3,three", strings.Repeat("e", 300) + "\r\n4,four"}
	return map[string][]byte{
		"x.csv.gz":             packGzip(t, "", strings.Join(texts, "")),
		"x.csv.members.gz":     packGzip(t, "", texts...),
		"x.csv.named.gz":       packGzip(t, "usage", texts...),
		"x.csv.zst":            packZstd(t, false, strings.Join(texts, "")),
		"x.csv.frames.zstd":    packZstd(t, false, texts...),
		"x.csv.skippable.zst":  packZstd(t, true, texts...),
		"x.csv.emptyframe.zst": packZstd(t, false, append([]string{""}, texts...)...),
	}
}

func wantPacked() []string {
	return []string{"1|one", "2|two\r\nand more", "3|three" + strings.Repeat("e", 300), "4|four"}
}

func values(rows []row) (out []string) {
	for _, r := range rows {
		out = append(out, r.String())
	}
	return out
}

func TestPacked(t *testing.T) {
	for name, file := range packed(t) {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 7, 1 << 18} {
				for _, r := range []io.Reader{bytes.NewReader(file), iotest.OneByteReader(bytes.NewReader(file)), iotest.DataErrReader(bytes.NewReader(file))} {
					src, err := OpenReader(name, r, Options{Columns: cols("a", "b"), ChunkBytes: size})
					if err != nil {
						t.Fatal(err)
					}
					rows, err := readAll(t, src)
					if got := values(rows); err != nil || lines(got) != lines(wantPacked()) {
						t.Fatalf("got %q, %v", got, err)
					}
					if src.Base() != strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst"), ".zstd") {
						t.Errorf("base %q", src.Base())
					}
				}
			}
		})
	}
}

// A file that was cut off anywhere is an error, and what was read of it is a
// prefix of the whole.
func TestTruncatedPacked(t *testing.T) {
	for name, file := range packed(t) {
		t.Run(name, func(t *testing.T) {
			for n := range len(file) {
				// Where a member or frame ends, nothing is missing that a
				// reader could know of.
				if strings.Count(name, ".") > 2 && endsWhole(name, file, n) {
					continue
				}
				for _, size := range []int{3, 1 << 18} {
					src, err := OpenReader(name, bytes.NewReader(file[:n]), Options{Columns: cols("a", "b"), ChunkBytes: size})
					var rows []row
					if err == nil {
						rows, err = readAll(t, src)
					}
					if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), name+": ") {
						t.Fatalf("%d of %d bytes: error %v", n, len(file), err)
					}
					if got := lines(append(values(rows), "")); !strings.HasPrefix(lines(wantPacked()), got) && got != "" {
						t.Fatalf("%d of %d bytes: rows %q", n, len(file), got)
					}
				}
			}
		})
	}
}

// endsWhole asks the packers' own one-piece readers whether file[:n] is a
// whole number of members or frames.
func endsWhole(name string, file []byte, n int) bool {
	if n == 0 {
		return false
	}
	starts := []string{"\x1f\x8b\x08"}
	if !strings.HasSuffix(name, ".gz") {
		starts = []string{"\x28\xb5\x2f\xfd", "\x2a\x4d\x18"}
	}
	for _, s := range starts {
		at := n
		if s == "\x2a\x4d\x18" {
			at++
		}
		if at <= len(file) && bytes.HasPrefix(file[at:], []byte(s)) {
			return true
		}
	}
	return false
}

// Every flipped bit is either noticed or harmless.
func TestDamagedPacked(t *testing.T) {
	for name, file := range packed(t) {
		switch name {
		case "x.csv.frames.zstd", "x.csv.skippable.zst", "x.csv.emptyframe.zst":
			continue // every other frame has no checksum
		case "x.csv.named.gz":
			continue // no checksum is over a header: its lengths can swallow a member
		}
		for i := range len(file) * 8 {
			bad := bytes.Clone(file)
			bad[i/8] ^= 1 << (i % 8)
			src, err := OpenReader(name, bytes.NewReader(bad), Options{Columns: cols("a", "b"), Compression: sniffCompression(file)})
			if err != nil {
				continue
			}
			rows, err := readAll(t, src)
			if got := lines(values(rows)); err == nil && got != lines(wantPacked()) {
				t.Fatalf("%s, bit %d: rows %q and no error", name, i, got)
			}
		}
	}
}

func TestTrailingBytes(t *testing.T) {
	for name, file := range packed(t) {
		for _, tail := range []string{"\x00", "x", "\x1f", "\x28\xb5", "\x50\x2a\x4d\x18", "\x50\x2a\x4d\x18\x01\x00\x00\x00", "\x00\x00x", "\x00\x1f\x8b", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "garbage that is long enough"} {
			src, err := OpenReader(name, strings.NewReader(string(file)+tail), Options{Columns: cols("a", "b")})
			var rows []row
			if err == nil {
				rows, err = readAll(t, src)
			}
			if strings.HasSuffix(name, ".gz") && strings.Trim(tail, "\x00") == "" { // padding
				if got := lines(values(rows)); err != nil || got != lines(wantPacked()) || !slices.Equal(src.Remarks(), []Remark{ZeroPadding}) {
					t.Errorf("%s with %q behind it: rows %q, error %v, remarks %v", name, tail, got, err, src.Remarks())
				}
				continue
			}
			// The last row has no line end, so it is not known to be whole.
			if got := lines(values(rows)); err == nil || got != "" && !strings.HasPrefix(lines(wantPacked()[:3]), got) {
				t.Errorf("%s with %q behind it: rows %q, error %v", name, tail, got, err)
			}
		}
	}
}

func TestChecksum(t *testing.T) {
	file := packGzip(t, "", "a\n1\n2\n")
	file[len(file)-8] ^= 1
	_, err := readAll(t, mustOpenReader(t, "x.csv.gz", file, Options{}))
	if !errors.Is(err, gzip.ErrChecksum) || !errors.Is(err, ErrDamaged) || !strings.HasPrefix(err.Error(), "x.csv.gz: gzip data damaged: ") {
		t.Errorf("gzip: %v", err)
	}
	file = packZstd(t, false, "a\n1\n2\n")
	file[len(file)-1] ^= 1
	_, err = readAll(t, mustOpenReader(t, "x.csv.zst", file, Options{}))
	if !errors.Is(err, zstd.ErrCRCMismatch) || !errors.Is(err, ErrDamaged) || !strings.HasPrefix(err.Error(), "x.csv.zst: zstd data damaged: ") {
		t.Errorf("zstd: %v", err)
	}
}

// Only text that somebody may still have been writing is asked for its last
// line end; what is behind the last row does not count.
func TestNoLineEnd(t *testing.T) {
	for name, test := range map[string]struct {
		file string
		want []Remark
	}{
		"x.csv":         {"a\n1\n2", []Remark{NoLineEnd}},
		"whole.csv":     {"a\n1\n2\n", nil},
		"crlf.csv":      {"a\r\n1\r\n", nil},
		"cr.csv":        {"a\r1\r2\r", nil},
		"header.csv":    {"a", nil},
		"empty.csv":     {"", nil},
		"x.ndjson":      {`{"a":1}` + "\n" + `{"a":2}`, []Remark{NoLineEnd}},
		"spaces.ndjson": {`{"a":1}` + "\n ", nil},
		"x.csv.gz":      {string(packGzip(t, "", "a\n1\n2")), nil},
	} {
		src := mustOpenReader(t, name, []byte(test.file), Options{})
		if _, err := readAll(t, src); err != nil || !slices.Equal(src.Remarks(), test.want) {
			t.Errorf("%s: remarks %v, error %v; want %v", name, src.Remarks(), err, test.want)
		}
	}
}

func mustOpenReader(t *testing.T, name string, file []byte, opt Options) *Source {
	t.Helper()
	src, err := OpenReader(name, bytes.NewReader(file), opt)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// A frame that asks for a huge window is refused before the memory is there.
func TestZstdWindow(t *testing.T) {
	frame := []byte("\x28\xb5\x2f\xfd\x00\xb0\x01\x00\x00") // window 2^32, one empty last block
	_, err := OpenReader("x.csv.zst", bytes.NewReader(frame), Options{})
	if err == nil || !strings.Contains(err.Error(), "128 MiB") {
		t.Errorf("error %v", err)
	}
}

// Reading on from the end of any record gives the rest, packed or not.
func TestSeek(t *testing.T) {
	files := packed(t)
	plain := "\ufeffskipped\r\na,b\r\n1,one\r\n2,\"two\r\nand more\"\r\n\r\n3,three" + strings.Repeat("e", 300) + "\r\n4,four"
	files["x.csv"] = []byte(plain)
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			opt := Options{Columns: cols("a", "b"), ChunkBytes: 11}
			if name == "x.csv" {
				opt.CSV.SkipLines = 1
			}
			src, err := Open(path, opt)
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			all, err := readAll(t, src)
			if err != nil || len(all) != 4 {
				t.Fatalf("%v, %v", all, err)
			}
			check := func(p Pos, want []row) {
				t.Helper()
				if err := src.SeekTo(p); err != nil {
					t.Fatal(err)
				}
				got, err := readAll(t, src)
				if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
					t.Fatalf("from %v: %+v, %v; want %+v", p, got, err, want)
				}
			}
			for i := len(all) - 1; i >= 0; i-- {
				check(all[i].End, all[i+1:])
				check(all[i].Pos, all[i:])
			}
			check(Pos{}, all)
			for _, p := range []Pos{{all[1].Pos.Offset + 2, 4}, {10000, 9}, {all[3].End.Offset + 1, 9}, {all[3].End.Offset + 2, 9}} {
				if err := src.SeekTo(p); !errors.Is(err, errNoRecord) {
					t.Errorf("%v: error %v", p, err)
				}
			}
			check(Pos{}, all)
		})
	}
}

func TestSeekStream(t *testing.T) {
	src := openText(t, "a\n1\n2\n", Options{Columns: cols("a")})
	if err := src.SeekTo(Pos{4, 3}); err == nil || !strings.Contains(err.Error(), "x.csv: not a regular file") {
		t.Errorf("error %v", err)
	}
	src = openText(t, "a\n1\n2\n", Options{Columns: cols("a")})
	if err := src.SeekTo(Pos{}); err != nil {
		t.Fatal(err)
	}
	if rows, err := readAll(t, src); err != nil || len(rows) != 2 {
		t.Errorf("%v, %v", rows, err)
	}
}

// A block of one repeated byte takes one byte, whatever length it says.
func TestZstdRepeatedByte(t *testing.T) {
	// Single segment, 10 bytes of content: one block, the last, of 10 "a".
	frame := "\x28\xb5\x2f\xfd\x20\x0a\x53\x00\x00a"
	src := mustOpenReader(t, "x.csv.zst", []byte(frame+string(packZstd(t, false, "\n1\n"))), Options{Columns: cols("aaaaaaaaaa")})
	rows, err := readAll(t, src)
	if got := lines(values(rows)); err != nil || got != "1" {
		t.Errorf("rows %q, error %v", got, err)
	}
}
