package pipeline

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

const smallHead = "id,account,ts,n,note\n"

// smallRow is a row for testMapping of some 40 bytes, so that a chunk of 64
// holds one or two, and a parcel of twenty of them is more chunks than it keeps.
func smallRow(i int) string { return fmt.Sprintf("e%02d,acme,2026-01-01T00:00:00Z,%d,n\n", i, 100+i) }

func smallRows(n int) []string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = smallRow(i + 1)
	}
	return rows
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The reject of a row whose chunk the parcel did not keep, and that was read
// again, is to the byte that of a row whose chunk it kept.
func TestRefusedRowIsReadAgain(t *testing.T) {
	rows := smallRows(60)
	rows[10] = "e11,acme,2026-01-01T00:00:00Z,n/a,\n"
	rows[22] = "e23,acme,2026-01-01T00:00:00Z,1,\"two\nlines\"\n"
	rows[35] = "e36,acme\n"
	text := smallHead + strings.Join(rows, "")
	var ndjson strings.Builder
	for i := range 60 {
		fmt.Fprintf(&ndjson, `{"id":"e%02d","account":"acme","ts":"2026-01-01T00:00:00Z","n":%d,"note":"n"}`+"\n", i, 100+i)
	}
	for name, content := range map[string]string{"a.csv": text, "b.csv.gz": gzipped(t, text), "c.ndjson": ndjson.String()} {
		t.Run(name, func(t *testing.T) {
			src := writeFile(t, name, content)
			var want []string
			for _, chunk := range []int{0, 64} {
				p, j := &choosy{dislikes: `:15`}, new(memory) // 150 to 159
				im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: p, Journal: j,
					Reader: reader.Options{ChunkBytes: chunk}}
				if err := im.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if want == nil {
					want = j.rejects
				}
				if refused := im.Mark.RejectCodes[CodeRefused]; refused != 10 || !slices.Equal(j.rejects, want) {
					t.Errorf("chunks of %d: %d rows refused, rejects\n%s, want\n%s", chunk, refused,
						strings.Join(j.rejects, "\n"), strings.Join(want, "\n"))
				}
			}
		})
	}
}

// thrice is a platform for an import of sixty rows in three requests. The third
// one arrives when all rows were read; third happens then.
type thrice struct {
	*choosy
	third func() error
	n     int
}

func (p *thrice) Submit(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	if p.n++; p.n == 3 {
		if err := p.third(); err != nil {
			return nil, err
		}
	}
	return p.choosy.Submit(ctx, b)
}

// importThrice imports src, which has sixty rows, and refuses one of them.
func importThrice(t *testing.T, src checkpoint.Source, stdin io.Reader, row int, third func() error) (*Import, *memory, error) {
	p, j := &thrice{choosy: &choosy{dislikes: fmt.Sprintf(`"n":%d}`, 100+row)}, third: third}, new(memory)
	im := &Import{Sources: []checkpoint.Source{src}, Stdin: stdin, Mapping: parse(t, testMapping), Submit: p, Journal: j,
		Limits: uploader.Limits{Items: 20}, Reader: reader.Options{ChunkBytes: 64}, Uploads: 1}
	return im, j, im.Run(t.Context())
}

// isAfterTwo holds a mark to the two requests before the third.
func isAfterTwo(t *testing.T, mark checkpoint.Mark, j *memory) {
	t.Helper()
	counts := checkpoint.Counts{Read: 40, Accepted: 40, Measurements: 40}
	if mark.Counts != counts || mark.Position.Record != 40 || mark.Position.Offset != int64(len(smallHead)+40*len(smallRow(1))) {
		t.Errorf("the mark is at %+v, counts %+v; it should be behind row 40", mark.Position, mark.Counts)
	}
	if len(mark.Totals) != 1 || mark.Totals[0].Count != 40 || mark.Totals[0].Sum != "4820" {
		t.Errorf("totals %+v, want 4820 of 40", mark.Totals)
	}
	if len(j.rejects) > 0 || len(mark.RejectCodes) > 0 {
		t.Errorf("rejected without cause: %q", j.rejects)
	}
	if mark.FirstSent.IsZero() || mark.MaxUncertain < 20 {
		t.Errorf("%d measurements in doubt since %v: the third request landed, and no mark says so", mark.MaxUncertain, mark.FirstSent)
	}
}

