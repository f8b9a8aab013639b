package reader

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSniff(t *testing.T) {
	for _, tt := range []struct {
		what, name, text string
		opt              Options
		format           Format
		err              string // what the error says, "" for none
	}{
		{"content", "-", "a,b\n", Options{}, CSV, ""},
		{"object", "-", " \r\n\t{\"a\":1}\n", Options{}, NDJSON, ""},
		{"object behind a BOM", "-", "\ufeff{\"a\":1}\n", Options{}, NDJSON, ""},
		{"content before name", "x.csv", "{\"a\":1}\n", Options{}, NDJSON, ""},
		{"option before content", "x", "{a},b\n", Options{Format: CSV}, CSV, ""},
		{"name when content does not tell", "x.JSONL.gz", "garbage\n", Options{}, NDJSON, ""},
		{"name of an empty file", "x.ndjson", "", Options{}, NDJSON, ""},
		{"empty", "x", "", Options{}, CSV, ""},
		{"JSON array in a .json", "x.json", "[{}]", Options{}, "", "x.json: a JSON array, not NDJSON: put each object on a line of its own (jq -c '.[]')"},
		{"bracket in a .csv", "x.csv", "[a],b\n", Options{}, CSV, ""},
		{"empty Parquet", "x.parquet", "", Options{}, "", "x.parquet: not a Parquet file: it does not start with PAR1"},
		{"text called Parquet", "x.parquet", "a,b\n", Options{}, "", "does not start with PAR1"},
		{"text forced to Parquet", "x", "a,b\n", Options{Format: Parquet}, "", "does not start with PAR1"},
		{"Parquet forced to text", "x", "PAR1....", Options{Format: CSV}, "", "x: format: csv was asked for, but the file is Parquet"},
		{"no such format", "x", "a", Options{Format: "xml"}, "", `format "xml": must be csv, ndjson or parquet`},
		{"no such compression", "x", "abcd", Options{Compression: "zip"}, "", `compression "zip": must be gzip, zstd or none`},
		{"gzip forced to plain", "x", "\x1f\x8b\x08\x00", Options{Compression: None}, "", "none was asked for, but the file is gzip"},
		{"plain forced to zstd", "x", "a,b\n1,2\n", Options{Compression: Zstd}, "", "zstd was asked for, but the file does not start like one"},
		{"plain called .gz", "x.csv.gz", "a,b\n1,2\n", Options{}, CSV, ""},
		{"UTF-16 BOM", "x.csv", "\xff\xfea\x00", Options{}, "", "x.csv: text in UTF-16 (little endian): convert it to UTF-8"},
		{"UTF-16 BOM, big endian", "x.csv", "\xfe\xff\x00a", Options{Format: CSV}, "", "text in UTF-16 (big endian)"},
		{"UTF-16 without BOM", "x.csv", "i\x00d\x00,\x00t\x00s\x00\n\x00", Options{}, "", "text in UTF-16: convert"},
		{"UTF-32 BOM", "x.csv", "\xff\xfe\x00\x00a\x00\x00\x00", Options{}, "", "text in UTF-32"},
		{"Excel", "x.csv", "PK\x03\x04\x14\x00", Options{}, "", "Excel workbook"},
		{"bzip2", "x.csv", "BZh91AY&SY", Options{}, "", "bzip2"},
		{"header like bzip2's", "x.csv", "BZh,b\n", Options{}, CSV, ""},
		{"ORC", "x.csv", "ORC\x08\x03\x10\x4a\n", Options{}, "", "ORC"},
		{"header like ORC's", "x.csv", "ORC\nb\n", Options{}, CSV, ""},
		{"binary", "x.csv", "\x00\x00\x01\x07\x00\x13\x00abc\x00\x00\x02", Options{}, "", "binary data"},
		{"a NUL in a text", "x.csv", "a,b\n1,some text that has\x00a NUL\n", Options{}, CSV, ""},
		{"bad chunk size", "x.csv", "a\n", Options{ChunkBytes: -1}, "", "chunk_bytes -1: must be from 1 to"},
		{"bad record size", "x.csv", "a\n", Options{MaxRecordBytes: 1 << 31}, "", "max_record_bytes 2147483648: must be from 1 to"},
		{"bad delimiter", "x.csv", "a\n", Options{CSV: CSVOptions{Delimiter: "||"}}, "", `csv delimiter "||": must be one ASCII character`},
		{"bad quote", "x.csv", "a\n", Options{CSV: CSVOptions{Quote: "\n"}}, "", `csv quote "\n": must be`},
		{"same quote and delimiter", "x.csv", "a\n", Options{CSV: CSVOptions{Quote: ","}}, "", "must differ"},
		{"same comment and delimiter", "x.csv", "a\n", Options{CSV: CSVOptions{Comment: ","}}, "", "must differ"},
		{"bad newline", "x.csv", "a\n", Options{CSV: CSVOptions{Newline: "crlf"}}, "", `csv newline "crlf": must be lf or cr`},
		{"bad skip", "x.csv", "a\n", Options{CSV: CSVOptions{SkipLines: -1}}, "", "skip_lines -1"},
		{"broken header", "x.csv", "# x\n\na,\"b\n1,2\n", Options{CSV: CSVOptions{Comment: "#"}}, "", "x.csv: csv header on line 3: a quote in it is bare"},
		{"header is not UTF-8", "x.csv", "a,\xe9\n1,2\n", Options{}, "", `name "\xe9" is not UTF-8`},
		{"endless header", "x.csv", strings.Repeat("x", 2<<20), Options{MaxRecordBytes: 1000}, "", "csv header: not complete within the first"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			src, err := OpenReader(tt.name, strings.NewReader(tt.text), tt.opt)
			switch {
			case tt.err == "" && err != nil, tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Fatalf("error %v, want %q", err, tt.err)
			case err != nil:
				if n := strings.Count(err.Error(), tt.name+": "); n != 1 && tt.name != "x" {
					t.Errorf("error %q names the source %d times", err, n)
				}
			case src.Format() != tt.format || src.Compression() != None:
				t.Errorf("%s in %s, want %s", src.Format(), src.Compression(), tt.format)
			}
		})
	}
}

