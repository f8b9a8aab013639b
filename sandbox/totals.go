package sandbox

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/m3import/m3import/internal/decimal"
)

// Totals are what a sandbox holds and what it took to get there.
type Totals struct {
	// Measurements are the ones ingested: what is billed.
	Measurements int64 `json:"measurements"`
	// Submitted are the ones in requests that were answered "accepted":
	// Measurements, Duplicates, Conflicts and Failed.
	Submitted int64 `json:"submitted"`
	// UIDs are the distinct uids of the ones ingested.
	UIDs int64 `json:"uids"`
	// Duplicates came under a uid that had arrived with the same content,
	// Conflicts under one that had arrived with other content: a change that
	// the platform ignores. Content is the same when it says the same,
	// whatever the order of members, the escapes, the spelling of a number or
	// the time zone of a time.
	Duplicates int64 `json:"duplicates"`
	Conflicts  int64 `json:"conflicts"`
	// Failed did not pass the checks that come after "accepted"; there are
	// events about them, as there are about Duplicates and Conflicts.
	Failed int64 `json:"failed"`
	// LargestBody and LargestMeasurement are bytes; LargestBatch is the most
	// measurements in one request. All are of accepted requests.
	LargestBody        int `json:"largest_body"`
	LargestBatch       int `json:"largest_batch"`
	LargestMeasurement int `json:"largest_measurement"`
	// Requests are the answers given to platform requests, by operation
	// ("SubmitMeasurements", "GenerateToken", …; "" for paths that are none)
	// and HTTP status; status 0 are those that were given no answer.
	Requests map[string]map[int]int64 `json:"requests"`
	// Meters are the usage of all accounts, by meter code.
	Meters []Usage `json:"meters"`
	// Accounts are the usage by account code, then meter code.
	Accounts []Usage `json:"accounts"`
}

// Usage is the usage of a meter, by one account or by all.
type Usage struct {
	Account      string  `json:"account,omitempty"`
	Meter        string  `json:"meter"`
	Measurements int64   `json:"measurements"`
	Fields       []Field `json:"fields"` // by name
}

// Field is one numeric field of a meter.
type Field struct {
	Name  string `json:"field"` // category and code: "measure.gb"
	Count int64  `json:"count"` // measurements that have it
	Sum   string `json:"sum"`   // exact; plain decimal digits
}

// Totals returns the state of the sandbox. It is a copy.
func (s *Server) Totals() Totals {
	t := s.usage.totals()
	t.Requests = s.requests.clone()
	return t
}

func (u *usage) totals() Totals {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.counts
	t := Totals{
		Measurements: c.measurements, Submitted: c.submitted, UIDs: int64(len(u.uids)),
		Duplicates: c.duplicates, Conflicts: c.conflicts, Failed: c.failed,
		LargestBody: c.largestBody, LargestBatch: c.largestBatch, LargestMeasurement: c.largestMeasurement,
		Accounts: make([]Usage, 0, len(u.groups)),
	}
	meters := make(map[string]*group)
	for _, g := range u.groups {
		t.Accounts = append(t.Accounts, g.usage())
		all := meters[g.meter]
		if all == nil {
			all = &group{meter: g.meter, fields: make(map[string]*fieldSum)}
			meters[g.meter] = all
		}
		all.merge(g)
	}
	t.Meters = make([]Usage, 0, len(meters))
	for _, g := range meters {
		t.Meters = append(t.Meters, g.usage())
	}
	byCode := func(a, b Usage) int {
		return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Meter, b.Meter))
	}
	slices.SortFunc(t.Accounts, byCode)
	slices.SortFunc(t.Meters, byCode)
	return t
}

func (g *group) merge(o *group) {
	g.measurements += o.measurements
	for name, f := range o.fields {
		if g.fields[name] == nil {
			g.fields[name] = new(fieldSum)
		}
		g.fields[name].count += f.count
		g.fields[name].sum.Merge(&f.sum)
	}
}

func (g *group) usage() Usage {
	u := Usage{Account: g.account, Meter: g.meter, Measurements: g.measurements, Fields: make([]Field, 0, len(g.fields))}
	for name, f := range g.fields {
		u.Fields = append(u.Fields, Field{name, f.count, f.sum.String()})
	}
	slices.SortFunc(u.Fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return u
}

// Sum returns the exact sum of a field ("measure.gb") of a meter over all
// accounts, "0" when there is none.
func (t *Totals) Sum(meter, field string) string {
	var sum decimal.Sum
	for _, u := range t.Meters {
		for _, f := range u.Fields {
			if u.Meter == meter && f.Name == field {
				return f.Sum
			}
		}
	}
	return sum.String()
}

// Measurements returns the measurements held, in order of arrival, as they
// were when the loop began: the bytes that were sent, without a line break
// around them and with spaces for those within. They are not to be changed.
func (s *Server) Measurements() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, slab := range s.usage.snapshot() {
			for line := range bytes.Lines(slab) {
				if !yield(line[: len(line)-1 : len(line)-1]) {
					return
				}
			}
		}
	}
}