// A source that is another one by the time that a refused row is read again
// ends the import: no row is rejected that was not refused, and the mark is
// where it was before the request. With the source as it was, going on from
// there completes the import.
func TestSourceChangesBeforeARefusedRowIsReadAgain(t *testing.T) {
	const refused = 57
	replaced := func(with string) func([]string) []string {
		return func(rows []string) []string { rows[refused-1] = with; return rows }
	}
	for name, change := range map[string]func(rows []string) []string{
		"another amount":   replaced("e57,acme,2026-01-01T00:00:00Z,999,n\n"),
		"another uid":      replaced("e99,acme,2026-01-01T00:00:00Z,157,n\n"),
		"no row":           replaced("e57\n"),
		"no measurement":   replaced("e57,acme,2026-01-01T00:00:00Z,n/a,n\n"),
		"a longer row":     replaced("e57,acme,2026-01-01T00:00:00Z,157,nn\n"),
		"behind a bad row": func(rows []string) []string { return slices.Insert(rows, refused-1, "e57\n") },
		"moved up":         func(rows []string) []string { return slices.Delete(rows, 50, 51) },
		"moved down":       func(rows []string) []string { return slices.Insert(rows, 50, smallRow(0)) },
		"a row less":       func(rows []string) []string { return rows[:56] },
	} {
		t.Run(name, func(t *testing.T) {
			old := smallHead + strings.Join(smallRows(60), "")
			src := writeFile(t, "usage.csv", old)
			write := func(text string) error { return os.WriteFile(src.Path, []byte(text), 0o644) }
			im, j, err := importThrice(t, src, nil, refused, func() error {
				return write(smallHead + strings.Join(change(smallRows(60)), ""))
			})
			if !errors.Is(err, ErrSourceChanged) || !strings.Contains(err.Error(), src.Path+": ") || !strings.Contains(err.Error(), " was refused, and is another one now") {
				t.Errorf("error %v, want %v", err, ErrSourceChanged)
			}
			isAfterTwo(t, im.Mark, j)

			if err := write(old); err != nil {
				t.Fatal(err)
			}
			again := &Import{Sources: []checkpoint.Source{sourceOf(t, src.Path)}, Mapping: im.Mapping, Submit: im.Submit, Journal: j, Mark: im.Mark}
			if err := again.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := checkpoint.Counts{Read: 60, Accepted: 59, Rejected: 1, Measurements: 59}
			if again.Mark.Counts != want || len(j.rejects) != 1 || !strings.Contains(j.rejects[0], `"record":57,`) {
				t.Errorf("counts %+v, rejects %q", again.Mark.Counts, j.rejects)
			}
		})
	}
}

// A row that makes more measurements by now than it did is another one, also
// when those that it did make are the same and no others follow in the request.
func TestRefusedRowMakesMoreNow(t *testing.T) {
	var rows []usageRow
	for i := range 20 {
		rows = append(rows, usageRow{id: fmt.Sprintf("%02d", i), a: "1"})
	}
	rows[19].refuseA = true
	text := func() string {
		text := usageHead
		for _, r := range rows {
			text += r.text()
		}
		return text
	}
	src := writeFile(t, "usage.csv", text())
	rows[19].b = "2"
	p, j := &thrice{choosy: &choosy{dislikes: dislike}, n: 2, third: func() error { return os.WriteFile(src.Path, []byte(text()), 0o644) }}, new(memory)
	im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, usageMapping), Submit: p, Journal: j, Reader: reader.Options{ChunkBytes: 64}}
	if err := im.Run(t.Context()); !errors.Is(err, ErrSourceChanged) || im.Mark.Counts != (checkpoint.Counts{}) || len(j.rejects) > 0 {
		t.Errorf("%v, counts %+v, rejects %q", err, im.Mark.Counts, j.rejects)
	}
}

