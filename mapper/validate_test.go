package mapper

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"pgregory.net/rapid"
)

// TestCodesByPattern: the scanners give the answer of the patterns that they
// stand for.
func TestCodesByPattern(t *testing.T) {
	alphabet := rapid.SampledFrom([]rune("aZ09_$ .-\t\x00\x1f\x7f\u0080\u00a0\u200b\u3000éß日٣🚀"))
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(alphabet, 0, 6).Draw(t, "text"))
		if got, want := validCode([]byte(text)), codePattern.MatchString(text); got != want {
			t.Fatalf("code %q: %v, the pattern says %v", text, got, want)
		}
		if got, want := validFieldCode([]byte(text)), fieldPattern.MatchString(text); got != want {
			t.Fatalf("field code %q: %v, the pattern says %v", text, got, want)
		}
	})
}

// TestCodeBytes: every byte at every place of a code of every length up to
// past two words.
func TestCodeBytes(t *testing.T) {
	for b := range 256 {
		for n := 1; n <= 18; n++ {
			for at := range n {
				text := make([]byte, n)
				for i := range text {
					text[i] = "a\xff"[(i+n)%2]
				}
				text[at] = byte(b)
				want := b >= ' ' && b != 0x7F && (b != ' ' || at > 0 && at < n-1)
				if got := validCode(text); got != want {
					t.Fatalf("code %q: %v, want %v", text, got, want)
				}
			}
		}
	}
}

// TestLengths: lengths are those of UTF-16, on both sides of every limit.
func TestLengths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		n := len(utf16.Encode([]rune(text)))
		if units([]byte(text)) != n || longer([]byte(text), n) || n > 0 && !longer([]byte(text), n-1) {
			t.Fatalf("%q has %d code units, not %d", text, n, units([]byte(text)))
		}
	})
	for n, want := range map[int]bool{1: true, 80: true, 81: false} {
		for _, r := range []string{"a", "é", "日"} {
			if got := validFieldCode([]byte(strings.Repeat(r, n))); got != want {
				t.Errorf("field code of %d %s: %v", n, r, got)
			}
		}
	}
}

// TestBefore: times compare as instants, however many digits they have.
func TestBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (string, time.Time) {
			sec := rapid.Int64Range(-62135596800, 253402300799).Draw(t, name)
			if rapid.Bool().Draw(t, "near") {
				sec = 1725148800 + sec&1
			}
			text := time.Unix(sec, 0).UTC().Format("2006-01-02T15:04:05") + rapid.SampledFrom([]string{"", ".0", ".000", ".5", ".50", ".500", ".05", ".499999999"}).Draw(t, "fraction") + "Z"
			at, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				t.Fatal(err)
			}
			return text, at
		}
		a, atA := draw("a")
		b, atB := draw("b")
		if got := before([]byte(a), []byte(b)); got != atA.Before(atB) {
			t.Fatalf("%s before %s: %v", a, b, got)
		}
	})
}

// TestShown: what an error shows is short, and still text.
func TestShown(t *testing.T) {
	for _, text := range []string{"", "a", strings.Repeat("a", 120), strings.Repeat("a", 121), strings.Repeat("é", 100), strings.Repeat("🚀", 100), "a" + strings.Repeat("🚀", 100)} {
		got := shown([]byte(text))
		if len(got) > maxShownText || len(text) <= maxShownText && got != text || strings.ToValidUTF8(got, "") != got || len(text) > maxShownText && len(got) < maxShownText-6 {
			t.Errorf("%d bytes are shown as %q", len(text), got)
		}
	}
}

func TestNear(t *testing.T) {
	for text, want := range map[string]string{
		"acount": "account", "Account": "account", "metre": "meter", "measures": "measure", "timestamp": "", "mesure": "measure",
		"etss": "ets", "quantity": "", "": "", "uuid": "uid", strings.Repeat("x", 500): "",
	} {
		if got := near(text, topWords); got != want {
			t.Errorf("near %q is %q, want %q", text, got, want)
		}
	}
}

func ExampleFieldError() {
	fmt.Println(&FieldError{Field: "measure.gb", Column: "Usage", Value: "n/a", Code: CodeNumber, Reason: "a number has digits"})
	// Output: measure.gb, column "Usage": a number has digits (value "n/a")
}
