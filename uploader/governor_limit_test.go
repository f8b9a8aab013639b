package uploader

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lowerLimits are real limits where DefaultRate is told. In the last one both
// windows are a fifth.
var lowerLimits = [][]Window{
	{{2500, 5 * time.Minute}, {50, time.Second}},
	{{4500, 5 * time.Minute}, {50, time.Second}},
	{{5000, 5 * time.Minute}, {30, time.Second}},
	{{1000, 5 * time.Minute}, {10, time.Second}},
}

func (tr trial) checkLower(t *testing.T) {
	out := tr.run(t)
	t.Logf("%.4f of the best, %d refused, per process %v", tr.share(out), out.refused, out.done)
	share := 0.9
	if tr.real[0].Requests == 1000 {
		share = 0.8 // two limits to find, both a fifth
	}
	if out.refused*100 >= tr.requests {
		t.Errorf("%d of %d refused, want less than 1 %%", out.refused, tr.requests)
	}
	if tr.share(out) < share {
		t.Errorf("%.4f of the best, want %.2f", tr.share(out), share)
	}
}

func TestGovernorFindsALowerLimit(t *testing.T) {
	for i, real := range lowerLimits {
		if i > 0 && raced {
			continue
		}
		tr := trial{requests: 19_000, processes: i % 3, workers: 16, least: 20 * ms, most: 30 * ms, real: real, counts: i%2 == 1}
		t.Run(tr.String(), tr.checkLower)
	}
}

// The client says that it goes slower than it was told, as long as it does.
func TestPacingNoteTellsOfALowerLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := newMemShelf().process()
		c := &Client{pace: on.pacer("org", DefaultRate())}
		visit(t, c.pace, on, &rollingLimiter{}, 8, 100)
		if note := c.PacingNote(); note != "" {
			t.Errorf("a note without reason: %q", note)
		}
		visit(t, c.pace, on, &rollingLimiter{windows: []Window{{10, time.Second}}}, 8, 300)
		if note := c.PacingNote(); !strings.Contains(note, "fewer requests than the rate limit says, ") || !strings.HasSuffix(note, "/s instead of 50/s") {
			t.Errorf("note %q", note)
		}
		time.Sleep(24 * time.Hour)
		if note := c.PacingNote(); note != "" {
			t.Errorf("a day later: %q", note)
		}
	})
}

// A window that is never full does not show that it may hold more: what was
// found about it is not exceeded by more than one step, however long that is
// ago, until that is a matter of yesterday.
func TestFindingIsExceededOnlyWhenItIsUsed(t *testing.T) {
	f := finding{per: time.Second}
	start := instant(time.Hour)
	f.believe(start, 10, 50)
	for _, c := range []struct {
		after   time.Duration
		reached int
		want    int
	}{
		{0, 10, 10},
		{shortestPause, 10, 11},
		{time.Hour, 10, 11},
		{time.Hour, 3, 11},
		{time.Hour, 11, 13},
		{shortestPause, 11, 11},
		{time.Hour, 13, 17},
		{time.Hour, 40, 50},
		{staleAfter, 3, 50},
	} {
		f.reached = c.reached
		if got := f.budget(start.add(c.after), 50); got != c.want {
			t.Errorf("%s later, having reached %d: %d, want %d", c.after, c.reached, got, c.want)
		}
	}
}

// For half a minute everything is refused, without a word of how long: from
// the tenth request on, or in the middle of a long import.
func TestGovernorOutlivesAStorm(t *testing.T) {
	const storm = 30 * time.Second
	for _, processes := range []int{1, 2} {
		for _, begins := range []time.Duration{0, 20 * time.Second, 6 * time.Minute} {
			if begins > 0 && raced {
				continue
			}
			t.Run(fmt.Sprintf("%d processes, from %s", processes, begins), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server := &rollingLimiter{windows: DefaultRate()}
					var mu sync.Mutex
					var since time.Time
					begun := time.Now()
					probes := 0
					var passed []time.Duration // after the storm
					arrive := func() bool {
						mu.Lock()
						defer mu.Unlock()
						if since.IsZero() && len(server.counted) >= 10 && time.Since(begun) >= begins {
							since = time.Now()
						}
						switch in := time.Since(since); {
						case since.IsZero():
						case in < storm:
							if in > time.Second/2 {
								probes++
							}
							return false
						default:
							passed = append(passed, in-storm)
						}
						return server.arrive()
					}
					goesOn := func() bool {
						mu.Lock()
						defer mu.Unlock()
						return since.IsZero() || time.Since(since) < storm+5*time.Minute
					}
					shelf := newMemShelf()
					var wg sync.WaitGroup
					for range processes {
						p := shelf.process().pacer("org", DefaultRate())
						for range 16 {
							wg.Go(func() {
								for goesOn() {
									permit, err := p.acquire(t.Context(), time.Hour)
									if err != nil {
										t.Error(err)
										return
									}
									time.Sleep(10 * time.Millisecond)
									ok := arrive()
									time.Sleep(10 * time.Millisecond)
									if ok {
										p.over(permit, true)
									} else {
										p.throttled(permit, 0)
									}
								}
							})
						}
					}
					wg.Wait()
					if server.refused > 0 {
						t.Errorf("%d refused besides the storm", server.refused)
					}
					if probes > 30 || probes < 25 {
						t.Errorf("%d probes in %s, want at most one a second, and hardly less", probes, storm)
					}
					// The first finds the storm over a second and a trip after
					// its end at the latest, two more trips open the gate.
					if len(passed) < 50 || passed[10] > time.Second+200*time.Millisecond {
						t.Fatalf("%d passed after the storm: %v", len(passed), passed[:min(len(passed), 12)])
					}
					rest := len(passed)
					t.Logf("%d probes; passed 1st after %s, 50th after %s, %d in five minutes", probes, passed[0], passed[49], rest)
					if rest < 4900 {
						t.Errorf("%d requests in the five minutes after, want full rate", rest)
					}
				})
			})
		}
	}
}
