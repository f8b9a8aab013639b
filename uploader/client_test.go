package uploader

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// submitOne submits one batch in virtual time and says how long it took.
func submitOne(t *testing.T, f *fake, c *Client) (time.Duration, error) {
	t.Helper()
	began := time.Now()
	refusals, err := c.Submit(t.Context(), batchOf(`{"uid":"1"}`))
	if refusals != nil {
		t.Errorf("refusals %v", refusals)
	}
	for _, s := range f.submits {
		if s.body != `{"measurements":[{"uid":"1"}]}` {
			t.Errorf("sent %s", s.body)
		}
	}
	return time.Since(began), err
}

func TestSubmitSendsWhatThePlatformWants(t *testing.T) {
	f := newFake()
	c := f.client(t, nil)
	if _, err := submitOne(t, f, c); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(t.Context(), new(Batch)); err != nil || len(f.submits) != 1 {
		t.Errorf("an empty batch: %v, %d requests in all; want no request", err, len(f.submits))
	}
	token, submit := f.tokens[0], f.submits[0]
	key, secret, _ := (&http.Request{Header: token.header}).BasicAuth()
	if token.body != "grant_type=client_credentials" || key != "the-key" || secret != "the+secret/=" {
		t.Errorf("token request %q by %q, %q", token.body, key, secret)
	}
	for _, want := range []struct {
		in          sent
		name, value string
	}{
		{token, "Content-Type", "application/x-www-form-urlencoded"},
		{token, "User-Agent", "m3import"},
		{submit, "Content-Type", "application/json"},
		{submit, "User-Agent", "m3import"},
		{submit, "Authorization", "Bearer token-0"},
	} {
		if got := want.in.header.Get(want.name); got != want.value {
			t.Errorf("%s: %q, want %q", want.name, got, want.value)
		}
	}
	s := c.Stats()
	if s.Requests != 1 || s.Accepted != 1 || s.Measurements != 1 || s.BytesSent != int64(len(submit.body)) || s.ByStatus[200] != 1 || s.Retries != 0 || s.Refreshes != 0 {
		t.Errorf("%+v", s)
	}
}

// What may pass is tried again, with the same bytes, until it has passed.
func TestSubmitRetries(t *testing.T) {
	for _, test := range []struct {
		name string
		answer
		uncertain int64
	}{
		{"500", status(500, "x"), 3},
		{"502", answer{status: 502, body: "<html><title>502 Bad Gateway</title></html>"}, 3},
		{"503", status(503, "x"), 3},
		{"504", status(504, "x"), 3},
		{"408", status(408, "x"), 3},
		{"409", status(409, "x"), 3},
		{"429", status(429, "x"), 0},
		{"reset", answer{err: syscall.ECONNRESET}, 3},
		{"EOF", answer{err: io.ErrUnexpectedEOF}, 3},
		{"timeout", answer{delay: 2 * time.Minute, status: 200, body: accepted.body}, 3},
		{"cut answer", answer{status: 200, body: accepted.body[:10], cut: true}, 3},
		{"whole answer, then cut", answer{status: 200, body: accepted.body, cut: true}, 3},
		{"cut refusal", answer{status: 400, body: `{"message":"measu`, cut: true}, 3},
		{"cut 403", answer{status: 403, body: `{"mess`, cut: true}, 3},
		{"empty answer", answer{status: 200}, 3},
		{"another answer", answer{status: 200, body: `{"result":"rejected"}`}, 3},
		{"a web page", answer{status: 200, body: "<html>Welcome to the hotel"}, 3},
		{"null", answer{status: 200, body: "null"}, 3},
		{"more after it", answer{status: 200, body: accepted.body + accepted.body}, 3},
		{"two results", answer{status: 200, body: `{"result":"rejected","result":"accepted"}`}, 3},
		{"an endless answer", answer{status: 200, body: strings.Repeat(" ", maxAnswer+1)}, 3},
		{"202", answer{status: 202, body: accepted.body}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.submit = answers(test.answer, test.answer, test.answer, accepted)
				c := f.client(t, nil)
				if _, err := submitOne(t, f, c); err != nil {
					t.Fatal(err)
				}
				s := c.Stats()
				if len(f.submits) != 4 || s.Requests != 4 || s.Retries != 3 || s.Uncertain != test.uncertain || s.Accepted != 1 {
					t.Errorf("%d requests, %+v", len(f.submits), s)
				}
				if trouble, ok := c.Trouble(); ok {
					t.Errorf("trouble after success: %+v", trouble)
				}
			})
		})
	}
}

