package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fault is one rule of what goes wrong: for which requests, at which point of
// their way, and what then. It is plain data; New, AddFaults and scenario
// files take it. Any number of rules may choose the same request, and they
// add up: see Server.AddFaults.
type Fault struct {
	// Name tells the rule from others, in answers (the header Sandbox-Fault)
	// and to take it away again. Default: "fault-1" and so on.
	Name string `json:"name,omitempty"`
	// On are the operations concerned, by the ids of the OpenAPI document:
	// "SubmitMeasurements", "GenerateToken", … Default: all of the platform,
	// paths that are no operation included.
	On []string `json:"on,omitempty"`
	// When says which of their requests. Default: all.
	When When `json:"when,omitzero"`
	// At is where on their way it strikes. Default: Read.
	At Point `json:"at,omitempty"`

	// Reset breaks the connection (TCP RST) and ends the request.
	Reset bool `json:"reset,omitempty"`
	// Hang leaves the request without an answer until the client leaves or
	// the rule is taken away, and breaks the connection then. The body is
	// read whatever At says: a server that does not read cannot tell that the
	// client has left.
	Hang bool `json:"hang,omitempty"`

	// Status answers the request in the place of the platform: before it,
	// which then does not see the request, or at Committed after it, whose
	// answer is then lost. Default: 200 with Body, Message or Garbage, else
	// the platform answers.
	Status int `json:"status,omitempty"`
	// Body is the body of that answer. Default: the platform's error body.
	Body string `json:"body,omitempty"`
	// Message is short for a Body of {"message": Message}. With When.Match,
	// {item} and {uid} in it stand for the first measurement that matches.
	Message string `json:"message,omitempty"`
	// Garbage is a body of so many random bytes, the same for the same seed.
	Garbage int `json:"garbage,omitempty"`
	// RetryAfter is the header of that name, in whole seconds. Default: none.
	RetryAfter time.Duration `json:"retry_after,omitempty"`
	// Headers are set on the answer, the platform's also. Default: none.
	Headers map[string]string `json:"headers,omitempty"`

	// Delay passes before anything else of the rule happens. It, and Drip,
	// are time as the client has it, whatever the sandbox's clock does.
	Delay time.Duration `json:"delay,omitempty"`
	// Drip sends the body of the answer in small pieces.
	Drip *Drip `json:"drip,omitempty"`
	// Cut breaks the connection after so many bytes of the answer's body,
	// never all of them. Default: no cut.
	Cut *int `json:"cut,omitempty"`

	// TokenLife is how long a token lives really, while the answer says
	// Config.TokenLife, when the request buys one. Default: no difference.
	TokenLife time.Duration `json:"token_life,omitempty"`
	// Revoke ends all tokens given out so far.
	Revoke bool `json:"revoke,omitempty"`
}

// When says which requests a rule chooses: those for which everything that it
// says holds. The zero value chooses all.
//
// Requests are counted, from 1, when they are of the rule's operations, in its
// time, and Contains and Match hold for them. From, To, Every, Probability and
// Times are about that count; it does not depend on other rules.
type When struct {
	// From and To are the first and the last request chosen. Default: 1 and
	// no last.
	From int `json:"from,omitempty"`
	To   int `json:"to,omitempty"`
	// Every chooses From and every so-manyth after it. Default: 1.
	Every int `json:"every,omitempty"`
	// Probability is the chance of being chosen, above 0 and at most 1. What
	// becomes of the n-th request depends on the seed, the rule's name and n
	// alone. Default: 1.
	Probability float64 `json:"probability,omitempty"`
	// Times is the most requests chosen. Default: no limit.
	Times int `json:"times,omitempty"`

	// After and For are a time on the sandbox's clock: it begins After the
	// rule was added, and lasts For. Default: at once, and without end.
	After time.Duration `json:"after,omitempty"`
	For   time.Duration `json:"for,omitempty"`
	// SinceStart counts After from the sandbox's start instead.
	SinceStart bool `json:"since_start,omitempty"`

	// Contains holds when one of the texts stands in the first Within bytes of
	// the body, as it is sent: a firewall knows no JSON, and < is not \u003c to
	// it. ASCII letters match in either case. Default: any body.
	Contains []string `json:"contains,omitempty"`
	// Within is how much of the body Contains reads. Default: all.
	Within int `json:"within,omitempty"`
	// Match holds when a measurement is like it, of a request that the
	// platform would take. Default: any request.
	Match *Match `json:"match,omitempty"`
}

// Match describes measurements: those that have everything it says.
type Match struct {
	UID     string `json:"uid,omitempty"`
	Meter   string `json:"meter,omitempty"`
	Account string `json:"account,omitempty"`
	// Text stands somewhere in the measurement, as it is sent.
	Text string `json:"text,omitempty"`
}

// Drip is how slowly an answer comes.
type Drip struct {
	// Bytes are sent at a time. Default: 1.
	Bytes int `json:"bytes,omitempty"`
	// Every is the time between. Default: none.
	Every time.Duration `json:"every,omitempty"`
}

// Point is a point on the way of a request.
type Point string

const (
	// Arrival is before the body is read.
	Arrival Point = "arrival"
	// Read is after the body is read, before the platform does anything.
	Read Point = "read"
	// Committed is after the platform has done all it does, before the client
	// learns of it.
	Committed Point = "committed"
)

// FirewallTexts trip rules of the firewall in front of m3ter: SQL injection,
// cross-site scripting, and a known bad input.
func FirewallTexts() []string { return []string{"' OR 1=1", "<script>", "${jndi:"} }

