package reader

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// naive reads CSV by the words of the dialect type's comment, a byte at a time
// and with no thought of chunks: what the cutter and the parser are held to.
type naive struct {
	dialect
	text []byte
}

// record returns the end of the record at s, its fields, and whether it is
// well formed within the look ahead.
func (n naive) record(s int) (end int, values []string, ok bool) {
	var field []byte
	state := "start"
	for i := s; ; i++ {
		if i == len(n.text) || n.isLineEnd(i) {
			if state != "quoted" || i == len(n.text) {
				values = append(values, string(field))
				end = min(len(n.text), i+n.lineEndLen(i))
				return end, values, state != "quoted" && end-s <= farther*n.max
			}
		}
		b := n.text[i]
		switch {
		case state == "start" && n.dialect.quoted && b == n.quote:
			state = "quoted"
		case state == "quoted" && b == n.quote && i+1 < len(n.text) && n.text[i+1] == n.quote:
			field = append(field, b)
			i++
		case state == "quoted" && b == n.quote:
			state = "closed"
		case state == "quoted":
			field = append(field, b)
		case b == n.delim:
			values = append(values, string(field))
			field, state = nil, "start"
		case state == "closed", n.dialect.quoted && b == n.quote:
			return 0, nil, false
		default:
			field, state = append(field, b), "plain"
		}
	}
}

func (n naive) isLineEnd(i int) bool { return n.lineEndLen(i) > 0 }

func (n naive) lineEndLen(i int) int {
	rest := n.text[i:]
	switch {
	case len(rest) > 0 && rest[0] == n.nl:
		return 1
	case n.nl == '\n' && bytes.HasPrefix(rest, []byte("\r\n")):
		return 2
	case n.nl == '\n' && string(rest) == "\r":
		return 1
	}
	return 0
}

// rows are all records of the text.
func (n naive) rows(fields int) (out []string) {
	line := int64(1)
	for s := 0; s < len(n.text); {
		first, text, _ := bytes.Cut(n.text[s:], []byte{n.nl})
		stop := len(n.text) - len(text)
		bare := first
		if n.nl == '\n' {
			bare = bytes.TrimSuffix(first, []byte("\r"))
		}
		comment := n.comments && first != nil && len(first) > 0 && first[0] == n.comment
		if len(bare) == 0 || comment && stop-s <= n.max {
			s = stop
			line++
			continue
		}
		end, values, ok := n.record(s)
		what := strings.Join(values, "|")
		switch {
		case comment:
			end, what = stop, CodeTooLarge
		case ok && end-s > n.max:
			what = CodeTooLarge
		case !ok && stop-s > n.max:
			end, what = stop, CodeTooLarge
		case !ok:
			end, what = stop, CodeQuote
		case len(values) != fields:
			what = CodeFieldCount
		case !bytes.Equal(n.text[s:end], bytes.ToValidUTF8(n.text[s:end], nil)):
			what = CodeUTF8
		}
		lines := int64(bytes.Count(n.text[s:end], []byte{n.nl}))
		if n.text[end-1] != n.nl {
			lines++
		}
		out = append(out, fmt.Sprintf("%d:%d %d:%d %q", s, line, end, line+lines, what))
		s, line = end, line+lines
	}
	return out
}

// flat is what naive.rows gives, of what was read.
func flat(rows []row) (out []string) {
	for _, r := range rows {
		what := r.Code
		if what == "" {
			what = strings.Join(r.Values, "|")
		}
		out = append(out, fmt.Sprintf("%d:%d %d:%d %q", r.Pos.Offset, r.Pos.Line, r.End.Offset, r.End.Line, what))
	}
	return out
}

// cutSource reads text with the dialect in chunks of size bytes, without any
// look at what the text might be. Each read gives at most step bytes.
func cutSource(t testing.TB, text []byte, d dialect, fields, size, step int) *Source {
	t.Helper()
	names := strings.Split("abcdefghijklmnop", "")[:fields]
	opt := Options{Columns: cols(names...), ChunkBytes: size, MaxRecordBytes: d.max}
	format, err := newCSV("x.csv", d, names, opt)
	if err != nil {
		t.Fatal(err)
	}
	in := &input{name: "x.csv", compression: None, text: peeker{r: &stepReader{text, step}}}
	return &Source{in: in, reader: newTextSource(in, format, names, d.nl, Pos{0, 1}, opt)}
}

type stepReader struct {
	text []byte
	step int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if len(r.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.step)], r.text)
	r.text = r.text[n:]
	return n, nil
}

func lines(s []string) string { return strings.Join(s, "\n") }

