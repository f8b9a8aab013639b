package uploader

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// visit is n requests of one worker each, all at once as far as p lets them;
// it stops early when the process of p is dead.
func visit(t *testing.T, p *pacer, on *memProcess, server *rollingLimiter, workers, n int) {
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for k := w; k < n; k += workers {
				permit, err := p.acquire(t.Context(), 100*time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				if on.isDead() {
					return
				}
				time.Sleep(5 * ms)
				ok := server.arrive()
				time.Sleep(5 * ms)
				if on.isDead() {
					return
				}
				if ok {
					p.over(permit, true)
				} else {
					p.throttled(permit, 0)
				}
			}
		})
	}
	wg.Wait()
}

func (p *memProcess) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// A process dies with requests under way, and the next one begins at once: the
// windows are what they were.
func TestGovernorOutlivesItsProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &rollingLimiter{windows: DefaultRate()}
		shelf := newMemShelf()
		start := time.Now()
		for run := range 8 {
			on := shelf.process()
			time.AfterFunc(time.Duration(13+run)*time.Second, on.kill)
			visit(t, on.pacer("org", DefaultRate()), on, server, 32, 1200)
		}
		took := time.Since(start)
		if server.refused > 0 {
			t.Errorf("%d refused", server.refused)
		}
		if n := len(server.counted); n < 4900 || took < 99*time.Second || took > 330*time.Second {
			t.Errorf("%d requests in %s, want a full window, and 50 a second until it is", n, took)
		}
	})
}

// The requests that a dead process had under way hold nobody up for long.
func TestGovernorOutlivesItsNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &rollingLimiter{windows: DefaultRate()}
		shelf := newMemShelf()
		for range 40 {
			dead := shelf.process()
			p := dead.pacer("org", DefaultRate())
			if _, err := p.acquire(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
			if len(shelf.seats) < 10 {
				continue // these live, and are slow
			}
			dead.kill()
		}
		start := time.Now()
		on := shelf.process()
		visit(t, on.pacer("org", DefaultRate()), on, server, 8, 1000)
		// 9 of the 50 a second are taken.
		if took := time.Since(start); server.refused > 0 || took > 26*time.Second || took < 23*time.Second {
			t.Errorf("%d refused, took %s, want 25 s", server.refused, took)
		}
		start = time.Now()
		neighbour := shelf.process()
		time.AfterFunc(2*time.Second, shelf.killAll)
		_, _ = neighbour.pacer("org", DefaultRate()).acquire(t.Context(), time.Hour)
		visit(t, on.pacer("org", DefaultRate()), on, server, 8, 1000)
		if took := time.Since(start); server.refused > 0 || took > 23*time.Second {
			t.Errorf("after their death: %d refused, took %s, want 21 s", server.refused, took)
		}
	})
}

// kill -9 at every byte that is written, more or less.
func TestGovernorKilledWhileItWrites(t *testing.T) {
	made := 0
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 4))
			windows := []Window{{300, 5 * time.Minute}, {50, time.Second}}
			server := &rollingLimiter{windows: windows}
			shelf := newMemShelf()
			for range 6 {
				on := shelf.process()
				on.writes = 1 + rng.IntN(400_000)
				visit(t, on.pacer("org", windows), on, server, 8, 100)
				on.kill()
			}
			if server.refused > 0 {
				t.Errorf("seed %d: %d refused of %d", seed, server.refused, len(server.counted))
			}
			made += len(server.counted)
		})
	}
	if made < 1500 {
		t.Errorf("%d requests altogether: too few to prove anything", made)
	}
}

// The wall clock is set while imports run, and between them.
func TestGovernorClockIsSet(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 400 * 24 * time.Hour, -400 * 24 * time.Hour, 3 * time.Second, -3 * time.Second} {
		t.Run(jump.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				windows := []Window{{1000, 5 * time.Minute}, {10, time.Second}}
				server := &rollingLimiter{windows: windows}
				shelf := newMemShelf()
				start, set := time.Now(), time.Duration(0)
				var mu sync.Mutex
				wall := func() time.Time {
					mu.Lock()
					defer mu.Unlock()
					return time.Now().Add(set)
				}
				change := func() {
					mu.Lock()
					set += jump
					mu.Unlock()
				}
				time.AfterFunc(10*time.Second, change)
				time.AfterFunc(50*time.Second, change)
				time.AfterFunc(200*time.Second, change)
				var wg sync.WaitGroup
				for range 2 {
					on := shelf.process()
					p := on.pacer("org", windows)
					p.clock.wall = wall
					wg.Go(func() { visit(t, p, on, server, 8, 600) })
				}
				wg.Wait()
				if took := time.Since(start); server.refused > 0 || took > 330*time.Second {
					t.Errorf("set while running: %d refused, took %s, want none and little more than 320 s", server.refused, took)
				}

				// Between two runs nobody sees it. The server's word is needed
				// when it was set forward; nothing waits longer than a window.
				shelf.killAll()
				change()
				before, on := time.Now(), shelf.process()
				p := on.pacer("org", windows)
				p.clock.wall = wall
				visit(t, p, on, server, 8, 100)
				took := time.Since(before)
				if took > 5*time.Minute+15*time.Second {
					t.Errorf("set between runs: the next 100 requests took %s", took)
				}
				if jump < 0 && server.refused > 0 || server.refused > 100 {
					t.Errorf("set between runs: %d refused", server.refused)
				}
			})
		})
	}
}

