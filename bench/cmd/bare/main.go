// Bare reads a usage file with the library that one would take for it, and
// does nothing with what it reads: the floor that whole imports are measured
// against.
//
//	bare csv usage.csv          # encoding/csv, the record reused
//	bare ndjson usage.ndjson    # encoding/json, each line into a struct
//	bare parquet usage.parquet  # Arrow's record reader, the mapped columns
package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"github.com/m3import/m3import/bench/internal/usage"
)

func main() {
	read := map[string]func(string) (int64, error){"csv": readCSV, "ndjson": readNDJSON, "parquet": readParquet}
	if len(os.Args) != 3 || read[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "bare: say csv, ndjson or parquet, and a file")
		os.Exit(1)
	}
	rows, err := read[os.Args[1]](os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
	fmt.Println(rows)
}

const bufferSize = 256 << 10

func readCSV(path string) (rows int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := csv.NewReader(bufio.NewReaderSize(f, bufferSize))
	r.ReuseRecord = true
	for rows = -1; ; rows++ { // the header is none
		if _, err := r.Read(); err == io.EOF {
			return rows, nil
		} else if err != nil {
			return rows, err
		}
	}
}

// event is what a mapping of the usage rows needs of a line. Numbers stay as
// they are written.
type event struct {
	ID       string      `json:"event_id"`
	Account  string      `json:"account"`
	Meter    string      `json:"meter"`
	Time     string      `json:"ts"`
	Duration json.Number `json:"duration"`
	Bytes    json.Number `json:"bytes"`
	Amount   json.Number `json:"amount"`
	Region   string      `json:"region"`
}

func readNDJSON(path string) (rows int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, bufferSize), 1<<24)
	for ; lines.Scan(); rows++ {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return rows, err
		}
	}
	return rows, lines.Err()
}

func readParquet(path string) (rows int64, err error) {
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 64 << 10}, memory.DefaultAllocator)
	if err != nil {
		return 0, err
	}
	var columns []int
	for _, name := range usage.Mapped {
		columns = append(columns, f.MetaData().Schema.ColumnIndexByName(name))
	}
	records, err := r.GetRecordReader(context.Background(), columns, nil)
	if err != nil {
		return 0, err
	}
	defer records.Release()
	for records.Next() {
		rows += records.Record().NumRows()
	}
	if err := records.Err(); err != nil && err != io.EOF {
		return rows, err
	}
	return rows, nil
}
