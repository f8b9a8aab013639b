package reader

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Exports that other programs wrote, against encoding/csv: every field of
// every row, in small chunks, packed and plain.
func TestRealCSV(t *testing.T) {
	const dir = "../../shared/data/open"
	text, err := os.ReadFile(filepath.Join(dir, "EXPECTED.json"))
	if err != nil {
		t.Skip("the collection of real exports is not here:", err)
	}
	var files []struct {
		File    string
		Records int
		Columns int
	}
	if err := json.Unmarshal(text, &files); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if !strings.HasSuffix(file.File, ".csv") {
			continue
		}
		seen++
		t.Run(file.File, func(t *testing.T) {
			path := filepath.Join(dir, file.File)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, utf8BOM))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if len(want)-1 != file.Records {
				t.Fatalf("%d records by encoding/csv, %d expected", len(want)-1, file.Records)
			}
			opt := Options{Columns: cols(want[0]...)}
			plain, err := Open(path, opt)
			if err != nil {
				t.Fatal(err)
			}
			defer plain.Close()
			opt.ChunkBytes = 1000
			packed := mustOpenReader(t, file.File+".gz", packGzip(t, "", string(text)), opt)
			for _, src := range []*Source{plain, packed} {
				if !slices.Equal(src.Columns(), want[0]) || file.Columns != 0 && file.Columns != len(want[0]) {
					t.Errorf("columns %q", src.Columns())
				}
				got, err := readAll(t, src)
				if err != nil {
					t.Fatal(err)
				}
				if len(got) != file.Records {
					t.Fatalf("%d records, want %d", len(got), file.Records)
				}
				for i, r := range got {
					if r.Code != "" || !slices.Equal(lf(r.Values), want[i+1]) {
						t.Fatalf("record %d: %q, want %q", i+1, r, want[i+1])
					}
				}
			}
		})
	}
	if seen == 0 {
		t.Error("no CSV in EXPECTED.json")
	}
}

// A Parquet file that cannot be sought is spooled: same rows, and no file left
// behind.
func TestSpooledParquet(t *testing.T) {
	const path = "../../shared/data/open/focus_1.0_sample.derived.zstd.parquet"
	file, err := os.ReadFile(path)
	if err != nil {
		t.Skip("the collection of real exports is not here:", err)
	}
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	opt := Options{Columns: cols("ServiceName", "ConsumedQuantity")}
	direct, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	want, err := readAll(t, direct)
	if err != nil || len(want) != 1000 {
		t.Fatalf("%d rows, %v", len(want), err)
	}
	for name, data := range map[string][]byte{"x.parquet": file, "x.parquet.gz": packGzip(t, "", string(file)), "x.parquet.zst": packZstd(t, false, string(file))} {
		src := mustOpenReader(t, name, data, opt)
		got, err := readAll(t, src)
		if err != nil {
			t.Fatal(err)
		}
		if src.Format() != Parquet || lines(values(got)) != lines(values(want)) {
			t.Errorf("%s: %d rows that differ", name, len(got))
		}
		if err := src.SeekTo(want[500].Pos); err != nil {
			t.Fatal(err)
		}
		if got, err := readAll(t, src); err != nil || lines(values(got)) != lines(values(want[500:])) {
			t.Errorf("%s from row 500: %d rows, %v", name, len(got), err)
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		for _, n := range []int{2, len(data) / 2, len(data) - 1} {
			if _, err := OpenReader(name, bytes.NewReader(data[:n]), opt); err == nil {
				t.Errorf("%s: opened with %d of %d bytes", name, n, len(data))
			}
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) != 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
}
