package checkpoint_test

import (
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
)

func TestImported(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	print := func(head string, day time.Time, full string) checkpoint.Print {
		return checkpoint.Print{Size: 1 << 20, Modified: day, Head: head, Tail: "t", Full: full}
	}
	dir := t.TempDir()
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	ok(t, err)
	imported := func(id, org string, prints ...checkpoint.Print) {
		t.Helper()
		p := checkpoint.Plan{ID: id, OrgID: org, Endpoint: "https://x", MappingHash: "m"}
		for _, print := range prints {
			p.Sources = append(p.Sources, checkpoint.Source{Path: "/in/" + id, Print: print})
		}
		ok(t, j.Begin(p))
		ok(t, j.Finish(checkpoint.Mark{}))
	}
	imported("1", "a", print("plain", day(1), ""), print("twice", day(1), "F1"))
	imported("2", "a", print("twice", day(2), "F2"), print("full", day(1), "F"), checkpoint.Print{})
	imported("3", "b", print("other", day(1), ""))
	ok(t, j.Begin(checkpoint.Plan{OrgID: "a", Endpoint: "https://x", MappingHash: "m", Sources: []checkpoint.Source{{Print: print("unfinished", day(1), "")}}}))
	for range 2 { // as it was written, and as it is read again
		for _, c := range []struct {
			name, org, endpoint, mapping string
			print                        checkpoint.Print
			want, doubt                  string // the import, "" for none
		}{
			{"the same", "a", "https://x", "m", print("plain", day(1), ""), "1", ""},
			{"another organization", "b", "https://x", "m", print("plain", day(1), ""), "", ""},
			{"another endpoint", "a", "https://y", "m", print("plain", day(1), ""), "", ""},
			{"another mapping", "a", "https://x", "n", print("plain", day(1), ""), "", ""},
			{"another size", "a", "https://x", "m", checkpoint.Print{Size: 5, Head: "plain", Tail: "t"}, "", ""},
			{"another end", "a", "https://x", "m", checkpoint.Print{Size: 1 << 20, Head: "plain", Tail: "u"}, "", ""},
			{"words that run together", "a\" \"https://x", "", "m", print("plain", day(1), ""), "", ""},
			{"touched", "a", "https://x", "m", print("plain", day(9), ""), "1", "modified 2026-01-01T00:00:00Z → 2026-01-09T00:00:00Z"},
			{"touched, in full now", "a", "https://x", "m", print("plain", day(9), "F"), "1", "modified"},
			{"touched, in full", "a", "https://x", "m", print("full", day(9), "F"), "2", ""},
			{"changed in the middle, in full", "a", "https://x", "m", print("full", day(1), "G"), "", ""},
			{"the earlier of two", "a", "https://x", "m", print("twice", day(9), "F1"), "1", ""},
			{"the later of two", "a", "https://x", "m", print("twice", day(9), "F2"), "2", ""},
			{"the earlier by its time", "a", "https://x", "m", print("twice", day(1), ""), "1", ""},
			{"neither for certain", "a", "https://x", "m", print("twice", day(9), ""), "2", "modified 2026-01-02"},
			{"not finished", "a", "https://x", "m", print("unfinished", day(1), ""), "", ""},
			{"no print", "a", "https://x", "m", checkpoint.Print{}, "", ""},
		} {
			got, found, err := j.Imported(c.org, c.endpoint, c.mapping, c.print)
			if err != nil || found != (c.want != "") || got.Import != c.want {
				t.Errorf("%s: %+v, %t, %v, expect import %q", c.name, got, found, err, c.want)
			}
			if !strings.HasPrefix(got.Doubt, c.doubt) || (got.Doubt == "") != (c.doubt == "") {
				t.Errorf("%s: doubt %q, expect %q", c.name, got.Doubt, c.doubt)
			}
			if found && time.Since(got.When) > time.Hour {
				t.Errorf("%s: finished at %s", c.name, got.When)
			}
		}
		ok(t, j.Close())
		j, err = checkpoint.Open(dir, checkpoint.Options{})
		ok(t, err)
	}
	ok(t, j.Close())
}
