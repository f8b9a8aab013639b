package pipeline

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

// wire is a platform behind HTTP, for what an import and a client are only
// together. What it answers is decided request by request, by what is in it.
type wire struct {
	answer func(items []string) (status int, message string) // 0: taken

	mu       sync.Mutex
	requests int
	tokens   int
	keyless  int // the status of the answer to who wants a token; 0: here it is
	taken    map[string]int
	gather   int           // the first so many requests are answered when all are there
	there    chan struct{} // closed then
}

// newWire starts a wire, and makes a client of it.
func newWire(t *testing.T, answer func([]string) (int, string)) (*wire, *uploader.Client) {
	t.Helper()
	return newWireFor(t, time.Minute, answer)
}

// newWireFor is newWire for a client that tries again for so long.
func newWireFor(t *testing.T, retryFor time.Duration, answer func([]string) (int, string)) (*wire, *uploader.Client) {
	t.Helper()
	w := &wire{answer: answer, taken: map[string]int{}, there: make(chan struct{})}
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	c, err := uploader.New(uploader.Config{OrgID: "org", BaseURL: server.URL, Rate: []uploader.Window{}, RetryFor: retryFor, Workers: 8},
		uploader.Credentials{Key: "k", Secret: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.HasSuffix(r.URL.Path, "/oauth/token") {
		if w.tokens++; w.keyless != 0 {
			rw.WriteHeader(w.keyless)
			return
		}
		fmt.Fprintf(rw, `{"access_token":"token-%d","expires_in":18000}`, w.tokens)
		return
	}
	var of struct{ Measurements []json.RawMessage }
	if err := json.Unmarshal(body, &of); err != nil {
		rw.WriteHeader(http.StatusTeapot)
		return
	}
	items := make([]string, len(of.Measurements))
	for i, m := range of.Measurements {
		items[i] = string(m)
	}
	w.requests++
	if w.requests == w.gather {
		close(w.there)
	}
	if w.requests < w.gather {
		w.mu.Unlock()
		<-w.there
		w.mu.Lock()
	}
	status, message := w.answer(items)
	if status == 0 {
		for _, item := range items {
			w.taken[item]++
		}
		io.WriteString(rw, `{"result":"accepted"}`)
		return
	}
	rw.WriteHeader(status)
	fmt.Fprintf(rw, `{"message":%q}`, message)
}

// asked is how many requests were made; answering is who answers from now on.
func (w *wire) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests
}

func (w *wire) answering(answer func([]string) (int, string)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = answer
}

// holding are the measurements that hold a text: a request with one of them gets
// an answer.
func holding(text string, status int) func([]string) (int, string) {
	return func(items []string) (int, string) {
		for _, item := range items {
			if strings.Contains(item, text) {
				return status, "not this"
			}
		}
		return 0, ""
	}
}

const wireMapping = "version: 1\nmeter: {const: api}\naccount: who\nts: when\nuid: {key: [id]}\nmeasure: {n: n}\n"

// wireRows are n rows for wireMapping; bad ones are of an account of their own.
func wireRows(t *testing.T, n int, bad func(i int) bool) checkpoint.Source {
	var text strings.Builder
	text.WriteString("id,who,when,n\n")
	for i := range n {
		who := "acme"
		if bad(i) {
			who = "closed"
		}
		fmt.Fprintf(&text, "e%d,%s,2026-01-01T00:00:00Z,1\n", i, who)
	}
	return writeFile(t, "usage.csv", text.String())
}
