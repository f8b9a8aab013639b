package uploader

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	tlsTimeout  = 10 * time.Second
	// idleTimeout is shorter than that of usual load balancers (60 s), so
	// that it is we who close an idle connection: a request sent into one that
	// is being closed has an uncertain fate.
	idleTimeout = 30 * time.Second
	// maxAnswer bounds what is read of an answer. Accepting takes 21 bytes, an
	// organization's configuration some thousand.
	maxAnswer = 1 << 20
)

// newTransport makes a transport for requests of up to MaxBytes.
func newTransport(cfg Config) *http.Transport {
	return &http.Transport{
		Proxy:                 proxy,
		DialContext:           dial,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: cfg.RequestTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConns:          0, // the limit per host is enough
		MaxIdleConnsPerHost:   cfg.Workers,
		// A whole body goes to the kernel in one call, 60 % faster than in
		// pieces of 4 KiB; room for the header comes on top.
		WriteBufferSize: MaxBytes + 4<<10,
		ReadBufferSize:  4 << 10,
		// HTTP/2 has nothing to offer to a few large requests, and costs the
		// client twice the CPU.
		Protocols:              http1(),
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // answers are tiny
	}
}

func http1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// checkProxy looks at the address of the proxy that https requests go through.
// net/http takes one that it cannot read for none, or for a host called
// "http:": then requests pass the proxy by, or fail as in an outage. The error
// does not show the address, which may hold a password.
func checkProxy(getenv func(string) string) error {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		text := getenv(name)
		if text == "" {
			continue
		}
		if !strings.Contains(text, "://") {
			text = "http://" + text
		}
		u, err := url.Parse(text)
		ok := err == nil && u.Hostname() != "" && strings.Trim(u.Path, "/") == "" &&
			slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme)
		if ok && u.Port() != "" {
			port, err := strconv.ParseUint(u.Port(), 10, 16)
			ok = err == nil && port > 0
		}
		if !ok {
			return fmt.Errorf("%s is not the address of a proxy, such as http://proxy.example:3128", name)
		}
		return nil // the first one that is set counts
	}
	return nil
}

// proxy is http.ProxyFromEnvironment, but for its error, which shows the
// proxy's address and with it a password.
func proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errProxy
	}
	return u, nil
}

// exchange is a request and what became of it.
type exchange struct {
	status int
	header http.Header
	body   []byte
	err    error // no answer, or not all of it
	// lent tells that the transport may go on reading the request's body: it
	// answers before it has written everything when the server does, or when
	// time is up.
	lent bool
	// hasty tells that the answer came before the request was written, or that
	// it never was: whoever gave it has not seen all of it.
	hasty bool
}

// roundTrip makes one request with body, or none, and reads the answer. It
// does not follow redirects: a transport answers them like anything else.
func roundTrip(ctx context.Context, rt http.RoundTripper, timeout time.Duration, req *http.Request, body []byte) (x exchange) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	// A request is written by another goroutine. That it is done with the body
	// could be told from Close, but a body with a Close of its own is not one
	// that net/http knows to be in memory: it would write the header alone,
	// and then 32 KiB at a time. So the writings are counted.
	w := new(writings)
	w.trace.GotConn = func(info httptrace.GotConnInfo) { w.onto(info.Conn) }
	w.trace.WroteRequest = func(httptrace.WroteRequestInfo) { w.done.Add(1) }
	ctx = httptrace.WithClientTrace(ctx, &w.trace)
	defer func() { x.lent = w.done.Load() < w.begun.Load() }()

	with := req.WithContext(ctx) // a copy; req stays with the caller, who need not allocate it
	if body != nil {
		with.ContentLength = int64(len(body))
		with.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		with.Body, _ = with.GetBody()
	}
	res, err := rt.RoundTrip(with)
	if err != nil {
		return exchange{err: causeOf(ctx, err)}
	}
	defer res.Body.Close()
	x = exchange{status: res.StatusCode, header: res.Header}
	if x.status == http.StatusOK {
		x.hasty = !w.sent(len(body))
	}
	if res.StatusCode < 200 {
		// After 101 the body is the bare connection: it has no end, and a read
		// of it heeds no context.
		return x
	}
	x.body, err = readAnswer(res.Body)
	if x.err = err; err != nil && err != errAnswerTooLong {
		x.err = causeOf(ctx, err)
	}
	return x
}

// readAnswer reads an answer to its end.
func readAnswer(body io.Reader) ([]byte, error) {
	answer := make([]byte, 0, 512) // that it was accepted takes a tenth of it
	for {
		if len(answer) == cap(answer) {
			answer = slices.Grow(answer, cap(answer))
		}
		n, err := body.Read(answer[len(answer):cap(answer)])
		answer = answer[:len(answer)+n]
		switch {
		case len(answer) >= maxAnswer:
			return answer, errAnswerTooLong
		case err == io.EOF:
			return answer, nil
		case err != nil:
			return answer, err
		}
	}
}

// writings counts how often a request was begun to be written, and ended. It ends
// with the memory of a transport, not with the connection.
type writings struct {
	begun, done atomic.Int32
	trace       httptrace.ClientTrace
	conn        *meteredConn // the last that it was written to; nil: it does not tell
	before      int64        // what had been written to that
}

// onto notes the connection that a request is written to, from the goroutine that
// makes it.
func (w *writings) onto(conn net.Conn) {
	w.begun.Add(1)
	if over, ok := conn.(*tls.Conn); ok {
		conn = over.NetConn()
	}
	if w.conn, _ = conn.(*meteredConn); w.conn != nil {
		w.before = w.conn.written.Load()
	}
}

// writeGrace is how much later than the answer a writing may end: that it has
// ended is told by another goroutine, which may have to wait for its turn. It is
// what net/http allows, too.
const writeGrace = 50 * time.Millisecond

// sent reports, once there is an answer, whether the body had left by then. What
// is left in the buffers of the system counts as sent: nobody else can tell.
func (w *writings) sent(body int) bool {
	if w.conn == nil {
		return true
	}
	for wait, waited := time.Microsecond, time.Duration(0); w.conn.written.Load()-w.before < int64(body); wait *= 2 {
		if waited >= writeGrace {
			return false
		}
		time.Sleep(wait)
		waited += wait
	}
	return !w.conn.failed.Load()
}

// meteredConn is a connection that counts what is written to it.
type meteredConn struct {
	net.Conn
	written atomic.Int64
	failed  atomic.Bool // a writing did, perhaps near its end
}

func (c *meteredConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.failed.Store(true)
	}
	c.written.Add(int64(n))
	return n, err
}

// dial makes a connection that counts.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &meteredConn{Conn: conn}, nil
}

var (
	errProxy         = errors.New("proxy unusable: HTTPS_PROXY or HTTP_PROXY is not an address")
	errTimeout       = errors.New("no complete answer in time")
	errAnswerTooLong = errors.New("answer longer than 1 MiB")
)

// causeOf is what ended a request: our own timeout or the caller's cause
// rather than "context canceled".
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
