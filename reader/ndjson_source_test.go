package reader

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The rows of an NDJSON source do not depend on its chunks, and the positions
// are those of the file.
func TestNDJSONSource(t *testing.T) {
	opt := columnsOf("a", "b", "a.b", "tags[1]")
	opt.Format = NDJSON
	opt.MaxRecordBytes = 64
	text := "\uFEFF" + strings.Join([]string{
		`{"a":1,"b":"x"}`, "", `{"a":2,"b":"y"`, `{"a":{"b":3},"tags":["é","ü"]}` + "\r", `{"a":"` + strings.Repeat("x", 200) + `"}`, ` {"b":null}`, `{"a":4}`,
	}, "\n")
	for size := 1; size < len(text)+2; size++ {
		opt.ChunkBytes = size
		src, err := OpenReader("usage.ndjson.gz", strings.NewReader(text), opt)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := readAll(t, src)
		if err != nil {
			t.Fatalf("chunks of %d: %v", size, err)
		}
		var got strings.Builder
		for _, row := range rows {
			fmt.Fprintf(&got, "%d@%d %v %s\n", row.Pos.Line, row.Pos.Offset, row.Values, row.Code)
		}
		want := `1@3 [1 x <missing> <missing>] 
3@20 [] syntax
4@35 [{"b":3} <missing> 3 ü] 
5@69 [] record-too-large
6@278 [<missing> <null> <missing> <missing>] 
7@290 [4 <missing> <missing> <missing>] 
`
		if got.String() != want {
			t.Fatalf("chunks of %d:\n%s\nwant\n%s", size, got.String(), want)
		}
	}
}

// Real exports: every line is read, and none is refused.
func TestNDJSONOpenData(t *testing.T) {
	for _, tt := range []struct {
		file, columns string
		rows          int
	}{
		{"mooncake_synthetic_trace.jsonl", "timestamp input_length hash_ids[0]", 3993},
		{"tinybird_analytics_events.ndjson", "tenant_id action timestamp", 5001},
		{"k8s_metering_pod_request_memory_bytes.ndjson", "labels.namespace timestamp amount labels", 372},
	} {
		path := filepath.Join("..", "..", "shared", "data", "open", tt.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Skipf("the open data is not beside the repository: %v", err)
		}
		opt := columnsOf(strings.Split(tt.columns, " ")...)
		opt.ChunkBytes = 10_000
		src, err := Open(path, opt)
		if err != nil {
			t.Fatal(err)
		}
		if src.Format() != NDJSON {
			t.Errorf("%s is taken for %s", tt.file, src.Format())
		}
		rows, err := readAll(t, src)
		if err != nil || len(rows) != tt.rows {
			t.Errorf("%s: %d rows and %v, want %d", tt.file, len(rows), err, tt.rows)
		}
		opt.MaxRecordBytes = 1 << 20
		var offset int64
		var some []byte // a sample: the oracle is slow
		for i, line := range bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
			pos, object := Pos{offset, int64(i + 1)}, strings.TrimSpace(string(line))
			if rows[i].Code != "" || rows[i].JSON != object || rows[i].Pos != pos {
				t.Fatalf("%s: row %d is %v %s", tt.file, i+1, rows[i].Pos, rows[i].JSON)
			}
			offset += int64(len(line))
			if i%50 == 0 {
				some = append(some, line...)
			}
		}
		equalRows(t, some, readRows(t, some, opt, len(some)), oracleRows(some, opt))
		src.Close()
	}
}
