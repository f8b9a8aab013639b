package uploader

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Eight workers find out together that the token has ended: one of them gets
// a new one.
func TestTokenIsRenewedOnceForAll(t *testing.T) {
	for _, code := range []int{401, 403} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.token = func(n int) answer {
				a := tokenAnswer(n)
				a.delay = time.Second
				return a
			}
			good := "token-0"
			var answered atomic.Int64
			c := f.client(t, nil)
			c.rt = byToken{f, func(token string) answer {
				if token == good {
					return answer{status: 200, body: accepted.body, delay: 100 * time.Millisecond}
				}
				// Some find out while a new one is being fetched, some when it
				// has long been there.
				delay := time.Duration(answered.Add(1)%8) * 400 * time.Millisecond
				return answer{status: code, body: `{"message":"expired"}`, delay: delay}
			}}
			for round := range 3 {
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						if _, err := c.Submit(t.Context(), batchOf(`{}`)); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				if len(f.tokens) != round+1 {
					t.Errorf("%d: %d tokens fetched in round %d, want %d", code, len(f.tokens), round, round+1)
				}
				good = fmt.Sprintf("token-%d", round+1)
			}
			if s := c.Stats(); s.Refreshes != 2 || s.ByStatus[code] != 16 || s.Accepted != 24 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// byToken answers submissions by the token that they bring.
type byToken struct {
	*fake
	judge func(token string) answer
}

func (b byToken) RoundTrip(r *http.Request) (*http.Response, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		f := &fake{submit: answers(b.judge(token))}
		return f.RoundTrip(r)
	}
	return b.fake.RoundTrip(r)
}

func TestTokenRenewedBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := f.client(t, nil)
		for range 12 {
			if _, err := c.Submit(t.Context(), batchOf(`{}`)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour - 12*time.Second)
		}
		if len(f.tokens) != 3 {
			t.Errorf("%d tokens for 12 hours, want 3 of 5 hours", len(f.tokens))
		}
		for _, s := range f.submits {
			var n int
			fmt.Sscanf(s.token, "token-%d", &n)
			if age := s.at - f.tokens[n].at; age >= 5*time.Hour-30*time.Second {
				t.Errorf("token used at the age of %s", age)
			}
		}
	})
}

// With a token that cannot be renewed, a 403 may mean that it has ended: then
// no measurement may be called refused.
func TestGivenTokenIsNotRenewed(t *testing.T) {
	for _, code := range []int{401, 403} {
		f := newFake()
		f.submit = answers(status(code, "no"))
		c, err := newClient(Config{OrgID: "org"}, Credentials{Token: "given"}, f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Submit(t.Context(), batchOf(`{}`))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != Fatal || e.Status != code || !strings.Contains(e.Hint, envToken) || !strings.Contains(e.Hint, "unset it, since it goes before "+envKey) {
			t.Errorf("%d: %#v, hint %q; want fatal, and the token in the hint", code, err, e.Hint)
		}
		if len(f.submits) != 1 || len(f.tokens) != 0 || f.submits[0].token != "given" {
			t.Errorf("%d: %d submissions, %d tokens fetched; want one submission", code, len(f.submits), len(f.tokens))
		}
	}
}

func TestTokenEndpointTrouble(t *testing.T) {
	for _, test := range []struct {
		name string
		answer
		kind    Kind
		status  int
		message string
	}{
		{"wrong secret", answer{status: 401, body: `{"error":"invalid_client","error_description":"who are you"}`}, Fatal, 401, "invalid_client who are you"},
		{"m3ter's way", status(403, "Forbidden"), Fatal, 403, "Forbidden"},
		{"no such path", status(404, "no"), Fatal, 404, "no"},
		{"a web page", answer{status: 200, body: "<html>hello"}, Fatal, 200, "answer not understood"},
		{"no token", answer{status: 200, body: `{"token_type":"Bearer"}`}, Fatal, 200, "answer not understood"},
		{"redirect", answer{status: 307, header: map[string]string{"Location": "https://elsewhere.example/"}}, Fatal, 307, "redirect to https://elsewhere.example"},
		{"down", status(503, "down"), Temporary, 503, "down"},
		{"throttled", status(429, "slow"), Temporary, 429, "slow"},
		{"cut", answer{status: 200, body: `{"access_token":"abc`, cut: true}, Temporary, 200, "answer not understood"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.token = answers(test.answer)
				c := f.client(t, nil)
				took, err := submitOne(t, f, c)
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Kind != test.kind || e.Op != "token" || e.Status != test.status || !strings.HasPrefix(e.Message, test.message) || e.Hint == "" {
					t.Errorf("%#v, hint %q", err, e.Hint)
				}
				if (test.kind == Temporary) != (took > 10*time.Minute) || len(f.submits) != 0 || c.Stats().Requests != 0 {
					t.Errorf("%v after %s, %d submissions, %+v", err, took, len(f.submits), c.Stats())
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.token = func(n int) answer {
			if n < 3 {
				return status(503, "down")
			}
			return tokenAnswer(n)
		}
		if _, err := submitOne(t, f, f.client(t, nil)); err != nil || len(f.submits) != 1 {
			t.Errorf("after three failures: %v, %d submissions", err, len(f.submits))
		}
	})
}

// Workers that wait for a token share the failure to get one.
func TestTokenFailureIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.token = answers(answer{status: 401, delay: time.Second})
		c := f.client(t, nil)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := c.Submit(t.Context(), batchOf(`{}`)); err == nil {
					t.Error("no error")
				}
			})
		}
		wg.Wait()
		if len(f.tokens) != 1 {
			t.Errorf("%d requests for a token, want 1", len(f.tokens))
		}
	})
}

