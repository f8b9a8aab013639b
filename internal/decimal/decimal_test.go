package decimal

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// grammar is RFC 8259 §6, as independent of the scanner as can be.
var grammar = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// maxOracleExponent keeps big.Rat from writing out a million zeros.
const maxOracleExponent = 5000

// oracle says what Parse must: whether text is accepted, and its value.
// known is false for exponents that the oracle cannot afford.
func oracle(text string) (v *big.Rat, accepted, known bool) {
	if !grammar.MatchString(text) {
		return nil, false, true
	}
	mant, exp, _ := strings.Cut(strings.ToLower(text), "e")
	if exp != "" {
		n, err := strconv.Atoi(exp)
		if err != nil || n < -maxOracleExponent || n > maxOracleExponent {
			return nil, false, false
		}
	}
	v, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("oracle: " + text)
	}
	if v.Sign() == 0 {
		return v, true, true
	}
	digits := strings.Trim(strings.NewReplacer("-", "", ".", "").Replace(mant), "0")
	f, _ := v.Float64()
	return v, len(digits) <= MaxDigits && f != 0 && f-f == 0, true
}

func rat(t interface{ Fatalf(string, ...any) }, text string) *big.Rat {
	v, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return v
}

// checkParse holds Parse against the oracle, and the canonical text against
// the value.
func checkParse(t interface{ Fatalf(string, ...any) }, text string) {
	d, ok := Parse([]byte(text))
	want, accepted, known := oracle(text)
	if !known {
		return
	}
	if ok != accepted {
		t.Fatalf("Parse(%.60q) = %v, want %v", text, ok, accepted)
	}
	if !ok {
		return
	}
	s := d.String()
	if rat(t, s).Cmp(want) != 0 {
		t.Fatalf("Parse(%.60q) is %s", text, s)
	}
	if !canonical.MatchString(s) || s == "-0" {
		t.Fatalf("Parse(%.60q) writes %q, which is not canonical", text, s)
	}
	if again, ok := Parse([]byte(s)); !ok || again.String() != s {
		t.Fatalf("Parse(%.60q) writes %s, which reads back as %v, %v", text, s, again, ok)
	}
	if d.IsZero() != (want.Sign() == 0) {
		t.Fatalf("Parse(%.60q).IsZero() = %v", text, d.IsZero())
	}
}