// Firewall is a rule that answers 403 to a submission with one of the
// FirewallTexts in the first within bytes of its body. AWS WAF inspects 8,
// 16 or up to 64 KB, depending on what it stands before.
func Firewall(within int) Fault {
	return Fault{
		Name:   "firewall",
		On:     []string{"SubmitMeasurements"},
		When:   When{Contains: FirewallTexts(), Within: within},
		Status: http.StatusForbidden, Message: "Forbidden",
	}
}

// answers reports whether f answers in the place of the platform.
func (f *Fault) answers() bool {
	return f.Status != 0 || f.Body != "" || f.Message != "" || f.Garbage != 0
}

// Check returns the first thing that is wrong with the rule, as "field: what
// to write", or nil.
func (f *Fault) Check() error {
	for _, operation := range f.On {
		if !slices.Contains(operations, operation) {
			return fmt.Errorf("on: no operation %q; one of %s", operation, strings.Join(operations, ", "))
		}
	}
	broken, answered := f.Reset || f.Hang, f.answers()
	return cmp.Or(
		wrongIf(strings.ContainsAny(f.Name, "/,\r\n"), "name: must have no slash, comma or line break"),
		wrongIf(f.At != "" && f.At != Arrival && f.At != Read && f.At != Committed, `at: must be "arrival", "read" or "committed"`),
		wrongIf(f.Reset && f.Hang, "hang: excludes reset"),
		wrongIf(broken && answered, "status, body, message, garbage: there is no answer with reset or hang"),
		wrongIf(broken && (f.Cut != nil || f.Drip != nil), "cut, drip: there is no answer with reset or hang"),
		f.checkAnswer(),
		wrongIf(f.Delay < 0, "delay: must not be negative"),
		wrongIf(f.Drip != nil && (f.Drip.Bytes < 0 || f.Drip.Every < 0), "drip: must not be negative"),
		wrongIf(f.Cut != nil && *f.Cut < 0, "cut: must be a number of bytes"),
		wrongIf(f.TokenLife < 0, "token_life: must not be negative"),
		wrongIf(f.Revoke && f.At == Committed, `revoke: is done before the platform looks; "committed" is after`),
		wrongIf((f.TokenLife != 0 || f.Revoke) && f.When.Match != nil, "match: is for requests that have passed with their token"),
		wrongIf(f.At == Arrival && f.When.stage() != byArrival, `at: "arrival" is before the body is read, and when asks for its content`),
		f.When.check(),
		wrongIf(!f.does(), "nothing happens: give status, reset, hang, delay, drip, cut, headers, token_life or revoke"),
	)
}

// checkAnswer is the part of Check about the answer in the platform's place.
func (f *Fault) checkAnswer() error {
	bodies := 0
	for _, has := range []bool{f.Body != "", f.Message != "", f.Garbage != 0} {
		if has {
			bodies++
		}
	}
	return cmp.Or(
		wrongIf(f.Status != 0 && (f.Status < 200 || f.Status > 599), "status: must be from 200 to 599"),
		wrongIf(bodies > 1, "body, message, garbage: only one of them"),
		wrongIf(bodies > 0 && bodiless(f.Status), "body, message, garbage: there is none with this status"),
		wrongIf(f.Garbage < 0 || f.Garbage > maxGarbage, fmt.Sprintf("garbage: must be from 1 to %d bytes", maxGarbage)),
		wrongIf(f.RetryAfter < 0 || f.RetryAfter%time.Second != 0, "retry_after: must be whole seconds; for other forms set the header"),
		checkHeaders(f.Headers),
	)
}

func (w *When) check() error {
	return cmp.Or(
		wrongIf(w.From < 0 || w.To < 0 || w.To != 0 && w.To < w.From, "when: from and to must be counts from 1, and to not before from"),
		wrongIf(w.Every < 0 || w.Times < 0, "when: every and times must be counts from 1"),
		wrongIf(!(w.Probability >= 0 && w.Probability <= 1), "when: probability must be above 0 and at most 1"),
		wrongIf(w.After < 0 || w.For < 0, "when: after and for must not be negative"),
		wrongIf(slices.Contains(w.Contains, ""), "when: contains must not have an empty text"),
		wrongIf(w.Within < 0 || w.Within > 0 && w.Contains == nil, "when: within is the number of bytes that contains reads"),
		wrongIf(w.Match != nil && *w.Match == Match{}, "when: match must have uid, meter, account or text"),
	)
}

func wrongIf(is bool, what string) error {
	if !is {
		return nil
	}
	return errors.New(what)
}

// checkHeaders holds names to RFC 9110 section 5.1 and values to one line.
func checkHeaders(headers map[string]string) error {
	for name, value := range headers {
		odd := func(r rune) bool {
			return r <= ' ' || r >= 0x7F || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
		}
		if name == "" || strings.ContainsFunc(name, odd) {
			return fmt.Errorf("headers: %q is not the name of a header", name)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
			return fmt.Errorf("headers: the value of %s must have no control characters", name)
		}
	}
	return nil
}

// bodiless reports whether an answer of the status has no body.
func bodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified
}

// does reports whether the rule has any effect.
func (f *Fault) does() bool {
	return f.answers() || f.Reset || f.Hang || f.Delay > 0 || f.Drip != nil || f.Cut != nil ||
		f.RetryAfter > 0 || len(f.Headers) > 0 || f.TokenLife > 0 || f.Revoke
}
