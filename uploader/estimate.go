package uploader

import "time"

// TimeFor is how long n requests take at the least under the windows: the last
// may go so long after the first. Request k may go when, for each window, the
// one that many requests before it is a span ago.
func TimeFor(rate []Window, n int64) time.Duration {
	rings := make([][]time.Duration, len(rate)) // when the last Requests requests went
	for i, w := range rate {
		rings[i] = make([]time.Duration, min(int64(w.Requests), n))
	}
	var at time.Duration
	for k := range n {
		for i, w := range rate {
			if k >= int64(w.Requests) {
				at = max(at, rings[i][k%int64(w.Requests)]+w.Per)
			}
		}
		for i, w := range rate {
			rings[i][k%int64(w.Requests)] = at
		}
	}
	return at
}
