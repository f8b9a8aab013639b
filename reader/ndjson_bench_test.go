package reader

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// ndjsonShapes are texts of about size bytes, each with what is asked of it.
func ndjsonShapes(size int) []ndjsonShape {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	fill := func(line func(i int) string) []byte {
		var text []byte
		for i := 0; len(text) < size; i++ {
			text = append(append(text, line(i)...), '\n')
		}
		return text
	}
	flat := func(i int) string {
		return fmt.Sprintf(`{"event_id":"evt_%016x","account":"acct_%05d","meter":"%s","ts":"2026-09-21T%02d:%02d:%02d.%06dZ",`+
			`"duration":%d.%d,"bytes":%d,"amount":%d.%04d,"region":"%s","service":"%s","description":"%s","status":%d,"tags":"env=prod;t=%d"}`,
			uint64(i)*0x9E3779B97F4A7C15, random.IntN(5000), pick("api_requests", "storage_gb", "compute_sec", "egress_bytes"),
			i/3600%24, i/60%60, i%60, random.IntN(1000000), random.IntN(10000), random.IntN(1000), random.IntN(5000000), random.IntN(1000), random.IntN(10000),
			pick("eu-west-1", "us-east-1", "ap-south-1"), pick("gateway", "objectstore", "functions", "cdn"),
			pick("standard usage event no 17", "standard usage event no 512", `the \"gold\" tier`), 200+random.IntN(3), random.IntN(100))
	}
	mapped := []string{"event_id", "account", "meter", "ts", "duration", "bytes", "amount", "region"}
	return []ndjsonShape{
		{"flat", fill(flat), mapped},
		{"spaced", fill(func(i int) string {
			line := bytes.ReplaceAll([]byte(flat(i)), []byte(`":`), []byte(`": `))
			return string(bytes.ReplaceAll(line, []byte(`,"`), []byte(`, "`)))
		}), mapped},
		{"nested", fill(func(i int) string {
			return fmt.Sprintf(`{"event_id":"evt_%016x","subject":{"account":"acct_%05d","tags":["t=%d","x"]},"meter":"%s","ts":"2026-09-21T00:%02d:%02dZ",`+
				`"data":{"usage":{"duration":%d.%d,"bytes":%d,"amount":%d.%04d},"region":"%s","other":{"a":[1,2,{"b":null}]}},"status":%d}`,
				uint64(i)*0x9E3779B97F4A7C15, random.IntN(5000), random.IntN(100), pick("api_requests", "storage_gb"), i/60%60, i%60,
				random.IntN(10000), random.IntN(1000), random.IntN(5000000), random.IntN(1000), random.IntN(10000), pick("eu-west-1", "us-east-1"), 200+random.IntN(3))
		}), []string{"event_id", "subject.account", "subject.tags[0]", "meter", "ts", "data.usage.duration", "data.usage.bytes", "data.usage.amount"}},
		{"shuffled", fill(func(i int) string { // every key is there or not, so no line predicts the next
			line := `{"event_id":1`
			for _, key := range []string{"account", "meter", "ts", "service", "bytes", "amount", "region", "tags", "duration"} {
				if random.IntN(2) == 0 {
					line += fmt.Sprintf(`,"%s":"%d"`, key, random.IntN(1e9))
				}
			}
			return line + "}"
		}), mapped},
		{"escapes", fill(func(i int) string {
			return fmt.Sprintf(`{"ts":"2026-09-21 00:00:%02d","payload":"{\n    \"pathname\": \"/%d\",\n    \"href\": \"https://demo.site/about\",\n    \"locale\": \"fr-FR\"\n}","tenant":"t\u00e9%d"}`,
				i%60, i, random.IntN(100))
		}), []string{"ts", "tenant"}},
		{"unicode", fill(func(i int) string {
			return fmt.Sprintf(`{"city":"%s","note":"Grüße aus der Stadt, %d mal, ünd tschüß","n":%d}`, pick("Zürich", "Łódź", "東京都"), i, i)
		}), []string{"city", "n"}},
		{"array", fill(func(i int) string {
			line := fmt.Sprintf(`{"timestamp": %d, "input_length": %d, "hash_ids": [`, i*3000, random.IntN(50000))
			for k := range 70 {
				line += fmt.Sprintf("%d, ", i*70+k)
			}
			return line + "0]}"
		}), []string{"timestamp", "input_length"}},
	}
}

type ndjsonShape struct {
	name    string
	text    []byte
	columns []string
}

func (s ndjsonShape) options() (opt Options) {
	for _, name := range s.columns {
		opt.Columns = append(opt.Columns, Column{Name: name})
	}
	return opt
}

func BenchmarkNDJSON(b *testing.B) {
	for _, shape := range ndjsonShapes(256 << 10) {
		b.Run(shape.name, func(b *testing.B) {
			format, err := newNDJSON("", shape.options())
			if err != nil {
				b.Fatal(err)
			}
			rows := bytes.Count(shape.text, []byte("\n"))
			b.SetBytes(int64(len(shape.text)))
			b.ReportAllocs()
			for b.Loop() {
				for rec, err := range format.records(&Chunk{}, shape.text) {
					if err != nil || rec.Values[0].Kind == Missing {
						b.Fatal(rec, err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
		})
	}
}
