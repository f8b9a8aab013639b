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
			for i := next.Add(1) - 1; i < auditParts; i = next.Add(1) - 1 {
				m := merger{r: &of[w], show: show, minBlock: cmp.Or(a.minBlock, auditBlock)}
				if err := a.parts[i].blocks(m.room, m.add); err != nil {
					return err
				}
				of[w].keep(show)
			}
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

// merger goes through the entries of a part, and keeps the first of each uid.
type merger struct {
	r        *Repeats
	show     int
	minBlock int
	firsts   []auditEntry // sorted by uid
}

// room is how many entries the next block may have. Each is at least as large
// as what it is merged into, so that no entry is moved more often than the
// logarithm of their number.
func (m *merger) room() int { return max(m.minBlock, len(m.firsts)) }

// add counts what repeats in a block, and keeps what is new.
func (m *merger) add(block []auditEntry) {
	slices.SortFunc(block, func(x, y auditEntry) int {
		if x.uid == y.uid {
			return cmp.Compare(x.at, y.at)
		}
		return compareUIDs(&x, &y)
	})
	fresh, old := 0, 0 // block[:fresh] is new; m.firsts[:old] is behind us
	for i := range block {
		e := block[i]
		for old < len(m.firsts) && compareUIDs(&m.firsts[old], &e) < 0 {
			old++
		}
		switch {
		case old < len(m.firsts) && m.firsts[old].uid == e.uid:
			m.repeat(m.firsts[old], e)
		case fresh > 0 && block[fresh-1].uid == e.uid:
			m.repeat(block[fresh-1], e)
		default:
			block[fresh] = e
			fresh++
		}
	}
	// The two sorted lists become one, from the back, so that it takes no third.
	i, j := len(m.firsts)-1, fresh-1
	m.firsts = slices.Grow(m.firsts, fresh)[:len(m.firsts)+fresh]
	for k := len(m.firsts) - 1; j >= 0; k-- {
		if i >= 0 && compareUIDs(&m.firsts[i], &block[j]) > 0 {
			m.firsts[k] = m.firsts[i]
			i--
		} else {
			m.firsts[k] = block[j]
			j--
		}
	}
}

func compareUIDs(x, y *auditEntry) int {
	if x.uid[0] != y.uid[0] { // nearly always
		if x.uid[0] < y.uid[0] {
			return -1
		}
		return 1
	}
	return cmp.Compare(x.uid[1], y.uid[1])
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