// What may have been taken is not tried again once the platform may have forgotten
// it, however long retries may last; what surely was not, is.
func TestNoRetryPastTheWindow(t *testing.T) {
	for name, c := range map[string]struct {
		first answer
		sent  int
	}{
		"no answer": {answer{status: 504, body: "{}", header: map[string]string{"Retry-After": "3000000"}}, 1},
		"throttled": {answer{status: 429, body: "{}", header: map[string]string{"Retry-After": "3000000"}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.submit = answers(c.first, accepted)
				client := f.client(t, func(cfg *Config) { cfg.RetryFor = 2000 * time.Hour })
				_, err := submitOne(t, f, client)
				if len(f.submits) != c.sent || (err == nil) != (c.sent == 2) {
					t.Fatalf("%d requests, error %v", len(f.submits), err)
				}
				if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Kind != Temporary || !strings.Contains(e.Message, "34 days ago")) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// A final answer is given once, with words for a person. What it says of a
// single measurement that nothing else is known of is a refusal only if it can
// be about nothing but that.
func TestSubmitStopsOrRefuses(t *testing.T) {
	for _, test := range []struct {
		answer
		kind     Kind // 0: a refusal
		requests int
		message  string
		hint     string
	}{
		{status(400, "measurements[0].uid: too long"), 0, 1, "measurements[0].uid: too long", ""},
		{status(422, "no"), 0, 1, "no", ""},
		{status(413, "no"), Fatal, 1, "no", "too large"},
		{status(415, "no"), Fatal, 1, "no", "M3TER_INGEST_URL"},
		{status(404, "no such organization"), Fatal, 1, "no such organization", "M3TER_ORG_ID"},
		{status(401, "no"), Fatal, 2, "no", "token"},
		{status(403, "Forbidden"), Fatal, 2, "Forbidden", "firewall"},
		{answer{status: 403, body: "<html>\n<head><title>403 Forbidden</title></head></html>"}, Fatal, 2, "a web page instead of an answer of the platform: 403 Forbidden", ""},
		{answer{status: 302, header: map[string]string{"Location": "https://login.example/x?token=canary"}}, Fatal, 1, "redirect to https://login.example", "M3TER_INGEST_URL"},
		{answer{status: 418}, Fatal, 1, "I'm a teapot", ""},
		{answer{status: 400, body: "line one\n\x1b[31mline\x00two\xff"}, 0, 1, "line one [31mline two\uFFFD", ""},
		{status(400, strings.Repeat("é", 4000)), 0, 1, strings.Repeat("é", 248) + "…", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.submit = answers(test.answer)
			began := time.Now()
			refusals, err := f.client(t, nil).Submit(t.Context(), batchOf(`{"uid":"1"}`))
			message := ""
			if e, ok := errors.AsType[*Error](err); ok {
				message = e.Message
				if e.Kind != test.kind || e.Status != test.status || e.Op != "submit" || !strings.Contains(e.Hint, test.hint) {
					t.Errorf("%d: %#v\nhint: %s\nwant %v, hint with %q", test.status, e, e.Hint, test.kind, test.hint)
				}
			} else if test.kind != 0 || err != nil || len(refusals) != 1 || refusals[0].Item != 0 || refusals[0].Status != test.status {
				t.Fatalf("%d: refused %v, error %v", test.status, refusals, err)
			} else {
				message = refusals[0].Message
			}
			if !strings.HasPrefix(message, test.message) || len(message) > maxMessage {
				t.Errorf("%d: message %q, want %q", test.status, message, test.message)
			}
			if len(f.submits) != test.requests || time.Since(began) != 0 {
				t.Errorf("%d: %d requests in %s; want %d at once", test.status, len(f.submits), time.Since(began), test.requests)
			}
		})
	}
}

func TestForbiddenNearTheLimitSaysSo(t *testing.T) {
	f := newFake()
	f.submit = answers(status(403, "Forbidden"))
	var b Batch
	b.Add(measurementOf(511_000))
	_, err := f.client(t, nil).Submit(t.Context(), &b)
	if e, ok := errors.AsType[*Error](err); !ok || !strings.Contains(e.Hint, "511019 bytes") {
		t.Errorf("%v: want the size in the hint", err)
	}
}

// Retry-After is kept to, however long, as long as patience allows it.
func TestSubmitRetryAfter(t *testing.T) {
	for _, code := range []int{429, 503} {
		for name, header := range map[string]map[string]string{
			"seconds": {"Retry-After": "300"},
			"date":    {"Retry-After": "Sat, 01 Jan 2000 01:05:00 GMT", "Date": "Sat, 01 Jan 2000 01:00:00 GMT"},
			"no Date": {"Retry-After": "Sat, 01 Jan 2000 00:05:00 GMT"}, // a bubble begins at midnight
			"ms":      {"Retry-After-Ms": "300000", "Retry-After": "1"},
		} {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.submit = answers(answer{status: code, header: header}, accepted)
				c := f.client(t, nil)
				took, err := submitOne(t, f, c)
				if err != nil || took < 5*time.Minute || took > 5*time.Minute+time.Second {
					t.Errorf("%d, %s: %v after %s, want 5m and at most a second", code, name, err, took)
				}
				if s := c.Stats(); s.ThrottleWait+s.BackoffWait != took || (code == 429) != (s.ThrottleWait > 0) {
					t.Errorf("%d, %s: %+v", code, name, s)
				}
			})
		}
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.submit = answers(answer{status: code, header: map[string]string{"Retry-After": "3600"}})
			took, err := submitOne(t, f, f.client(t, nil))
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != Temporary || e.Status != code || took != 0 || !strings.Contains(e.Message, "1h0m0s") {
				t.Errorf("%d: %v after %s, want an end at once: an hour is past the patience", code, err, took)
			}
		})
	}
}

