package pipeline

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/m3import/m3import/mapper"
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
}

// selector is a Selection, ready to use by many goroutines.
type selector struct {
	Selection
	uids map[string]bool
}

func newSelector(s *Selection) *selector {
	if s == nil {
		return nil
	}
	sel := &selector{Selection: *s}
	if len(s.UIDs) > 0 {
		sel.uids = make(map[string]bool, len(s.UIDs))
		for _, uid := range s.UIDs {
			sel.uids[uid] = true
		}
	}
	return sel
}

// row reports whether a row is in: line is where it starts, its measurements
// are those in out from first on.
func (s *selector) row(line int64, out *mapper.Output, first int) (bool, error) {
	if s.FirstLine > 0 && line < s.FirstLine || s.LastLine > 0 && line > s.LastLine {
		return false, nil
	}
	for i := first; i < len(out.Items); i++ {
		if ok, err := s.measurement(out.Measurement(i)); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (s *selector) measurement(text []byte) (bool, error) {
	var m struct {
		UID, Meter, Account string
		TS                  time.Time
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return false, fmt.Errorf("selection: %w", err)
	}
	return (s.From.IsZero() || !m.TS.Before(s.From)) && (s.To.IsZero() || m.TS.Before(s.To)) &&
		(len(s.Accounts) == 0 || slices.Contains(s.Accounts, m.Account)) &&
		(len(s.Meters) == 0 || slices.Contains(s.Meters, m.Meter)) &&
		(s.uids == nil || s.uids[m.UID]), nil
}
