package jsonx

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendString(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", `""`},
		{"plain", `"plain"`},
		{`say "hi" \o/`, `"say \"hi\" \\o/"`},
		{"a\x00\x1f\b\f\n\r\tb", `"a\u0000\u001f\b\f\n\r\tb"`},
		{"\x7f<>&\u2028", "\"\x7f<>&\u2028\""},
		{"Zürich 東京 😀", `"Zürich 東京 😀"`},
		{"12345678\"", `"12345678\""`},
		{"a\xffb\xc3", `"a` + "\uFFFD" + `b` + "\uFFFD" + `"`},
		{"\xed\xa0\x80", `"` + strings.Repeat("\uFFFD", 3) + `"`},
		{"\uFFFD", "\"\uFFFD\""},
	} {
		if got := string(AppendStringS([]byte("x"), tt.text)); got != "x"+tt.want {
			t.Errorf("AppendStringS(%q) = %s, want x%s", tt.text, got, tt.want)
		}
	}
}

// Every byte at every place of the eight-byte step, among plain and other bytes.
func TestAppendStringPlaces(t *testing.T) {
	for b := range 256 {
		for n := 1; n <= 17; n++ {
			for at := range n {
				for _, fill := range []byte{'a', '"', 0x80, 0} {
					if fill != 'a' && n < 17 {
						continue
					}
					text := []byte(strings.Repeat(string([]byte{fill}), n))
					text[at] = byte(b)
					checkString(t, text)
				}
			}
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "a", "\"\\\x01", "Zürich\xff", "\xf0\x9f\x98\x80 and more text", "\xe2\x80\xa8"} {
		f.Add([]byte(s))
	}
	f.Fuzz(checkString)
}

// checkString holds AppendString against the standard library's decoder and
// encoder, and against the promise of minimal escaping.
func checkString(t *testing.T, text []byte) {
	got := AppendString(nil, text)
	var back string
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatalf("AppendString(%q) = %q: %v", text, got, err)
	}
	if want := strings.Join(runes(text), ""); back != want {
		t.Fatalf("AppendString(%q) = %q, which reads back as %q", text, got, back)
	}
	if !utf8.Valid(got) {
		t.Fatalf("AppendString(%q) = %q is not UTF-8", text, got)
	}
	length := 2
	for _, r := range runes(text) {
		switch {
		case strings.Contains("\"\\\b\f\n\r\t", r):
			length += 2
		case r < " ":
			length += 6
		default:
			length += len(r)
		}
	}
	if len(got) != length {
		t.Fatalf("AppendString(%q) = %q: %d bytes, the least are %d", text, got, len(got), length)
	}
}

func runes(text []byte) (out []string) {
	for _, r := range string(text) {
		out = append(out, string(r))
	}
	return out
}

// grammar is RFC 8259 section 6 as a regular expression.
var grammar = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func TestValidNumber(t *testing.T) {
	for _, s := range strings.Fields(`0 -0 1 10 0.1 0.1000 -1.5e10 1E+5 1e-05 12345678901234567890.123456789
		01 -01 +1 1. .5 -.5 - -- 1e 1e+ 1.e1 0x10 NaN Infinity 1,5 1_000 1. 1.0.0 1e5e5 1e5.0 ٣`) {
		if got, want := ValidNumber([]byte(s)), grammar.MatchString(s); got != want {
			t.Errorf("ValidNumber(%q) = %v, want %v", s, got, want)
		}
	}
	for _, s := range []string{"", " 1", "1 ", "1\n", "1\x00"} {
		if ValidNumber([]byte(s)) {
			t.Errorf("ValidNumber(%q) = true", s)
		}
	}
}

// All texts of up to six bytes over the alphabet that matters.
func TestNumberExhaustive(t *testing.T) {
	const alphabet = "019-+.eE "
	var try func(text []byte)
	try = func(text []byte) {
		if got, want := ValidNumber(text), grammar.Match(text); got != want {
			t.Fatalf("ValidNumber(%q) = %v, want %v", text, got, want)
		}
		if n := Number(text); n > len(text) || n > 0 && !grammar.Match(text[:n]) {
			t.Fatalf("Number(%q) = %d, which is no number", text, n)
		}
		if len(text) < 6 {
			for i := range alphabet {
				try(append(text, alphabet[i]))
			}
		}
	}
	try(make([]byte, 0, 6))
}

func TestNumberPrefix(t *testing.T) {
	for text, want := range map[string]int{"1,": 1, "01": 1, "12}": 2, "-0.50e+1 x": 8, "1.": 0, "1.x": 0, "1e": 0, "1e+,": 0, "-": 0, "x": 0, "": 0} {
		if got := Number([]byte(text)); got != want {
			t.Errorf("Number(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	dst, text := make([]byte, 0, 256), "a \"quoted\" text, Zürich, and some more of it"
	if n := testing.AllocsPerRun(100, func() { dst = AppendStringS(dst[:0], text) }); n != 0 {
		t.Errorf("AppendStringS allocates %v times", n)
	}
	number := []byte("12345678901234567890.123456789e-10")
	if n := testing.AllocsPerRun(100, func() { ValidNumber(number) }); n != 0 {
		t.Errorf("ValidNumber allocates %v times", n)
	}
}

func BenchmarkAppendString(b *testing.B) {
	for name, text := range map[string]string{
		"ascii": "arn:aws:ec2:eu-central-1:123456789012:instance/i-0abcdef1234567890",
		"utf8":  "Zürich, Köln, 東京, São Paulo, Reykjavík and Łódź",
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 256)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendStringS(dst[:0], text)
			}
		})
	}
}
