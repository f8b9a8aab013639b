package uploader

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

// As this many requests are made by this binary when it runs as one of the
// processes of TestGovernorRealProcesses.
const (
	envProcess = "M3IMPORT_TEST_PROCESS" // requests to make
	envServer  = "M3IMPORT_TEST_SERVER"
	envShare   = "M3IMPORT_TEST_SHARE"
)

var processRate = []Window{{120, 1500 * time.Millisecond}, {25, 100 * time.Millisecond}}

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(envProcess)); err == nil {
		if err := beProcess(n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func beProcess(n int) error {
	p := newGovernor(Config{OrgID: "org", IngestURL: os.Getenv(envServer), ShareDir: os.Getenv(envShare), Rate: processRate})
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for range 4 {
		wg.Go(func() {
			for range n / 4 {
				permit, err := p.acquire(context.Background(), time.Minute)
				if err != nil {
					errs <- err
					return
				}
				answer, err := http.Get(os.Getenv(envServer))
				if err != nil {
					errs <- err
					return
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				if answer.StatusCode == http.StatusTooManyRequests {
					p.throttled(permit, 0)
				} else {
					p.over(permit, true)
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	if note := p.note(); note != "" {
		return fmt.Errorf("note: %s", note)
	}
	return <-errs
}

// Real processes, real files, the real lock and a real kill -9. However slow
// the machine is, the server counts in its own time and nothing is refused.
func TestGovernorRealProcesses(t *testing.T) {
	limiter := &rollingLimiter{windows: processRate}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !limiter.arrive() {
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	share := t.TempDir()
	start := func(n int) *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), envProcess+"="+strconv.Itoa(n), envServer+"="+server.URL, envShare+"="+share)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	first, second := start(400), start(80)
	for { // the first is in the middle of it
		limiter.mu.Lock()
		n := len(limiter.counted)
		limiter.mu.Unlock()
		if n >= 60 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	third := start(80)
	for _, cmd := range []*exec.Cmd{second, third} {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	server.Close() // what the killed one had sent is served by now
	if limiter.refused > 0 || len(limiter.counted) < 160 {
		t.Errorf("%d refused, %d counted", limiter.refused, len(limiter.counted))
	}
}

func BenchmarkGovernorShared(b *testing.B) {
	p := newGovernor(Config{OrgID: "org", IngestURL: "http://127.0.0.1:1", ShareDir: b.TempDir(), Rate: []Window{{maxWindowRequests, time.Second}}})
	for b.Loop() {
		permit, err := p.acquire(b.Context(), time.Hour)
		if err != nil {
			b.Fatal(err)
		}
		p.over(permit, true)
	}
	if note := p.note(); note != "" {
		b.Fatal(note)
	}
}
