package uploader

import "time"

// trips knows the least that a request takes to the server and its answer
// back, together.
type trips struct {
	least, before time.Duration // of this period, of the last one
	began         time.Time     // of the period
	mean          time.Duration // of the last some dozen
	seen          int
}

const (
	tripPeriod = 5 * time.Minute
	// surely is how many trips it takes to trust them.
	surely = 8
)

func (t *trips) add(now time.Time, d time.Duration) {
	if t.seen == 0 {
		t.least, t.before, t.began, t.mean = d, never, now, d
	}
	if now.Sub(t.began) > tripPeriod {
		t.before, t.least, t.began = t.least, d, now
	}
	t.least = min(t.least, d)
	t.mean += (d - t.mean) / 32
	t.seen++
}

// floor is what every trip takes, judged with care: the shortest of minutes,
// less half of what the usual one takes more. With trips that vary a lot it
// is nothing.
func (t *trips) floor() time.Duration {
	if !t.known() {
		return 0
	}
	least := min(t.least, t.before)
	return max(0, least-max(0, t.mean-least)/2)
}

func (t *trips) known() bool { return t.seen >= surely }
