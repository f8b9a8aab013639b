package pipeline

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// usageMapping makes two measurements of a row, or one when b is empty.
const usageMapping = `
version: 1
filter:
  - {column: state, equals: on}
measurements:
  - {name: up, meter: meter, account: account, ts: ts, uid: {key: [id]}, where: {id: id, w: wa},
     measure: {a: {column: a, empty: skip}}}
  - {name: down, meter: meter, account: account, ts: ts, uid: {key: [id]}, where: {id: id, w: wb},
     measure: {b: {column: b, empty: skip}}, omit_empty: true}
`

const usageHead = "id,state,meter,account,ts,a,b,wa,wb,note\n"

// dislike is what the platform refuses.
const dislike = `"w":"no"`

// usageRow is a row for usageMapping as the test means it, and so what the
// recount goes by: it shares nothing with the product but the words of the docs.
type usageRow struct {
	id               string
	off              bool // the mapping's filter leaves it out
	extra            bool // a field too many
	badTime          bool
	cut, old, future bool   // its time
	a, b             string // "" for none
	refuseA, refuseB bool
	twoLines         bool // it stands in two lines
	out              bool // the selection leaves it out
}

func (r usageRow) text() string {
	state, account, ts, wa, wb, note := "on", "acme", "2026-01-02T03:04:05Z", "ok", "ok", ""
	if r.off {
		state = "off"
	}
	if r.old {
		ts = "1999" + ts[4:]
	}
	if r.future {
		ts = "9999" + ts[4:]
	}
	if r.cut {
		ts = ts[:len(ts)-1] + ".1234567Z"
	}
	if r.badTime {
		ts = "yesterday"
	}
	if r.refuseA {
		wa = "no"
	}
	if r.refuseB {
		wb = "no"
	}
	if r.twoLines {
		note = "\"two\nlines\""
	}
	if r.out {
		account = "other"
	}
	if r.extra {
		note += ",more"
	}
	return strings.Join([]string{r.id, state, "m" + r.id[len(r.id)-1:], account, ts, r.a, r.b, wa, wb, note}, ",") + "\n"
}

// inexact has digits that a double cannot hold.
const inexact = "9007199254740993"

func drawRow(r *rapid.T, id string) usageRow {
	oneIn := func(n int, label string) bool { return rapid.IntRange(1, n).Draw(r, label) == n }
	amount := rapid.SampledFrom([]string{"1", "20", "", inexact})
	return usageRow{
		id: id, off: oneIn(8, "off"), extra: oneIn(8, "extra"), badTime: oneIn(8, "bad"),
		cut: oneIn(3, "cut"), old: oneIn(3, "old"), future: oneIn(3, "future"), a: amount.Draw(r, "a"), b: amount.Draw(r, "b"),
		refuseA: oneIn(3, "refuse a"), refuseB: oneIn(3, "refuse b"), twoLines: oneIn(4, "two lines"), out: oneIn(4, "out"),
	}
}

// recount is what must come of an import.
type recount struct {
	counts  checkpoint.Counts
	sources []string
	totals  map[string]checkpoint.Total
	landed  []string
	rejects []string
}

// add takes in a source. picks is whether the selection asks for rows that fit,
// without whether it asks for rows not to be sent; both concern the rows with out.
func (n *recount) add(path string, rows []usageRow, picks, without bool) {
	line := int64(2)
	var of checkpoint.Counts
	for i, r := range rows {
		at := fmt.Sprintf("%s:%d:%d", path, line, i+1)
		line += int64(strings.Count(r.text(), "\n"))
		of.Read++
		switch bad := r.extra || r.badTime; {
		case !r.extra && r.off, bad && picks, !bad && r.out && (picks || without):
			of.Filtered++
		case r.extra:
			of.Rejected++
			n.rejects = append(n.rejects, at+" read")
		case r.badTime:
			of.Rejected++
			n.rejects = append(n.rejects, at+" map")
		default:
			n.good(r, at, &of)
		}
	}
	n.counts.Add(of)
	done := checkpoint.SourceCounts{Path: path, Counts: of}
	n.sources = append(n.sources, string(done.Append(nil)))
}

// good takes in a row that is sent.
func (n *recount) good(r usageRow, at string, of *checkpoint.Counts) {
	made, refused := n.measurement(r, "a", r.a, r.refuseA, of), 0
	if r.refuseA {
		refused++
	}
	if r.b != "" {
		made += n.measurement(r, "b", r.b, r.refuseB, of)
		if r.refuseB {
			refused++
		}
	}
	if refused == 0 {
		of.Accepted++
		return
	}
	of.Rejected++
	n.rejects = append(n.rejects, fmt.Sprintf("%s send %d/%d", at, refused, made))
}

// measurement takes in one measurement, and returns 1 for it.
func (n *recount) measurement(r usageRow, field, amount string, refused bool, of *checkpoint.Counts) int {
	if refused {
		return 1
	}
	n.landed = append(n.landed, r.id+field)
	of.Measurements++
	for _, flag := range []struct {
		set   bool
		count *int64
	}{{r.cut, &of.TimesTruncated}, {r.old && !r.future, &of.TimesAncient}, {r.future, &of.TimesFuture}, {amount == inexact, &of.NumbersInexact}, {amount == "", &of.WithoutAmount}} {
		if flag.set {
			*flag.count++
		}
	}
	if amount == "" {
		return 1
	}
	meter := "m" + r.id[len(r.id)-1:]
	t := n.totals[meter+field]
	var sum, more int64
	fmt.Sscan(t.Sum, &sum)
	fmt.Sscan(amount, &more)
	n.totals[meter+field] = checkpoint.Total{Meter: meter, Category: "measure", Field: field, Sum: fmt.Sprint(sum + more), Count: t.Count + 1}
	return 1
}

