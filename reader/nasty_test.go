package reader

import (
	"strings"
	"testing"
)

// nastyCSV is text that CSV readers get wrong, and what it is: one row a line,
// fields joined by |, rejects as raw text!code.
var nastyCSV = []struct{ name, text, want string }{
	{"plain", "a,b\n1,2\n", "1|2"},
	{"no line end at the end", "a,b\n1,2", "1|2"},
	{"CRLF", "a,b\r\n1,2\r\n3,4\r\n", "1|2/3|4"},
	{"mixed line ends", "a,b\r\n1,2\n3,4\r\n", "1|2/3|4"},
	{"half a CRLF at the end", "a,b\r\n1,2\r", "1|2"},
	{"lone CR in LF text", "a,b\n1,x\ry\n", "1|x\ry"},
	{"CR before a CRLF", "a,b\n1,2\r\r\n", "1|2\r"},
	{"CR text", "a,b\r1,2\r3,4\r", "1|2/3|4"},
	{"CR text, no line end at the end", "a,b\r1,2", "1|2"},
	{"CR text, quoted CR", "a,b\r1,\"x\ry\"\r2,3", "1|x\ry/2|3"},
	{"BOM", "\ufeffa,b\n1,2\n", "1|2"},
	{"BOM and quoted header", "\ufeff\"a\",\"b\"\n1,2\n", "1|2"},
	{"quoted header with line end", "\"a\nx\",b\n1,2\n", "1|2"},
	{"blank lines", "\n\na,b\n\n1,2\n\r\n\n3,4\n\n", "1|2/3|4"},
	{"line of spaces is a row", "a,b\n  \n1,2\n", "  !field-count/1|2"},
	{"header only", "a,b\n", ""},
	{"header only, no line end", "a,b", ""},
	{"nothing", "", ""},
	{"BOM only", "\ufeff", ""},
	{"blank lines only", "\n\r\n\n", ""},
	{"empty fields", "a,b\n,\n\"\",\"\"\n", "|/|"},
	{"trailing delimiter", "a,b\n1,2,\n", "1,2,!field-count"},
	{"short row", "a,b\n1\n2,3\n", "1!field-count/2|3"},
	{"doubled quotes", "a,b\n\"x\"\"y\",\"\"\"\"\n", `x"y|"`},
	{"quotes only", "a,b\n\"\"\"\"\"\",1\n", `""|1`},
	{"quoted delimiter", "a,b\n\"1,5\",\"2;\"\n", "1,5|2;"},
	{"quoted LF", "a,b\n\"x\ny\",1\n2,3\n", "x\ny|1/2|3"},
	{"quoted CRLF stays", "a,b\r\n\"x\r\ny\",1\r\n2,3\r\n", "x\r\ny|1/2|3"},
	{"quoted blank line", "a,b\n\"x\n\ny\",1\n", "x\n\ny|1"},
	{"quote at the end of the text", "a,b\n1,\"2\"", "1|2"},
	{"quote and half a CRLF at the end", "a,b\n1,\"2\"\r", "1|2"},
	{"quote and lone CR", "a,b\n1,\"2\"\rx\n3,4\n", "1,\"2\"\rx!quote/3|4"},
	{"bare quote", "a,b\n1,5\" disk\n3,4\n", "1,5\" disk!quote/3|4"},
	{"bare quotes in pairs", "a,b\n1,5\"x\"\n3,4\n", "1,5\"x\"!quote/3|4"},
	{"space before a quote", "a,b\n1, \"2\"\n3,4\n", "1, \"2\"!quote/3|4"},
	{"text after a quote", "a,b\n\"1\"x,2\n3,4\n", "\"1\"x,2!quote/3|4"},
	{"space after a quote", "a,b\n\"1\" ,2\n3,4\n", "\"1\" ,2!quote/3|4"},
	{"backslash is no escape", "a,b\n\"1\\\",2\n3,4\n", `1\|2/3|4`},
	{"backslash escape over lines", "a,b\n\"x\\\"y\",2\n3,4\n", "\"x\\\"y\",2!quote/3|4"},
	{"unclosed quote", "a,b\n\"1,2\n3,4\n5,6\n", "\"1,2!quote/3|4/5|6"},
	{"unclosed quote before quoted rows", "a,b\n1,\"2\n\"3\",4\n5,\"6\"\n", "1,\"2!quote/3|4/5|6"},
	{"unclosed quote in the last line", "a,b\n1,2\n3,\"4", "1|2/3,\"4!quote"},
	{"fault in the second line of a record", "a,b\n1,\"2\n3\"x,4\n5,6\n", "1,\"2!quote/3\"x,4!quote/5|6"},
	{"fault behind a whole field of two lines", "a,b\n\"1\n2\",\"3\"x\n5,6\n", "\"1!quote/2\",\"3\"x!quote/5|6"},
	{"NUL", "a,b\n1,x\x00y\n", "1|x\x00y"},
	{"BOM inside", "a,b\n\ufeff1,2\n", "\ufeff1|2"},
	{"line separators of Unicode", "a,b\n1\u2028,2\u0085\n", "1\u2028|2\u0085"},
	{"not UTF-8", "a,b\n1,caf\xe9\n3,4\n", "1,caf\xe9!utf-8/3|4"},
	{"surrogate in UTF-8", "a,b\n1,\xed\xa0\x80\n", "1,\xed\xa0\x80!utf-8"},
	{"formula", "a,b\n=1+1,\"@x\"\n", "=1+1|@x"},
	{"number-like texts", "a,b\n007,1E5\n", "007|1E5"},
}

func TestNastyCSV(t *testing.T) {
	for _, tt := range nastyCSV {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 7, 16, 1 << 18} {
				src := openText(t, tt.text, Options{ChunkBytes: size})
				var want []Column
				for _, name := range src.Columns() {
					want = append(want, Column{Name: name})
				}
				src = openText(t, tt.text, Options{ChunkBytes: size, Columns: want})
				rows, err := readAll(t, src)
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
