package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/m3import/m3import/sandbox"
)

func TestUIDWindow(t *testing.T) {
	// In a bubble time stands still, so the edge is exact to the nanosecond.
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Config{})
		token := tokenOf(t, s)
		submit := func() (ingested int64) {
			before := s.Totals().Measurements
			if w := direct(s, token(), []byte(envelope(plainUsage))); w.Code != 200 {
				t.Fatal(w.Body)
			}
			return s.Totals().Measurements - before
		}
		steps := []struct {
			after time.Duration
			want  int64
		}{
			{0, 1},                     // first arrival
			{0, 0},                     // again
			{20 * 24 * time.Hour, 0},   // does not extend the window
			{15*24*time.Hour - 1, 0},   // its last nanosecond
			{1, 1},                     // 35 days after the first arrival: ingested again
			{35*24*time.Hour - 1, 0},   // the window began anew
			{-300 * 24 * time.Hour, 0}, // a clock put back forgets nothing
			{10_000 * 24 * time.Hour, 1},
		}
		for i, step := range steps {
			s.Advance(step.after)
			if got := submit(); got != step.want {
				t.Errorf("step %d, at %v: got %d ingested, want %d", i, s.Now(), got, step.want)
			}
		}
		if got := s.Totals(); got.UIDs != 1 || got.Duplicates != 5 || got.Conflicts != 0 {
			t.Errorf("got %d uids, %d duplicates, %d conflicts", got.UIDs, got.Duplicates, got.Conflicts)
		}
	})
}

func TestSameContent(t *testing.T) {
	const first = `{"uid":"u","meter":"m","account":"a","ts":"2024-05-01T12:00:00.5Z","ets":"2024-05-01T13:00:00Z",` +
		`"where":{"a":"1","b":"2"},"measure":{"x":100.50,"y":1},"x":[1]}`
	change := func(oldNew ...string) string { return strings.NewReplacer(oldNew...).Replace(first) }
	tests := []struct {
		name, again string
		conflict    bool
	}{
		{"same bytes", first, false},
		{"white space", change(",", " ,\n"), false},
		{"order of members", `{"x":[1],"measure":{"y":1,"x":100.5},"where":{"b":"2","a":"1"},"ets":"2024-05-01T13:00:00Z","ts":"2024-05-01T12:00:00.5Z","account":"a","meter":"m","uid":"u"}`, false},
		{"escapes", change(`"meter":"m"`, `"\u006deter":"\u006d"`), false},
		{"number", change("100.50", "1.005e2"), false},
		{"zone", change("12:00:00.5Z", "14:00:00.500+02:00"), false},
		{"amount", change("100.50", "100.51"), true},
		{"amount past a double", change("100.50", "100.50000000000000000001"), true},
		{"fraction", change("00.5Z", "00.51Z"), true},
		{"time", change("12:00:00.5Z", "12:00:01.5Z"), true},
		{"end", change(`"ets":"2024-05-01T13:00:00Z",`, ""), true},
		{"start for end", change("12:00:00.5Z", "13:00:00Z", "13:00:00Z", "12:00:00.5Z"), true},
		{"account", change(`"account":"a"`, `"account":"b"`), true},
		{"account for meter", change(`"account":"a"`, `"account":"m"`, `"meter":"m"`, `"meter":"a"`), true},
		{"category", change("measure", "cost"), true},
		{"values swapped", change(`"a":"1","b":"2"`, `"a":"2","b":"1"`), true},
		{"field more", change(`"y":1`, `"y":1,"z":0`), true},
		{"unknown member", change("[1]", "[2]"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := start(t, sandbox.Config{})
			p.mustSubmit(first)
			p.mustSubmit(tt.again)
			got := p.Totals()
			if got.Measurements != 1 || got.Duplicates+got.Conflicts != 1 || got.Conflicts == 1 != tt.conflict {
				t.Errorf("got %d measurements, %d duplicates, %d conflicts", got.Measurements, got.Duplicates, got.Conflicts)
			}
		})
	}
}

func TestUIDs(t *testing.T) {
	p := start(t, sandbox.Config{})
	p.mustSubmit(usage("a", "acme", "1"), usage("a", "acme", "1"), usage("A", "acme", "1"), usage("", "acme", "1"), usage("", "acme", "1"))
	without := strings.Replace(usage("a", "acme", "1"), `"uid":"a",`, "", 1)
	p.mustSubmit(without, without)
	if got := p.Totals(); got.Measurements != 5 || got.UIDs != 3 || got.Duplicates != 2 || got.Submitted != 7 {
		t.Errorf("got %+v", got)
	}
}

// TestConcurrentSubmits has many clients send overlapping uids: each is
// ingested once, and what is held, the counts and the sums agree.
func TestConcurrentSubmits(t *testing.T) {
	p := start(t, sandbox.Config{})
	const clients, each = 8, 20
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range each {
				a := p.submit(envelope(usage(fmt.Sprint(i), fmt.Sprint("acme", i%3), "0.1"), usage(fmt.Sprint("x", i), "acme1", "0.1")))
				if a.status != 200 {
					t.Errorf("got %d %s", a.status, a.body)
				}
				p.Totals()
			}
		})
	}
	wg.Wait()
	got := p.Totals()
	held := len(slices.Collect(p.Measurements()))
	if got.Measurements != 2*each || held != 2*each || got.Duplicates != (clients-1)*2*each || got.Sum("storage", "measure.gb") != "4" {
		t.Errorf("got %d measurements, %d held, %d duplicates, sum %s", got.Measurements, held, got.Duplicates, got.Sum("storage", "measure.gb"))
	}
	var accounts struct {
		Data []any `json:"data"`
	}
	p.decode(p.send(p.request("GET", orgPath+"/accounts", "")), &accounts)
	if len(accounts.Data) != 3 {
		t.Errorf("got %d accounts, want 3", len(accounts.Data))
	}
}
