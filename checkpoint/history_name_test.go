package checkpoint_test

import (
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

// Where the name of a source counts, the same bytes under another name are
// another content; where it does not, they are the same.
func TestImportedByName(t *testing.T) {
	j, err := checkpoint.Open(t.TempDir(), checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	named := checkpoint.Print{Name: "a.csv", Size: 1, Head: "h", Tail: "h"}
	plain := checkpoint.Print{Size: 1, Head: "p", Tail: "p"}
	err = j.Begin(checkpoint.Plan{Sources: []checkpoint.Source{{Path: "/in/a.csv", Print: named}, {Path: "/in/b.csv", Print: plain}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Finish(checkpoint.Mark{Position: checkpoint.Position{Source: 2}}); err != nil {
		t.Fatal(err)
	}
	other := named
	other.Name = "b.csv"
	for _, c := range []struct {
		what  string
		print checkpoint.Print
		want  bool
	}{{"the same name", named, true}, {"another name", other, false}, {"no name", plain, true}} {
		if _, found, err := j.Imported("", "", "", c.print); found != c.want || err != nil {
			t.Errorf("%s: found %v, error %v, want %v", c.what, found, err, c.want)
		}
	}
}
