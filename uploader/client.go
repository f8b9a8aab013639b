package uploader

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Refusal is the platform's final no to one measurement.
type Refusal struct {
	Item    int // its index in the batch
	Status  int
	Message string
	// Hint says what the words may mean for a measurement alone, or is empty.
	Hint string
	// Unsure says that an earlier request which held it ended without a word of
	// its fate: it may have been taken then.
	Unsure bool
}

// A Submitter gets the measurements of a batch to the platform.
type Submitter interface {
	// Submit returns once the fate of every measurement of b is known: with a
	// nil error, each is accepted or among the refusals, which are in the
	// order of the batch. An error means that this is not so and that trying
	// again now will not help; some or all measurements may have arrived, and
	// submitting the same bytes again is safe. A [*Partly] tells how much is
	// settled all the same. Submit MUST NOT change b, nor
	// look at it after it has returned, and MUST be safe for concurrent use.
	Submit(ctx context.Context, b *Batch) ([]Refusal, error)
}

// Client talks to the platform. It is safe for concurrent use, and starts no
// goroutines of its own. All its workers share one pacer and one token.
type Client struct {
	cfg     Config
	submits *url.URL // where submissions go
	agent   []string // User-Agent
	rt      http.RoundTripper
	pace    *pacer
	auth    *tokens
	count   counters
	witness witness
	sizes   sizes
}

var _ Submitter = (*Client)(nil)

// New makes a client. It sends nothing yet. An error names what to set.
func New(cfg Config, cred Credentials) (*Client, error) {
	return newClient(cfg, cred, nil)
}

func newClient(cfg Config, cred Credentials, rt http.RoundTripper) (*Client, error) {
	cfg, err := cfg.Resolve()
	if err != nil {
		return nil, err
	}
	if err := cred.check(); err != nil {
		return nil, err
	}
	if rt == nil {
		if err := checkProxy(os.Getenv); err != nil && (strings.HasPrefix(cfg.BaseURL, "https:") || strings.HasPrefix(cfg.IngestURL, "https:")) {
			return nil, err
		}
		rt = newTransport(cfg)
	}
	return &Client{
		cfg: cfg, submits: endpoint(cfg.IngestURL, cfg.OrgID, "measurements"), agent: []string{cfg.UserAgent},
		rt: rt, pace: newGovernor(cfg), auth: newTokens(cfg, cred, rt),
	}, nil
}

// endpoint is the address of something of an organization, at a host of a
// resolved configuration.
func endpoint(host, org, what string) *url.URL {
	u, err := url.Parse(host + "/organizations/" + org + "/" + what)
	if err != nil {
		panic("uploader: address of a resolved configuration: " + err.Error())
	}
	return u
}

// Config is the client's configuration, resolved.
func (c *Client) Config() Config { return c.cfg }

// String names the client without showing what it holds.
func (c *Client) String() string {
	return "client of organization " + c.cfg.OrgID + " at " + c.cfg.IngestURL
}

// Format is String whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// Submit sends the batch until the fate of each measurement is known; see
// [Submitter], and [WithDeparture]. What is held against the content of a request takes it apart,
// until the guilty measurements stand alone and are refused, and the others
// have landed. An empty batch is accepted without a request. The error is an
// [*Error], or a [*Partly] when something is settled all the same.
func (c *Client) Submit(ctx context.Context, b *Batch) ([]Refusal, error) {
	d := delivery{c: c, b: b, credit: firstCredit, departure: DepartureOf(ctx)}
	d.allowed.most, d.allowed.said = d.departure.Allowed()
	d.departure.Waiting()
	defer d.over()
	for s := range d.pieces(c.sizes.limit) {
		d.searching = false
		if err := d.deliver(ctx, s); err != nil {
			return nil, d.ended(err)
		}
	}
	refusals, err := d.settle(ctx)
	if err != nil {
		return nil, d.ended(err)
	}
	c.count.refused.Add(int64(len(refusals)))
	return refusals, nil
}

// submission is the call that submits a body.
func (c *Client) submission(body []byte) call {
	return call{
		op:     opSubmit,
		method: http.MethodPost,
		url:    c.submits,
		body:   body,
		read:   isAccepted,
	}
}

// call is a request that is made until it is answered for good.
type call struct {
	op     operation
	method string
	url    *url.URL
	body   []byte            // nil: none
	read   func([]byte) bool // takes the body of a success; false: not understood
	// token is the one to use as long as it can be. Empty: the client's.
	token token
	// outlived says that a 403 has outlived a new token: one more stands.
	outlived bool
	// departure is told when it leaves and comes back. Nil: nobody is.
	departure Departure
	// left says that some of the same batch may have been taken before.
	left bool
}

