package mapper

import (
	"testing"

	"github.com/m3import/m3import/reader"
)

// benchRow is a row of a cloud bill, and benchRules the four kinds of uid.
var (
	benchRow = row{"Acct": "11353890204", "Service": "Amazon Elastic Compute Cloud", "Start": "2024-09-01T00:00:00Z", "End": "2024-09-01T01:00:00Z",
		"Quantity": "0.0000577732", "Cost": "12.50", "Region": "us-east-1", "Zone": "us-east-1a", "Desc": "Linux/UNIX \"Spot\" instance", "Id": "2024-09-01/i-0123456789abcdef0"}
	benchRules = map[string]string{"column": "Id", "key": "{key: [Id, Acct]}", "content": "content", "row": "row"}
)

const benchMapping = `version: 1
meter: Service
account: Acct
ts: Start
ets: End
where: {region: {join: [Region, Zone], with: "/"}}
what: {description: Desc}
measure: {quantity: Quantity}
cost: {billed: {column: Cost, empty: skip}}
uid: `

func benchMapper(t testing.TB, rule string) (*Mapper, *reader.Record) {
	m, c := parsed(t, benchMapping+rule+"\n")
	return c, benchRow.record(m)
}

func TestAppendAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("with the race detector, the library's append of zeros allocates them first")
	}
	for name, rule := range benchRules {
		c, rec := benchMapper(t, rule)
		var out Output
		run := func() {
			out.Reset()
			for range 10 {
				if _, err := c.Append(&out, rec); err != nil {
					t.Fatal(err)
				}
			}
		}
		run()
		if n := testing.AllocsPerRun(100, run); n > 0 {
			t.Errorf("rule %s: %v allocations for 10 rows", name, n)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, name := range []string{"column", "key", "content", "row"} {
		b.Run(name, func(b *testing.B) {
			c, rec := benchMapper(b, benchRules[name])
			var out Output
			b.ReportAllocs()
			for b.Loop() {
				if len(out.JSON) > 1<<18 {
					out.Reset()
				}
				if _, err := c.Append(&out, rec); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(out.Items[0].End))
		})
	}
}
