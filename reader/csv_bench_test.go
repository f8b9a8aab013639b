package reader

import (
	"bytes"
	"fmt"
	"testing"
)

// benchCSV makes a usage export of about size bytes: 12 columns, one row in
// twenty with quoted fields, or every field quoted.
func benchCSV(size int, allQuoted bool) []byte {
	var b bytes.Buffer
	b.WriteString("id,account,meter,ts,ets,region,zone,sku,quantity,unit,cost,note\n")
	for i := 0; b.Len() < size; i++ {
		note := "on demand"
		if i%20 == 0 && !allQuoted {
			note = "\"discount, \"\"spring\"\"\nsecond line\""
		}
		format := "%d-%08x,customer-%04d,api_requests,2024-09-01T%02d:00:00Z,2024-09-01T%02d:59:59Z,eu-west-1,eu-west-1%c,SKU-%06d,%d.%06d,GiB,0.%08d,%s\n"
		if allQuoted {
			format = "\"%d-%08x\",\"customer-%04d\",\"api_requests\",\"2024-09-01T%02d:00:00Z\",\"2024-09-01T%02d:59:59Z\",\"eu-west-1\",\"eu-west-1%c\",\"SKU-%06d\",\"%d.%06d\",\"GiB\",\"0.%08d\",\"%s\"\n"
		}
		fmt.Fprintf(&b, format, i, i*2654435761%(1<<32), i%1000, i%24, i%24, 'a'+i%3, i%5000, i%100, i%1000000, i%100000000, note)
	}
	return b.Bytes()
}

func benchFormat(b *testing.B, text []byte) (*csvFormat, []byte) {
	b.Helper()
	d := dialect{delim: ',', quote: '"', quoted: true, nl: '\n', max: 1 << 20}
	n, _, names, err := d.header(text, true, CSVOptions{})
	if err != nil {
		b.Fatal(err)
	}
	c, err := newCSV("x.csv", d, names, Options{Columns: cols("id", "account", "meter", "ts", "ets", "quantity", "cost", "region")})
	if err != nil {
		b.Fatal(err)
	}
	return c, text[n:]
}

func BenchmarkCSV(b *testing.B) {
	for _, quoted := range []bool{false, true} {
		c, text := benchFormat(b, benchCSV(256<<10, quoted))
		text = text[:c.cut(text, false)]
		name := map[bool]string{false: "5%quoted", true: "allquoted"}[quoted]
		b.Run("cut/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if c.cut(text, false) != len(text) {
					b.Fatal("cut short")
				}
			}
		})
		b.Run("parse/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				rows = 0
				for _, err := range c.records(&Chunk{Start: Pos{0, 1}}, text) {
					if err != nil {
						b.Fatal(err)
					}
					rows++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
		})
	}
}

func BenchmarkSource(b *testing.B) {
	text := benchCSV(16<<20, false)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		src, err := OpenReader("x.csv", bytes.NewReader(text), Options{Columns: cols("id", "quantity")})
		if err != nil {
			b.Fatal(err)
		}
		for {
			c, err := src.Next()
			if err != nil {
				break
			}
			c.Release()
		}
		src.Close()
	}
}
