package reader

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// row is what a test looks at in a record or a reject.
type row struct {
	Pos, End Pos
	Values   []string // nil for a reject
	Code     string
	Column   string
	Reason   string
	Raw      string
	JSON     string
}

func (r row) String() string {
	if r.Code != "" {
		return fmt.Sprintf("%s!%s", r.Raw, r.Code)
	}
	return strings.Join(r.Values, "|")
}

// readAll reads src to its end. It checks on the way that the chunks are
// adjacent and that the records stand in each of them in order. Each chunk is
// released at once, so that its memory is used again while others are read.
func readAll(t testing.TB, src *Source) (rows []row, err error) {
	t.Helper()
	var last Pos
	for first := true; ; first = false {
		c, err := src.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		if !first && c.Start != last {
			t.Fatalf("chunk starts at %v, the one before ended at %v", c.Start, last)
		}
		last = c.End
		rows = append(rows, chunkRows(t, c)...)
		if n := len(rows); n > 0 && (rows[n-1].End.Offset > c.End.Offset || rows[n-1].End.Line > c.End.Line) {
			t.Fatalf("record ends at %v, after its chunk, %v", rows[n-1].End, c.End)
		}
		text, ok := c.parse.(*textChunk)
		c.Release()
		if ok && text.buf != nil {
			t.Fatal("released chunk kept its buffer")
		}
	}
}

func chunkRows(t testing.TB, c *Chunk) (rows []row) {
	t.Helper()
	at := c.Start
	for rec, err := range c.Records() {
		var r row
		if fault, ok := err.(*RowError); ok {
			r = row{Pos: fault.Pos, End: fault.End, Code: fault.Code, Column: fault.Column, Reason: fault.Reason, Raw: string(fault.Raw)}
		} else if err != nil {
			t.Fatalf("chunk %v: %v", c.Start, err)
		} else {
			r = row{Pos: rec.Pos, End: rec.End, Values: []string{}}
			for _, v := range rec.Values {
				switch v.Kind {
				case Missing:
					r.Values = append(r.Values, "<missing>")
				case Null:
					r.Values = append(r.Values, "<null>")
				default:
					r.Values = append(r.Values, string(v.Text))
				}
			}
			r.JSON = string(rec.AppendJSON(nil))
		}
		if r.Pos.Offset < at.Offset || r.Pos.Line < at.Line || r.End.Offset <= r.Pos.Offset || r.End.Line <= r.Pos.Line {
			t.Fatalf("record from %v to %v, after %v", r.Pos, r.End, at)
		}
		at = r.End
		rows = append(rows, r)
	}
	return rows
}

func openText(t testing.TB, text string, opt Options) *Source {
	t.Helper()
	src, err := OpenReader("x.csv", strings.NewReader(text), opt)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func cols(names ...string) (c []Column) {
	for _, n := range names {
		c = append(c, Column{Name: n})
	}
	return c
}

func TestOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "usage.csv")
	if err := os.WriteFile(path, []byte("a,b\r\n1,\"x\"\"\ny\"\r\n\r\n2,z"), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := Open(path, Options{Columns: []Column{{Name: "b"}, {Name: "c", Optional: true}, {Name: "a"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	got, err := readAll(t, src)
	if err != nil {
		t.Fatal(err)
	}
	want := []row{
		{Pos: Pos{5, 2}, End: Pos{17, 4}, Values: []string{"x\"\ny", "<missing>", "1"}, JSON: `{"a":"1","b":"x\"\ny"}`},
		{Pos: Pos{19, 5}, End: Pos{22, 6}, Values: []string{"z", "<missing>", "2"}, JSON: `{"a":"2","b":"z"}`},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !bytes.Equal([]byte(src.Base()), []byte("usage.csv")) {
		t.Errorf("base %q", src.Base())
	}
}
