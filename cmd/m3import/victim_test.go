//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/sandbox"
)

// victim is an import that is killed, and run again by the same command until
// it ends by itself. Its platform keeps account of what each run sent.
type victim struct {
	t        *testing.T
	dir      string
	platform *platform
	args     []string
	pause    atomic.Int64  // nanoseconds of the platform before each answer
	alive    chan struct{} // told when the running import calls the platform

	busy sync.WaitGroup // requests that are being handled
	mu   sync.Mutex
	now  int         // the run, counted from 1
	peer map[any]int // connection -> run
	sent []sending   // in the order of their ends
	dies *moment     // when the run is killed; nil: never
	proc *os.Process
	seen int // steps of dies.step in this run
}

// sending is a request with measurements, or what of it the platform read.
type sending struct {
	run  int
	body []byte
}

// step is a place on the way of a run, or of one of its requests.
type step string

const (
	started step = "started" // the process, which may be reading or taking up its state
	arrived step = "arrived" // measurements, which nobody has looked at yet
	taken   step = "taken"   // measurements; the answer is not on its way yet
	refused step = "refused" // the same, and the answer is 400: their batch is taken apart
)

// moment is when to kill: so long after the n-th time that a step is reached.
type moment struct {
	step
	nth   int
	later time.Duration
}

func newVictim(t *testing.T, args ...string) *victim {
	return newVictimOf(t, sandbox.Config{}, args...)
}

func newVictimOf(t *testing.T, cfg sandbox.Config, args ...string) *victim {
	v := &victim{t: t, dir: t.TempDir(), args: args, alive: make(chan struct{}, 1), peer: make(map[any]int)}
	cfg.Middleware = v.watch
	v.platform = newPlatform(t, cfg)
	return v
}

// watch sees the requests on their way to the platform and its faults.
func (v *victim) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.busy.Add(1)
		defer v.busy.Done()
		select {
		case v.alive <- struct{}{}:
		default:
		}
		if !strings.HasSuffix(r.URL.Path, "/measurements") {
			next.ServeHTTP(w, r)
			time.Sleep(time.Duration(v.pause.Load()))
			return
		}
		s := sending{run: v.runOf(r)}
		var read bytes.Buffer
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &read), r.Body}
		defer func() { // also when a fault breaks the connection
			v.mu.Lock()
			defer v.mu.Unlock()
			s.body = read.Bytes()
			v.sent = append(v.sent, s)
		}()
		v.reach(arrived, s.run)
		answer := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(answer, r)
		time.Sleep(time.Duration(v.pause.Load())) // taken, and not yet answered: the worst moment to die
		if answer.status == http.StatusBadRequest {
			v.reach(refused, s.run)
		}
		v.reach(taken, s.run)
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// runOf tells which run a request is of: the one that opened its connection.
func (v *victim) runOf(r *http.Request) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	from := r.Context().Value(connection{})
	if _, known := v.peer[from]; !known {
		v.peer[from] = v.now
	}
	return v.peer[from]
}

// reach kills the run when this is its moment.
func (v *victim) reach(s step, run int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.dies == nil || v.dies.step != s || run != v.now {
		return
	}
	if v.seen++; v.seen != v.dies.nth {
		return
	}
	if v.dies.later == 0 {
		v.proc.Kill()
		return
	}
	time.AfterFunc(v.dies.later, func() { v.proc.Kill() }) // does nothing to a process that has ended
}

// command is the program as a process, against the victim's platform.
func (v *victim) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	v.t.Helper()
	self, err := os.Executable()
	if err != nil {
		v.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = v.dir
	cmd.Env = append(environment(), v.platform.Env(v.platform.url)...)
	cmd.Env = append(cmd.Env, "M3IMPORT_TEST_AS_PROGRAM=1", "XDG_STATE_HOME="+filepath.Join(v.dir, ".state"))
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// run runs the command once, and kills it at the moment; nil lets it end. code
// is what it exited with, -1 when it was killed before.
func (v *victim) run(at *moment) (code int) {
	v.t.Helper()
	select {
	case <-v.alive: // of the run before
	default:
	}
	cmd, out := v.command(append([]string{"run", "--state", "state"}, v.args...)...)
	v.mu.Lock()
	v.now++
	v.dies, v.seen = at, 0
	err := cmd.Start()
	v.proc = cmd.Process
	run := v.now
	v.mu.Unlock()
	if err != nil {
		v.t.Fatal(err)
	}
	v.reach(started, run)
	err = cmd.Wait()
	code = cmd.ProcessState.ExitCode()
	if code != -1 && code != exitOK && code != exitRejects {
		v.t.Fatalf("the import ended with %d: %v\n%s", code, err, out.Bytes())
	}
	return code
}

// resent is how many measurements each run sent that an earlier run had sent,
// the first run's number at 1. Nothing may be running.
func (v *victim) resent() []int {
	v.t.Helper()
	v.busy.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	by := make([]map[string]bool, v.now+1)
	for i := range by {
		by[i] = make(map[string]bool)
	}
	for _, s := range v.sent {
		for _, uid := range uidsOf(s.body) {
			by[s.run][uid] = true
		}
	}
	n := make([]int, v.now+1)
	for run := range by {
		for uid := range by[run] {
			for _, former := range by[:run] {
				if former[uid] {
					n[run]++
					break
				}
			}
		}
	}
	return n
}

// uidsOf are the uids in a body, none when it did not come whole.
func uidsOf(body []byte) (uids []string) {
	var sent struct{ Measurements []struct{ UID string } }
	if json.Unmarshal(body, &sent) != nil {
		return nil
	}
	for _, m := range sent.Measurements {
		uids = append(uids, m.UID)
	}
	return uids
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
