//go:build slow

package reader

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// TestParquetMemory reads a file of one row group of four million rows. What
// reading holds is bounded by pages, not by the row group.
func TestParquetMemory(t *testing.T) {
	const rows, most = 4_000_000, 16 << 20
	path := filepath.Join(t.TempDir(), "large.parquet")
	writeLarge(t, path, rows)
	s, err := Open(path, Options{Columns: wantColumns("id", "account", "n")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	n, chunks, peak := int64(0), 0, int64(0)
	for {
		c, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range c.Records() {
			if err != nil || string(rec.Values[2].Text) != fmt.Sprint(n) {
				t.Fatalf("row %d: %s, %v", n, rec.Values[2].Text, err)
			}
			n++
		}
		c.Release()
		if chunks++; chunks%50 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, int64(now.HeapAlloc)-int64(before.HeapAlloc))
		}
	}
	if n != rows || peak > most {
		t.Errorf("%d rows, %d bytes held; want %d rows, at most %d bytes", n, peak, rows, most)
	}
	t.Logf("%d rows in %d chunks, at most %d KiB held", n, chunks, peak>>10)
}

func writeLarge(t *testing.T, path string, rows int) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	fields := schema.FieldList{node("id", required, text, bin, 0), node("account", required, text, bin, 0), node("n", required, nil, i64, 0)}
	root := schema.MustGroup(schema.NewGroupNode("schema", required, fields, -1))
	w := file.NewParquetWriter(out, root, file.WithWriterProps(parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Snappy), parquet.WithDictionaryDefault(false), parquet.WithDictionaryFor("account", true))))
	g := w.AppendRowGroup()
	column := func(batch func(at, n int) any) {
		c, err := g.NextColumn()
		if err != nil {
			t.Fatal(err)
		}
		const step = 10_000
		for at := 0; at < rows; at += step {
			if err := writeLeaf(c, leafData{batch(at, step), nil, nil}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	column(func(at, n int) any {
		var out []parquet.ByteArray
		for i := at; i < at+n; i++ {
			out = append(out, fmt.Appendf(nil, "%036x", i*2654435761))
		}
		return out
	})
	column(func(at, n int) any {
		var out []parquet.ByteArray
		for i := at; i < at+n; i++ {
			out = append(out, fmt.Appendf(nil, "acc_%d", i%5000))
		}
		return out
	})
	column(func(at, n int) any {
		var out []int64
		for i := at; i < at+n; i++ {
			out = append(out, int64(i))
		}
		return out
	})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
}
