package uploader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// books is a platform in memory that keeps exact books: how often it took
// which measurement, byte for byte. What it answers is decided request by
// request, from what is in it and from who sends it.
type books struct {
	*fake                                            // hands out the tokens
	rule  func(n int, s sent, items []string) answer // nil or the zero answer: taken
	mu    sync.Mutex

	requests int
	refused  int             // answered with 4xx
	taken    map[string]int  // by text
	unsure   map[string]bool // by text: it was in a request without an answer, or with one that says nothing
}

func newBooks() *books {
	return &books{fake: newFake(), taken: map[string]int{}, unsure: map[string]bool{}}
}

func (b *books) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/measurements") {
		return b.fake.RoundTrip(r)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var body struct{ Measurements []json.RawMessage }
	if err := json.Unmarshal(text, &body); err != nil {
		return nil, err
	}
	items := make([]string, len(body.Measurements))
	for i, m := range body.Measurements {
		items[i] = string(m)
	}
	if string(text) != head+strings.Join(items, ",")+tail || len(text) > MaxBytes || len(items) > MaxItems {
		return nil, errors.New("not a body that the platform takes")
	}
	a := b.enter(sent{
		token: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
		body:  string(text),
	}, items)
	if a.delay > 0 {
		select {
		case <-time.After(a.delay):
		case <-r.Context().Done():
			return nil, context.Cause(r.Context())
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	res := &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}
	for name, value := range a.header {
		res.Header.Set(name, value)
	}
	return res, nil
}

// enter answers a request, and books it when it is taken. An answer that holds
// an error or a delay as well is one that does not arrive.
func (b *books) enter(s sent, items []string) answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests++
	var a answer
	if b.rule != nil {
		a = b.rule(b.requests-1, s, items)
	}
	if a.status == 0 && a.err == nil && a.delay == 0 {
		a = accepted
	}
	if a.status == 200 {
		for _, item := range items {
			b.taken[item]++
		}
	}
	if a.err != nil || a.status >= 500 || a.delay > time.Minute {
		for _, item := range items {
			b.unsure[item] = true
		}
	}
	if a.status/100 == 4 && a.status != 429 {
		b.refused++
	}
	return a
}

// client is a client of the platform, with credentials that can be renewed.
func (b *books) client(t testing.TB, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{OrgID: "org", Rate: []Window{}}
	if change != nil {
		change(&cfg)
	}
	c, err := newClient(cfg, Credentials{Key: "the-key", Secret: "the-secret"}, b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// numbered is a batch of n measurements that can be told apart.
func numbered(n int) *Batch {
	var b Batch
	for i := range n {
		if err := b.Add([]byte(itemNo(i))); err != nil {
			panic(err)
		}
	}
	return &b
}

func itemNo(i int) string { return fmt.Sprintf(`{"uid":"item-%d"}`, i) }

// guilty answers with a status when a request holds one of some measurements,
// and names the first.
func guilty(code int, numbers ...int) func([]string) answer {
	is := map[string]bool{}
	for _, i := range numbers {
		is[itemNo(i)] = true
	}
	return func(items []string) answer {
		if i := slices.IndexFunc(items, func(m string) bool { return is[m] }); i >= 0 {
			return status(code, "no "+items[i])
		}
		return answer{}
	}
}

// check compares the books with what a delivery of numbered(n) said. It gives
// the first thing that is wrong, or "".
func (b *books) check(n int, code int, numbers []int, refusals []Refusal, err error) string {
	numbers = slices.Compact(slices.Sorted(slices.Values(numbers)))
	if err != nil {
		return "error: " + err.Error()
	}
	for i := range n {
		taken := b.taken[itemNo(i)]
		switch bad := slices.Contains(numbers, i); {
		case bad && taken > 0:
			return fmt.Sprintf("the platform took measurement %d, which is guilty", i)
		case !bad && taken == 0:
			return fmt.Sprintf("measurement %d was not delivered", i)
		}
	}
	var want []Refusal
	for _, i := range numbers {
		want = append(want, Refusal{Item: i, Status: code, Message: "no " + itemNo(i), Unsure: b.unsure[itemNo(i)]})
		if code == 403 || code == 415 {
			want[len(want)-1].Hint = hintFilter
		}
	}
	if !slices.Equal(refusals, want) {
		return fmt.Sprintf("refusals %v, want %v", refusals, want)
	}
	return ""
}