func (s *memShelf) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = nil
	clear(s.seats)
}

// What cannot be read is taken for evenly used: requests go on, without a
// burst, and nobody fails.
func TestGovernorDamagedFile(t *testing.T) {
	for _, damage := range []struct {
		name string
		do   func(content []byte) []byte
		note bool
	}{
		{"empty", func([]byte) []byte { return nil }, false},
		{"zeros", func(c []byte) []byte { return make([]byte, len(c)) }, true},
		{"cut", func(c []byte) []byte { return c[:100] }, true},
		{"text", func([]byte) []byte { return []byte(strings.Repeat("no such thing\n", 1000)) }, true},
		{"a flipped bit in both heads", func(c []byte) []byte { c[500] ^= 4; c[headSize+500] ^= 4; return c }, true},
		{"entries lost", func(c []byte) []byte { clear(c[2*headSize:]); return c }, true},
		{"entries cut off", func(c []byte) []byte { return c[:2*headSize+8] }, true},
	} {
		t.Run(damage.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &rollingLimiter{windows: DefaultRate()}
				shelf := newMemShelf()
				first := shelf.process()
				visit(t, first.pacer("org", DefaultRate()), first, server, 8, 1000)
				first.kill()
				for _, f := range shelf.files {
					f.content = damage.do(f.content)
				}
				second := shelf.process()
				p := second.pacer("org", DefaultRate())
				start := time.Now()
				visit(t, p, second, server, 8, 1000)
				took := time.Since(start)
				if note := p.note(); strings.Contains(note, "damaged") != damage.note {
					t.Errorf("note %q", note)
				}
				if damage.note && (took < 40*time.Second || took > 65*time.Second) {
					t.Errorf("1000 requests took %s, want about a minute: no burst, no standstill", took)
				}
				if server.refused > 2 && damage.name != "empty" {
					t.Errorf("%d refused", server.refused)
				}
			})
		})
	}
}

// Any content of the files is good for a pacer that works.
func FuzzSheet(f *testing.F) {
	f.Add([]byte{}, 0, uint64(1))
	f.Add([]byte("m3i-gov2"), 8, uint64(7))
	f.Fuzz(func(t *testing.T, junk []byte, at int, seed uint64) {
		synctest.Test(t, func(t *testing.T) {
			windows := []Window{{20, time.Minute}, {5, time.Second}}
			shelf := newMemShelf()
			first := shelf.process()
			visit(t, first.pacer("org", windows), first, &rollingLimiter{}, 2, 10)
			first.kill()
			rng := rand.New(rand.NewPCG(seed, 1))
			for _, f := range shelf.files {
				at := max(0, at) % (len(f.content) + 1)
				n := copy(f.content[at:], junk)
				if rng.IntN(2) == 0 {
					f.content = f.content[:at+n]
				}
				// A sound head with any numbers in it.
				if rng.IntN(2) == 0 && len(f.content) >= headSize && at > prefix && at < headSize {
					copy(f.content, magic)
					sum := checksum(f.content[:headSize])
					for i := range 8 {
						f.content[len(magic)+8+i] = byte(sum >> (8 * i))
					}
				}
			}
			second := shelf.process()
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
			defer cancel()
			p := second.pacer("org", windows)
			for range 3 {
				permit, err := p.acquire(ctx, time.Hour)
				if err != nil {
					return // a gate that says so is sound, if strange
				}
				p.over(permit, true)
			}
			if took := time.Since(start); took > 2*time.Hour {
				t.Errorf("took %s", took)
			}
		})
	})
}