// Only one answer says that the measurements are taken.
func TestIsAccepted(t *testing.T) {
	for body, want := range map[string]bool{
		accepted.body:                                 true,
		"  { \"result\" :\n\"accepted\" }\n":          true,
		`{"result":"accepted","failed":5}`:            true,
		`{"n":1e999,"list":[{}],"result":"accepted"}`: true,
		`{"result":"rejected","result":"accepted"}`:   false,
		`{"result":"accepted","result":"accepted"}`:   false,
		`{"Result":"accepted"}`:                       false,
		`{"result":"Accepted"}`:                       false,
		`{"result":["accepted"]}`:                     false,
		`{"more":{"result":"accepted"}}`:              false,
		`[{"result":"accepted"}]`:                     false,
		`{"result":"accepted"}}`:                      false,
		`{"result":"accepted"`:                        false,
		`"accepted"`:                                  false,
		`{}`:                                          false,
		``:                                            false,
	} {
		if got := isAccepted([]byte(body)); got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "-1": 0, "x": 0, "NaN": 0, "1.5": 1500 * time.Millisecond, " 7 ": 7 * time.Second,
		"99999999999999999999": maxRetryAfter, "+Inf": maxRetryAfter, "Mon, 01 Jan 1990 00:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestBackoffGrowsAndHasFullJitter(t *testing.T) {
	for n, limit := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
		limit *= time.Second / 2
		low, high := limit, time.Duration(0)
		for range 1000 {
			d := backoff(n, 0)
			low, high = min(low, d), max(high, d)
		}
		if high > limit || high < limit*9/10 || low > limit/10 {
			t.Errorf("retry %d waits %s to %s, want the whole of 0 to %s", n, low, high, limit)
		}
	}
	for range 1000 {
		if d := backoff(3, time.Minute); d < time.Minute || d > time.Minute+time.Second {
			t.Fatalf("asked for a minute, waits %s", d)
		}
	}
	if d := backoff(1<<40, 0); d > maxBackoff {
		t.Errorf("waits %s", d)
	}
}

// An outage longer than patience ends in a temporary error, having been tried
// with ever longer pauses and not given up early.
func TestSubmitGivesUp(t *testing.T) {
	for _, a := range []answer{status(503, "down"), {err: syscall.ECONNREFUSED}, status(429, "slow down"), {delay: time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.submit = answers(a)
			c := f.client(t, nil)
			took, err := submitOne(t, f, c)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != Temporary || e.Status != a.status || e.Hint == "" {
				t.Fatalf("%v", err)
			}
			if a.err != nil && !errors.Is(err, a.err) {
				t.Errorf("%v is not %v", err, a.err)
			}
			least := 15 * time.Minute
			if a.status == http.StatusTooManyRequests {
				least -= 2 * time.Minute // it is known beforehand that the next one would come too late
			}
			if took > 15*time.Minute+time.Minute || took < least {
				t.Errorf("%v: gave up after %s, want the 15m and no more than the last request", err, took)
			}
			if n := len(f.submits); n < 10 || n > 150 {
				t.Errorf("%v: %d requests", err, n)
			}
			if trouble, ok := c.Trouble(); !ok || trouble.Count == 0 || trouble.Err == nil || time.Since(trouble.Since) < 13*time.Minute {
				t.Errorf("trouble: %+v", trouble)
			}
		})
	}
}

