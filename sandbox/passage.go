package sandbox

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// FaultHeader is the header of an answer that rules had a hand in, with their
// names.
const FaultHeader = "Sandbox-Fault"

// submitting is the operation that the rate limits are about.
const submitting = "SubmitMeasurements"

// front is what stands between clients and next, the platform: faults, and
// the rate limit of an address.
func (s *Server) front(next http.Handler, operation func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := operation(r)
		rules := s.faults.snapshot()
		if len(rules) > 0 {
			rules = slices.DeleteFunc(slices.Clone(rules), func(f *rule) bool { return !f.concerns(name) })
		}
		if len(rules) > 0 {
			p := &passage{server: s, operation: name, w: w, rules: rules, now: s.clock.now()}
			p.r = r.WithContext(context.WithValue(r.Context(), passageKey{}, p))
			p.run(next)
			return
		}
		if name != submitting || s.admitAddress(w, r) {
			next.ServeHTTP(w, r)
		}
	})
}

// passage is one request on its way through the rules for its operation.
type passage struct {
	server    *Server
	operation string
	w         http.ResponseWriter
	r         *http.Request
	now       time.Time // of its arrival
	rules     []*rule
	hits      []*rule // those that have chosen it
	body      []byte  // the request's, as far as a body may be long
	answer    stored
	answered  bool   // by a rule or a limit, before the platform did anything
	item      int    // the measurement that matched last
	uid       string // of it
}

type passageKey struct{}

// passageOf returns the passage of a request, nil when no rule is about it.
func passageOf(r *http.Request) *passage {
	p, _ := r.Context().Value(passageKey{}).(*passage)
	return p
}

// What a rule must know of a request to choose it.
type stage int

const (
	byArrival stage = iota // that it came
	byBody                 // the text of its body
	byMeaning              // its measurements
)

func (w *When) stage() stage {
	switch {
	case w.Match != nil:
		return byMeaning
	case w.Contains != nil:
		return byBody
	}
	return byArrival
}

// run takes the request past each point.
func (p *passage) run(next http.Handler) {
	p.choose(byArrival, func(*When) bool { return true })
	p.answered = p.strike(Arrival, p.hits)
	p.readBody() // all of it, as a server must that wants its answer heard
	if !p.answered && p.operation == submitting {
		p.answered = !p.server.admitAddress(&p.answer, p.r)
	}
	if !p.answered {
		p.choose(byBody, func(w *When) bool { return w.tripped(p.body) })
		p.answered = p.strike(Read, p.hits)
	}
	if !p.answered {
		next.ServeHTTP(&p.answer, p.r)
	}
	if !p.answered { // by a rule about measurements
		p.strike(Committed, p.hits)
	}
	p.finish()
}

// measured is called between the checks of a submission and its commit. It
// reports whether a rule has answered instead.
func (p *passage) measured(b *batch) bool {
	p.answered = p.strike(Read, p.choose(byMeaning, func(w *When) bool {
		i := w.Match.find(b.items)
		if i < 0 || w.Contains != nil && !w.tripped(p.body) {
			return false
		}
		p.item, p.uid = i, string(b.items[i].uid)
		return true
	}))
	return p.answered
}

// choose asks the rules of a stage of which holds is true, and returns the
// ones that chose the request.
func (p *passage) choose(at stage, holds func(*When) bool) []*rule {
	before := len(p.hits)
	for _, f := range p.rules {
		if f.When.stage() == at && holds(&f.When) && f.count(p.now) {
			p.hits = append(p.hits, f)
		}
	}
	return slices.Clip(p.hits[before:])
}

// strike does what rules do at a point. It reports whether one of them
// answered; it does not return when one of them ends the request.
func (p *passage) strike(at Point, hits []*rule) bool {
	hits = slices.DeleteFunc(slices.Clone(hits), func(f *rule) bool { return or(f.At, Read) != at })
	for _, f := range hits {
		p.pause(f, f.Delay)
		if f.Revoke {
			p.server.tokens.revoke()
		}
	}
	for _, f := range hits {
		switch {
		case f.Hang:
			p.readBody()
			select {
			case <-p.r.Context().Done():
			case <-f.gone:
			}
			p.abort()
		case f.Reset:
			p.abort()
		case f.answers():
			p.answerAs(f)
			return true
		}
	}
	return false
}

