package sandbox

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"time"
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
	hits      []hit  // of the rules, those that have chosen it
	body      []byte // the request's, as far as a body may be long
	answer    stored
	answered  bool // by a rule or a limit, before the platform did anything
}

// hit is a rule that has chosen a request.
type hit struct {
	*rule
	item int    // the first measurement that matches, when it looks at them
	uid  string // of that
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
	p.choose(byArrival, func(*hit) bool { return true })
	p.answered = p.strike(Arrival, p.hits)
	p.readBody() // all of it, as a server must that wants its answer heard
	if !p.answered && p.operation == submitting {
		p.answered = !p.server.admitAddress(&p.answer, p.r)
	}
	if !p.answered {
		p.choose(byBody, func(h *hit) bool { return h.When.tripped(p.body) })
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
	p.answered = p.strike(Read, p.choose(byMeaning, func(h *hit) bool {
		h.item = h.When.Match.find(b.items)
		if h.item < 0 || h.When.Contains != nil && !h.When.tripped(p.body) {
			return false
		}
		h.uid = string(b.items[h.item].uid)
		return true
	}))
	return p.answered
}

// choose asks the rules of a stage of which holds is true, and returns the
// ones that chose the request.
func (p *passage) choose(at stage, holds func(*hit) bool) []hit {
	before := len(p.hits)
	for _, f := range p.rules {
		h := hit{rule: f}
		if f.When.stage() == at && holds(&h) && f.count(p.now) {
			p.hits = append(p.hits, h)
		}
	}
	return slices.Clip(p.hits[before:])
}

// strike does what rules do at a point. It reports whether one of them
// answered; it does not return when one of them ends the request.
func (p *passage) strike(at Point, hits []hit) bool {
	hits = slices.DeleteFunc(slices.Clone(hits), func(f hit) bool { return or(f.At, Read) != at })
	for _, f := range hits {
		p.pause(f.rule, f.Delay)
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
