package pipeline

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

var (
	exitRow    = regexp.MustCompile(`(?m)^\| ([^|]*) \|[^|]*\| exit 7, (\d+) requests? \|`)
	statusText = regexp.MustCompile(`\b[1-9]\d\d\b`)
)

// An import with eight uploads whose every request gets the same answer, from the
// first on, ends after as many requests as docs/answers.md says for one, and those
// that were in the air with the first.
func TestAnswersPageWithUploads(t *testing.T) {
	page, err := os.ReadFile("../docs/answers.md")
	if err != nil {
		t.Fatal(err)
	}
	src := wireRows(t, 12_000, func(int) bool { return false })
	played := 0
	for _, row := range exitRow.FindAllStringSubmatch(string(page), -1) {
		alone, _ := strconv.Atoi(row[2])
		codes := statusText.FindAllString(row[1], -1)
		if strings.HasPrefix(row[1], "another") {
			codes = []string{"402", "418"}
		}
		for _, text := range codes {
			code, _ := strconv.Atoi(text)
			if code < 200 {
				continue // no answer that a server of this kind can give
			}
			played++
			w, client := newWire(t, func([]string) (int, string) { return code, "no" })
			w.gather = 8
			im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, wireMapping), Submit: client, Journal: new(memory)}
			err := im.Run(t.Context())
			if e, ok := errors.AsType[*uploader.Error](err); !ok || e.Kind == uploader.Temporary || im.Mark.Counts != (checkpoint.Counts{}) {
				t.Errorf("%d: error %v, mark %+v", code, err, im.Mark.Counts)
			}
			if certain := code >= 400 && !strings.HasPrefix(row[1], "another"); im.Mark.FirstSent.IsZero() != certain || certain != (im.Mark.MaxUncertain == 0) {
				t.Errorf("%d: %d measurements may have been taken since %v; nothing was: %v", code, im.Mark.MaxUncertain, im.Mark.FirstSent, certain)
			}
			if w.requests > alone+7 || w.requests < 8 {
				t.Errorf("%d: %d requests, want at most %d, and those that seven others had in the air", code, w.requests, alone)
			}
		}
	}
	if played < 10 {
		t.Errorf("%d answers were played", played)
	}
}

// The first requests of an import fly side by side, also when one of them is
// refused; and that is gone into as soon as another one was taken.
func TestFirstRequestsFlySideBySide(t *testing.T) {
	src := wireRows(t, 8_000, func(i int) bool { return i%1000 == 0 })
	w, client := newWire(t, holding(`"closed"`, 400))
	w.gather = 8 // or it never ends
	j := new(memory)
	im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, wireMapping), Submit: client, Journal: j}
	if err := im.Run(t.Context()); err != nil || im.Mark.Counts.Rejected != 8 || len(w.taken) != 7_992 {
		t.Errorf("%v, %+v, %d were taken", err, im.Mark.Counts, len(w.taken))
	}
}

// The mark says that something behind it may have been taken when that is so, and
// only then: not where there never was a token, nor where all that was sent came
// back refused; but where one answer is missing.
func TestUncertainOnlyWhatMayBe(t *testing.T) {
	src := wireRows(t, 8_000, func(i int) bool { return i == 2500 })
	asked := 0
	for _, c := range []struct {
		name    string
		keyless int
		answer  func([]string) (int, string)
		budget  Budget
		certain bool
		read    int64
	}{
		{"no token, 503", 503, nil, Budget{}, true, 0},
		{"no token, 401", 401, nil, Budget{}, true, 0},
		{"503", 0, func([]string) (int, string) { return 503, "no" }, Budget{}, false, 0},
		{"429", 0, func([]string) (int, string) { return 429, "no" }, Budget{}, true, 0},
		{"one 504 among 401s", 0, func([]string) (int, string) {
			if asked++; asked == 4 {
				return 504, "no"
			}
			return 401, "no"
		}, Budget{}, false, 0},
		{"too many rejects, and others had left", 0, holding(`"closed"`, 400), Budget{Limited: true}, false, 2501},
	} {
		w, client := newWireFor(t, time.Millisecond, c.answer)
		w.keyless = c.keyless
		if c.keyless == 0 {
			w.gather = 8
		}
		im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, wireMapping), Submit: client, Journal: new(memory), MaxRejects: c.budget}
		if err := im.Run(t.Context()); err == nil || im.Mark.Counts.Read != c.read {
			t.Errorf("%s: error %v, mark %+v", c.name, err, im.Mark.Counts)
		}
		if im.Mark.FirstSent.IsZero() != c.certain || (im.Mark.MaxUncertain == 0) != c.certain {
			t.Errorf("%s: %d measurements may have been taken since %v; nothing was: %v", c.name, im.Mark.MaxUncertain, im.Mark.FirstSent, c.certain)
		}
	}
}