// rejectOf says of a reject line what a recount says of a row.
func rejectOf(t fataler, line string) string {
	var l struct {
		Reject struct {
			Path, Stage, Reason string
			Line, Record        int64
		} `json:"_reject"`
	}
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		t.Fatalf("reject line %s: %v", line, err)
	}
	what := fmt.Sprintf("%s:%d:%d %s", l.Reject.Path, l.Reject.Line, l.Reject.Record, l.Reject.Stage)
	if l.Reject.Stage != string(StageSend) {
		return what
	}
	refused, of := 1, 1
	if _, err := fmt.Sscanf(l.Reject.Reason, "the platform refused all of its %d measurements;", &of); err == nil {
		refused = of
	} else {
		fmt.Sscanf(l.Reject.Reason, "the platform refused %d of its %d measurements", &refused, &of)
	}
	return fmt.Sprintf("%s %d/%d", what, refused, of)
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// landedOf names a measurement as a recount does.
func landedOf(t fataler, item string) string {
	var m struct {
		Where   struct{ ID string }
		Measure map[string]json.Number
		UID     string
	}
	if err := json.Unmarshal([]byte(item), &m); err != nil {
		t.Fatalf("measurement %s: %v", item, err)
	}
	if _, ok := m.Measure["b"]; ok {
		return m.Where.ID + "b"
	}
	return m.Where.ID + "a"
}

// drawImport draws sources and what is selected of them, and recounts what must
// come of it.
func drawImport(r *rapid.T, dir string) (im *Import, want *recount) {
	picks, without := rapid.Bool().Draw(r, "picks"), rapid.Bool().Draw(r, "without")
	im, want = &Import{Select: new(Selection)}, &recount{totals: map[string]checkpoint.Total{}}
	if picks {
		im.Select.Accounts = []string{"acme"}
	}
	for s := range rapid.IntRange(1, 4).Draw(r, "sources") {
		path, text := filepath.Join(dir, fmt.Sprintf("%d.csv", s)), usageHead
		var rows []usageRow
		for i := range rapid.IntRange(0, 25).Draw(r, "rows") {
			row := drawRow(r, fmt.Sprintf("%d-%02d%d", s, i, i%3))
			if row.out && without {
				im.Select.Without = append(im.Select.Without, Origin{path, int64(len(text))})
			}
			rows, text = append(rows, row), text+row.text()
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			r.Fatal(err)
		}
		im.Sources = append(im.Sources, sourceOf(r, path))
		want.add(path, rows, picks, without)
	}
	im.Limits = uploader.Limits{Items: rapid.IntRange(2, 60).Draw(r, "items")}
	im.Reader = reader.Options{ChunkBytes: rapid.SampledFrom([]int{1, 64, 200, 1000, 0}).Draw(r, "chunk")}
	im.Encoders, im.Uploads = rapid.IntRange(1, 3).Draw(r, "encoders"), rapid.IntRange(1, 3).Draw(r, "uploads")
	return im, want
}

// Whatever is refused among rows that are sent, rejected and left out, over the
// borders of chunks, requests and sources: counts, totals, source lines and
// rejects are those of a recount that goes by the rows alone.
func TestRefusedRowsAreRecounted(t *testing.T) {
	dir := t.TempDir()
	mapping := parse(t, usageMapping)
	rapid.Check(t, func(r *rapid.T) {
		im, want := drawImport(r, dir)
		p, j := &choosy{dislikes: dislike}, new(memory)
		im.Mapping, im.Submit, im.Journal = mapping, p, j
		if err := im.Run(t.Context()); err != nil {
			r.Fatal(err)
		}
		want.compare(r, im.Mark, p.order, j)
	})
}

// compare holds an import to the recount.
func (n *recount) compare(r *rapid.T, mark checkpoint.Mark, order []string, j *memory) {
	if mark.Counts != n.counts {
		r.Errorf("counts\n%+v, want\n%+v", mark.Counts, n.counts)
	}
	if len(mark.Totals) != len(n.totals) {
		r.Errorf("totals %+v, want %+v", mark.Totals, n.totals)
	}
	for _, got := range mark.Totals {
		if want := n.totals[got.Meter+got.Field]; got != want {
			r.Errorf("total %+v, want %+v", got, want)
		}
	}
	if !slices.Equal(j.sources, n.sources) {
		r.Errorf("source lines\n%s, want\n%s", strings.Join(j.sources, "\n"), strings.Join(n.sources, "\n"))
	}
	var landed, rejects []string
	for _, item := range order {
		landed = append(landed, landedOf(r, item))
	}
	for _, line := range j.rejects {
		rejects = append(rejects, rejectOf(r, line))
	}
	slices.Sort(landed)
	slices.Sort(n.landed)
	if !slices.Equal(landed, n.landed) {
		r.Errorf("landed %q, want %q", landed, n.landed)
	}
	if !slices.Equal(rejects, n.rejects) {
		r.Errorf("rejects\n%s, want\n%s", strings.Join(rejects, "\n"), strings.Join(n.rejects, "\n"))
	}
}
