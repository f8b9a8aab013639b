package reader

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzCSV holds the reader to encoding/csv, which differs by design in this:
// it makes LF of a CRLF inside quotes, takes any bytes for text, and after a
// misplaced quote goes on behind the line where it noticed. So: the records
// are the same up to the first quote error; there we have a reject with
// CodeQuote, on the same line; and from the end of that reject on they are the
// same again.
func FuzzCSV(f *testing.F) {
	for _, c := range nastyCSV {
		f.Add([]byte(c.text), uint8(0))
		f.Add([]byte(c.text), uint8(3))
	}
	f.Fuzz(func(t *testing.T, text []byte, bits uint8) {
		text = bytes.TrimPrefix(text, utf8BOM)
		d := dialect{delim: ",;\t|"[bits&3], quote: '"', quoted: true, comment: '#', comments: bits&4 != 0, nl: '\n', max: 1 << 20}
		oracle := func(text []byte, fields int) *csv.Reader {
			r := csv.NewReader(bytes.NewReader(text))
			r.Comma, r.FieldsPerRecord = rune(d.delim), fields
			if d.comments {
				r.Comment = '#'
			}
			return r
		}
		n, lines, names, err := d.header(text, true, CSVOptions{})
		want, wantErr := oracle(text, 0).Read()
		if wantErr == io.EOF {
			if err != nil || names != nil || n != len(text) {
				t.Fatalf("header of an empty text: %d, %q, %v", n, names, err)
			}
			return
		}
		if (err != nil) != (wantErr != nil || !utf8.ValidString(strings.Join(want, ","))) {
			t.Fatalf("header: %q, %v; want %q, %v", names, err, want, wantErr)
		}
		if err != nil {
			return
		}
		if got := lf(names); !slices.Equal(got, want) {
			t.Fatalf("header: %q, want %q", got, want)
		}
		format, err := newCSV("x.csv", d, names, Options{})
		if err != nil {
			t.Fatal(err)
		}
		all := make([]int, len(names)) // every column, whatever it is called
		for i := range names {
			all[i] = i
		}
		format.want(all)
		start := Pos{int64(n), 1 + lines}
		rows := rowsOf(t, &Chunk{Start: start}, format, text[n:])

		// Whoever wants a few of them gets the same, and whole rows all the same.
		few := []int{len(names) / 3, -1}
		format.want(few)
		for i, got := range rowsOf(t, &Chunk{Start: start}, format, text[n:]) {
			want := rows[i]
			if want.Values != nil {
				want.Values = []string{want.Values[few[0]], "<missing>"}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("with %v wanted: %+v, want %+v", few, got, want)
			}
		}
		for at := (Pos{int64(n), 1 + lines}); ; {
			r := oracle(text[at.Offset:], len(names))
			for {
				want, err := r.Read()
				if err == io.EOF {
					if len(rows) > 0 {
						t.Fatalf("row %q after the end", rows[0])
					}
					return
				}
				if len(rows) == 0 {
					t.Fatalf("no row for %q, %v", want, err)
				}
				got := rows[0]
				rows = rows[1:]
				var bad *csv.ParseError
				if errors.As(err, &bad) && !errors.Is(err, csv.ErrFieldCount) {
					if line := at.Line + int64(bad.StartLine) - 1; got.Code != CodeQuote || got.Pos.Line != line {
						t.Fatalf("%v: %q (%s), want a quote error on line %d", got.Pos, got.Raw, got.Code, line)
					}
					at = got.End
					break
				}
				checkRecord(t, got, want, err)
				if end := at.Offset + r.InputOffset(); got.End.Offset != end {
					t.Fatalf("%v: ends at %v, want %d", got.Pos, got.End, end)
				}
			}
		}
	})
}

// checkRecord compares a row with what encoding/csv says about the same one.
func checkRecord(t *testing.T, got row, want []string, err error) {
	t.Helper()
	switch {
	case err != nil:
		if got.Code != CodeFieldCount {
			t.Fatalf("%v: %q, want the error %v", got.Pos, got, err)
		}
	case !utf8.ValidString(strings.Join(want, ",")):
		if got.Code != CodeUTF8 {
			t.Fatalf("%v: %q, want %s", got.Pos, got, CodeUTF8)
		}
	case got.Code != "" || !slices.Equal(lf(got.Values), want):
		t.Fatalf("%v: %q, want %q", got.Pos, got.Values, want)
	}
}