// echoes are answers that say text, which holds token, in every way.
func echoes(text, token string) []answer {
	quoted, _ := json.Marshal(text)
	escaped := strings.ReplaceAll(string(quoted), "/", `\/`)
	var list []answer
	for _, code := range []int{200, 202, 302, 400, 401, 403, 404, 413, 418, 429, 500, 503} {
		for _, body := range []string{
			`{"message":` + string(quoted) + `}`,
			`{"message":` + escaped + `}`,
			text, escaped, `{"broken":` + escaped,
			`{"access_token":"` + token + `","error":"invalid_client","error_description":` + string(quoted) + `}`,
			"<html><title>" + text + "</title>",
			strings.Repeat("x", maxMessage-8) + token, // at the place where it is cut
		} {
			header := map[string]string{"Location": "https://x.example/" + token + "?t=" + token}
			list = append(list, answer{status: code, body: body, header: header})
		}
	}
	return append(list, answer{err: errors.New(text)}, answer{status: 200, body: text, cut: true})
}

// The secrets are in nothing that is shown, whatever the servers and the
// network do with them.
func TestNoSecretIsShown(t *testing.T) {
	const key, secret, jwt = "canary+key/1", "canary+secret/2=", "canary.eyJhbGciOiJIUzI1NiJ9.token3"
	basic := "Y2FuYXJ5K2tleS8xOmNhbmFyeStzZWNyZXQvMj0="
	shown := new(bytes.Buffer)
	show := func(things ...any) {
		logger := slog.New(slog.NewTextHandler(shown, nil))
		jsonLogger := slog.New(slog.NewJSONHandler(shown, nil))
		for _, x := range things {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%T"} {
				fmt.Fprintf(shown, verb+"\n", x)
			}
			text, _ := json.Marshal(x)
			shown.Write(text)
			logger.Info("x", "x", x)
			jsonLogger.Info("x", "x", x)
			for err, ok := x.(error); ok && err != nil; err = errors.Unwrap(err) {
				fmt.Fprintf(shown, "%v %+v %#v\n", err, err, err)
			}
		}
	}

	for _, cred := range []Credentials{{Key: key, Secret: secret}, {Token: jwt}} {
		show(cred, &cred, struct{ C Credentials }{cred}, map[string]any{"c": cred})
		echo := "you sent " + jwt
		if cred.Token == "" {
			echo += " " + key + " " + secret + " " + basic + " canary%2Bsecret%2F2%3D"
		}
		for _, a := range echoes(echo, jwt) {
			for _, at := range []string{"submit", "token"} {
				if at == "token" && cred.Token != "" {
					continue
				}
				synctest.Test(t, func(t *testing.T) {
					f := newFake()
					f.token = answers(answer{status: 200, body: `{"access_token":"` + jwt + `","expires_in":18000}`})
					if at == "submit" {
						f.submit = answers(a)
					} else {
						f.token = answers(a)
					}
					c, err := newClient(Config{OrgID: "org", RetryFor: 10 * time.Second, Rate: []Window{}}, cred, f)
					if err != nil {
						t.Fatal(err)
					}
					refusals, err := c.Submit(t.Context(), batchOf(`{}`))
					if err == nil && len(refusals) == 0 {
						t.Fatalf("%s: %d %s: accepted", at, a.status, a.body)
					}
					_, orgErr := c.Organization(t.Context())
					trouble, _ := c.Trouble()
					show(refusals, err, orgErr, c.Stats(), trouble, c, c.Config())
					if trouble.Err != nil {
						show(trouble.Err, *trouble.Err)
					}
				})
			}
		}
	}
	if i := strings.Index(shown.String(), "canary"); i >= 0 {
		text := shown.String()
		t.Errorf("shown: …%s…", text[max(0, i-300):min(len(text), i+100)])
	}
	for _, hex := range []string{fmt.Sprintf("%x", "canary"), basic} {
		if strings.Contains(shown.String(), hex) {
			t.Errorf("shown: %s", hex)
		}
	}
	if shown.Len() < 100_000 {
		t.Errorf("only %d bytes were shown", shown.Len())
	}
}

func TestCredentialsCheck(t *testing.T) {
	for _, cred := range []Credentials{{}, {Key: "k"}, {Secret: "s"}, {Token: "a b"}, {Key: "a:b", Secret: "s"}} {
		if _, err := New(Config{OrgID: "org"}, cred); err == nil {
			t.Errorf("%v: no error", cred)
		}
	}
}