// Waiting for the rate windows is not failing.
func TestPacingDoesNotUseUpPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.submit = answers(status(500, ""), status(500, ""), accepted)
		c := f.client(t, func(cfg *Config) {
			cfg.Rate = []Window{{1, time.Hour}}
			cfg.RetryFor = time.Minute
		})
		took, err := submitOne(t, f, c)
		if err != nil || took < 2*time.Hour || c.Stats().PaceWait < 119*time.Minute {
			t.Errorf("%v after %s, %+v", err, took, c.Stats())
		}
	})
}

func TestCancelIsImmediate(t *testing.T) {
	why := errors.New("the user said so")
	slow := []Window{{1, time.Hour}}
	for name, test := range map[string]struct {
		f    *fake
		rate []Window
	}{
		"in the request":       {f: &fake{submit: answers(answer{delay: time.Hour})}},
		"in the back-off":      {f: &fake{submit: answers(answer{status: 503, header: map[string]string{"Retry-After": "600"}})}},
		"at the gate":          {f: &fake{submit: answers(answer{status: 429, header: map[string]string{"Retry-After": "600"}})}},
		"for the rate windows": {f: &fake{submit: answers(status(500, ""))}, rate: slow},
		"for the token":        {f: &fake{token: answers(answer{delay: time.Hour})}},
		"between token tries":  {f: &fake{token: answers(answer{status: 503, header: map[string]string{"Retry-After": "600"}})}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := test.f.client(t, func(cfg *Config) {
					if test.rate != nil {
						cfg.Rate = test.rate
					}
				})
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(5*time.Second, func() { cancel(why) })
				began := time.Now()
				_, err := c.Submit(ctx, batchOf(`{}`))
				if took := time.Since(began); took != 5*time.Second {
					t.Errorf("returned after %s, want 5s", took)
				}
				if !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
					t.Errorf("%v: want it to be context.Canceled and its cause", err)
				}
			})
		})
	}
	f := newFake()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.client(t, nil).Submit(ctx, batchOf(`{}`)); !errors.Is(err, context.Canceled) || len(f.submits)+len(f.tokens) > 0 {
		t.Errorf("cancelled before: %v, %d requests", err, len(f.submits)+len(f.tokens))
	}
}

// The storm: the limit is used up by somebody else, eight workers go on.
func TestThrottlingIsMetTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.submit = func(int) answer {
			if time.Since(f.start) < 2*time.Minute {
				return answer{status: 429, delay: 20 * time.Millisecond}
			}
			return answer{status: 200, body: accepted.body, delay: 20 * time.Millisecond}
		}
		c := f.client(t, nil)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 100 {
					if _, err := c.Submit(t.Context(), batchOf(`{}`)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if trouble, ok := c.Trouble(); !ok || trouble.Err.Status != 429 || trouble.Until.IsZero() && trouble.Count < 2 {
			t.Errorf("in the storm: %+v, want the 429 and until when", trouble)
		}
		wg.Wait()
		s := c.Stats()
		if s.Accepted != 800 || s.Throttled > 8+45 || s.Throttled < 8 {
			t.Errorf("%+v: want 800 accepted and 8 to 53 throttled", s)
		}
		if took := time.Since(f.start); took > 2*time.Minute+40*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestOrganization(t *testing.T) {
	f := newFake()
	org, err := f.client(t, nil).Organization(t.Context())
	if want := (Organization{ID: "c", Timezone: "Europe/Berlin", Currency: "EUR", DayEpoch: "2022-01-01"}); err != nil || org != want {
		t.Errorf("%+v, %v; want %+v", org, err, want)
	}
	if f.orgs[0].header.Get("Authorization") != "Bearer token-0" || f.orgs[0].header.Get("User-Agent") != "m3import" {
		t.Errorf("sent %v", f.orgs[0].header)
	}
	for _, test := range []struct {
		answer
		kind     Kind
		requests int
	}{
		{status(403, "Forbidden"), Fatal, 2},
		{status(404, "no"), Fatal, 1},
		{answer{status: 200, body: "<html>hello"}, Fatal, 1},
		{answer{status: 200, body: `{}`}, Fatal, 1},
	} {
		f := newFake()
		f.submit = answers(test.answer)
		_, err := f.client(t, nil).Organization(t.Context())
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != test.kind || e.Op != "organization" || e.Hint == "" || len(f.orgs) != test.requests {
			t.Errorf("%d: %#v after %d requests", test.status, err, len(f.orgs))
		}
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.submit = answers(status(503, ""), status(429, ""), answer{status: 200, body: `{"id":"c"}`})
		if org, err := f.client(t, nil).Organization(t.Context()); err != nil || org.Timezone != "UTC" || len(f.orgs) != 3 {
			t.Errorf("after two temporary answers: %+v, %v", org, err)
		}
	})
}
