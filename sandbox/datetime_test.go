package sandbox

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestParseDateTime compares with package time, which counts days another way.
func TestParseDateTime(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(r, name) }
		zone := "Z"
		if rapid.Bool().Draw(r, "offset") {
			zone = fmt.Sprintf("%s%02d:%02d", rapid.SampledFrom([]string{"+", "-"}).Draw(r, "sign"), n("hours", 0, 24), n("minutes", 0, 60))
		}
		text := fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d%s%s", n("year", 0, 9999), n("month", 0, 13), n("day", 0, 32),
			n("hour", 0, 24), n("minute", 0, 60), n("second", 0, 60), rapid.StringMatching(`(\.[0-9]{1,9})?`).Draw(r, "fraction"), zone)
		got, ok := parseDateTime([]byte(text))
		want, err := time.Parse(time.RFC3339, text)
		valid := err == nil && !strings.HasSuffix(text, ":60") && !strings.Contains(zone, "24:") // of an offset, which time lets pass
		if ok != valid {
			r.Fatalf("%s: valid %v, package time says %v", text, ok, err)
		}
		if nanos := strings.TrimRight(fmt.Sprintf("%09d", want.Nanosecond()), "0"); ok && (got.seconds != want.Unix() || string(got.fraction) != nanos) {
			r.Fatalf("%s: got %d.%s, want %d.%s", text, got.seconds, got.fraction, want.Unix(), nanos)
		}
	})
}