// pausing tells that the call is made once more.
func (c *call) pausing() {
	if c.left && c.departure != nil {
		c.departure.Pausing()
	}
}

// outcome is the answer for good.
type outcome struct {
	err   *Error // nil: a success
	blame blame  // of an error
	attempt
}

// do makes a call. What may pass is tried again for as long as RetryFor; what
// does not count towards that is waiting for the rate windows.
func (c *Client) do(ctx context.Context, what call) outcome {
	patience := c.cfg.RetryFor
	renewed := [blames]bool{onContentOrUs: what.outlived} // for a 401, for a 403
	lent, unsure, replaced := false, false, 0
	var first time.Time // of the tries that may have been taken, by the wall clock
	for retries := 0; ; {
		start := time.Now()
		v, t := c.try(ctx, what, patience)
		lent = lent || t.lent
		unsure = unsure || v.do == retry && t.token.text != ""
		t.lent, t.unsure = lent, unsure
		switch {
		case t.token.text == "": // nothing was sent
		case !v.untaken:
			what.left = true
		case !what.left && what.departure != nil:
			what.departure.Waiting()
		}
		t.left = what.left
		if what.left && first.IsZero() {
			first = start.Round(0)
		}
		switch {
		case v.do == accept:
			c.count.good()
			return outcome{attempt: t}
		case v.do == renew && !renewed[v.blame]:
			// A token that others have replaced meanwhile says nothing of the one in
			// its place: to go over to that is no renewal.
			renewed[v.blame] = c.auth.refuse(t.token) || replaced >= maxReplaced
			replaced++
			what.token = token{}
			c.count.retries.Add(1)
			what.pausing()
			if what.departure != nil {
				what.departure.Again()
			}
			continue
		case v.do == renew || v.do == stand:
			return outcome{err: &v.err, blame: v.blame, attempt: t}
		}
		what.pausing()
		if ctx.Err() != nil {
			return outcome{err: c.cancelled(ctx, v), attempt: t}
		}

		c.count.bad(v.err)
		patience -= time.Since(start) - t.paced
		wait := v.after // of a throttle: the pacer waits
		if v.do == retry {
			// Cut short to what is left, so that the last try comes at its end;
			// what the server asks for is not cut short.
			wait = min(backoff(retries, v.after), max(v.after, patience))
			retries++
		}
		if wait > patience || patience <= 0 {
			return outcome{err: c.gaveUp(v, patience), attempt: t}
		}
		if v.do == retry {
			start := time.Now()
			err := sleep(ctx, wait, nil)
			slept := time.Since(start)
			patience -= slept
			c.count.backoffWait.Add(int64(slept))
			if err != nil {
				return outcome{err: c.cancelled(ctx, v), attempt: t}
			}
		}
		if !first.IsZero() && time.Now().Round(0).Sub(first) >= safeWindow {
			v.err.Kind = Temporary
			v.err.Message += "; gave up, as the first try was more than 34 days ago by the clock, and m3ter knows a uid for 35: what arrived then would be billed twice"
			return outcome{err: &v.err, blame: v.blame, attempt: t}
		}
		c.count.retries.Add(1)
	}
}

// maxReplaced is how many tokens of one call may turn out to be replaced by others: the
// one that a search has kept for its next request.
const maxReplaced = 1

// safeWindow is how long after its first try a batch may be tried again: the
// platform takes a uid once within 35 days, and as new after that. It is by the wall
// clock, as the other one stands still on a machine that was put to sleep.
const safeWindow = 34 * 24 * time.Hour

// attempt is a call that was made once.
type attempt struct {
	token token         // empty: there was none, so nothing was sent
	paced time.Duration // waited for the rate windows
	lent  bool          // somebody may still be reading the body
	left  bool          // some of the batch may have been taken, now or before
	// unsure says that what became of the request, this time or earlier, is not known
	// but by the answer at hand.
	unsure bool
}

