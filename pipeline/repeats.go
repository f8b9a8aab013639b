package pipeline

import (
	"cmp"
	"runtime"
	"slices"
	"sort"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/m3import/m3import/mapper"
)

// Repeats is what an audit found.
type Repeats struct {
	// Same counts measurements that repeat an earlier one exactly, Other those
	// that carry its uid and differ from the first. The platform would ignore both.
	Same  int64 `json:"same_content"`
	Other int64 `json:"other_content"`
	// First are the first few of Other, then the first few of Same.
	First []Repeat `json:"first"`
}

// Repeat is a measurement with the uid of an earlier one.
type Repeat struct {
	UID         string `json:"uid,omitempty"` // "" when its row cannot be read again
	Same        bool   `json:"same_content"`
	Measurement Place  `json:"measurement"`
	Earlier     Place  `json:"earlier"` // the first with the uid

	later, first auditEntry
}

// Place is where a measurement stands in the input.
type Place struct {
	Source      string `json:"source"`         // its path
	Line        int64  `json:"line,omitempty"` // where its row starts, the row for Parquet; 0 when it cannot be read again
	Measurement int64  `json:"measurement"`    // its number among those of the input, from 1
}

// Repeats looks for repeated uids in all that was submitted; at most show of
// them are listed.
func (a *Audit) Repeats(show int) (Repeats, error) {
	var r Repeats
	var g errgroup.Group
	var next atomic.Int64
	of := make([]Repeats, runtime.GOMAXPROCS(0))
	for w := range of {
		g.Go(func() error {
			m := merger{r: &of[w], show: show}
			for i := next.Add(1) - 1; i < auditParts; i = next.Add(1) - 1 {
				m.reset()
				if err := a.parts[i].blocks(m.add); err != nil {
					return err
				}
			}
			of[w].keep(show)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return r, err
	}
	for _, one := range of {
		r.Same += one.Same
		r.Other += one.Other
		r.First = append(r.First, one.First...)
	}
	r.keep(show)
	for i := range r.First {
		one := &r.First[i]
		one.Earlier, _ = a.find(one.first.at)
		one.Measurement, one.UID = a.find(one.later.at)
	}
	return r, nil
}

// merger goes through the entries of a part, in the order of the input, and
// keeps the first of each uid.
type merger struct {
	r      *Repeats
	show   int
	firsts []auditEntry
	// table finds them, by their uid: 1 + an index into firsts, or 0. A place
	// that is taken leads on to the next one; never more than half are.
	table []uint32
}

// reset makes m ready for another part. A part that was far larger than the
// others leaves its memory to the collector.
func (m *merger) reset() {
	if len(m.table) > 8*max(len(m.firsts), minTable) {
		m.table, m.firsts = nil, nil
	}
	if m.table == nil {
		m.table = make([]uint32, minTable)
	}
	m.firsts = m.firsts[:0]
	clear(m.table)
}

// minTable is the least size of merger.table; a power of 2, as all sizes are.
const minTable = 1 << 10

// add counts what repeats in a block, and keeps what is new.
func (m *merger) add(block []auditEntry) {
	for i := range block {
		e := &block[i]
		place := m.find(e.uid)
		if nth := m.table[place]; nth > 0 {
			m.repeat(m.firsts[nth-1], *e)
			continue
		}
		m.firsts = append(m.firsts, *e)
		m.table[place] = uint32(len(m.firsts))
		if 2*len(m.firsts) >= len(m.table) {
			m.grow()
		}
	}
}

// find returns the place of a uid in the table: one that is taken by it, or a
// free one. The uids of a part share the first bits, so it goes by the others.
func (m *merger) find(uid [2]uint64) int {
	mask := len(m.table) - 1
	place := int(uid[1]) & mask
	for m.table[place] > 0 && m.firsts[m.table[place]-1].uid != uid {
		place = (place + 1) & mask
	}
	return place
}

// grow doubles the table.
func (m *merger) grow() {
	m.table = make([]uint32, 2*len(m.table))
	for i := range m.firsts {
		m.table[m.find(m.firsts[i].uid)] = uint32(i + 1)
	}
}

func (m *merger) repeat(first, later auditEntry) {
	same := first.content == later.content
	if same {
		m.r.Same++
	} else {
		m.r.Other++
	}
	m.r.First = append(m.r.First, Repeat{Same: same, first: first, later: later})
	if len(m.r.First) > 2*m.show+64 {
		m.r.keep(m.show)
	}
}

// keep keeps the first few of First: those that lose money before the others,
// and each in the order of the input.
func (r *Repeats) keep(n int) {
	slices.SortFunc(r.First, func(x, y Repeat) int {
		if x.Same != y.Same {
			if y.Same {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.later.at, y.later.at)
	})
	r.First = r.First[:min(len(r.First), n)]
}

// find gives the place and the uid of a measurement, by its number. Its row is
// read again for that, which a pipe or a file that has gone cannot do: then
// only its source is told.
func (a *Audit) find(at int64) (place Place, uid string) {
	after := sort.Search(len(a.places), func(i int) bool { return a.places[i].at > at })
	from := a.places[after-1]
	place = Place{Source: a.im.Sources[from.source].Path, Measurement: at}
	if place.Source == "-" {
		return place, ""
	}
	src, m, err := a.im.open(place.Source)
	if err != nil {
		return place, ""
	}
	defer src.Close()
	var out mapper.Output
	next := from.at
	for rec, err := range recordsFrom(src, from.row) {
		if err != nil {
			continue // a reject; any other error is the last
		}
		out.Reset()
		skip, err := m.Append(&out, rec)
		if err == nil && !skip {
			skip, err = a.im.admit(place.Source, &out, rec, extent{})
		}
		if err != nil || skip {
			continue // no measurement was made of it
		}
		if next += int64(len(out.Items)); next > at {
			place.Line = rec.Pos.Line
			return place, uidOf(out.Measurement(len(out.Items) - int(next-at)))
		}
	}
	return place, ""
}
