package pipeline

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/mapper"
)

// MaxTotals is how many pairs of meter and field an import may sum. An
// organization has some hundred meters; far more of them mean that the mapping
// takes the meter from the wrong column, and every mark carries them all.
const MaxTotals = 10_000

// total is the sum of one meter's field over the measurements of a parcel.
type total struct {
	key   mapper.Key
	sum   decimal.Sum
	count int64
}

// ledger gives each pair of meter and field a number, and finds its total in
// the parcel at hand without a map: slot[key] is the place in parcel.totals,
// and good when stamp[key] is the current parcel's.
type ledger struct {
	keys  []mapper.Key
	index map[mapper.Key]int
	slot  []int
	stamp []int64
	now   int64
}

func (l *ledger) init() { l.index = make(map[mapper.Key]int) }

// next begins a parcel.
func (l *ledger) next() { l.now++ }

// intern appends to dst the numbers of keys.
func (l *ledger) intern(dst []int, keys []mapper.Key) ([]int, error) {
	for _, k := range keys {
		n, ok := l.index[k]
		if !ok {
			if n = len(l.keys); n == MaxTotals {
				return dst, fmt.Errorf("more than %d pairs of meter and field (the last: meter %q, %s.%s): is the meter taken from the right column?",
					MaxTotals, k.Meter, k.Category, k.Field)
			}
			l.index[k] = n
			l.keys = append(l.keys, k)
			l.slot = append(l.slot, 0)
			l.stamp = append(l.stamp, 0)
		}
		dst = append(dst, n)
	}
	return dst, nil
}

// add adds an amount to the parcel's totals.
func (l *ledger) add(p *parcel, key int, v decimal.Decimal) {
	if l.stamp[key] != l.now {
		l.stamp[key] = l.now
		l.slot[key] = len(p.totals)
		p.totals = append(p.totals, total{key: l.keys[key]})
	}
	t := &p.totals[l.slot[key]]
	t.sum.Add(v)
	t.count++
}

// sums are the totals of a whole import, as commit adds them up.
type sums struct {
	byKey map[mapper.Key]*total
	dirty bool
	list  []checkpoint.Total // sorted; rebuilt when dirty
}

// load takes up the totals of a mark.
func (s *sums) load(totals []checkpoint.Total) error {
	s.byKey = make(map[mapper.Key]*total, len(totals))
	s.dirty = true
	for _, t := range totals {
		sum, err := decimal.ParseSum(t.Sum)
		if err != nil {
			return fmt.Errorf("mark: total of meter %q, %s.%s: %w", t.Meter, t.Category, t.Field, err)
		}
		s.byKey[mapper.Key{Meter: t.Meter, Category: t.Category, Field: t.Field}] = &total{sum: sum, count: t.Count}
	}
	return nil
}

// add takes in what one parcel summed.
func (s *sums) add(t *total) {
	have := s.byKey[t.key]
	if have == nil {
		have = &total{key: t.key}
		s.byKey[t.key] = have
	}
	have.sum.Merge(&t.sum)
	have.count += t.count
	s.dirty = true
}

// totals are the sums, sorted by meter, category and field.
func (s *sums) totals() []checkpoint.Total {
	if !s.dirty {
		return s.list
	}
	list := make([]checkpoint.Total, 0, len(s.byKey))
	for k, t := range s.byKey {
		if t.count == 0 {
			continue // all that it held was refused
		}
		list = append(list, checkpoint.Total{Meter: k.Meter, Category: k.Category, Field: k.Field, Sum: t.sum.String(), Count: t.count})
	}
	slices.SortFunc(list, func(a, b checkpoint.Total) int {
		return cmp.Or(cmp.Compare(a.Meter, b.Meter), cmp.Compare(a.Category, b.Category), cmp.Compare(a.Field, b.Field))
	})
	s.list, s.dirty = list, false
	return list
}
