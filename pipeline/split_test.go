package pipeline

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

// A file that is split in three makes the same measurements under the same
// uids, with every rule but row, whose uids hold the place in the file.
func TestSplitFilesKeepUIDs(t *testing.T) {
	var lines []string
	rnd := rand.New(rand.NewPCG(21, 22))
	for i := range 900 {
		lines = append(lines, fmt.Sprintf("e%06d,acct%d,2026-01-01T00:00:%02dZ,%d,n%d\n", i, rnd.IntN(9), i%60, rnd.IntN(1000), i))
	}
	const head = "id,account,ts,n,note\n"
	dir := t.TempDir()
	put := func(name string, rows []string) checkpoint.Source {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(head+strings.Join(rows, "")), 0o644); err != nil {
			t.Fatal(err)
		}
		return sourceOf(t, path)
	}
	whole := []checkpoint.Source{put("whole.csv", lines)}
	parts := []checkpoint.Source{put("1.csv", lines[:250]), put("2.csv", lines[250:251]), put("3.csv", lines[251:])}
	for _, c := range []struct {
		rule string
		same bool
	}{{"{column: id}", true}, {"{column: id, hash: true}", true}, {"{key: [id, ts]}", true}, {"content", true}, {"row", false}} {
		t.Run(c.rule, func(t *testing.T) {
			mapping := strings.Replace(testMapping, "{key: [id]}", c.rule, 1)
			made := func(sources []checkpoint.Source) []string {
				p := new(platform)
				im := &Import{Sources: sources, Mapping: parse(t, mapping), Submit: p, Journal: new(memory)}
				if err := im.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(p.items) != 900 {
					t.Fatalf("%d measurements, want 900", len(p.items))
				}
				return slices.Sorted(slices.Values(p.order))
			}
			if same := slices.Equal(made(whole), made(parts)); same != c.same {
				t.Errorf("the same measurements whole and split: %v, want %v", same, c.same)
			}
		})
	}
}

// A file that grew keeps the uids of its old rows, also with the rule row.
func TestGrownFileKeepsUIDs(t *testing.T) {
	mapping := strings.Replace(testMapping, "{key: [id]}", "row", 1)
	path := filepath.Join(t.TempDir(), "usage.csv")
	seen := map[string]bool{}
	text := "id,account,ts,n,note\n"
	for day := range 3 {
		for i := range 100 {
			text += fmt.Sprintf("%d-%d,acme,2026-01-0%dT00:00:00Z,1,\n", day, i, day+1)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		p := new(platform)
		im := &Import{Sources: []checkpoint.Source{sourceOf(t, path)}, Mapping: parse(t, mapping), Submit: p, Journal: new(memory)}
		if err := im.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		for m := range seen {
			if p.items[m] == 0 {
				t.Fatalf("day %d: an old row has another uid or content: %s", day, m)
			}
		}
		for m := range p.items {
			seen[m] = true
		}
		if want := 100 * (day + 1); len(seen) != want {
			t.Fatalf("day %d: %d distinct measurements, want %d", day, len(seen), want)
		}
	}
}
