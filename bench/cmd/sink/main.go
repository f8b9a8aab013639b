// Sink is a platform that takes everything and keeps nothing: what an import
// sends to when its own speed is to be measured.
//
//	sink -addr 127.0.0.1:0
//
// It prints its address. POST /control?delay=50ms&hold=2s&record=FILE sets
// what it does from then on and its counts to nothing; GET /stats tells them.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	flag.Parse()
	if err := run(*addr); err != nil {
		fmt.Fprintln(os.Stderr, "sink:", err)
		os.Exit(1)
	}
}

func run(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", l.Addr())
	s := new(sink)
	s.now.Store(new(manner))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", token)
	mux.HandleFunc("POST /control", s.control)
	mux.HandleFunc("GET /stats", s.stats)
	mux.HandleFunc("POST /", s.take)
	// Whoever started the sink holds the other end of its input: when that
	// goes, so does the sink.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(l, mux)
}

func token(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"access_token":"a-token-of-the-sink","token_type":"Bearer","expires_in":18000}`)
}

// sink counts requests and forgets them.
type sink struct{ now atomic.Pointer[manner] }

// manner is how the sink answers, and what it counted since it does.
type manner struct {
	delay time.Duration // of every answer, from the request's first byte on
	hold  time.Duration // no answer at all for so long after the first request

	requests, bytes atomic.Int64
	first, last     atomic.Int64 // Unix nanoseconds: a request came, an answer went

	mu     sync.Mutex
	record *os.File // gets bodies, each after its length
}

// control begins anew.
func (s *sink) control(w http.ResponseWriter, r *http.Request) {
	m, err := newManner(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	old := s.now.Swap(m)
	old.mu.Lock()
	defer old.mu.Unlock()
	if old.record != nil {
		// Written out now, or whoever is measured next waits for it.
		if err := errors.Join(old.record.Sync(), old.record.Close()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

func newManner(r *http.Request) (*manner, error) {
	m := new(manner)
	var errs [3]error
	for i, d := range []struct {
		name string
		to   *time.Duration
	}{{"delay", &m.delay}, {"hold", &m.hold}} {
		if text := r.FormValue(d.name); text != "" {
			*d.to, errs[i] = time.ParseDuration(text)
		}
	}
	if path := r.FormValue("record"); path != "" {
		m.record, errs[2] = os.Create(path)
	}
	return m, errors.Join(errs[:]...)
}

// Stats is what GET /stats answers.
type Stats struct {
	Requests, Bytes int64
	First, Last     int64 // Unix nanoseconds; 0: none yet
}

func (s *sink) stats(w http.ResponseWriter, _ *http.Request) {
	m := s.now.Load()
	_ = json.NewEncoder(w).Encode(Stats{m.requests.Load(), m.bytes.Load(), m.first.Load(), m.last.Load()})
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 512<<10); return &b }}

// take takes the measurements of one request.
func (s *sink) take(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/measurements") {
		http.NotFound(w, r)
		return
	}
	came := time.Now()
	m := s.now.Load()
	m.first.CompareAndSwap(0, came.UnixNano())
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	n, err := m.read(r.Body, *buf)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m.bytes.Add(n)
	answer := came.Add(m.delay)
	if held := time.Unix(0, m.first.Load()).Add(m.hold); held.After(answer) {
		answer = held
	}
	if !sleepUntil(r.Context(), answer) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"result":"accepted"}`)
	m.last.Store(time.Now().UnixNano())
	m.requests.Add(1)
}

// sleepUntil sleeps until a time, to a tenth of a millisecond; false when ctx
// ends first. Go's own timers may be a millisecond late, which is two parts in
// a hundred of a delay of 50 ms.
func sleepUntil(ctx context.Context, t time.Time) bool {
	const margin = 2 * time.Millisecond
	if wait := time.Until(t) - margin; wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
	if rest := syscall.NsecToTimespec(int64(time.Until(t))); rest.Nano() > 0 {
		_ = syscall.Nanosleep(&rest, nil) // woken early by a signal: no harm
	}
	return true
}

// read reads a body, and keeps it when bodies are kept.
func (m *manner) read(body io.Reader, buf []byte) (n int64, err error) {
	if m.record == nil {
		for {
			k, err := body.Read(buf)
			n += int64(k)
			if err == io.EOF {
				return n, nil
			} else if err != nil {
				return n, err
			}
		}
	}
	all, err := io.ReadAll(body)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err = m.record.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(all))), all...))
	return int64(len(all)), err
}
