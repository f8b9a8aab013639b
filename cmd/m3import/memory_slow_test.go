//go:build slow && linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/xitongsys/parquet-go/parquet"
	"github.com/xitongsys/parquet-go/writer"

	"github.com/m3import/m3import/sandbox"
)

// mostMemory is what an import may take at its peak, however large its input.
const mostMemory = 128 << 20

const memoryMapping = `version: 1
meter: meter
account: account
ts: ts
uid: {key: [id]}
measure: {n: n, bytes: bytes}
where: {region: {column: region, empty: skip}}
`

// A 1 GB CSV file, a 1 GB NDJSON file and a Parquet file of one row group of
// four million rows are imported, each in less memory than mostMemory, and
// nothing of them is lost.
func TestMemory(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(path string) (rows int64, err error)
	}{
		{"usage.csv", writeCSV}, {"usage.ndjson", writeNDJSON}, {"usage.parquet", writeParquet}, {"many", writeMany},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, c.name)
			rows, err := c.write(path)
			if err != nil {
				t.Fatal(err)
			}
			mapping := filepath.Join(dir, "mapping.yaml")
			if err := os.WriteFile(mapping, []byte(memoryMapping), 0o644); err != nil {
				t.Fatal(err)
			}
			p := plainPlatform(t, sandbox.Config{Discard: true})
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(self, "run", "-m", mapping, "--rate-limit", "none", "--state", filepath.Join(dir, "state"), path)
			cmd.Env = append(environment(), p.Env(p.url)...)
			cmd.Env = append(cmd.Env, "M3IMPORT_TEST_AS_PROGRAM=1")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			start := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			peak := watchPeak(cmd.Process.Pid)
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, out.Bytes())
			}
			if got := p.Totals().UIDs; got != rows {
				t.Errorf("the platform holds %d measurements, want %d", got, rows)
			}
			most := <-peak
			t.Logf("%d rows in %v, peak memory %d MiB", rows, time.Since(start).Round(time.Second), most>>20)
			if most == 0 || most > mostMemory {
				t.Errorf("peak memory %d MiB, at most %d", most>>20, mostMemory>>20)
			}
		})
	}
}

// watchPeak reads a process's peak memory until it ends. The kernel's account
// of an ended process is of no use: it holds the memory of this process, too,
// which the other was forked from.
func watchPeak(pid int) <-chan int64 {
	peak := make(chan int64, 1)
	go func() {
		var most int64
		for {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, line, found := bytes.Cut(text, []byte("VmHWM:"))
			if err != nil || !found {
				peak <- most
				return
			}
			var kib int64
			fmt.Sscan(string(line), &kib)
			most = kib << 10
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return peak
}

// plainPlatform is one whose exchanges are not checked: for large imports.
func plainPlatform(t testing.TB, cfg sandbox.Config) *platform {
	s := sandbox.New(cfg)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &platform{Server: s, url: server.URL}
}

const gigabyte = 1 << 30

func writeCSV(path string) (rows int64, err error) {
	return writeText(path, "id,account,meter,ts,n,bytes,region,description\n", func(b *bytes.Buffer, i int64, rnd *rand.Rand) {
		fmt.Fprintf(b, "evt_%016x,acct_%05d,api,2026-01-01T00:00:%02d.%03dZ,%d.%03d,%d,eu-west-1,\"usage, \"\"gold\"\" no %d\"\n",
			i, rnd.IntN(5000), i%60, i%1000, rnd.IntN(1000), rnd.IntN(1000), rnd.IntN(5_000_000), rnd.IntN(1000))
	})
}

func writeNDJSON(path string) (rows int64, err error) {
	return writeText(path, "", func(b *bytes.Buffer, i int64, rnd *rand.Rand) {
		fmt.Fprintf(b, `{"id":"evt_%016x","account":"acct_%05d","meter":"api","ts":"2026-01-01T00:00:%02d.%03dZ","n":%d.%03d,"bytes":%d,"region":"eu-west-1","description":"usage, \"gold\" no %d","tags":["a","b"]}`+"\n",
			i, rnd.IntN(5000), i%60, i%1000, rnd.IntN(1000), rnd.IntN(1000), rnd.IntN(5_000_000), rnd.IntN(1000))
	})
}

func writeText(path, head string, line func(*bytes.Buffer, int64, *rand.Rand)) (rows int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	rnd := rand.New(rand.NewPCG(1, 2))
	size, _ := w.WriteString(head)
	for b := new(bytes.Buffer); size < gigabyte; rows++ {
		b.Reset()
		line(b, rows, rnd)
		n, err := w.Write(b.Bytes())
		if err != nil {
			return 0, err
		}
		size += n
	}
	return rows, w.Flush()
}

// writeMany makes a folder of ten thousand files of one row each.
func writeMany(dir string) (rows int64, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	for rows = 0; rows < 10_000; rows++ {
		text := fmt.Sprintf("id,account,meter,ts,n,bytes,region\ne%d,acme,api,2026-01-01T00:00:00Z,1,1,eu-west-1\n", rows)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.csv", rows)), []byte(text), 0o644); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

func writeParquet(path string) (rows int64, err error) {
	type usageRow struct {
		ID      string  `parquet:"name=id, type=BYTE_ARRAY, convertedtype=UTF8"`
		Account string  `parquet:"name=account, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
		Meter   string  `parquet:"name=meter, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
		TS      int64   `parquet:"name=ts, type=INT64, logicaltype=TIMESTAMP, logicaltype.isadjustedtoutc=true, logicaltype.unit=MICROS"`
		N       float64 `parquet:"name=n, type=DOUBLE"`
		Bytes   int64   `parquet:"name=bytes, type=INT64"`
		Region  string  `parquet:"name=region, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
		Text    string  `parquet:"name=description, type=BYTE_ARRAY, convertedtype=UTF8"`
	}
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	w, err := writer.NewParquetWriterFromWriter(f, new(usageRow), 2)
	if err != nil {
		return 0, err
	}
	w.CompressionType = parquet.CompressionCodec_SNAPPY
	w.RowGroupSize = 64 << 30 // one row group
	rnd := rand.New(rand.NewPCG(1, 2))
	for rows = 0; rows < 4_000_000; rows++ {
		err := w.Write(usageRow{
			ID: fmt.Sprintf("evt_%016x", rows), Account: fmt.Sprintf("acct_%05d", rnd.IntN(5000)), Meter: "api",
			TS: 1_790_000_000_000_000 + rows*137_001, N: float64(rnd.IntN(10_000_000)) / 1000, Bytes: rnd.Int64N(5_000_000),
			Region: "eu-west-1", Text: fmt.Sprintf("usage no %d", rnd.IntN(1000)),
		})
		if err != nil {
			return 0, err
		}
	}
	return rows, w.WriteStop()
}
