//go:build slow

package uploader

import (
	"testing"
	"time"
)

// All the numbers of docs/rate-limits.md.
func TestGovernorReachesTheRateAtLength(t *testing.T) {
	for _, processes := range []int{0, 2, 3} {
		for _, requests := range []int{1_000, 5_000, 20_000, 200_000} {
			for _, workers := range []int{1, 8, 64} {
				for _, trip := range [][2]time.Duration{{5 * ms, 5 * ms}, {50 * ms, 60 * ms}, {500 * ms, 500 * ms}, {5 * ms, 500 * ms}} {
					tr := trial{requests: requests, processes: processes, workers: workers, least: trip[0], most: trip[1]}
					t.Run(tr.String(), tr.check)
				}
			}
		}
	}
}

func TestGovernorFindsALowerLimitAtLength(t *testing.T) {
	for _, real := range lowerLimits {
		for _, processes := range []int{0, 2} {
			for _, counts := range []bool{false, true} {
				for _, workers := range []int{8, 64} {
					for _, trip := range [][2]time.Duration{{20 * ms, 30 * ms}, {5 * ms, 500 * ms}} {
						tr := trial{
							requests: 19_000, processes: processes, workers: workers, least: trip[0], most: trip[1],
							real: real, counts: counts,
						}
						t.Run(tr.String(), tr.checkLower)
					}
				}
			}
		}
	}
}
