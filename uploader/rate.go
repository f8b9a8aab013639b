package uploader

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Window is a rolling limit: in no span of time of length Per are there more
// than Requests requests.
type Window struct {
	Requests int           `json:"requests"`
	Per      time.Duration `json:"per"`
}

// String gives the window in the form that ParseRate reads: "5000/5m".
func (w Window) String() string {
	for _, unit := range []struct {
		name string
		per  time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		switch {
		case w.Per == unit.per:
			return fmt.Sprintf("%d/%s", w.Requests, unit.name)
		case w.Per > 0 && w.Per%unit.per == 0:
			return fmt.Sprintf("%d/%d%s", w.Requests, w.Per/unit.per, unit.name)
		}
	}
	return fmt.Sprintf("%d/%s", w.Requests, w.Per)
}

// DefaultRate is what m3ter's Ingest API takes: 5,000 requests per source
// address in any five minutes, 50 per organization in any second.
func DefaultRate() []Window {
	return []Window{{5000, 5 * time.Minute}, {50, time.Second}}
}

// The largest window. A pacer keeps a time for each request of its windows, so
// a mistyped number would otherwise be gigabytes.
const (
	maxWindowRequests = 1_000_000
	maxWindowPer      = 24 * time.Hour
)

// ParseRate reads a rate as people write it: windows separated by commas, all
// of which hold, each a number of requests, a slash and a span of time
// ("5000/5m,50/s"); or "none" for no limit, which gives an empty, non-nil
// slice. The span is a Go duration, or a unit alone.
func ParseRate(text string) ([]Window, error) {
	if strings.TrimSpace(text) == "none" {
		return []Window{}, nil
	}
	var windows []Window
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "none" {
			return nil, fmt.Errorf("rate %q: none means no limit, and cannot stand beside others", text)
		}
		count, span, ok := strings.Cut(part, "/")
		if !ok {
			return nil, fmt.Errorf(`rate %q: %q is not requests/time, such as 50/s or 5000/5m; "none" is no limit`, text, part)
		}
		requests, err := strconv.Atoi(strings.TrimSpace(count))
		if err != nil || requests < 1 || requests > maxWindowRequests {
			return nil, fmt.Errorf("rate %q: %q is not a number of requests from 1 to %d", text, count, maxWindowRequests)
		}
		span = strings.TrimSpace(span)
		per, err := time.ParseDuration(span)
		if err != nil {
			per, err = time.ParseDuration("1" + span) // a unit alone
		}
		if err != nil || per < time.Millisecond || per > maxWindowPer {
			return nil, fmt.Errorf("rate %q: %q is not a span of time from 1ms to 24h, such as s, 5m or 1h", text, span)
		}
		windows = append(windows, Window{requests, per})
	}
	return windows, nil
}

func checkRate(rate []Window) error {
	for _, w := range rate {
		if w.Requests < 1 || w.Requests > maxWindowRequests || w.Per < time.Millisecond || w.Per > maxWindowPer {
			return fmt.Errorf("rate %s: a window has 1 to %d requests and lasts 1ms to 24h", w, maxWindowRequests)
		}
	}
	return nil
}
