package uploader

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// expiryMargin is how long before its end a token is renewed, so that it does
// not end on the way. Tokens live five hours; of one that lives less than ten
// minutes it is a tenth.
const expiryMargin = time.Minute

// token is a bearer token, and the how-manieth of its client.
type token struct {
	text       string
	header     []string // Authorization; for reading only
	generation int
	renewAt    time.Time // zero: when it is refused
}

func bearer(text string) []string { return []string{"Bearer " + text} }

func (t token) usable() bool {
	return t.text != "" && (t.renewAt.IsZero() || time.Now().Before(t.renewAt))
}

// tokens hands out the client's token, and has a new one fetched when it has
// ended or was refused: once for all workers, however many find out together.
type tokens struct {
	fetch func(context.Context) (*oauth2.Token, verdict) // nil: the token was given and cannot be renewed

	// turn is held by the one that fetches; a channel, for a lock that a
	// cancelled worker can stop waiting for. The holder fetches on its own
	// time: there is no goroutine. Taken before mu, never after.
	turn chan struct{}

	mu      sync.Mutex
	current token
	hide    *redactor
	fetched int     // fetches that came to an end, good or bad
	last    verdict // of the last one
	issued  int64   // fetches that brought a token
}

func newTokens(cfg Config, cred Credentials, rt http.RoundTripper) *tokens {
	t := &tokens{turn: make(chan struct{}, 1), hide: newRedactor(cred)}
	if cred.Token != "" {
		t.current = token{text: cred.Token, header: bearer(cred.Token)}
		return t
	}
	conf := clientcredentials.Config{
		ClientID:     cred.Key,
		ClientSecret: cred.Secret,
		TokenURL:     cfg.BaseURL + "/oauth/token",
		AuthStyle:    oauth2.AuthStyleInHeader,
	}
	t.fetch = func(ctx context.Context) (*oauth2.Token, verdict) {
		via := &tokenTransport{rt: rt, cfg: cfg, cred: cred}
		client := &http.Client{
			Transport: via,
			// A redirect is an answer like any other, and no place for credentials.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		got, err := conf.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
		return got, judge(opToken, via.seen, 0, err == nil, true, t.redactor())
	}
	return t
}

// get returns a usable token, fetching one if need be. Of several that wait
// for the same fetch, all get its outcome. The verdict of a success is accept.
func (t *tokens) get(ctx context.Context) (token, verdict) {
	t.mu.Lock()
	current, seen := t.current, t.fetched
	t.mu.Unlock()
	if current.usable() {
		return current, verdict{}
	}

	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return token{}, networkVerdict(opToken, context.Cause(ctx), t.hide)
	}
	t.mu.Lock()
	current, news, last := t.current, t.fetched != seen, t.last
	t.mu.Unlock()
	if current.usable() || news && last.do != accept {
		return current, last
	}

	got, v := t.fetch(ctx)
	if v.do != accept && ctx.Err() != nil {
		return token{}, v // says nothing to those whose context still lives
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetched++
	t.last = v
	if v.do == accept {
		t.current = token{text: got.AccessToken, header: bearer(got.AccessToken), generation: t.fetched, renewAt: renewalOf(got.Expiry)}
		t.issued++
		t.hide = t.hide.with(got.AccessToken)
	}
	return t.current, v
}

func renewalOf(expiry time.Time) time.Time {
	if expiry.IsZero() {
		return expiry
	}
	return expiry.Add(-min(expiryMargin, time.Until(expiry)/10))
}

// renewable tells whether there can be another token.
func (t *tokens) renewable() bool { return t.fetch != nil }

// refuse says that the server did not take a token: the next get brings
// another one. Of several that were refused the same token, the first does it. It
// reports false when another one was there already.
func (t *tokens) refuse(refused token) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.generation != refused.generation {
		return false
	}
	t.current.text = ""
	return true
}

// renewals is the number of tokens fetched after the first one.
func (t *tokens) renewals() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, t.issued-1)
}

// redactor hides the credentials and every token so far.
func (t *tokens) redactor() *redactor {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hide
}

// tokenTransport is what package oauth2 fetches a token through: with our
// User-Agent, timeouts and bounds, and with a look at the answer, since the
// errors of oauth2 show bodies, and do not show Retry-After.
type tokenTransport struct {
	rt   http.RoundTripper
	cfg  Config
	cred Credentials
	seen exchange
}

func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", t.cfg.UserAgent)
	req.Header.Set("Accept", "application/json")
	// RFC 6749 section 2.3.1 has key and secret form-encoded before they go
	// into Basic, and oauth2 does so. m3ter documents plain Basic, so that a
	// secret with a '+' or '/' would be refused.
	req.SetBasicAuth(t.cred.Key, t.cred.Secret)
	t.seen = roundTrip(req.Context(), t.rt, t.cfg.RequestTimeout, req, body)
	if t.seen.err != nil {
		return nil, t.seen.err
	}
	// oauth2 reads only what it is told is JSON as JSON: m3ter's token
	// endpoint answers in nothing else, whatever its Content-Type says.
	header := t.seen.header.Clone()
	header.Set("Content-Type", "application/json")
	return &http.Response{
		StatusCode: t.seen.status,
		Header:     header,
		Body:       io.NopCloser(bytes.NewReader(t.seen.body)),
		Request:    req,
	}, nil
}