// pause lets d pass, or less when the client leaves or the rule goes.
func (p *passage) pause(f *rule, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.gone:
	case <-p.r.Context().Done():
	}
}

// abort breaks the connection and ends the request. With nothing left to
// linger for, closing sends a reset and not the polite end.
func (p *passage) abort() {
	if conn, _, err := http.NewResponseController(p.w).Hijack(); err == nil {
		if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
			conn = secure.NetConn()
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// readBody reads the body, once, and leaves it to be read again.
func (p *passage) readBody() {
	if p.body != nil {
		return
	}
	var buffer bytes.Buffer
	buffer.Grow(int(min(max(p.r.ContentLength, 0), MaxBytes)) + bytes.MinRead)
	_, err := buffer.ReadFrom(io.LimitReader(p.r.Body, MaxBytes+1))
	p.body = buffer.Bytes()
	rest := p.r.Body
	var after io.Reader = rest
	if err != nil {
		after = broken{err}
	}
	p.r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(p.body), after), rest}
}

// broken is what is left of a body that broke off.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// answerAs stores the answer of a rule, in the place of any before it.
func (p *passage) answerAs(f *rule) {
	p.answer = stored{status: or(f.Status, http.StatusOK)}
	media := "application/json"
	switch {
	case f.Garbage > 0:
		p.answer.body.Write(f.garbage(f.Garbage))
		media = "application/octet-stream"
	case f.Body != "":
		p.answer.body.WriteString(f.Body)
		if !strings.HasPrefix(strings.TrimSpace(f.Body), "{") {
			media = http.DetectContentType([]byte(f.Body))
		}
	case !bodiless(f.Status):
		text := or(f.Message, http.StatusText(f.Status))
		if f.When.Match != nil {
			text = strings.NewReplacer("{item}", strconv.Itoa(p.item), "{uid}", p.uid).Replace(text)
		}
		body, err := json.Marshal(errorBody{text})
		if err != nil {
			body = []byte("{}") // a message that is not UTF-8
		}
		p.answer.body.Write(body)
	}
	p.answer.Header().Set("Content-Type", media)
	if f.RetryAfter > 0 {
		p.answer.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
}

// finish sends the answer, as well as the rules let it.
func (p *passage) finish() {
	body, header := p.answer.body.Bytes(), p.w.Header()
	maps.Copy(header, p.answer.header)
	piece, cut := len(body), -1
	var names []string
	var drip *rule
	for _, f := range p.hits {
		names = append(names, f.Name)
		for name, value := range f.Headers {
			header.Set(name, value)
		}
		if f.RetryAfter > 0 && !f.answers() {
			header.Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
		}
		if f.Drip != nil && drip == nil {
			drip, piece = f, max(f.Drip.Bytes, 1)
		}
		if f.Cut != nil && (cut < 0 || *f.Cut < cut) {
			cut = min(*f.Cut, max(len(body)-1, 0))
		}
	}
	if names != nil {
		header.Set(FaultHeader, strings.Join(names, ", "))
	}
	if !bodiless(p.answer.status) {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	p.w.WriteHeader(or(p.answer.status, http.StatusOK))
	if cut >= 0 {
		body = body[:cut]
	}
	p.send(body, piece, drip)
	if cut >= 0 {
		http.NewResponseController(p.w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// send writes body in pieces.
func (p *passage) send(body []byte, piece int, drip *rule) {
	for len(body) > 0 {
		n := min(piece, len(body))
		if _, err := p.w.Write(body[:n]); err != nil {
			return // nobody is listening any more
		}
		if body = body[n:]; drip == nil || len(body) == 0 {
			continue
		}
		http.NewResponseController(p.w).Flush()
		if p.pause(drip, drip.Drip.Every); p.r.Context().Err() != nil {
			return
		}
	}
}

// stored is an answer that is held back.
type stored struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *stored) Header() http.Header {
	if a.header == nil {
		a.header = make(http.Header)
	}
	return a.header
}

func (a *stored) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

func (a *stored) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// tokenLife is how long a token bought now is good for.
func (p *passage) tokenLife(life time.Duration) time.Duration {
	if p != nil {
		for _, f := range p.hits {
			if f.TokenLife > 0 {
				life = min(life, f.TokenLife)
			}
		}
	}
	return life
}
