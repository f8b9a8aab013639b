package sandbox_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/m3import/m3import/sandbox"
)

// submission is a rule for requests that submit.
func submission(f sandbox.Fault) sandbox.Fault {
	f.On = []string{"SubmitMeasurements"}
	return f
}

// raw sends a submission on a connection of its own and returns all that comes
// back, and how the connection ended.
func (p *platform) raw(body string) (string, error) {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	r := p.request("POST", orgPath+"/measurements", body)
	r.Close = true
	if err := r.Write(conn); err != nil {
		return "", err
	}
	text, err := io.ReadAll(conn)
	return string(text), err
}

func TestFaults(t *testing.T) {
	const commits, keeps = 1, 0
	tests := []struct {
		name  string
		fault sandbox.Fault
		held  int64  // measurements, after one request
		reset bool   // the connection
		want  string // in the answer
	}{
		{"status", sandbox.Fault{Status: 503}, keeps, false, "503 Service Unavailable\r\n"},
		{"body", sandbox.Fault{Status: 502, Body: "<html>oh no"}, keeps, false, "Content-Type: text/html; charset=utf-8\r\n"},
		{"message", sandbox.Fault{Status: 500, Message: `say "no"`}, keeps, false, `{"message":"say \"no\""}`},
		{"retry after", sandbox.Fault{Status: 429, RetryAfter: 2 * time.Second}, keeps, false, "Retry-After: 2\r\n"},
		{"headers", sandbox.Fault{Status: 429, Headers: map[string]string{"Retry-After": "soon"}}, keeps, false, "Retry-After: soon\r\n"},
		{"headers of the platform", sandbox.Fault{Headers: map[string]string{"X-Odd": "1"}}, commits, false, "X-Odd: 1\r\n"},
		{"200 with words", sandbox.Fault{Body: "gateway says hello"}, keeps, false, "gateway says hello"},
		{"no content", sandbox.Fault{Status: 204}, keeps, false, "204 No Content\r\n"},
		{"committed, then 504", sandbox.Fault{At: sandbox.Committed, Status: 504}, commits, false, "504 Gateway Timeout\r\n"},
		{"committed, then garbage", sandbox.Fault{At: sandbox.Committed, Garbage: 20}, commits, false, "Content-Length: 20\r\n"},
		{"reset on arrival", sandbox.Fault{At: sandbox.Arrival, Reset: true}, keeps, true, ""},
		{"reset when read", sandbox.Fault{Reset: true}, keeps, true, ""},
		{"reset when committed", sandbox.Fault{At: sandbox.Committed, Reset: true}, commits, true, ""},
		{"delay", sandbox.Fault{Delay: time.Millisecond}, commits, false, "accepted"},
		{"drip", sandbox.Fault{Drip: &sandbox.Drip{Bytes: 5, Every: time.Microsecond}}, commits, false, `{"result":"accepted"}`},
		{"cut", sandbox.Fault{Cut: new(8)}, commits, false, "\r\n\r\n" + `{"result`},
		{"cut at once", sandbox.Fault{Cut: new(0)}, commits, false, "\r\n\r\n"},
		{"cut never lets all through", sandbox.Fault{Cut: new(1000)}, commits, false, "\r\n\r\n" + `{"result":"accepted"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := start(t, sandbox.Config{Faults: []sandbox.Fault{submission(tt.fault)}})
			got, err := p.raw(envelope(usage("1", "a", "1")))
			if tt.reset != errors.Is(err, syscall.ECONNRESET) || !tt.reset && err != nil {
				t.Errorf("got error %v, want a reset: %v", err, tt.reset)
			}
			if !strings.Contains(got, tt.want) || tt.fault.Cut != nil && !strings.HasSuffix(got, tt.want) {
				t.Errorf("got %q, want %q in it", got, tt.want)
			}
			if tt.reset && got != "" {
				t.Errorf("got %q, want nothing", got)
			}
			if held := p.Totals().Measurements; held != tt.held {
				t.Errorf("holds %d measurements, want %d", held, tt.held)
			}
		})
	}
}

func TestFaultPages(t *testing.T) {
	p := start(t, sandbox.Config{})
	a := p.send(p.request("POST", "/_sandbox/faults", `{"faults":[{"on":["SubmitMeasurements"],"when":{"from":2,"to":2},"status":503,"delay":"1ms"},{"name":"x","status":500,"when":{"for":"1h"}}]}`))
	if a.status != 200 || !strings.Contains(a.body, `"delay":"1ms"`) {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	if a := p.send(p.request("DELETE", "/_sandbox/faults/x", "")); a.status != http.StatusNoContent {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for i, want := range []int{200, 503, 200} {
		if a := p.submit(envelope(plainUsage)); a.status != want {
			t.Errorf("request %d: got %d, want %d", i+1, a.status, want)
		}
	}
	if got := p.Faults(); len(got) != 1 || got[0].Name != "fault-1" || got[0].Counted != 3 || got[0].Struck != 1 {
		t.Errorf("got %+v", got)
	}
	if a := p.send(p.request("DELETE", "/_sandbox/faults", "")); a.status != http.StatusNoContent || len(p.Faults()) != 0 {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
