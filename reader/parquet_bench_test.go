package reader

import (
	"fmt"
	"io"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// benchFile is a file of usage: 12 columns, of which imports map 8.
func benchFile(b testing.TB, rows, perGroup int) []byte {
	fields := schema.FieldList{
		node("event_id", required, text, bin, 0),
		node("ts", required, schema.NewTimestampLogicalType(true, micros), i64, 0),
		node("account", required, text, bin, 0),
		node("meter", required, text, bin, 0),
		node("region", optional, text, bin, 0),
		node("amount", required, schema.NewDecimalLogicalType(18, 6), i64, 0),
		node("duration", required, nil, dbl, 0),
		node("bytes", optional, nil, i64, 0),
		node("user_agent", optional, text, bin, 0),
		node("status", required, nil, i32, 0),
		node("ok", required, nil, parquet.Types.Boolean, 0),
		node("trace", required, text, bin, 0),
	}
	var groups [][]leafData
	for at := 0; at < rows; at += perGroup {
		groups = append(groups, benchGroup(at, min(perGroup, rows-at)))
	}
	return writeParquet(b, fields, groups, parquet.WithCompression(compress.Codecs.Snappy),
		parquet.WithDictionaryFor("event_id", false), parquet.WithDictionaryFor("trace", false), parquet.WithDictionaryFor("ts", false),
		parquet.WithDictionaryFor("amount", false), parquet.WithDictionaryFor("duration", false), parquet.WithDictionaryFor("bytes", false))
}

func benchGroup(at, n int) []leafData {
	var ids, accounts, meters, regions, agents, traces []parquet.ByteArray
	var ts, amounts, bytes []int64
	var durations []float64
	var status []int32
	var ok []bool
	var defs []int16
	for i := at; i < at+n; i++ {
		ids = append(ids, fmt.Appendf(nil, "0190b5c2-%04x-7000-8000-%012x", i%65536, i))
		ts = append(ts, 1704164645000000+int64(i)*1000)
		accounts = append(accounts, fmt.Appendf(nil, "acc_%05d", i*7919%5000))
		meters = append(meters, fmt.Appendf(nil, "meter_%d", i%12))
		traces = append(traces, fmt.Appendf(nil, "%032x", i*2654435761))
		amounts = append(amounts, int64(i)*1000003%1e12)
		durations = append(durations, float64(i%100000)/1024)
		status, ok = append(status, 200), append(ok, i%7 != 0)
		if i%10 == 0 {
			defs = append(defs, 0)
			continue
		}
		defs = append(defs, 1)
		bytes = append(bytes, int64(i)*37%1e9)
		regions = append(regions, fmt.Appendf(nil, "eu-west-%d", i%3))
		agents = append(agents, fmt.Appendf(nil, "agent/%d", i%50))
	}
	return []leafData{{ids, nil, nil}, {ts, nil, nil}, {accounts, nil, nil}, {meters, nil, nil}, {regions, defs, nil}, {amounts, nil, nil},
		{durations, nil, nil}, {bytes, defs, nil}, {agents, defs, nil}, {status, nil, nil}, {ok, nil, nil}, {traces, nil, nil}}
}

var benchColumns = []string{"event_id", "ts", "account", "meter", "region", "amount", "duration", "bytes"}

// BenchmarkParquet reads 8 of 12 columns: "read" up to the chunks, which is
// what one goroutine does for a source, "records" with the texts as well.
func BenchmarkParquet(b *testing.B) {
	const rows = 200_000
	data := benchFile(b, rows, rows/2)
	for _, records := range []bool{false, true} {
		name := "read"
		if records {
			name = "records"
		}
		b.Run(name, func(b *testing.B) {
			r, err := openParquetBytes(data, Options{Columns: wantColumns(benchColumns...)})
			if err != nil {
				b.Fatal(err)
			}
			defer r.close()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := r.seek(r.start()); err != nil {
					b.Fatal(err)
				}
				n := 0
				for {
					c, err := r.next()
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					n += int(c.End.Offset - c.Start.Offset)
					if records {
						for _, err := range c.Records() {
							if err != nil {
								b.Fatal(err)
							}
						}
					}
					c.Release()
				}
				if n != rows {
					b.Fatalf("%d rows", n)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