var canonical = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?$`)

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"0", "0"},
		{"-0", "0"},
		{"-0.000e7", "0"},
		{"0e99999999999", "0"},
		{"0.0e-99999999999999999999999", "0"},
		{"1", "1"},
		{"-12.50", "-12.5"},
		{"36.000000", "36"},
		{"188743680000.000000", "188743680000"},
		{"1E5", "100000"},
		{"1e+05", "100000"},
		{"120e-1", "12"},
		{"1e-7", "0.0000001"},
		{"0.00120", "0.0012"},
		{"9007199254740993", "9007199254740993"},
		{"9999999999999999999", "9999999999999999999"},   // 19 digits
		{"18446744073709551616", "18446744073709551616"}, // 2^64
		{"-12345678901234567890.12345678901234567890", "-12345678901234567890.1234567890123456789"},
		{"123456789012345678900000000e-8", "1234567890123456789"},
		{"0." + strings.Repeat("0", 2000) + "1e2000", "0.1"},
		{"0." + strings.Repeat("0", 200_000) + "1e200309", "1" + strings.Repeat("0", 308)},
		{strings.Repeat("9", 308), strings.Repeat("9", 308)},
		{"1." + strings.Repeat("3", MaxDigits-1), "1." + strings.Repeat("3", MaxDigits-1)},
	} {
		d, ok := Parse([]byte(c.text))
		if !ok || d.String() != c.want {
			t.Errorf("Parse(%.40q) = %.60s, %v; want %.60s", c.text, d, ok, c.want)
		}
		if len(c.text) < 5000 {
			checkParse(t, c.text)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{
		"", "-", "+1", ".5", "5.", "-.5", "00", "007", "-01", "1.e5", "1e", "1e+", "1e-", "e5",
		" 1", "1 ", "1\n", "1,5", "1_000", "0x10", "NaN", "Inf", "-Infinity", "1e5.0", "1ee5", "--1",
		"1.2.3", "1/2", "１", "1\x00", "1p5",
		// past a double
		"1e309", "-1e309", "1.797693134862315808e308", "1e999999999", "-1e99999999999999999999999",
		"2e-324", "1e-400", "1e-999999999999999999999999", "1" + strings.Repeat("0", 309),
		"0." + strings.Repeat("0", 400) + "1",
		// past MaxDigits
		"1." + strings.Repeat("3", MaxDigits),
	} {
		if d, ok := Parse([]byte(text)); ok {
			t.Errorf("Parse(%.40q) = %s", text, d)
		}
		checkParse(t, text)
	}
}

func TestParseAtTheEdgesOfDouble(t *testing.T) {
	for text, want := range map[string]bool{
		"1.7976931348623157e308":          true,
		"1.7976931348623158e308":          true, // rounds down to the largest
		"1.797693134862315807e308":        true,
		"1.797693134862315808e308":        false,
		"-1.797693134862315808e308":       false,
		"179769313486231570000000000e282": true,
		"5e-324":                          true,
		"4.94e-324":                       true,
		"2.4703282292062328e-324":         true, // rounds up to the smallest
		"2.4703282292062327e-324":         false,
		"0.000000000024e-313":             false,
		"0.000000000025e-313":             true,
	} {
		if _, ok := Parse([]byte(text)); ok != want {
			t.Errorf("Parse(%q) = %v", text, ok)
		}
		checkParse(t, text)
	}
}

// numberText draws texts of the grammar, dense where the code has borders:
// around 19 digits, around the range of a double, with runs of zeros.
func numberText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		intPart := rapid.OneOf(
			rapid.Just("0"),
			rapid.StringMatching(`[1-9][0-9]{0,24}`),
			rapid.StringMatching(`[1-9]0{0,30}[0-9]?`),
			rapid.StringMatching(`[1-9][0-9]{0,340}`),
		).Draw(t, "int")
		frac := rapid.OneOf(
			rapid.Just(""),
			rapid.StringMatching(`\.[0-9]{1,20}`),
			rapid.StringMatching(`\.0{0,340}[0-9]{1,5}0{0,5}`),
		).Draw(t, "frac")
		exp := rapid.OneOf(
			rapid.Just(""),
			rapid.StringMatching(`[eE][+-]?0{0,3}[0-9]{1,2}`),
			rapid.StringMatching(`[eE][+-]?3[0-4][0-9]`),
		).Draw(t, "exp")
		return rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + intPart + frac + exp
	})
}

// validNumber draws Decimals with their text.
func validNumber() *rapid.Generator[string] {
	return numberText().Filter(func(s string) bool { _, ok := Parse([]byte(s)); return ok })
}

func TestParseProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkParse(t, numberText().Draw(t, "text")) })
}

// survives is SurvivesDouble by definition: strconv and rationals.
func survives(t interface{ Fatalf(string, ...any) }, text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return rat(t, strconv.FormatFloat(f, 'g', -1, 64)).Cmp(rat(t, text)) == 0
}

func checkSurvives(t interface{ Fatalf(string, ...any) }, text string) {
	d, ok := Parse([]byte(text))
	if !ok {
		t.Fatalf("Parse(%q)", text)
	}
	if got, want := d.SurvivesDouble(), survives(t, text); got != want {
		t.Fatalf("%s survives: %v, want %v", text, got, want)
	}
}

func TestSurvivesDouble(t *testing.T) {
	for text, want := range map[string]bool{
		"0":                                    true,
		"-0":                                   true,
		"0.1":                                  true,
		"0.30000000000000004":                  true,
		"0.3000000000000000":                   true,
		"0.300000000000000041":                 false,
		"9007199254740991":                     true,
		"9007199254740992":                     true,
		"9007199254740993":                     false,
		"9007199254740994":                     true,
		"-9007199254740993":                    false,
		"999999999999999":                      true,
		"0.123456789012345":                    true,
		"0.12345678901234567890":               false,
		"1e22":                                 true,
		"1e23":                                 true,
		"100000000000000000000000000000000000": true,
		"5e-324":                               true,
		"4.9e-324":                             false,
		"4.940656458412465e-324":               false,
		"2.2250738585072014e-308":              true,
		"2.225073858507201e-308":               true,
		"123456789012345e-330":                 false,
		"1.7976931348623157e308":               true,
		"1.797693134862315e308":                true,
		"1.7976931348623158e308":               false, // its double is written …57
	} {
		d, ok := Parse([]byte(text))
		if !ok || d.SurvivesDouble() != want {
			t.Errorf("%s: parsed %v, survives %v; want %v", text, ok, d.SurvivesDouble(), want)
		}
		checkSurvives(t, text)
	}
}

func TestSurvivesDoubleProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkSurvives(t, validNumber().Draw(t, "text")) })
	rapid.Check(t, func(t *rapid.T) { // what doubles print, and their neighbours
		f := rapid.Float64().Draw(t, "f")
		digits := rapid.SampledFrom([]int{-1, 14, 15, 16, 17}).Draw(t, "digits")
		text := strconv.FormatFloat(f, 'e', digits, 64)
		if _, ok := Parse([]byte(text)); ok {
			checkSurvives(t, text)
		}
	})
	rapid.Check(t, func(t *rapid.T) { // 15 to 17 digits, where the shortcuts end
		checkSurvives(t, strconv.FormatInt(rapid.Int64Range(1e14, 2e17).Draw(t, "n"), 10)+
			"e"+strconv.Itoa(rapid.IntRange(-330, 290).Draw(t, "exp")))
	})
}

func TestParseAllocatesNothing(t *testing.T) {
	for _, text := range []string{"0", "-12.5", "188743680000.000000", "1234567890.12345678", "9007199254740993", "1e999999999"} {
		b := []byte(text)
		buf := make([]byte, 0, 64)
		if n := testing.AllocsPerRun(100, func() {
			d, _ := Parse(b)
			d.SurvivesDouble()
			buf = d.AppendText(buf[:0])
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "-1.5e-7", "00", "1e309", "123456789012345678901", "5e-324", "1.7976931348623158e308"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkParse(t, text)
		if d, ok := Parse([]byte(text)); ok && d.SurvivesDouble() != survives(t, d.String()) {
			t.Fatalf("%s survives: %v", text, d.SurvivesDouble())
		}
	})
}

// The ways that are short find what the long one does, and refuse nothing of what
// they are for.
func TestShortWaysOfParse(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	const odd = "-+eE.,x /:\x00\xb0\xff" // neighbours of digits, and digits with the high bit set
	for range 2_000_000 {
		n := 1 + rnd.IntN(maxCoefDigits)
		text := make([]byte, n)
		for i := range text {
			text[i] = '0' + byte(rnd.IntN(10))
		}
		if rnd.IntN(3) > 0 {
			text[rnd.IntN(n)] = '.'
		}
		if rnd.IntN(4) == 0 {
			text[rnd.IntN(n)] = odd[rnd.IntN(len(odd))]
		}
		if rnd.IntN(4) == 0 {
			text[0] = '0'
		}
		want, fine := parse(text)
		way := parseShort
		switch {
		case n >= 2 && n <= 8:
			way = parseWord
		case n > 8 && n <= 16:
			way = parseTwoWords
		}
		if got, ok := way(text); ok && got != want || ok != (fine && !bytes.ContainsAny(text, "-eE")) {
			t.Fatalf("%q: %v, %v, want %v, %v", text, got, ok, want, fine)
		}
		if got, ok := Parse(text); got != want || ok != fine {
			t.Fatalf("%q: %v, %v, want %v, %v", text, got, ok, want, fine)
		}
	}
}

// BenchmarkParseMany parses numbers that differ, as those of a file do.
func BenchmarkParseMany(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var texts [4096][]byte
	for i := range texts {
		f := rnd.Float64() * math.Pow(10, float64(rnd.IntN(5)))
		switch i % 3 {
		case 0:
			texts[i] = strconv.AppendInt(nil, int64(f*1000), 10)
		case 1:
			texts[i] = strconv.AppendFloat(nil, f, 'f', 3, 64)
		default:
			texts[i] = strconv.AppendFloat(nil, f, 'f', 4, 64)
		}
	}
	for i := 0; b.Loop(); i++ {
		Parse(texts[i%len(texts)])
	}
}

func BenchmarkParse(b *testing.B) {
	for _, text := range []string{"10", "13438.712904456820057", "188743680000.000000", "0.0000577732", "12345678901234567890.12345678901"} {
		b.Run(text, func(b *testing.B) {
			t := []byte(text)
			b.ReportAllocs()
			for b.Loop() {
				Parse(t)
			}
		})
	}
}

func BenchmarkSurvivesDouble(b *testing.B) {
	for _, text := range []string{"10.5", "0.1234567890123456", "13438.712904456820057"} {
		b.Run(text, func(b *testing.B) {
			d, _ := Parse([]byte(text))
			for b.Loop() {
				d.SurvivesDouble()
			}
		})
	}
}
