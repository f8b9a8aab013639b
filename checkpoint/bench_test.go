package checkpoint_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/checkpoint/crashfs"
)

func marked(totals int) checkpoint.Mark {
	m := checkpoint.Mark{Counts: checkpoint.Counts{Read: 12345678, Accepted: 12345678}, FirstSent: time.Now(), RejectCodes: map[string]int64{"number": 17, "time": 4}}
	for i := range totals {
		m.Totals = append(m.Totals, checkpoint.Total{Meter: fmt.Sprintf("meter_%d", i/4), Category: "measure", Field: fmt.Sprintf("field_%d", i%4), Sum: "123456789.012345", Count: int64(i) * 1000})
	}
	return m
}

// One commit of a window, with rejects, on the disk of the machine and on one
// that costs nothing.
func BenchmarkCommit(b *testing.B) {
	for _, disk := range []string{"os", "memory"} {
		for _, totals := range []int{0, 10, 1000, 5000} {
			b.Run(fmt.Sprintf("%s/totals=%d", disk, totals), func(b *testing.B) {
				dir, opt := b.TempDir(), checkpoint.Options{}
				if disk == "memory" {
					dir, opt.FS = stateDir, crashfs.New()
				}
				j, err := checkpoint.Open(dir, opt)
				ok(b, err)
				defer j.Close()
				ok(b, j.Begin(checkpoint.Plan{Sources: make([]checkpoint.Source, 1)}))
				m := marked(totals)
				line := rejectLine(500)
				b.ReportAllocs()
				for b.Loop() {
					m.Position.Offset++
					j.Reject(line)
					ok(b, j.Commit(m))
				}
			})
		}
	}
}

// The first question to a history of a hundred thousand sources, and the others.
func BenchmarkImported(b *testing.B) {
	dir := b.TempDir()
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	ok(b, err)
	p := checkpoint.Plan{OrgID: "00000000-0000-4000-8000-000000000000", Endpoint: "https://ingest.m3ter.com", MappingHash: sumOf("mapping")}
	for i := range 100_000 {
		p.Sources = append(p.Sources, checkpoint.Source{Path: fmt.Sprintf("/data/usage/2026/%d.csv.gz", i), Print: checkpoint.Print{
			Size: int64(i), Modified: time.Unix(int64(i), 0), Head: sumOf(fmt.Sprint("head", i)), Tail: sumOf(fmt.Sprint("tail", i))}})
	}
	ok(b, j.Begin(p))
	ok(b, j.Finish(checkpoint.Mark{Position: checkpoint.Position{Source: len(p.Sources)}}))
	ok(b, j.Begin(checkpoint.Plan{})) // whose plan is read in no time
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ok(b, j.Close())
			j, err = checkpoint.Open(dir, checkpoint.Options{})
			ok(b, err)
			if _, found, err := j.Imported(p.OrgID, p.Endpoint, p.MappingHash, p.Sources[77777].Print); !found || err != nil {
				b.Fatal(found, err)
			}
		}
	})
	b.Run("next", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, found, err := j.Imported(p.OrgID, p.Endpoint, p.MappingHash, p.Sources[i%len(p.Sources)].Print); !found || err != nil {
				b.Fatal(found, err)
			}
			i++
		}
	})
	ok(b, j.Close())
}