// lf does to texts what encoding/csv does to line ends inside quotes.
func lf(texts []string) (out []string) {
	for _, s := range texts {
		out = append(out, strings.ReplaceAll(s, "\r\n", "\n"))
	}
	return out
}

func TestCSVOptions(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		opt        Options
		want       string
	}{
		{"delimiter", "a;b\n1,5;\"2;3\"\n", Options{CSV: CSVOptions{Delimiter: ";"}}, "1,5|2;3"},
		{"tab", "a\tb\n1\t2 \n", Options{CSV: CSVOptions{Delimiter: "\t"}}, "1|2 "},
		{"other quote", "a,b\n'1,''5',\"2\"\n", Options{CSV: CSVOptions{Quote: "'"}}, `1,'5|"2"`},
		{"no quote", "a,b\n\"1,5\"\n", Options{CSV: CSVOptions{Quote: "none"}}, `"1|5"`},
		{"names", "1,2\n3,4\n", Options{CSV: CSVOptions{Names: []string{"a", "b"}}}, "1|2/3|4"},
		{"names and skipped lines", "\"x\n,\n1,2\n", Options{CSV: CSVOptions{Names: []string{"a", "b"}, SkipLines: 2}}, "1|2"},
		{"skipped lines", "Report of \"May\n\na,b\n1,2\n", Options{CSV: CSVOptions{SkipLines: 2}}, "1|2"},
		{"more skipped than there are", "a,b\n1,2", Options{CSV: CSVOptions{SkipLines: 3}}, ""},
		{"comments", "# x \"\na,b\n#1,2\n3,4\n \n#\n5,#6\n\"#7\",8\n", Options{CSV: CSVOptions{Comment: "#"}}, "3|4/ !field-count/5|#6/#7|8"},
		{"comment in a quoted field", "a,b\n\"1\n#\",2\n", Options{CSV: CSVOptions{Comment: "#"}}, "1\n#|2"},
		{"forced LF", "a,b\r1\n2,3\n", Options{CSV: CSVOptions{Newline: "lf"}}, "2|<missing>"},
		{"forced CR", "a,b\r1\n2,3\r", Options{CSV: CSVOptions{Newline: "cr"}}, "1\n2|3"},
		{"null", "a,b\nNULL,\"NULL\"\n,null\n", Options{Null: []string{"NULL", `\N`}}, "<null>|<null>/|null"},
		{"trim", "a,b\n 1\t,\" 2 \"\n", Options{Trim: true}, "1|2"},
		{"trim, then null", "a,b\n NULL ,2\n", Options{Trim: true, Null: []string{"NULL"}}, "<null>|2"},
		{"too large", "a,b\n1,23456789012345678\n3,4\n", Options{MaxRecordBytes: 16}, "1,23456789012345678!record-too-large/3|4"},
		{"quoted and too large", "a,b\n1,\"2\n34567890\n1234567\"\n5,6\n", Options{MaxRecordBytes: 16}, "1,\"2\n34567890\n1234567\"!record-too-large/5|6"},
		{"as large as can be", "a,b\n1,\"3456\n789012\"\n", Options{MaxRecordBytes: 16}, "1|3456\n789012"},
		{"one more", "a,b\n1,\"3456\n7890123\"\n", Options{MaxRecordBytes: 16}, "1,\"3456\n7890123\"!record-too-large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.Columns = []Column{{Name: "a", Optional: true}, {Name: "b", Optional: true}}
			for _, size := range []int{1, 2, 3, 7, 16, 1 << 18} {
				tt.opt.ChunkBytes = size
				rows, err := readAll(t, openText(t, tt.text, tt.opt))
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, r := range rows {
					got = append(got, r.String())
				}
				if got := strings.Join(got, "/"); got != tt.want {
					t.Fatalf("chunks of %d: got %q, want %q", size, got, tt.want)
				}
			}
		})
	}
}

