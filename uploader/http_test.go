package uploader

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// local is a platform on loopback that hands out tokens and leaves submissions
// to a handler. It fails the test on a request without a User-Agent, or in
// another protocol than HTTP/1.1.
type local struct {
	*httptest.Server
	connections atomic.Int64
	submissions atomic.Int64
}

// submission is the n-th POST of measurements, counted from 0, at a local.
type submission struct {
	http.ResponseWriter
	*http.Request
	n    int
	stop <-chan struct{}
}

func (s submission) accept() {
	io.Copy(io.Discard, s.Request.Body)
	io.WriteString(s.ResponseWriter, accepted.body)
}

// hang lasts until the client has gone, or the test ends: a server does not
// see a client go while it has not read the body.
func (s submission) hang() {
	select {
	case <-s.Request.Context().Done():
	case <-s.stop:
	}
}

// breakOff breaks the connection: with a reset, when the client has not been
// answered, and in the middle of an answer otherwise.
func (s submission) breakOff(sayFirst string) {
	conn, buffer, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		panic(err)
	}
	buffer.WriteString(sayFirst)
	buffer.Flush()
	if tcp, ok := conn.(*net.TCPConn); ok && sayFirst == "" {
		tcp.SetLinger(0)
	}
	conn.Close()
}

func newLocal(t testing.TB, tls bool, handle func(submission)) *local {
	t.Helper()
	l := &local{}
	stop := make(chan struct{})
	l.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != "m3import/test" || r.ProtoMajor != 1 {
			t.Errorf("%s %s by %q in %s", r.Method, r.URL.Path, r.UserAgent(), r.Proto)
		}
		switch r.URL.Path {
		case "/oauth/token":
			io.WriteString(w, `{"access_token":"the-token","expires_in":18000,"token_type":"Bearer"}`)
		case "/organizations/org/measurements":
			handle(submission{w, r, int(l.submissions.Add(1)) - 1, stop})
		default:
			http.NotFound(w, r)
		}
	}))
	l.Config.ErrorLog = log.New(io.Discard, "", 0)
	l.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			l.connections.Add(1)
		}
	}
	if tls {
		l.EnableHTTP2 = true
		l.StartTLS()
	} else {
		l.Start()
	}
	t.Cleanup(func() {
		close(stop)
		l.Close()
	})
	return l
}

