package pipeline

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// glance is a Journal that compares the share of the bytes that are done with
// that of the rows, each time that something has become durable.
type glance struct {
	memory
	im    *Import
	total int64
	far   float64 // the most that they differ by
	looks int
}

func (g *glance) Commit(m checkpoint.Mark) error {
	if s := g.im.Status(); s.Counts.Read > 0 && len(g.marks) > 0 {
		done := float64(s.BytesDone) / float64(s.BytesTotal)
		g.far = max(g.far, math.Abs(done-float64(s.Counts.Read)/float64(g.total)))
		g.looks++
	}
	return g.memory.Commit(m)
}

// The share that is done is that of the rows that are settled: not of what was
// read ahead, of one chunk as of many, and also after a resume.
func TestProgressIsOfWhatIsSettled(t *testing.T) {
	const rows = 4000
	text := usage(rows, rand.New(rand.NewPCG(50, 51)))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(text))
	z.Close()
	for _, c := range []struct {
		name  string
		text  string
		chunk int
		far   float64
	}{{"one.csv", text, 1 << 20, 0.03}, {"many.csv", text, 10_000, 0.03}, {"packed.csv.gz", packed.String(), 1 << 20, 0.03}} {
		src := writeFile(t, c.name, c.text)
		var mark checkpoint.Mark
		for _, stopAt := range []int{150, math.MaxInt} {
			ctx, stop := context.WithCancel(t.Context())
			p := &platform{before: func(n int) error {
				if n == stopAt {
					stop()
				}
				return nil
			}}
			g := &glance{total: rows}
			g.im = &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: g, Mark: mark,
				Limits: uploader.Limits{Items: 10}, Reader: reader.Options{ChunkBytes: c.chunk}, Uploads: 2}
			err := g.im.Run(ctx)
			stop()
			if err != nil && !errors.Is(err, ErrStopped) {
				t.Fatal(err)
			}
			s := g.im.Status()
			before := float64(mark.Counts.Read) / rows
			if got := float64(s.BytesBefore) / float64(s.BytesTotal); math.Abs(got-before) > c.far && c.name != "packed.csv.gz" {
				t.Errorf("%s: the run began at %.2f of the bytes and %.2f of the rows", c.name, got, before)
			}
			if g.looks < 5 || (mark.Counts.Read == 0 || c.name != "packed.csv.gz") && g.far > c.far {
				t.Errorf("%s: the shares of bytes and rows differ by up to %.3f in %d looks", c.name, g.far, g.looks)
			}
			if mark = g.im.Mark; err == nil && s.BytesDone != s.BytesTotal {
				t.Errorf("%s: %d of %d bytes are done at the end", c.name, s.BytesDone, s.BytesTotal)
			}
		}
	}
}
