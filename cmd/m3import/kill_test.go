//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/sandbox"
)

// killSeeds is how many imports TestKill ruins; M3IMPORT_KILL_SEEDS sets it.
func killSeeds(t *testing.T) uint64 {
	text := os.Getenv("M3IMPORT_KILL_SEEDS")
	if text == "" {
		if testing.Short() {
			return 5
		}
		return 50
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("M3IMPORT_KILL_SEEDS: %v", err)
	}
	return n
}

// victim is an import that is killed at random moments, and run again by the
// same command until it ends by itself.
type victim struct {
	t        *testing.T
	dir      string
	platform *platform
	args     []string
	pause    atomic.Int64  // nanoseconds of the platform before each answer
	alive    chan struct{} // told when the running import sends measurements
}

func newVictim(t *testing.T, args ...string) *victim {
	v := &victim{t: t, dir: t.TempDir(), args: args, alive: make(chan struct{}, 1)}
	v.platform = newPlatform(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case v.alive <- struct{}{}:
			default:
			}
			next.ServeHTTP(w, r)
			time.Sleep(time.Duration(v.pause.Load())) // taken, and not yet answered: the worst moment to die
		})
	}})
	return v
}

// run runs the command once. When kill is not zero it is killed that long after
// it began to send, or, one time in four, that long after its start: then it
// may die reading, or taking up its state. done says that it ended by itself.
func (v *victim) run(kill time.Duration) (done bool) {
	v.t.Helper()
	select {
	case <-v.alive: // of the run before
	default:
	}
	cmd, out := v.command(append([]string{"run", "--state", "state"}, v.args...)...)
	if err := cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	ended := make(chan struct{})
	if kill > 0 {
		go func() {
			if kill%4 != 0 {
				select {
				case <-v.alive:
				case <-ended:
				}
			}
			select {
			case <-time.After(kill):
				cmd.Process.Kill()
			case <-ended:
			}
		}()
	}
	err := cmd.Wait()
	close(ended)
	if exit, ok := errors.AsType[*exec.ExitError](err); err == nil || ok && exit.ExitCode() == exitRejects {
		return true
	}
	if code := cmd.ProcessState.ExitCode(); code != -1 {
		v.t.Fatalf("the import ended with %d: %v\n%s", code, err, out.Bytes())
	}
	return false
}

// rejects is the reject file.
func (v *victim) rejects() []byte {
	v.t.Helper()
	state, err := checkpoint.Peek(filepath.Join(v.dir, "state"))
	if err != nil {
		v.t.Fatal(err)
	}
	text, err := os.ReadFile(state.Rejects)
	if err != nil {
		v.t.Fatal(err)
	}
	return text
}

// However often and whenever the importer is killed, the same command again
// leaves the platform with every good row once and the reject file with every
// bad row once, byte for byte as if nothing had happened.
func TestKill(t *testing.T) {
	args := sampleArgs(t)
	calm := newVictim(t, args...)
	if !calm.run(0) {
		t.Fatal("the calm import did not end")
	}
	want := held(t, calm.platform)
	wantRejects := calm.rejects()
	if len(want) != 4200 || bytes.Count(wantRejects, []byte("\n")) != 37 {
		t.Fatalf("the calm import left %d measurements and %d rejects", len(want), bytes.Count(wantRejects, []byte("\n")))
	}
	for seed := range killSeeds(t) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 9))
			v := newVictim(t, args...)
			v.pause.Store(int64(rnd.IntN(8)) * int64(time.Millisecond))
			kills, before := 0, int64(0)
			for {
				kill := time.Duration(1 + rnd.IntN(60_000_000)) // at most 60 ms
				if kills == 6 {
					kill = 0 // enough
				}
				if v.run(kill) {
					break
				}
				kills++
				// A crash sends again at most the window: 4 batches of 20.
				dup := v.platform.Totals().Duplicates
				if dup-before > 4*20 {
					t.Errorf("a kill made %d measurements be sent twice; the window holds 80", dup-before)
				}
				before = dup
			}
			got := held(t, v.platform)
			for uid, m := range want {
				if got[uid] != m {
					t.Fatalf("after %d kills: uid %s is %q, want %q", kills, uid, got[uid], m)
				}
			}
			if len(got) != len(want) {
				t.Errorf("after %d kills: %d measurements, want %d", kills, len(got), len(want))
			}
			if got := v.rejects(); !bytes.Equal(got, wantRejects) {
				t.Errorf("after %d kills the reject file differs:\n%s\nwant:\n%s", kills, got, wantRejects)
			}
		})
	}
}

// held is what the platform holds, by uid; each may be there once.
func held(t *testing.T, p *platform) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for m := range p.Measurements() {
		text := string(m)
		uid := text[len(`{"uid":"`) : strings.Index(text[len(`{"uid":"`):], `"`)+len(`{"uid":"`)]
		if all[uid] != "" {
			t.Fatalf("uid %s is held twice", uid)
		}
		all[uid] = text
	}
	if n := p.Totals().Conflicts; n != 0 {
		t.Errorf("%d measurements came again with other content", n)
	}
	return all
}