func (l *local) client(t testing.TB, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{BaseURL: l.URL, OrgID: "org", UserAgent: "m3import/test", Rate: []Window{}}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg, Credentials{Key: "the-key", Secret: "the-secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.rt.(*http.Transport).CloseIdleConnections)
	return c
}

func TestHTTPReusesConnections(t *testing.T) {
	l := newLocal(t, false, submission.accept)
	c := l.client(t, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if _, err := c.Submit(t.Context(), batchOf(`{}`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := l.connections.Load(); n > 10 {
		t.Errorf("%d connections for 4 workers and a token", n)
	}
	if s := c.Stats(); s.Accepted != 200 || s.Requests != 200 {
		t.Errorf("%+v", s)
	}
}

// Whatever becomes of a request on the way, the next one carries the same
// bytes, and nothing is accepted that the server did not say was.
func TestHTTPFaults(t *testing.T) {
	for name, fault := range map[string]func(submission){
		"reset before reading": func(s submission) { s.breakOff("") },
		"reset after reading": func(s submission) {
			io.Copy(io.Discard, s.Request.Body)
			s.breakOff("")
		},
		"reset while reading": func(s submission) {
			io.CopyN(io.Discard, s.Request.Body, 100_000)
			s.breakOff("")
		},
		"cut in the header": func(s submission) {
			io.Copy(io.Discard, s.Request.Body)
			s.breakOff("HTTP/1.1 200 OK\r\nContent-Le")
		},
		"cut in the body": func(s submission) {
			io.Copy(io.Discard, s.Request.Body)
			s.breakOff("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" + `{"result":"acc`)
		},
		"not HTTP": func(s submission) {
			io.Copy(io.Discard, s.Request.Body)
			s.breakOff("SSH-2.0-OpenSSH_9.9\r\n")
		},
		"500 before reading": func(s submission) { http.Error(s.ResponseWriter, "x", 500) },
		"not read in time":   func(s submission) { s.hang() },
		"no answer in time": func(s submission) {
			io.Copy(io.Discard, s.Request.Body)
			s.hang()
		},
		"half an answer in time": func(s submission) {
			io.Copy(io.Discard, s.Request.Body)
			s.ResponseWriter.Header().Set("Content-Length", "21")
			io.WriteString(s.ResponseWriter, accepted.body[:8])
			http.NewResponseController(s.ResponseWriter).Flush()
			s.hang()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b Batch
			b.Add(measurementOf(300_000), measurementOf(211_000))
			want := string(b.Body())
			l := newLocal(t, false, func(s submission) {
				if s.n == 0 {
					fault(s)
					return
				}
				if got, _ := io.ReadAll(s.Request.Body); string(got) != want {
					t.Errorf("the retry carries %d bytes, want the same %d", len(got), len(want))
				}
				s.accept()
			})
			c := l.client(t, func(cfg *Config) {
				if strings.HasSuffix(name, "in time") {
					cfg.RequestTimeout = 300 * time.Millisecond
				}
			})
			if _, err := c.Submit(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			if n := l.submissions.Load(); n < 2 || c.Stats().Accepted != 1 {
				t.Errorf("%d submissions, %+v", n, c.Stats())
			}
		})
	}
}

// A server that changes the protocol has not answered: its connection goes on
// for ever, and no time-out or cancellation would end a read of it.
func TestHTTPSwitchedProtocols(t *testing.T) {
	gone := make(chan error, 1)
	l := newLocal(t, false, func(s submission) {
		io.Copy(io.Discard, s.Request.Body)
		conn, buffer, err := http.NewResponseController(s.ResponseWriter).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		buffer.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		buffer.Flush()
		conn.SetReadDeadline(time.Now().Add(10 * time.Second)) // for a client that waits for us
		_, err = conn.Read(make([]byte, 1))
		gone <- err
	})
	_, err := l.client(t, nil).Submit(t.Context(), batchOf(`{}`))
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Fatal || e.Status != 101 || !strings.Contains(e.Hint, envIngestURL) {
		t.Errorf("%#v, want a fatal error of status 101", err)
	}
	if err := <-gone; err != io.EOF {
		t.Errorf("the server waits for the client until %v, want the connection to be closed", err)
	}
}

// The address of a proxy is looked at before anything is sent: net/http takes
// what it cannot read for no proxy, or for a host of another name.
func TestProxyAddress(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "proxy:3128": true, "http://proxy": true, "http://user:canary@proxy.example:3128/": true,
		"https://[::1]:443": true, "socks5://127.0.0.1:1080": true, "socks5h://proxy:1080": true,
		"http://[::1": false, "ftp://proxy": false, "proxy:99999": false, "http://proxy:0": false, "http://proxy:canary": false,
		"http://": false, ":::": false, "http://a b": false, "http:/proxy": false, "proxy/path": false,
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			err := checkProxy(func(n string) string { return map[string]string{name: text}[n] })
			if (err == nil) != want {
				t.Errorf("%s=%s: %v", name, text, err)
			}
			if err != nil && (!strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("%s=%s: %v, want the variable named and its value not", name, text, err)
			}
		}
	}
	t.Setenv("HTTPS_PROXY", "http://[::1")
	if _, err := New(Config{OrgID: "org"}, Credentials{Token: "given"}); err == nil {
		t.Error("a client for https is made in spite of the proxy")
	}
	if _, err := New(Config{OrgID: "org", BaseURL: "http://127.0.0.1:1"}, Credentials{Token: "given"}); err != nil {
		t.Errorf("a client for this machine: %v", err)
	}
}

// The batch is the caller's again as soon as Submit returns, also when the
// answer came before the request was written. The race detector is the judge.
func TestHTTPLeavesTheBatchAlone(t *testing.T) {
	l := newLocal(t, false, func(s submission) {
		if s.n%2 == 0 {
			http.Error(s.ResponseWriter, `{"message":"no"}`, 400)
			return
		}
		s.hang()
	})
	c := l.client(t, nil)
	var b Batch
	item := measurementOf(511_000)
	for range 40 {
		b.Reset(Limits{})
		b.Add(item)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		if refusals, err := c.Submit(ctx, &b); err == nil && len(refusals) == 0 {
			t.Error("accepted")
		}
		cancel()
	}
}

// hasty is a transport that answers before it has read the request, and reads
// it when it is told to.
type hasty struct {
	read chan struct{}
	got  chan string
}

func (h hasty) RoundTrip(r *http.Request) (*http.Response, error) {
	httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
	go func() {
		<-h.read
		text, _ := io.ReadAll(r.Body)
		h.got <- string(text)
	}()
	return &http.Response{StatusCode: 400, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

func TestBatchOfAnUnwrittenRequestIsLeftAlone(t *testing.T) {
	for name, change := range map[string]func(*Batch){
		"Reset": func(b *Batch) {
			b.Reset(Limits{})
			b.Add([]byte(`{"uid":"the next one"}`))
		},
		"Add": func(b *Batch) { b.Add([]byte(`{"uid":"one more"}`)) },
	} {
		h := hasty{make(chan struct{}), make(chan string)}
		c, err := newClient(Config{OrgID: "org"}, Credentials{Token: "given"}, h)
		if err != nil {
			t.Fatal(err)
		}
		b := batchOf(`{"uid":"a"}`, `{"uid":"b"}`)
		want := []string{string(b.Body()), `{"measurements":[{"uid":"a"}]}`, `{"measurements":[{"uid":"b"}]}`}
		if refusals, err := c.Submit(t.Context(), b); err != nil || len(refusals) != 2 {
			t.Errorf("refused %v, %v; want both", refusals, err)
		}
		change(b)
		close(h.read)
		for range want {
			if got := <-h.got; !slices.Contains(want, got) {
				t.Errorf("%s while the requests were being written: one became %s", name, got)
			} else {
				want = slices.DeleteFunc(slices.Clone(want), func(w string) bool { return w == got })
			}
		}
		if strings.Contains(string(b.Body()), "the next one") == strings.Contains(string(b.Body()), `"b"`) {
			t.Errorf("%s: the batch is now %s", name, b.Body())
		}
	}
}

// unread is a transport that answers its first request before it has read it.
type unread struct{ requests *int }

func (u unread) RoundTrip(r *http.Request) (*http.Response, error) {
	if *u.requests++; *u.requests == 1 {
		httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
		return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After-Ms": {"1"}}, Body: http.NoBody, Request: r}, nil
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(accepted.body)), Request: r}, nil
}

// That the last of several tries was written says nothing about the first.
func TestBatchOfAnUnwrittenTryIsLent(t *testing.T) {
	c, err := newClient(Config{OrgID: "org"}, Credentials{Token: "given"}, unread{new(int)})
	if err != nil {
		t.Fatal(err)
	}
	b := batchOf(`{"uid":"a"}`)
	if _, err := c.Submit(t.Context(), b); err != nil || !b.lent {
		t.Errorf("%v, lent %v; want it to be lent", err, b.lent)
	}
}

// tight is a client whose connections hold little that is on its way, so that a
// large request is not written before it is read.
func tight(t *testing.T, address string) *Client {
	t.Helper()
	c, err := New(Config{BaseURL: "http://" + address, OrgID: "org", Rate: []Window{}}, Credentials{Token: "given"})
	if err != nil {
		t.Fatal(err)
	}
	dial := c.rt.(*http.Transport).DialContext
	c.rt.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			err = conn.(*meteredConn).Conn.(*net.TCPConn).SetWriteBuffer(4 << 10)
		}
		return conn, err
	}
	t.Cleanup(c.rt.(*http.Transport).CloseIdleConnections)
	return c
}

// "Accepted" from a server that has read nothing but the header, as a proxy may
// say it, is no proof that anything arrived: the same bytes are sent again.
func TestAcceptedBeforeItWasRead(t *testing.T) {
	for name, then := range map[string]func(conn net.Conn, rest *bufio.Reader){
		"and the connection stays open": func(net.Conn, *bufio.Reader) {},
		"and the connection is closed":  func(conn net.Conn, _ *bufio.Reader) { conn.Close() },
		"and it is read much later": func(_ net.Conn, rest *bufio.Reader) {
			time.Sleep(20 * writeGrace)
			io.Copy(io.Discard, rest)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			bodies := make(chan string, 10)
			first := make(chan struct{})
			go func() {
				for n := 0; ; n++ {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					defer conn.Close()
					if n == 0 {
						conn.(*net.TCPConn).SetReadBuffer(4 << 10)
					}
					go func() {
						in := bufio.NewReaderSize(conn, 64)
						r, err := http.ReadRequest(in)
						if err != nil {
							t.Error(err)
							return
						}
						if n > 0 {
							<-first
							body, _ := io.ReadAll(r.Body)
							bodies <- string(body)
						}
						io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n"+accepted.body)
						if n == 0 {
							close(first)
							then(conn, in)
						}
					}()
				}
			}()
			c := tight(t, l.Addr().String())
			var b Batch
			b.Add(measurementOf(300_000), measurementOf(200_000))
			want := string(b.Body())
			if refusals, err := c.Submit(t.Context(), &b); err != nil || len(refusals) > 0 {
				t.Fatal(refusals, err)
			}
			select {
			case got := <-bodies:
				if got != want {
					t.Errorf("the retry carries %d bytes, want the same %d", len(got), len(want))
				}
			default:
				t.Error("it was believed")
			}
			if s := c.Stats(); s.Requests != 2 || s.Accepted != 1 || s.Uncertain != 1 || s.Measurements != 2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// countingConn counts the writes of a connection.
type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// The largest request leaves in one write, and the memory of its batch is free
// when it is accepted.
func TestHTTPWritesOnce(t *testing.T) {
	l := newLocal(t, false, submission.accept)
	c := l.client(t, nil)
	var writes atomic.Int64
	dial := c.rt.(*http.Transport).DialContext
	c.rt.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return countingConn{conn, &writes}, err
	}
	var b Batch
	b.Add(measurementOf(MaxBytes - len(head) - len(tail)))
	for range 20 {
		if _, err := c.Submit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if b.lent {
			t.Error("the batch is lent after it was accepted")
		}
	}
	if n := writes.Load(); n != 1+20 {
		t.Errorf("%d writes for a token and 20 submissions", n)
	}
}

func TestHTTPRedirectIsNotFollowed(t *testing.T) {
	elsewhere := newLocal(t, false, func(submission) { t.Error("the redirect was followed") })
	l := newLocal(t, false, func(s submission) {
		http.Redirect(s.ResponseWriter, s.Request, elsewhere.URL+s.Request.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := l.client(t, nil).Submit(t.Context(), batchOf(`{}`))
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Fatal || !strings.Contains(e.Error(), "redirect to "+elsewhere.URL) {
		t.Errorf("%v", err)
	}
}

func TestHTTPOverTLS(t *testing.T) {
	l := newLocal(t, true, submission.accept)
	c := l.client(t, nil)
	_, err := c.Submit(t.Context(), batchOf(`{}`))
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Fatal || !strings.Contains(e.Hint, "certificate") {
		t.Errorf("a certificate that nobody trusts: %v", err)
	}
	c = l.client(t, nil)
	c.rt.(*http.Transport).TLSClientConfig = l.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c.rt.(*http.Transport).TLSClientConfig.NextProtos = nil
	if _, err := c.Submit(t.Context(), batchOf(`{}`)); err != nil { // in HTTP/1.1, though the server prefers HTTP/2
		t.Error(err)
	}

	plain := newLocal(t, false, submission.accept)
	c = plain.client(t, func(cfg *Config) { cfg.BaseURL = strings.Replace(cfg.BaseURL, "http:", "https:", 1) })
	_, err = c.Submit(t.Context(), batchOf(`{}`))
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Fatal || !strings.Contains(e.Hint, envBaseURL) {
		t.Errorf("https to a server of http: %v", err)
	}
}

func BenchmarkSubmit(b *testing.B) {
	l := newLocal(b, false, submission.accept)
	c := l.client(b, nil)
	b.SetBytes(225_000)
	b.ReportAllocs()
	b.SetParallelism(2)
	b.RunParallel(func(pb *testing.PB) {
		var batch Batch
		for range 1000 {
			batch.Add(measurementOf(224))
		}
		for pb.Next() {
			if _, err := c.Submit(b.Context(), &batch); err != nil {
				b.Error(err)
			}
		}
	})
}