// A stray quote must not cost more than the line it stands on, wherever the
// next quote is.
func TestStrayQuoteCostsOneRow(t *testing.T) {
	for _, next := range []string{"", "7,\"x\"\n", "7,x\"\n"} {
		for _, size := range []int{100, 4 << 10, 1 << 18} {
			var b strings.Builder
			b.WriteString("a,b\n1,\"2\n")
			const rows = 5_000
			for i := range rows {
				fmt.Fprintf(&b, "%d,plain\n", i)
			}
			b.WriteString(next)
			src := openText(t, b.String(), Options{Columns: cols("a", "b"), ChunkBytes: size, MaxRecordBytes: 3_000})
			got, err := readAll(t, src)
			if err != nil {
				t.Fatal(err)
			}
			bad := slices.DeleteFunc(slices.Clone(got), func(r row) bool { return r.Code == "" })
			wantBad := 1
			if next == "7,x\"\n" {
				wantBad = 2
			}
			if len(bad) != wantBad || bad[0].Pos != (Pos{4, 2}) || bad[0].Code != CodeQuote || !strings.Contains(bad[0].Reason, "line 2 is not closed") {
				t.Fatalf("rejects %+v", bad)
			}
			if want := rows + 1 + strings.Count(next, "\n"); len(got) != want {
				t.Fatalf("%d rows, want %d", len(got), want)
			}
		}
	}
}

// The lines of a quoted text that is longer than a record may be are not taken
// for records: they are one reject with what they are part of. Only where no
// quote closes within the look ahead is the line taken for one with a stray
// quote. No chunk is much larger than usual for it.
func TestLongQuotedTextIsOneReject(t *testing.T) {
	const max = 1000
	inside := strings.Repeat("x", max/2) + "\nINJ,victim\n"
	for _, c := range []struct {
		text    string // of the second row
		bad     int
		reason  string
		skipped int // lines that are in no row of their own
	}{
		{"2,\"" + strings.Repeat(inside, 10) + "\"\n", 1, "21 lines up to the quote that closes", 20},
		{"2,\"" + strings.Repeat("x", 8*max) + "\nINJ,victim\n" + strings.Repeat("x", 4*max) + "\"\n", 1, "3 lines up to", 2},
		{"2,\"" + strings.Repeat("x,x\n", 5*max), 1, "line 3 is not closed, with a delimiter or a line end behind it, within 16000 bytes", 0},
		{"2,\"" + strings.Repeat("x,x\n", max) + "\"stray,3\n", 2, "line 3 is not closed, with a delimiter or a line end", 0},
	} {
		text := "a,b\n1,one\n" + c.text + strings.Repeat("3,three\n", 100)
		lines := strings.Count(text, "\n")
		for _, size := range []int{1, 100, 3 * max, 64 << 10} {
			src := openText(t, text, Options{Columns: cols("a", "b"), ChunkBytes: size, MaxRecordBytes: max})
			var bad, all int
			for {
				chunk, err := src.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				var longest int64
				for rec, err := range chunk.Records() {
					all++
					if fault, ok := err.(*RowError); ok {
						longest = fault.End.Offset - fault.Pos.Offset
						if bad++; bad == 1 && (fault.Pos.Line != 3 || !strings.Contains(fault.Reason, c.reason)) {
							t.Errorf("fault %v", fault)
						}
					} else if string(rec.Values[1].Text) == "victim" {
						t.Fatalf("chunks of %d: a line of a quoted text was taken for a record", size)
					}
				}
				if n := chunk.End.Offset - chunk.Start.Offset; n > longest && n > int64(2*max+size) {
					t.Errorf("chunks of %d: one has %d bytes", size, n)
				}
			}
			if want := lines - 1 - c.skipped; all != want || bad != c.bad {
				t.Errorf("chunks of %d: %d rows, %d rejects; want %d and %d", size, all, bad, want, c.bad)
			}
		}
	}
}

