package uploader

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errCalledBack = errors.New("called back")

// follow gives a context that notes what its departure says.
func follow(ctx context.Context, said *[]string, leaving func()) context.Context {
	return WithDeparture(ctx, &noting{said, leaving})
}

type noting struct {
	said    *[]string
	leaving func()
}

func (n *noting) Waiting() { *n.said = append(*n.said, "waiting") }
func (n *noting) Leaving() { *n.said = append(*n.said, "leaving"); n.leaving() }
func (n *noting) Pausing() { *n.said = append(*n.said, "pausing") }

func (n *noting) Again() {}

func (n *noting) Allowed() (int, bool) { return 0, false }
func (n *noting) Settled(int, int)     {}

// A batch that waits for the rate limit stays when its context ends, at once,
// and takes nobody's place; and so does one that is called back at the last
// moment.
func TestDepartureCalledBack(t *testing.T) {
	for name, atLast := range map[string]bool{"while it waits": false, "at the last moment": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				c := f.client(t, func(c *Config) { c.Rate = []Window{{1, 10 * time.Second}} })
				if _, err := c.Submit(t.Context(), batchOf(`{"uid":"1"}`)); err != nil {
					t.Fatal(err)
				}
				ctx, callBack := context.WithCancelCause(t.Context())
				wait, left := time.Second, func() {}
				if atLast {
					wait, left = 10*time.Second, func() { callBack(errCalledBack) }
				}
				time.AfterFunc(time.Second, func() {
					if !atLast {
						callBack(errCalledBack)
					}
				})
				var said []string
				began := time.Now()
				_, err := c.Submit(follow(ctx, &said, left), batchOf(`{"uid":"2"}`))
				if took := time.Since(began); !errors.Is(err, errCalledBack) || took.Truncate(time.Second) != wait {
					t.Errorf("%v after %s, want %v after %s", err, took, errCalledBack, wait)
				}
				if want := []string{"waiting", "leaving"}[:len(said)]; len(f.submits) != 1 || !slices.Equal(said, want) || atLast != (len(said) == 2) {
					t.Errorf("%d requests, said %q", len(f.submits), said)
				}
				if _, err := c.Submit(t.Context(), batchOf(`{"uid":"3"}`)); err != nil || time.Since(began) > 11*time.Second {
					t.Errorf("the next batch: %v after %s: a place was taken that nobody used", err, time.Since(began))
				}
			})
		})
	}
}

// What came back with an answer that says so has not left; what came back with any
// other, or none, may have been taken, and pauses from then on.
func TestDepartureComesBack(t *testing.T) {
	for _, test := range []struct {
		first []answer
		want  string
	}{
		{nil, "waiting leaving"},
		{[]answer{status(429, "x")}, "waiting leaving waiting leaving"},
		{[]answer{status(503, "x")}, "waiting leaving pausing leaving"},
		{[]answer{status(401, "x")}, "waiting leaving waiting leaving"},
		{[]answer{status(403, "x"), status(503, "x")}, "waiting leaving waiting leaving pausing leaving"},
		{[]answer{status(503, "x"), status(401, "x")}, "waiting leaving pausing leaving pausing leaving"},
		{[]answer{{err: errors.New("reset")}}, "waiting leaving pausing leaving"},
		{[]answer{status(429, "x"), status(503, "x"), status(429, "x")}, "waiting leaving waiting leaving pausing leaving pausing leaving"},
		{[]answer{status(400, "x")}, "waiting leaving waiting pausing leaving pausing leaving"}, // and taken apart
		{[]answer{status(400, "x"), status(429, "x")}, "waiting leaving waiting pausing leaving waiting leaving pausing leaving"},
		{[]answer{status(400, "x"), {status: 503, cut: true}}, "waiting leaving waiting pausing leaving pausing leaving pausing leaving"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.submit = answers(append(slices.Clone(test.first), accepted)...)
			var said []string
			if _, err := f.client(t, nil).Submit(follow(t.Context(), &said, func() {}), batchOf(`{"uid":"1"}`, `{"uid":"2"}`)); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(said, " "); got != test.want {
				t.Errorf("after %+v: said %q, want %q", test.first, got, test.want)
			}
		})
	}
}