// A source that cannot be read a second time ends the import, too: as one that
// changed if it did, and otherwise with what is wrong with it.
func TestSourceIsBrokenBeforeARefusedRowIsReadAgain(t *testing.T) {
	text := smallHead + strings.Join(smallRows(60), "")
	zipped := gzipped(t, text)
	write := func(text string) func(checkpoint.Source) error {
		return func(src checkpoint.Source) error { return os.WriteFile(src.Path, []byte(text), 0o644) }
	}
	keeping := func(write func(checkpoint.Source) error) func(checkpoint.Source) error {
		return func(src checkpoint.Source) error {
			return errors.Join(write(src), os.Chtimes(src.Path, src.Modified, src.Modified))
		}
	}
	for name, c := range map[string]struct {
		file, text string
		third      func(checkpoint.Source) error
		changed    bool
	}{
		"gone":                       {"usage.csv", text, func(src checkpoint.Source) error { return os.Remove(src.Path) }, true},
		"short":                      {"usage.csv", text, write(text[:500]), true},
		"empty":                      {"usage.csv", text, write(""), true},
		"other columns":              {"usage.csv", text, write("x" + text), true},
		"half of a gzip":             {"usage.csv.gz", zipped, write(zipped[:len(zipped)/2]), true},
		"other columns, same papers": {"usage.csv", text, keeping(write("x" + text[1:])), false},
		"damaged, same papers":       {"usage.csv.gz", zipped, keeping(write(zipped[:len(zipped)/2] + strings.Repeat("x", len(zipped)-len(zipped)/2))), false},
	} {
		t.Run(name, func(t *testing.T) {
			src := writeFile(t, c.file, c.text)
			im, j, err := importThrice(t, src, nil, 57, func() error { return c.third(src) })
			if err == nil || errors.Is(err, ErrSourceChanged) != c.changed || !strings.Contains(err.Error(), src.Path) {
				t.Errorf("error %v; is it to be %q: %v", err, ErrSourceChanged, c.changed)
			}
			isAfterTwo(t, im.Mark, j)
		})
	}
}

// Of standard input a refused row can be told as long as its chunk is kept. One
// that would have to be read again ends the import with what to do about it.
func TestRefusedRowOfStandardInput(t *testing.T) {
	text := smallHead + strings.Join(smallRows(60), "")
	nothing := func() error { return nil }
	stdin := checkpoint.Source{Path: "-"}

	im, j, err := importThrice(t, stdin, strings.NewReader(text), 41, nothing)
	if err != nil || im.Mark.Counts.Rejected != 1 || len(j.rejects) != 1 || !strings.Contains(j.rejects[0], `"id":"e41"`) {
		t.Errorf("row 41 was refused, whose chunk is kept: %v, rejects %q", err, j.rejects)
	}

	im, j, err = importThrice(t, stdin, strings.NewReader(text), 57, nothing)
	const want = "standard input: a row from line 58 (offset 2037) on was refused, and cannot be read again for the reject file: import from a file instead"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	isAfterTwo(t, im.Mark, j)
}

// A row whose chunk the parcel keeps is told as it was sent, whatever has become
// of its source since.
func TestRefusedRowOfAKeptChunk(t *testing.T) {
	src := writeFile(t, "usage.csv", smallHead+strings.Join(smallRows(60), ""))
	im, j, err := importThrice(t, src, nil, 41, func() error { return os.Remove(src.Path) })
	if err != nil || im.Mark.Counts.Rejected != 1 || len(j.rejects) != 1 || !strings.Contains(j.rejects[0], `"id":"e41"`) {
		t.Errorf("%v, rejects %q", err, j.rejects)
	}
}

// A refusal of a measurement that was not sent ends the import, and rejects no
// row in its place.
func TestRefusalOfNothingThatWasSent(t *testing.T) {
	src, j := writeFile(t, "usage.csv", smallHead+smallRow(1)), new(memory)
	stray := submitFunc(func(_ context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
		return []uploader.Refusal{{Item: b.Len(), Status: 400, Message: "no"}}, nil
	})
	im := &Import{Sources: []checkpoint.Source{src}, Mapping: parse(t, testMapping), Submit: stray, Journal: j}
	err := im.Run(t.Context())
	if err == nil || err.Error() != "measurement 1 was refused in a request of 1" || im.Mark.Counts != (checkpoint.Counts{}) || len(j.rejects) > 0 {
		t.Errorf("%v, counts %+v, rejects %q", err, im.Mark.Counts, j.rejects)
	}
}
