package uploader

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// answer is what a fake platform does with one request.
type answer struct {
	status int
	body   string
	header map[string]string
	delay  time.Duration // before it answers
	err    error         // instead of an answer
	cut    bool          // the connection breaks at the end of the body
}

var accepted = answer{status: 200, body: `{"result":"accepted"}`}

// sent is a request that a fake platform has got.
type sent struct {
	at     time.Duration // since the platform was made
	token  string
	body   string
	header http.Header
}

// fake is a platform in memory: a network would stand still in a synctest
// bubble. It is a http.RoundTripper as strict as its documentation.
type fake struct {
	submit func(n int) answer // the n-th submission, counted from 0; nil: accepted
	token  func(n int) answer // the n-th token, likewise; nil: "token-n", for 5 h

	mu      sync.Mutex
	start   time.Time
	submits []sent
	tokens  []sent
	orgs    []sent
}

func newFake() *fake { return &fake{start: time.Now()} }

func (f *fake) client(t *testing.T, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{OrgID: "org", Rate: []Window{}}
	if change != nil {
		change(&cfg)
	}
	c, err := newClient(cfg, Credentials{Key: "the-key", Secret: "the+secret/="}, f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body.Close()
		body = string(text)
	}
	if int64(len(body)) != r.ContentLength {
		return nil, errors.New("content length is not that of the body")
	}
	a := f.answer(r, sent{
		at:     time.Since(f.start),
		token:  strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "),
		body:   body,
		header: r.Header.Clone(),
	})
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
	res := &http.Response{
		StatusCode: a.status, Status: strconv.Itoa(a.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r, ContentLength: -1,
	}
	if a.cut {
		res.Body = io.NopCloser(io.MultiReader(strings.NewReader(a.body), brokenReader{}))
	}
	for name, value := range a.header {
		res.Header.Set(name, value)
	}
	return res, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (f *fake) answer(r *http.Request, s sent) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.Method + " " + r.URL.String() {
	case "POST https://api.m3ter.com/oauth/token":
		f.tokens = append(f.tokens, s)
		n := len(f.tokens) - 1
		if f.token != nil {
			return f.token(n)
		}
		return tokenAnswer(n)
	case "POST https://ingest.m3ter.com/organizations/org/measurements":
		f.submits = append(f.submits, s)
		if f.submit != nil {
			return f.submit(len(f.submits) - 1)
		}
		return accepted
	case "GET https://api.m3ter.com/organizations/org/organizationconfig":
		f.orgs = append(f.orgs, s)
		if f.submit != nil {
			return f.submit(len(f.orgs) - 1)
		}
		return answer{status: 200, body: `{"id":"c","version":3,"timezone":"Europe/Berlin","currency":"EUR","dayEpoch":"2022-01-01"}`}
	}
	return answer{status: 404, body: `{"message":"no such path in the fake"}`}
}

func tokenAnswer(n int) answer {
	return answer{status: 200, body: `{"access_token":"token-` + strconv.Itoa(n) + `","expires_in":18000,"token_type":"Bearer","scope":null}`}
}

// answers gives the answers one after the other, and the last one for ever.
func answers(list ...answer) func(int) answer {
	return func(n int) answer { return list[min(n, len(list)-1)] }
}

func status(code int, message string) answer {
	return answer{status: code, body: `{"message":` + strconv.Quote(message) + `}`}
}

func batchOf(items ...string) *Batch {
	var b Batch
	for _, item := range items {
		if err := b.Add([]byte(item)); err != nil {
			panic(err)
		}
	}
	return &b
}