func TestRowErrors(t *testing.T) {
	for _, tt := range []struct{ name, row, column, value, reason string }{
		{"field count", "1,2,3", "", "", "3 fields, but the header has 2"},
		{"one field", "1", "", "", "1 field, but the header has 2"},
		{"bare quote", "1,a\"b", "b", "\"b", "a \" inside an unquoted field; quote the field and double the \""},
		{"text after quote", "\"x\"y,2", "a", "y,2", "text after a closing \"; a \" inside a quoted field must be doubled"},
		{"unclosed", "1,\"x", "b", "\"x", "a quote opened on line 2 is not closed, with a delimiter or a line end behind it, within 3200 bytes or before the end of the file"},
		{"utf-8", "1,x\xff", "b", "x\uFFFD", "bytes that are not UTF-8; convert the file to UTF-8"},
		{"too large", strings.Repeat("x", 200), "", "", "a record longer than 200 bytes, the limit; raise it if such records are right"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := openText(t, "a,b\n"+tt.row+"\n", Options{MaxRecordBytes: 200})
			c, err := src.Next()
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, err := range c.Records() {
				var got *RowError
				if !errors.As(err, &got) {
					t.Fatalf("error %v", err)
				}
				if got.Column != tt.column || got.Value != tt.value || got.Reason != tt.reason || string(got.Raw) != tt.row {
					t.Errorf("got %+v, raw %q", got, got.Raw)
				}
				n++
			}
			if n != 1 {
				t.Errorf("%d records", n)
			}
		})
	}
}

func TestAppendJSON(t *testing.T) {
	src := openText(t, "a,,a,_reject,a#2,\"q\"\"\n\"\n1,2,3,4,\"5\"\"\n\x01\",é\n", Options{})
	rows, err := readAll(t, src)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"a":"1","#2":"2","a#3":"3","_reject#2":"4","a#2":"5\"\n\u0001","q\"\n":"é"}`
	if len(rows) != 1 || rows[0].JSON != want {
		t.Errorf("got %v, want %s", rows[0].JSON, want)
	}
	if !json.Valid([]byte(rows[0].JSON)) {
		t.Error("not JSON")
	}
}

func TestRecordSurvivesTheLoop(t *testing.T) {
	src := openText(t, "a\n\"x\"\"y\"\n\"z\"\"z\"\n", Options{Columns: cols("a")})
	c, _ := src.Next()
	var first *Record
	for rec := range c.Records() {
		first = rec
		break
	}
	for range c.Records() {
	}
	if got := string(first.Values[0].Text); got != `x"y` {
		t.Errorf("got %q", got)
	}
}

func TestParseAllocations(t *testing.T) {
	text := benchCSV(256<<10, true)
	d := dialect{delim: ',', quote: '"', quoted: true, nl: '\n', max: 1 << 20}
	n, _, names, err := d.header(text, true, CSVOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCSV("x.csv", d, names, Options{Columns: cols("id", "note")})
	if err != nil {
		t.Fatal(err)
	}
	if got := testing.AllocsPerRun(5, func() {
		for range c.records(&Chunk{}, text[n:]) {
		}
	}); got > 10 {
		t.Errorf("%v allocations for a chunk, want a handful", got)
	}
}

// A row written to the reject file is the same row when it is read from there.
func TestAppendJSONReadsBack(t *testing.T) {
	for _, tt := range nastyCSV {
		for _, opt := range []Options{{}, {Trim: true, Null: []string{"1", `x"y`}}} {
			src := openText(t, tt.text, opt)
			opt.Columns = append(cols(src.Columns()...), Column{Name: "absent", Optional: true}, Column{Name: "a.b[0]", Optional: true})
			want, err := readAll(t, openText(t, tt.text, opt))
			if err != nil {
				t.Fatal(err)
			}
			want = slices.DeleteFunc(want, func(r row) bool { return r.Code != "" })
			var b strings.Builder
			for _, r := range want {
				b.WriteString(r.JSON + "\n")
			}
			opt.Format = NDJSON
			got, err := readAll(t, openText(t, b.String(), opt))
			if err != nil {
				t.Fatal(err)
			}
			if g, w := lines(values(got)), lines(values(want)); g != w {
				t.Errorf("%s: read back %q, want %q", tt.name, g, w)
			}
		}
	}
}