// checkCut holds every chunking of text to the naive reader, and every
// record's End to what follows it.
func checkCut(t *testing.T, text []byte, d dialect, fields int, sizes ...int) {
	t.Helper()
	want := naive{d, text}.rows(fields)
	all, err := readAll(t, cutSource(t, text, d, fields, max(1, len(text)), len(text)))
	if err != nil {
		t.Fatal(err)
	}
	if got := flat(all); lines(got) != lines(want) {
		t.Fatalf("%q, max %d, in one piece:\n%s\nwant\n%s", text, d.max, lines(got), lines(want))
	}
	for _, size := range sizes {
		got, err := readAll(t, cutSource(t, text, d, fields, size, 1+size*2/3))
		if err != nil {
			t.Fatal(err)
		}
		if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", all); g != w {
			t.Fatalf("%q, max %d, chunks of %d:\n%s\nwant\n%s", text, d.max, size, g, w)
		}
	}
	format := cutSource(t, text, d, fields, 1, 1).reader.(*textSource).format
	for i, r := range all {
		rest := text[r.End.Offset:]
		c := &Chunk{Start: r.End}
		got := lines(flat(rowsOf(t, c, format, rest)))
		if want := lines(want[i+1:]); got != want {
			t.Fatalf("%q, max %d, read again from %v:\n%s\nwant\n%s", text, d.max, r.End, got, want)
		}
	}
}

func rowsOf(t testing.TB, c *Chunk, format textFormat, text []byte) []row {
	c.parse = &textChunk{source: &textSource{format: format}, text: text}
	return chunkRows(t, c)
}

func fuzzDialect(bits uint8, max uint16) (dialect, int) {
	d := dialect{delim: ',', quote: '"', quoted: bits&1 == 0, comment: '#', comments: bits&2 != 0, nl: '\n', max: 1 + int(max)}
	if bits&4 != 0 {
		d.nl = '\r'
	}
	if bits&8 != 0 {
		d.delim, d.quote = ';', '\''
	}
	return d, 1 + int(bits>>4)%4
}

func FuzzCut(f *testing.F) {
	for _, c := range nastyCSV {
		f.Add([]byte(c.text), uint8(1<<4), uint16(5), uint16(1000))
		f.Add([]byte(c.text), uint8(2<<4|2), uint16(1), uint16(7))
		f.Add([]byte(c.text), uint8(4), uint16(3), uint16(12))
	}
	// A quote in a comment, and then one record of what would be two by it.
	f.Add([]byte("#,\"\n\"\n1\"\n"), uint8(2), uint16(5), uint16(1000))
	f.Fuzz(func(t *testing.T, text []byte, bits uint8, size, max uint16) {
		if len(text) > 400 {
			t.Skip("no more to be found in long texts")
		}
		d, fields := fuzzDialect(bits, max)
		checkCut(t, text, d, fields, 1, 2, 3, 5, 8, 1+int(size)%512)
	})
}

// cutAlphabet are the bytes that matter to cutDialects, and one that does not.
const cutAlphabet = "\"\n\r,#a"

// cutDialects are ways to read a text of up to n bytes over cutAlphabet:
// with comments and without, with each line end, and with each record limit
// from one byte up to n, which no record exceeds.
func cutDialects(n int) (all []dialect) {
	for _, comments := range []bool{false, true} {
		for _, nl := range []byte{'\n', '\r'} {
			for limit := 1; limit <= n; limit++ {
				all = append(all, dialect{delim: ',', quote: '"', quoted: true, comment: '#', comments: comments, nl: nl, max: limit})
			}
		}
	}
	return all
}

// cutText is the i-th text of n bytes over cutAlphabet, from 0.
func cutText(i, n int) []byte {
	text := make([]byte, n)
	for j := range text {
		text[j] = cutAlphabet[i%len(cutAlphabet)]
		i /= len(cutAlphabet)
	}
	return text
}

// Small texts over the bytes that matter, every one of them, in every dialect,
// with a field and with two, in chunks of every size: what no fuzzer can promise.
func TestCutExhaustive(t *testing.T) {
	for n, texts := 1, len(cutAlphabet); n <= 4; n, texts = n+1, texts*len(cutAlphabet) {
		for _, d := range cutDialects(n) {
			for i := range texts {
				checkCut(t, cutText(i, n), d, 1, 1, 2, 3)
				checkCut(t, cutText(i, n), d, 2, 1, 2, 3)
			}
		}
	}
}

// Texts of five bytes, every one of them, each in a few of the many ways.
func TestCutFiveBytes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(41, 42))
	dialects := cutDialects(5)
	for i := range 6 * 6 * 6 * 6 * 6 {
		checkCut(t, cutText(i, 5), dialects[rnd.IntN(len(dialects))], 1+rnd.IntN(2), 1+rnd.IntN(4))
	}
}
