package uploader

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestAnswersPage plays each row of the table in docs/answers.md, and compares
// what happens with what the page says.
func TestAnswersPage(t *testing.T) {
	page, err := os.ReadFile("../docs/answers.md")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[int]bool{}
	for _, row := range tableRows(string(page)) {
		for _, a := range answersOf(t, row[0], covered) {
			one, _ := play(t, a, func(items []string) bool {
				for _, item := range items {
					if item == itemNo(617) {
						return true
					}
				}
				return false
			})
			if one != row[1] {
				t.Errorf("%s (%d), for one row: %s; the page says %s", row[0], a.status, one, row[1])
			}
			every, requests := play(t, a, func([]string) bool { return true })
			if every == "exit 7" {
				every += fmt.Sprintf(", %d request", requests)
				if requests != 1 {
					every += "s"
				}
			}
			if every != row[2] {
				t.Errorf("%s (%d), for every request: %s; the page says %s", row[0], a.status, every, row[2])
			}
		}
	}
	for code := 200; code < 600; code++ {
		if !covered[code] {
			t.Errorf("status %d is not in the table", code)
		}
	}
}

// tableRows are the cells of the rows of a page's first table.
func tableRows(page string) (rows [][]string) {
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") {
			if rows != nil {
				return rows[2:] // without the header and the line under it
			}
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return nil
}

var statusRange = regexp.MustCompile(`\b([1-9]\d\d)(?:–(\d{3}))?\b`)

// answersOf are the answers that the first cell of a row is about.
func answersOf(t *testing.T, cell string, covered map[int]bool) (list []answer) {
	switch {
	case strings.HasPrefix(cell, "no answer"):
		return []answer{{err: syscall.ECONNRESET}, {err: io.ErrUnexpectedEOF}, {delay: time.Hour}}
	case cell == "200, something else":
		return []answer{{status: 200, body: "<html>hello"}}
	case cell == "another 4xx":
		for code := 400; code < 500; code++ {
			if !covered[code] {
				covered[code] = true
				list = append(list, status(code, "no"))
			}
		}
		return list
	}
	for _, m := range statusRange.FindAllStringSubmatch(cell, -1) {
		first, _ := strconv.Atoi(m[1])
		last, _ := strconv.Atoi(m[2])
		for code := first; code <= max(first, last); code++ {
			covered[code] = true
			if code == 200 {
				list = append(list, accepted)
			} else if last == 0 || code%25 == 0 || code == last { // some of a range
				list = append(list, status(code, "no"))
			}
		}
	}
	if list == nil {
		t.Fatalf("no status in %q", cell)
	}
	return list
}

// play submits a batch of a thousand to a platform that gives an answer to some
// requests, and says in the words of the page what comes of it.
func play(t *testing.T, a answer, to func([]string) bool) (outcome string, requests int) {
	synctest.Test(t, func(t *testing.T) {
		p := newBooks()
		c := p.client(t, func(cfg *Config) { cfg.RetryFor = time.Minute })
		p.rule = func(_ int, _ sent, items []string) answer {
			if to(items) {
				return a
			}
			return answer{}
		}
		refusals, err := c.Submit(t.Context(), numbered(1000))
		requests = p.requests
		e, failed := errors.AsType[*Error](err)
		switch {
		case failed && e.Kind == Temporary:
			outcome = "again, then exit 5"
		case failed:
			outcome = "exit 7"
		case len(refusals) == 1 && refusals[0].Item == 617 && len(p.taken) == 999:
			outcome = "row refused, the others land"
		case refusals == nil && len(p.taken) == 1000:
			outcome = "accepted"
		default:
			outcome = fmt.Sprintf("%d taken, refusals %v, %v", len(p.taken), refusals, err)
		}
	})
	return outcome, requests
}
