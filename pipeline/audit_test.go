package pipeline

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

const auditMapping = `
version: 1
measurements:
  - {name: a, meter: {const: api}, account: account, ts: ts, uid: {column: id, hash: true}, measure: {n: n}}
  - {name: b, meter: {const: gb}, account: account, ts: ts, uid: {column: id, hash: true}, measure: {n: n}}
`

// What an audit finds is what a map of everything finds, wherever it spills: how
// many repeat, which conflict, and where both of them stand.
func TestAuditAgainstAMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(40, 41))
	for _, c := range []struct{ rows, ids, held int }{
		{400, 1_000_000, 100}, {400, 300, 50}, {900, 20, 100}, {900, 1, 64}, {300, 100, 1 << 20},
	} {
		var sources []checkpoint.Source
		type seen struct{ content, place string }
		first := map[string]seen{}
		var same, other int64
		var conflicts []string
		for k := range 3 {
			var text strings.Builder
			text.WriteString("id,account,ts,n,note\n")
			name := fmt.Sprintf("part-%d.csv", k)
			for i := range c.rows {
				id, n := fmt.Sprint(rnd.IntN(c.ids)), fmt.Sprint(rnd.IntN(2))
				fmt.Fprintf(&text, "%s,acme,2026-01-01T00:00:00Z,%s,\"two\nlines\"\n", id, n)
				now := seen{n, fmt.Sprintf("%s:%d", name, 2+2*i)}
				was, ok := first[id]
				switch {
				case !ok:
					first[id] = now
				case was.content == n:
					same += 2 // measurements
				default:
					other += 2
					conflicts = append(conflicts, fmt.Sprintf("%s has the uid of %s", now.place, was.place))
				}
			}
			sources = append(sources, writeFile(t, name, text.String()))
		}
		audit := &Audit{maxHeld: c.held, maxPlaces: 7}
		im := &Import{Sources: sources, Mapping: parse(t, auditMapping), Submit: audit, Journal: Forget{}, Uploads: 1, Limits: uploader.Limits{Items: 70}}
		if err := im.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		const show = 10
		got, err := audit.Repeats(show)
		if err != nil || got.Same != same || got.Other != other {
			t.Errorf("%+v: %d repeat and %d conflict, want %d and %d (error %v)", c, got.Same, got.Other, same, other, err)
		}
		var said []string
		uids := map[string]bool{}
		for _, r := range got.First {
			if r.UID == "" {
				t.Errorf("%+v: no uid in %+v", c, r)
			}
			uids[r.UID] = true
			if !r.Same {
				said = append(said, fmt.Sprintf("%s:%d has the uid of %s:%d", filepath.Base(r.Measurement.Source), r.Measurement.Line,
					filepath.Base(r.Earlier.Source), r.Earlier.Line))
			}
		}
		var want []string // both measurements of a row
		for _, text := range conflicts {
			want = append(want, text, text)
		}
		if want = want[:min(len(want), show)]; !slices.Equal(said, want) {
			t.Errorf("%+v: conflicts %q, want %q", c, said, want)
		}
		if len(got.First) != int(min(same+other, show)) || len(uids) < 2 && same+other > 0 {
			t.Errorf("%+v: %d are listed with %d uids, of %d", c, len(got.First), len(uids), same+other)
		}
		audit.Close()
	}
}

// The first of each uid is kept, and the others are counted, however many there
// are and whatever part was looked at before.
func TestMergerAgainstAMap(t *testing.T) {
	m := merger{show: 3}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5000).Draw(t, "entries")
		uids := rapid.SampledFrom([]uint64{1, 2, 700, 1 << 40}).Draw(t, "uids")
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		var r, want Repeats
		m.r = &r
		m.reset()
		first := map[[2]uint64]auditEntry{}
		for at := 0; at < n; {
			var block []auditEntry
			for range min(n-at, 1+rnd.IntN(1500)) {
				at++
				// Alike in the bits that the table goes by, and in all others.
				e := auditEntry{uid: [2]uint64{rnd.Uint64N(2), rnd.Uint64N(uids) << (4 * rnd.IntN(2))}, content: rnd.Uint64N(2), at: int64(at)}
				was, ok := first[e.uid]
				switch {
				case !ok:
					first[e.uid] = e
				case was.content == e.content:
					want.Same++
				default:
					want.Other++
				}
				block = append(block, e)
			}
			m.add(block)
		}
		if r.Same != want.Same || r.Other != want.Other || len(m.firsts) != len(first) {
			t.Fatalf("%d the same, %d others, %d uids; want %d, %d, %d", r.Same, r.Other, len(m.firsts), want.Same, want.Other, len(first))
		}
		for _, e := range m.firsts {
			if first[e.uid] != e {
				t.Fatalf("the first of %x is %d, want %d", e.uid, e.at, first[e.uid].at)
			}
		}
	})
}

// An input of few uids takes the memory of few uids.
func TestAuditOfFewUIDsIsSmall(t *testing.T) {
	audit := &Audit{maxHeld: 1 << 12}
	defer audit.Close()
	var batch uploader.Batch
	for i := range 1000 {
		if err := batch.Add(fmt.Appendf(nil, `{"uid":"%d","n":%d}`, i%3, i)); err != nil {
			t.Fatal(err)
		}
	}
	for range 60 {
		if _, err := audit.Submit(t.Context(), &batch); err != nil {
			t.Fatal(err)
		}
	}
	largest, spilled := 0, int64(0)
	m := merger{r: new(Repeats)}
	for i := range audit.parts {
		m.reset()
		if err := audit.parts[i].blocks(func(block []auditEntry) {
			m.add(block)
			largest = max(largest, cap(block)+cap(m.firsts)+len(m.table)/8)
		}); err != nil {
			t.Fatal(err)
		}
		spilled = max(spilled, audit.parts[i].spilled)
	}
	if spilled < 10*auditBlock {
		t.Fatalf("%d entries were spilled: the test is of no use", spilled)
	}
	if largest > 2*auditBlock {
		t.Errorf("room for %d entries is taken at once, of three uids", largest)
	}
}
