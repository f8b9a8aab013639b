// Package conform holds a sandbox, and whoever talks to it, to the API's
// descriptions: it fails a test on any request or answer that a document does
// not allow. The documents are the sandbox's own, always, and the subset of
// m3ter's where a checkout has it in ../shared/openapi beside it.
//
// It does not know what the answers should say. It is for tests only: it links
// an OpenAPI validator, which the product must not. Answers that the sandbox's
// faults had a hand in are not checked, for they are there to break rules;
// faults that a test injects elsewhere are checked like any answer.
package conform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/m3import/m3import/sandbox"
)

// Options say what to check. The zero value checks everything and expects only
// requests that the documents allow.
type Options struct {
	// Every checks the bodies of one request in so many, of those that submit
	// measurements; validating a full one takes tens of milliseconds. The size limits,
	// and everything else of every exchange, are checked always. Default: 1.
	Every int
	// Refusals allows requests that break a document, and demands that they
	// are answered 4XX.
	Refusals bool
}

// Middleware is Options{}.Middleware.
func Middleware(t testing.TB, h http.Handler) http.Handler { return Options{}.Middleware(t, h) }

// Middleware returns h with every exchange checked. Each violation is an error
// of t, so the handler must not be used after the end of t. It is safe for
// concurrent use when h is.
func (o Options) Middleware(t testing.TB, h http.Handler) http.Handler {
	t.Helper()
	documents, err := documents()
	if err != nil {
		t.Fatalf("conform: %v", err)
	}
	return &checker{Options: o, t: t, next: h, documents: documents}
}

// checker is the middleware.
type checker struct {
	Options
	t         testing.TB
	next      http.Handler
	documents []document
	submits   atomic.Int64
}

func (c *checker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := &exchange{checker: c, request: r, options: options(c.sample(r))}
	e.checkRequest()
	rec := &recorder{ResponseWriter: w}
	c.next.ServeHTTP(rec, e.request) // a panic in it passes through, and there is no answer to check
	if rec.Header().Get(sandbox.FaultHeader) == "" {
		e.checkAnswer(rec)
	}
}

// sample reports whether the body of r is to be validated.
func (c *checker) sample(r *http.Request) bool {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/measurements") {
		return true
	}
	return c.Every <= 1 || c.submits.Add(1)%int64(c.Every) == 1
}

func options(body bool) *openapi3filter.Options {
	return &openapi3filter.Options{
		ExcludeRequestBody:    !body,
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		IncludeResponseStatus: true,
		SkipSettingDefaults:   true,
	}
}

// exchange is one request and its answer.
type exchange struct {
	*checker
	request *http.Request
	options *openapi3filter.Options
	inputs  []input
	broken  error // what a document has against the request
}

type input struct {
	document
	*openapi3filter.RequestValidationInput
}

// maxBody is more than any request that a document allows.
const maxBody = 1 << 20

// checkRequest validates the request by every document that has its operation,
// and leaves the body to be read again.
func (e *exchange) checkRequest() {
	r := e.request
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		// Who sent it is gone, killed perhaps: no document is broken by that.
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
		return
	}
	rest := r.Body
	defer func() {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), rest), rest}
	}()
	if len(body) > sandbox.MaxBytes {
		e.broken = fmt.Errorf("a body of %d bytes or more; at most %d are allowed", len(body), sandbox.MaxBytes)
	}
	for _, d := range e.documents {
		route, params, err := d.router.FindRoute(r)
		if err != nil {
			continue
		}
		in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: e.options}
		e.inputs = append(e.inputs, input{d, in})
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil && e.broken == nil {
			e.broken = fmt.Errorf("%s: %w", d.name, err)
		}
	}
	if len(e.inputs) == 0 {
		e.broken = errors.New("no document has this operation")
	}
	if e.broken != nil && !e.Refusals {
		e.errorf("the request: %v", e.broken)
	}
}

// failing is what is left of a body that broke off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// checkAnswer validates the answer by the documents that had the operation.
func (e *exchange) checkAnswer(rec *recorder) {
	status := rec.status
	if status == 0 {
		status = http.StatusOK
	}
	if e.Refusals && e.broken != nil && (status < 400 || status > 499) {
		e.errorf("the request was answered %d although it breaks a document: %v", status, e.broken)
	}
	options := *e.options
	options.ExcludeResponseBody = rec.cut || rec.Header().Get("Content-Type") == "application/x-ndjson"
	for _, in := range e.inputs {
		out := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in.RequestValidationInput,
			Status:                 status, Header: rec.Header(), Options: &options,
		}
		out.SetBodyBytes(rec.body.Bytes())
		if err := openapi3filter.ValidateResponse(e.request.Context(), out); err != nil {
			e.errorf("the answer %d: %s: %v", status, in.name, err)
		}
	}
}

func (e *exchange) errorf(format string, args ...any) {
	e.t.Helper()
	const most = 2000 // validators quote what they dislike, up to whole bodies
	message := fmt.Sprintf(format, args...)
	if len(message) > most {
		message = message[:most] + "…"
	}
	e.t.Errorf("conform: %s %s: %s", e.request.Method, e.request.URL.Path, message)
}

// recorder passes an answer on and keeps a copy.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	cut    bool // the answer is larger than what is kept
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	const most = 4 << 20
	if r.body.Len()+len(p) > most {
		r.cut = true
	} else if !r.cut {
		r.body.Write(p)
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