// Trouble with the files is a note, not an error: the pacer goes on alone, and
// shares again later.
func TestGovernorAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &rollingLimiter{windows: DefaultRate()}
		shelf := newMemShelf()
		on := shelf.process()
		p := on.pacer("org", DefaultRate())
		visit(t, p, on, server, 8, 100)
		full := errors.New("no space left on device")
		on.broken = full
		visit(t, p, on, server, 8, 100)
		if note := p.note(); !strings.Contains(note, full.Error()) {
			t.Errorf("note %q, want it to say why", note)
		}
		if len(shelf.seats) > 0 {
			t.Error("alone, and still holds its place")
		}
		on.broken = nil
		time.Sleep(aloneFor)
		visit(t, p, on, server, 8, 100)
		if note := p.note(); note != "" {
			t.Errorf("shared again: note %q", note)
		}
		if server.refused > 0 || len(server.counted) != 300 {
			t.Errorf("%d refused, %d counted", server.refused, len(server.counted))
		}
	})
}

func TestGovernorDirectoryCannotBeMade(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{OrgID: "00000000-0000-4000-8000-000000000001", BaseURL: "http://127.0.0.1:1", ShareDir: blocked}, Credentials{Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	permit, err := c.pace.acquire(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c.pace.over(permit, true)
	if note := c.PacingNote(); !strings.Contains(note, "not shared") || !strings.Contains(note, blocked) {
		t.Errorf("note %q", note)
	}
}

// What one process is told, all keep to.
func TestGovernorSharesAThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shelf := newMemShelf()
		a, b := shelf.process().pacer("org", DefaultRate()), shelf.process().pacer("other", DefaultRate())
		permit, _ := a.acquire(t.Context(), time.Hour)
		a.throttled(permit, 20*time.Second)
		start := time.Now()
		probe, err := b.acquire(t.Context(), time.Hour)
		if took := time.Since(start); err != nil || took < 20*time.Second || took > 22*time.Second {
			t.Errorf("let through after %s, %v; want 20 s", took, err)
		}
		if _, err := a.acquire(t.Context(), time.Millisecond); err != errGateShut {
			t.Errorf("beside the probe: %v", err)
		}
		b.over(probe, true)
		if _, err := a.acquire(t.Context(), time.Millisecond); err != nil {
			t.Errorf("after the probe: %v", err)
		}
	})
}

// A process with a lower rate takes less, and is not starved by one that uses
// what is left.
func TestGovernorLowerRateBesideAHigher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &rollingLimiter{windows: DefaultRate()}
		shelf := newMemShelf()
		low, high := []Window{{1000, 5 * time.Minute}, {50, time.Second}}, DefaultRate()
		done := make([]int, 2)
		var wg sync.WaitGroup
		for i, windows := range [][]Window{low, high} {
			on := shelf.process()
			p := on.pacer("org", windows)
			var mu sync.Mutex
			for range 8 {
				wg.Go(func() {
					for start := time.Now(); time.Since(start) < 10*time.Minute; {
						permit, err := p.acquire(t.Context(), time.Hour)
						if err != nil {
							t.Error(err)
							return
						}
						time.Sleep(5 * ms)
						if !server.arrive() {
							t.Error("refused")
						}
						mu.Lock()
						done[i]++
						mu.Unlock()
						p.over(permit, true)
					}
				})
			}
		}
		wg.Wait()
		if done[0] < 1_950 || done[1] < 7_700 {
			t.Errorf("10 minutes: %v, want 2,000 and 8,000", done)
		}
	})
}

func TestSetRate(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprint("shared ", shared), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				on := newMemShelf().process()
				p := newPacer(DefaultRate())
				if shared {
					p = on.pacer("org", DefaultRate())
				}
				c := &Client{pace: p}
				server := &rollingLimiter{}
				start := time.Now()
				time.AfterFunc(10*time.Second, func() {
					if err := c.SetRate([]Window{{5, time.Second}}); err != nil {
						t.Error(err)
					}
				})
				time.AfterFunc(40*time.Second, func() {
					if err := c.SetRate([]Window{{0, time.Second}}); err == nil {
						t.Error("a window of 0 requests is taken")
					}
					if err := c.SetRate([]Window{}); err != nil {
						t.Error(err)
					}
				})
				visit(t, p, on, server, 8, 500+5*30+10_000)
				if took := time.Since(start); took < 45*time.Second || took > 60*time.Second {
					t.Errorf("took %s, want 10 s at 50, 30 s at 5, and 13 s without limit", took)
				}
				if r := c.Rate(); len(r) != 0 {
					t.Errorf("rate %v", r)
				}
			})
		})
	}
}