func TestColumns(t *testing.T) {
	const header = "Account ID,meter,cost,cost,,quantity\n"
	for _, tt := range []struct{ column, err string }{
		{"meter", ""},
		{"account_id", `x.csv: column "account_id": not in the header; did you mean "Account ID"?`},
		{"quantiy", `x.csv: column "quantiy": not in the header; did you mean "quantity"?`},
		{"METER", `x.csv: column "METER": not in the header; did you mean "meter"?`},
		{"sku", `x.csv: column "sku": not in the header, which has "Account ID", "meter", "cost", "cost", "", "quantity"`},
		{"cost", `x.csv: column "cost": stands in the header twice, as columns 3 and 4; rename one of them`},
	} {
		_, err := OpenReader("x.csv", strings.NewReader(header+"1,2,3,4,5,6\n"), Options{Columns: cols(tt.column)})
		if got := ""; err != nil {
			got = err.Error()
			if got != tt.err {
				t.Errorf("%s: %s\nwant %s", tt.column, got, tt.err)
			}
		} else if tt.err != "" {
			t.Errorf("%s: no error, want %s", tt.column, tt.err)
		}
	}
	// An empty file lacks no column: it has no rows that could miss it.
	for _, text := range []string{"", "\ufeff", "\n\n", "# nothing\n"} {
		src, err := OpenReader("x.csv", strings.NewReader(text), Options{Columns: cols("a"), CSV: CSVOptions{Comment: "#"}})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if _, err := src.Next(); err != io.EOF || src.Columns() != nil {
			t.Errorf("%q: %v, columns %q", text, err, src.Columns())
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "no.csv"), Options{}); !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), "no.csv") != 1 {
		t.Errorf("absent file: %v", err)
	}
	if _, err := Open(dir, Options{}); err == nil || err.Error() != dir+": a directory, not a file" {
		t.Errorf("directory: %v", err)
	}
}

