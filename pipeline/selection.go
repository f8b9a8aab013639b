package pipeline

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
)

// Selection picks rows by what their measurements say: a row is in when one of
// its measurements fits every part that is set. The zero value is no selection.
type Selection struct {
	// From and To bound the event time: From is in, To is not.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Accounts, Meters and UIDs are lists of which one must fit.
	Accounts []string `json:"accounts,omitempty"`
	Meters   []string `json:"meters,omitempty"`
	UIDs     []string `json:"uids,omitempty"`
	// FirstLine and LastLine bound where a row starts in its source, both in;
	// lines as messages give them, rows for Parquet.
	FirstLine int64 `json:"first_line,omitempty"`
	LastLine  int64 `json:"last_line,omitempty"`
	// Without are rows that are out, whatever else fits. They are told by where
	// they stand, as rows that share a uid can have had different fates.
	Without []Origin `json:"without,omitempty"`
}

// Origin is where a row first stood, as its reject says: a row that is read from
// a reject file has the place of the source that it came from.
type Origin struct {
	Path   string `json:"path"`   // the source as it was opened
	Offset int64  `json:"offset"` // where the row starts, as the reader counts
}

// originOf is the origin of a row that is read from the path.
func originOf(path string, rec *reader.Record) Origin {
	r := Reject{Path: path, Offset: rec.Pos.Offset}
	r.origin(rec.Values)
	return Origin{r.Path, r.Offset}
}

// IsZero reports whether nothing is set, and all rows are in.
func (s *Selection) IsZero() bool { return !s.picks() && len(s.Without) == 0 }

// picks reports whether rows have to fit something, and not only to keep clear
// of Without. Then a row that cannot be mapped is none that was picked.
func (s *Selection) picks() bool {
	return !s.From.IsZero() || !s.To.IsZero() || len(s.Accounts)+len(s.Meters)+len(s.UIDs) > 0 || s.FirstLine > 0 || s.LastLine > 0
}

// selector is a Selection, ready to use by many goroutines.
type selector struct {
	Selection
	uids     wishes
	accounts wishes
	meters   wishes
	without  map[Origin]bool // nil for none
}

func newSelector(s *Selection) *selector {
	if s == nil {
		return nil
	}
	return &selector{Selection: *s, uids: wishesFor(s.UIDs), accounts: wishesFor(s.Accounts), meters: wishesFor(s.Meters), without: setOf(s.Without)}
}

// wishes are a list of which one must fit; nil is no such list. Each is set when
// it has fitted.
type wishes map[string]*atomic.Bool

func wishesFor(list []string) wishes {
	if len(list) == 0 {
		return nil
	}
	w := make(wishes, len(list))
	for _, one := range list {
		w[one] = new(atomic.Bool)
	}
	return w
}

// take reports whether one fits, and what to set when it counts.
func (w wishes) take(one string) (met *atomic.Bool, ok bool) {
	met, ok = w[one]
	return met, ok || w == nil
}

// Unmatched are the parts of Select's lists that no row has fitted which this
// Run read, in the order of the lists. They are final when Run has returned nil.
func (im *Import) Unmatched() (uids, accounts, meters []string) {
	s := im.selector
	if s == nil {
		return nil, nil, nil
	}
	left := func(list []string, w wishes) (none []string) {
		for _, one := range list {
			if !w[one].Load() {
				none = append(none, one)
			}
		}
		return none
	}
	return left(s.UIDs, s.uids), left(s.Accounts, s.accounts), left(s.Meters, s.meters)
}

// setOf is nil for an empty list.
func setOf(list []Origin) map[Origin]bool {
	if len(list) == 0 {
		return nil
	}
	set := make(map[Origin]bool, len(list))
	for _, one := range list {
		set[one] = true
	}
	return set
}

// onlyPicked reports whether rows that cannot be mapped are none to reject.
func (s *selector) onlyPicked() bool { return s != nil && s.picks() }

// row reports whether a row that is read from the path is in: its measurements
// are those in out from first on.
func (s *selector) row(path string, rec *reader.Record, out *mapper.Output, first int) (bool, error) {
	if line := rec.Pos.Line; s.FirstLine > 0 && line < s.FirstLine || s.LastLine > 0 && line > s.LastLine {
		return false, nil
	}
	if s.without != nil && s.without[originOf(path, rec)] {
		return false, nil
	}
	if !s.picks() {
		return true, nil
	}
	in := false
	for i := first; i < len(out.Items); i++ { // all of them, for what is told of uids that no row has
		ok, err := s.measurement(out.Measurement(i))
		if err != nil {
			return false, err
		}
		in = in || ok
	}
	return in, nil
}

func (s *selector) measurement(text []byte) (bool, error) {
	var m struct {
		UID, Meter, Account string
		TS                  time.Time
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return false, fmt.Errorf("selection: %w", err)
	}
	if !s.From.IsZero() && m.TS.Before(s.From) || !s.To.IsZero() && !m.TS.Before(s.To) {
		return false, nil
	}
	uid, okUID := s.uids.take(m.UID)
	account, okAccount := s.accounts.take(m.Account)
	meter, okMeter := s.meters.take(m.Meter)
	if !okUID || !okAccount || !okMeter {
		return false, nil
	}
	for _, met := range []*atomic.Bool{uid, account, meter} {
		if met != nil && !met.Load() {
			met.Store(true)
		}
	}
	return true, nil
}