// A row that was in a request of which nobody knows whether it was taken, and is
// refused after that, tells since when it may be there: whether the try was of this
// run or of one that crashed. The other refused rows say nothing of the kind, and
// one that goes through a replay keeps what it says.
func TestRefusedAfterAnUncertainTry(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	src := wireRows(t, 3_000, func(i int) bool { return i == 500 || i == 1500 })
	refuse, lost := holding(`"closed"`, 400), false
	_, client := newWire(t, func(items []string) (int, string) {
		if !lost && len(items) == 1000 {
			lost = true
			return 504, "no"
		}
		return refuse(items)
	})
	papersOf := func(line string) (p struct{ Reason, Sent string }) {
		var of struct {
			Papers *struct{ Reason, Sent string } `json:"_reject"`
		}
		of.Papers = &p
		if err := json.Unmarshal([]byte(line), &of); err != nil {
			t.Fatal(err)
		}
		return p
	}
	j := new(memory)
	im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, wireMapping), Submit: client, Journal: j, Uploads: 1, Now: func() time.Time { return now }}
	if err := im.Run(t.Context()); err != nil || len(j.rejects) != 2 {
		t.Fatalf("%v, rejects %q", err, j.rejects)
	}
	first, second := papersOf(j.rejects[0]), papersOf(j.rejects[1])
	if first.Sent != "2026-05-01T12:00:00Z" || !strings.HasSuffix(first.Reason, "; an earlier try may have been taken") {
		t.Errorf("the row of the lost answer says %+v", first)
	}
	if second.Sent != "" || strings.Contains(second.Reason, "earlier") {
		t.Errorf("a row that was never in doubt says %+v", second)
	}

	// After a crash, all that the mark calls uncertain may have been taken.
	crashed := &Import{Sources: im.Sources, Mapping: im.Mapping, Submit: client, Journal: j, Uploads: 1, Limits: uploader.Limits{Items: 1000},
		Mark: checkpoint.Mark{FirstSent: now.Add(-time.Hour), MaxUncertain: 1000}, Now: im.Now}
	if err := crashed.Run(t.Context()); err != nil || len(j.rejects) != 4 {
		t.Fatalf("%v, rejects %q", err, j.rejects)
	}
	first, second = papersOf(j.rejects[2]), papersOf(j.rejects[3])
	if first.Sent != "2026-05-01T11:00:00Z" || second.Sent != "" {
		t.Errorf("of the rows that may and may not have been sent before the crash: %+v, %+v", first, second)
	}

	// The account is still closed when the rejects are replayed.
	replayed := writeFile(t, "rejects.ndjson", strings.Join(j.rejects[2:], "\n")+"\n")
	again := &Import{Sources: []checkpoint.Source{replayed}, Mapping: im.Mapping, Submit: client, Journal: j, Now: time.Now}
	if err := again.Run(t.Context()); err != nil || len(j.rejects) != 6 {
		t.Fatalf("%v, rejects %q", err, j.rejects)
	}
	if kept, none := papersOf(j.rejects[4]), papersOf(j.rejects[5]); kept.Sent != first.Sent || none.Sent != "" {
		t.Errorf("replayed: %+v, %+v", kept, none)
	}
}