// A file that changes under the reader: its rows up to there, then an error,
// and never the row that somebody is perhaps in the middle of writing.
func TestChangingFile(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(path string) error
	}{
		{"shrinks", func(path string) error { return os.Truncate(path, 9) }},
		{"grows", func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("00\n3,4\n")
				err = errors.Join(err, f.Close())
			}
			return err
		}},
		{"is written to", func(path string) error { return os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.csv")
			// More than is read ahead to find the header.
			text := "a,b\n" + strings.Repeat("1,22\n", sniffBytes/5) + "1,2"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			src, err := Open(path, Options{Columns: cols("a", "b")})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			if err := tt.change(path); err != nil {
				t.Fatal(err)
			}
			rows, err := readAll(t, src)
			if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "x.csv: file changed while it was read: ") {
				t.Errorf("error %v", err)
			}
			for _, r := range rows {
				if r.Code != "" || r.Values[1] == "2" || r.Values[1] == "2000" {
					t.Errorf("row %v", r)
				}
			}
			if len(rows) < sniffBytes/5-1 {
				t.Errorf("%d rows", len(rows))
			}
		})
	}
}

// What a reader reports as an error comes after the whole rows before it.
func TestFailingReader(t *testing.T) {
	broken := errors.New("cable pulled")
	r := io.MultiReader(strings.NewReader("a,b\n1,2\n3,\"4\n"), failing{broken})
	src, err := OpenReader("-", r, Options{Columns: cols("a", "b")})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readAll(t, src)
	if got := lines(values(rows)); got != "1|2" || !errors.Is(err, broken) || err.Error() != "-: cable pulled" {
		t.Errorf("rows %q, error %v", got, err)
	}
	if _, again := src.Next(); !errors.Is(again, broken) {
		t.Errorf("then %v", again)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A line without an end is passed over in constant memory.
func TestEndlessLine(t *testing.T) {
	const long = 32 << 20
	r := io.MultiReader(strings.NewReader("a\n1\n"), io.LimitReader(zeros{}, long), strings.NewReader("\n2\n"))
	src, err := OpenReader("x.csv", r, Options{Columns: cols("a")})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readAll(t, src)
	if err != nil || len(rows) != 3 || rows[1].Code != CodeTooLarge || len(rows[1].Raw) != maxRaw ||
		rows[1].End != (Pos{4 + long + 1, 4}) || rows[2].Values[0] != "2" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if n := len(src.reader.(*textSource).buf); n > 2<<20 {
		t.Errorf("buffer of %d bytes", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte("0"), min(len(p), 4096)))
	return min(len(p), 4096), nil
}

func TestNearNames(t *testing.T) {
	names := []string{"usage.bytes", "Usage Bytes", "id", "ID", "ts", "account_id"}
	for _, tt := range []struct{ name, want string }{
		{"usage_bytes", `"usage.bytes" "Usage Bytes"`},
		{"Id", `"id" "ID"`},
		{"acount_id", `"account_id"`},
		{"tz", ""},
		{"", ""},
		{strings.Repeat("x", 1000), ""},
	} {
		if got := strings.Join(nearNames(names, tt.name), " "); got != tt.want {
			t.Errorf("%.20q: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Looking at eight bytes at once counts what looking at each does.
func TestCountControls(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		head := make([]byte, random.IntN(40))
		for i := range head {
			if head[i] = byte(random.IntN(256)); random.IntN(3) > 0 {
				head[i] = byte(random.IntN(0x22)) // most are about a space
			}
		}
		var even, odd, control int
		for i, b := range head {
			switch {
			case b == 0 && i%2 == 0:
				even++
			case b == 0:
				odd++
			case b < ' ' && !strings.ContainsRune("\t\n\r\f\v\x1b\x1c\x1d\x1e\x1f", rune(b)):
				control++
			}
		}
		if e, o, c := countControls(head); e != even || o != odd || c != control {
			t.Fatalf("%q: %d, %d, %d, want %d, %d, %d", head, e, o, c, even, odd, control)
		}
	}
}
