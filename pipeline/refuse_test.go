package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// choosy refuses the measurements that hold some text, and takes the others.
type choosy struct {
	platform
	dislikes string
}

func (c *choosy) Submit(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var refused []uploader.Refusal
	for i := range b.Len() {
		m := string(b.Item(i))
		if strings.Contains(m, c.dislikes) {
			refused = append(refused, uploader.Refusal{Item: i, Status: 400, Message: "no " + c.dislikes})
			continue
		}
		if c.items == nil {
			c.items = make(map[string]int)
		}
		c.items[m]++
		c.order = append(c.order, m)
	}
	return refused, nil
}

// Rows that the platform refuses are rejects in the order of the file, between
// the rows that could not be mapped; counts and totals are those of what landed.
func TestRefusedRowsAreRejects(t *testing.T) {
	src := writeFile(t, "usage.csv", usage(2000, rand.New(rand.NewPCG(31, 32))))
	for _, c := range []struct{ batch, chunk int }{{1000, 0}, {17, 500}, {1, 4000}} {
		p, j := &choosy{dislikes: `"account":"acct3"`}, new(memory)
		im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: j,
			Limits: uploader.Limits{Items: c.batch}, Reader: reader.Options{ChunkBytes: c.chunk}, Encoders: 3, Uploads: 5}
		if err := im.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := im.Mark.Counts
		if !n.Sums() || n.Read != 2000 || n.Accepted != int64(len(p.order)) || n.Measurements != n.Accepted || n.Rejected != int64(len(j.rejects)) {
			t.Errorf("counts %+v; %d landed, %d rejects", n, len(p.order), len(j.rejects))
		}
		var sum decimal.Sum
		for m := range p.items {
			var one struct{ Measure struct{ N json.Number } }
			if err := json.Unmarshal([]byte(m), &one); err != nil {
				t.Fatal(err)
			}
			v, _ := decimal.Parse([]byte(one.Measure.N))
			sum.Add(v)
		}
		if got := im.Mark.Totals; len(got) != 1 || got[0].Sum != sum.String() || got[0].Count != n.Accepted {
			t.Errorf("totals %+v, want %s of %d", got, sum.String(), n.Accepted)
		}
		refused := 0
		var records []int64
		for _, line := range j.rejects {
			var r struct {
				Account string
				Reject  struct {
					Record                   int64
					Stage, Code, Reason, UID string
				} `json:"_reject"`
			}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			records = append(records, r.Reject.Record)
			if r.Reject.Stage == string(StageSend) {
				refused++
				if r.Account != "acct3" || r.Reject.Code != CodeRefused || !strings.Contains(r.Reject.Reason, "status 400: no ") || len(r.Reject.UID) != 36 {
					t.Fatalf("a refused row's line: %s", line)
				}
			}
		}
		if refused < 100 || int64(refused) != im.Mark.RejectCodes[CodeRefused] {
			t.Errorf("%d rows are told as refused, %d are counted", refused, im.Mark.RejectCodes[CodeRefused])
		}
		if !slices.IsSorted(records) {
			t.Errorf("the reject file is not in the order of the file: %v", records)
		}
	}
}

// Of a row that makes several measurements some can be refused: the row is a
// reject that says so, and what landed stays counted as landed.
func TestPartlyRefusedRow(t *testing.T) {
	const mapping = `
version: 1
measurements:
  - {name: in, meter: {const: in}, account: account, ts: ts, uid: {key: [id]}, measure: {n: a}}
  - {name: out, meter: {const: out}, account: account, ts: ts, uid: {key: [id]}, measure: {n: b}}
`
	var text strings.Builder
	text.WriteString("id,account,ts,a,b\n")
	for i := range 40 {
		fmt.Fprintf(&text, "%d,acme,2026-01-01T00:00:00Z,1,%d\n", i, 10+i%2)
	}
	src := writeFile(t, "usage.csv", text.String())
	p, j := &choosy{dislikes: `"n":11`}, new(memory)
	im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, mapping), Submit: p, Journal: j, Limits: uploader.Limits{Items: 7}}
	if err := im.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := im.Mark.Counts
	if n.Accepted != 20 || n.Rejected != 20 || n.Measurements != 60 || len(p.order) != 60 {
		t.Errorf("counts %+v, %d landed; want 20 rows, 20 rejects, 60 measurements", n, len(p.order))
	}
	if !strings.Contains(j.rejects[0], "the platform refused 1 of its 2 measurements and took the others") {
		t.Errorf("reject line %s", j.rejects[0])
	}
	want := []checkpoint.Total{{Meter: "in", Category: "measure", Field: "n", Sum: "40", Count: 40}, {Meter: "out", Category: "measure", Field: "n", Sum: "200", Count: 20}}
	if !slices.Equal(im.Mark.Totals, want) {
		t.Errorf("totals %+v, want %+v", im.Mark.Totals, want)
	}

	// What landed is not made again, however the row is mended; a row that is
	// refused once more keeps what it knows of that.
	lines := strings.NewReplacer(`"a":"1"`, `"a":"5"`, `"b":"11"`, `"b":"12"`).Replace(strings.Join(j.rejects[1:], "\n"))
	rejects := writeFile(t, "rejects.ndjson", j.rejects[0]+"\n"+lines+"\n")
	p2, j2 := &choosy{dislikes: `"n":11`}, new(memory)
	again := &Import{Sources: []checkpoint.Source{rejects}, Mapping: parse(t, mapping), Submit: p2, Journal: j2, Limits: uploader.Limits{Items: 7}}
	if err := again.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want = []checkpoint.Total{{Meter: "out", Category: "measure", Field: "n", Sum: "228", Count: 19}}
	if n := again.Mark.Counts; n.Accepted != 19 || n.Rejected != 1 || !slices.Equal(again.Mark.Totals, want) {
		t.Errorf("counts %+v, totals %+v, want %+v", n, again.Mark.Totals, want)
	}
	if len(j2.rejects) != 1 || !strings.Contains(j2.rejects[0], `"landed":["in"]`) {
		t.Errorf("rejected again: %s", j2.rejects)
	}
}

// The uid of a refused row is told as it is, whatever JSON makes of it.
func TestRefusedUIDIsUnescaped(t *testing.T) {
	const item = `{"uid":"a\"b\\\\c\u0001é","meter":"api"}`
	if got, want := uidOf([]byte(item)), "a\"b\\\\c\x01é"; got != want {
		t.Errorf("uid %q, want %q", got, want)
	}
}

// What the platform's words mean for a measurement alone stands behind them.
func TestRefusalTextExplains(t *testing.T) {
	no := uploader.Refusal{Status: 403, Message: "Forbidden", Hint: "a filter"}
	if text := refusalText([]uploader.Refusal{no}, 1); text != "the platform refused it with status 403: Forbidden (a filter)" {
		t.Error(text)
	}
	no.Hint = ""
	if text := refusalText([]uploader.Refusal{no}, 1); text != "the platform refused it with status 403: Forbidden" {
		t.Error(text)
	}
}
