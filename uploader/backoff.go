package uploader

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	firstBackoff = 500 * time.Millisecond // the most that is waited before the first retry
	maxBackoff   = 30 * time.Second
	// maxRetryAfter only keeps arithmetic on times from overflowing.
	maxRetryAfter = 365 * 24 * time.Hour
)

// fullJitter is a random time of up to half a second, 1, 2, 4, … seconds, at
// most 30, for the n-th retry, counted from 0. Random over the whole span, since workers
// that failed together would otherwise come back together.
func fullJitter(n int) time.Duration {
	limit := maxBackoff
	if n < 6 {
		limit = firstBackoff << n
	}
	return randomUpTo(limit)
}

// backoff is how long to wait for the n-th retry when the server asked to wait
// for after, or did not say (0). What it asks for is exceeded by a little, for
// the same reason.
func backoff(n int, after time.Duration) time.Duration {
	if after > 0 {
		return after + randomUpTo(min(after/10, time.Second))
	}
	return fullJitter(n)
}

func randomUpTo(limit time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(limit) + 1))
}

// retryAfter is how long a server asks to wait: RFC 9110's Retry-After in
// seconds or as a date, or Retry-After-Ms, which goes first; 0 when it does
// not ask, or nothing that can be understood.
func retryAfter(h http.Header) time.Duration {
	if text := strings.TrimSpace(h.Get("Retry-After-Ms")); text != "" {
		if ms, err := strconv.ParseFloat(text, 64); err == nil {
			return boundedWait(ms / 1000)
		}
	}
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return boundedWait(seconds)
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	// The server's own clock is the one that the date was made with.
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return boundedWait(date.Sub(now).Seconds())
}

func boundedWait(seconds float64) time.Duration {
	if !(seconds > 0) { // also NaN
		return 0
	}
	if seconds > maxRetryAfter.Seconds() {
		return maxRetryAfter
	}
	return time.Duration(seconds * float64(time.Second))
}