// try makes a call once.
func (c *Client) try(ctx context.Context, what call, patience time.Duration) (verdict, attempt) {
	if what.op != opSubmit {
		v, t, _ := c.exchange(ctx, what)
		return v, t
	}
	permit, err := c.pace.acquire(ctx, patience)
	c.count.waited(permit)
	if err != nil {
		return c.notAdmitted(err), attempt{paced: permit.paced}
	}
	v, t, x := c.exchange(ctx, what)
	t.paced = permit.paced
	switch {
	case t.token.text == "":
		c.pace.unused(permit)
		return v, t
	case x.status == http.StatusTooManyRequests:
		c.pace.throttled(permit, v.after)
	default:
		c.pace.over(permit, x.status != 0)
	}
	c.count.exchanged(x, len(what.body))
	if v.do == retry {
		c.count.uncertain.Add(1)
	}
	return v, t
}

// exchange sends what and reads the answer. The token is empty when there was
// none to send it with, which then is what the verdict is about.
func (c *Client) exchange(ctx context.Context, what call) (verdict, attempt, exchange) {
	used := what.token
	if !used.usable() {
		var v verdict
		if used, v = c.auth.get(ctx); v.do != accept {
			return v, attempt{}, exchange{}
		}
	}
	if what.departure != nil {
		what.departure.Leaving()
		if ctx.Err() != nil {
			return networkVerdict(what.op, context.Cause(ctx), c.auth.redactor()), attempt{}, exchange{}
		}
	}
	// Of the header, only the map is made anew for each request.
	header := http.Header{"Authorization": used.header, "Accept": asJSON, "User-Agent": c.agent}
	if what.body != nil {
		header["Content-Type"] = asJSON
	}
	req := &http.Request{Method: what.method, URL: what.url, Header: header}
	x := roundTrip(ctx, c.rt, c.cfg.RequestTimeout, req, what.body)
	understood := x.status == http.StatusOK && x.err == nil && what.read(x.body)
	return judge(what.op, x, len(what.body), understood, c.auth.renewable(), c.auth.redactor()), attempt{token: used, lent: x.lent}, x
}

var asJSON = []string{"application/json"}

// isAccepted reads the answer to a submission: an object with one member
// "result", which is "accepted". Anything else proves nothing: a proxy's
// greeting comes with status 200, too, and of two results nobody knows which is
// meant. Other members may be there, as the platform may say more one day.
func isAccepted(body []byte) bool {
	if string(body) == `{"result":"accepted"}` {
		return true // as documented, and nearly always
	}
	if !json.Valid(body) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // however large
	if open, _ := dec.Token(); open != json.Delim('{') {
		return false
	}
	results, accepted := 0, false
	for dec.More() {
		name, err := dec.Token()
		var value any
		if errors.Join(err, dec.Decode(&value)) != nil {
			return false
		}
		if name == "result" {
			results++
			accepted = value == "accepted"
		}
	}
	return results == 1 && accepted
}

// notAdmitted is the verdict when the pacer did not let a request through.
func (c *Client) notAdmitted(err error) verdict {
	if !errors.Is(err, errGateShut) {
		return networkVerdict(opSubmit, err, c.auth.redactor())
	}
	text := fmt.Sprintf("throttled for longer than retries may last (%s)", c.cfg.RetryFor)
	if until := c.pace.shutUntil(); !until.IsZero() {
		text = fmt.Sprintf("throttled until %s, which is longer than retries may last (%s)",
			until.UTC().Format(time.RFC3339), c.cfg.RetryFor)
	}
	return verdict{
		meaning: meaning{do: stand, kind: Temporary},
		err:     Error{Kind: Temporary, Op: opSubmit.String(), Status: http.StatusTooManyRequests, Message: text, Hint: hintThrottle},
	}
}

// gaveUp is the error when patience has come to its end, or what is left of it
// is shorter than the server asks to wait.
func (c *Client) gaveUp(v verdict, patience time.Duration) *Error {
	v.err.Kind = Temporary
	if patience > 0 {
		v.err.Message += fmt.Sprintf("; gave up, as the server asks to wait for %s, and retries may last %s more (%s in all)",
			v.after.Round(time.Second), patience.Round(100*time.Millisecond), c.cfg.RetryFor)
	} else {
		v.err.Message += fmt.Sprintf("; gave up after %s of retries", c.cfg.RetryFor)
	}
	return &v.err
}

// cancelled is the error when the caller has cancelled. It is both ctx.Err()
// and its cause, for errors.Is.
func (c *Client) cancelled(ctx context.Context, v verdict) *Error {
	why := &cause{
		text:     c.auth.redactor().clean(context.Cause(ctx).Error()),
		original: errors.Join(ctx.Err(), context.Cause(ctx)),
	}
	return &Error{Kind: Temporary, Op: v.err.Op, Status: v.err.Status, Message: "cancelled", Err: why}
}
