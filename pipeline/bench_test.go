package pipeline

import (
	"context"
	"math"
	"testing"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

const benchMapping = `
version: 1
meter: meter
account: account
ts: ts
uid: {key: [event_id, account, meter, ts]}
measure: {duration: duration, bytes: bytes}
where: {region: region}
`

// drop takes every batch and forgets it.
type drop struct{}

func (drop) Submit(context.Context, *uploader.Batch) ([]uploader.Refusal, error) { return nil, nil }

func benchImport(b *testing.B, src checkpoint.Source) *Import {
	im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(b, benchMapping), Submit: drop{}, Journal: Forget{}}
	im.once.Do(im.setDefaults)
	return im
}

// perRow tells what a row costs from when it is called on: time, and CPU, which
// says the same on a machine that others use, too.
func perRow(b *testing.B, rows int) (tell func()) {
	before := cpuTime()
	return func() {
		n := float64(b.N) * float64(rows)
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/row")
		b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/n, "cpu-ns/row")
	}
}

// pieces cuts the whole input; each chunk is the caller's.
func (im *Import) pieces(b *testing.B, each func(piece)) {
	c := make(chan []piece)
	go func() {
		defer close(c)
		if err := im.cut(b.Context(), b.Context(), c); err != nil {
			b.Error(err)
		}
	}()
	for bundle := range c {
		for _, p := range bundle {
			if p.err != nil {
				b.Fatal(p.err)
			}
			each(p)
		}
	}
}

// BenchmarkCut is the ceiling of a whole import: one goroutine reads, unpacks
// and cuts, whatever the number of cores.
func BenchmarkCut(b *testing.B) {
	for _, c := range []struct{ format, compression string }{{"csv", ""}, {"csv", "gzip"}, {"csv", "zstd"}, {"ndjson", ""}, {"parquet", ""}} {
		b.Run(c.format+c.compression, func(b *testing.B) {
			src, size := benchSource(b, c.format, c.compression)
			im := benchImport(b, src)
			b.SetBytes(size)
			b.ReportAllocs()
			defer perRow(b, benchRows)()
			for b.Loop() {
				im.pieces(b, func(p piece) {
					if p.chunk != nil {
						p.chunk.free()
					}
				})
			}
		})
	}
}

// BenchmarkEncode parses, maps and writes JSON, on one goroutine.
func BenchmarkEncode(b *testing.B) {
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		b.Run(format, func(b *testing.B) {
			src, size := benchSource(b, format, "")
			im := benchImport(b, src)
			var all []piece
			im.pieces(b, func(p piece) { all = append(all, p) })
			b.SetBytes(size)
			b.ReportAllocs()
			defer perRow(b, benchRows)()
			for b.Loop() {
				for _, p := range all {
					e := im.encode(p)
					if e.err != nil || len(e.rejects) > 0 {
						b.Fatal(e.err, len(e.rejects))
					}
					im.reuse(e)
				}
			}
		})
	}
}

// BenchmarkPack fills batches from what was encoded, on one goroutine. Its
// rate is in bytes of measurements.
func BenchmarkPack(b *testing.B) {
	src, _ := benchSource(b, "csv", "")
	im := benchImport(b, src)
	var all []*encoded
	size := 0
	im.pieces(b, func(p piece) {
		if p.chunk != nil {
			p.chunk.holders.Store(math.MaxInt32 / 2) // never given back
		}
		e := im.encode(p)
		all = append(all, e)
		size += len(e.out.JSON)
	})
	b.SetBytes(int64(size))
	b.ReportAllocs()
	defer perRow(b, benchRows)()
	for b.Loop() {
		in, out := make(chan []*encoded), make(chan *parcel)
		go func() {
			defer close(in)
			for _, e := range all {
				again := *e // pack empties what it was given
				in <- []*encoded{&again}
			}
		}()
		go func() {
			defer close(out)
			if err := im.pack(b.Context(), in, out); err != nil {
				b.Error(err)
			}
		}()
		for p := range out {
			im.unpack(p)
			<-im.slots
		}
	}
}

// BenchmarkRun is everything together, but sent to and remembered by nobody.
func BenchmarkRun(b *testing.B) {
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		b.Run(format, func(b *testing.B) {
			src, size := benchSource(b, format, "")
			b.SetBytes(size)
			b.ReportAllocs()
			defer perRow(b, benchRows)()
			for b.Loop() {
				im := benchImport(b, src)
				if err := im.Run(b.Context()); err != nil || im.Mark.Counts.Accepted != benchRows {
					b.Fatal(err, im.Mark.Counts)
				}
			}
		})
	}
}
