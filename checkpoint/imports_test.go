package checkpoint_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

// What an import of earlier may have sent is not forgotten because its files are
// damaged; what a crash kept from beginning is no import.
func TestImportsTellsDamage(t *testing.T) {
	write := func(name, text string) func(t *testing.T, home string) {
		return func(t *testing.T, home string) {
			ok(t, os.WriteFile(filepath.Join(home, name), []byte(text), 0o600))
		}
	}
	remove := func(names ...string) func(t *testing.T, home string) {
		return func(t *testing.T, home string) {
			for _, name := range names {
				ok(t, os.Remove(filepath.Join(home, name)))
			}
		}
	}
	for _, c := range []struct {
		name    string
		begun   bool // it has sent something, and was killed
		do      []func(t *testing.T, home string)
		damaged string // the file that the error names, "" for none
	}{
		{"a damaged mark", true, []func(*testing.T, string){write("mark.json", "{")}, "mark.json"},
		{"an empty mark", true, []func(*testing.T, string){write("mark.json", "")}, "mark.json"},
		{"a damaged mark, and no sources", true, []func(*testing.T, string){write("mark.json", "{"), remove("sources.ndjson")}, "mark.json"},
		{"a damaged plan", true, []func(*testing.T, string){write("plan.json", "{")}, "plan.json"},
		{"no plan", true, []func(*testing.T, string){remove("plan.json")}, "plan.json"},
		{"no mark, and rejects", true, []func(*testing.T, string){remove("mark.json"), write("rejects.ndjson", "{}\n")}, "mark.json"},
		{"no mark, and a report", true, []func(*testing.T, string){remove("mark.json"), write("report.json", "{}")}, "mark.json"},

		{"nothing sent", false, nil, ""},
		{"killed before the mark was made", false, []func(*testing.T, string){remove("mark.json", "rejects.ndjson", "sources.ndjson")}, ""},
		{"killed while the mark was made", false, []func(*testing.T, string){write("mark.json", "{"), remove("rejects.ndjson", "sources.ndjson")}, ""},
		{"killed while the plan was made", false, []func(*testing.T, string){write("plan.json", ""), remove("mark.json", "rejects.ndjson", "sources.ndjson")}, ""},
		{"killed before the directory was durable", false, []func(*testing.T, string){remove("mark.json")}, ""},
		{"the same, and it was the plan that was lost", false, []func(*testing.T, string){remove("plan.json")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			j, err := checkpoint.Open(dir, checkpoint.Options{})
			ok(t, err)
			src := []checkpoint.Source{{Path: "/a", Print: checkpoint.Print{Size: 9, Head: "x", Tail: "x"}}}
			ok(t, j.Begin(checkpoint.Plan{ID: "former", Sources: src}))
			if c.begun {
				ok(t, j.Commit(checkpoint.Mark{Position: checkpoint.Position{Offset: 5, Record: 1}}))
			}
			home := filepath.Dir(j.RejectsPath())
			ok(t, j.Begin(checkpoint.Plan{ID: "present", Sources: src}))
			ok(t, j.Finish(checkpoint.Mark{}))
			ok(t, j.Close())
			ok(t, os.WriteFile(filepath.Join(dir, "imports", "stray"), nil, 0o600))
			for _, do := range c.do {
				do(t, home)
			}

			all, err := checkpoint.Imports(dir)
			if len(all) != 1 || all[0].Plan.ID != "present" {
				t.Errorf("imports %+v, want the present one", all)
			}
			faults, ferr := checkpoint.Repair(dir, checkpoint.RepairOptions{})
			ok(t, ferr)
			if c.damaged == "" {
				if err != nil || len(faults) > 0 {
					t.Errorf("nothing is damaged: %v, %+v", err, faults)
				}
				return
			}
			path := filepath.Join(home, c.damaged)
			if damaged := (*checkpoint.DamagedError)(nil); !errors.As(err, &damaged) || damaged.Path != path {
				t.Errorf("%v, want one about %s", err, path)
			}
			if len(faults) != 1 || faults[0].Path != path || faults[0].Mend != "" || !strings.Contains(err.Error(), faults[0].What) {
				t.Errorf("a repair finds %+v, want %s", faults, path)
			}
		})
	}
}
