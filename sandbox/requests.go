package sandbox

import (
	"maps"
	"net/http"
	"sync"
)

// requestCounts are the answers given to platform requests, by operation and
// status.
type requestCounts struct {
	mu     sync.Mutex
	counts map[string]map[int]int64
}

// counted notes the answer to every request that passes, also the ones that
// next panics out of.
func (c *requestCounts) counted(next http.Handler, operation func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cw := &countedWriter{ResponseWriter: w}
		defer func() { c.add(operation(r), cw.status) }()
		next.ServeHTTP(cw, r)
	})
}

func (c *requestCounts) add(operation string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = make(map[string]map[int]int64)
	}
	if c.counts[operation] == nil {
		c.counts[operation] = make(map[int]int64)
	}
	c.counts[operation][status]++
}

func (c *requestCounts) clone() map[string]map[int]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	copied := make(map[string]map[int]int64, len(c.counts))
	for operation, statuses := range c.counts {
		copied[operation] = maps.Clone(statuses)
	}
	return copied
}

func (c *requestCounts) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.counts)
}

// countedWriter notes the status of an answer; 0 when there was none.
type countedWriter struct {
	http.ResponseWriter
	status int
}

func (w *countedWriter) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
