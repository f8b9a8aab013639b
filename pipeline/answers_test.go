package pipeline

import (
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
