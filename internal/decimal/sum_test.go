package decimal

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustParse(t interface{ Fatalf(string, ...any) }, text string) Decimal {
	d, ok := Parse([]byte(text))
	if !ok {
		t.Fatalf("Parse(%q)", text)
	}
	return d
}

func TestSum(t *testing.T) {
	for _, c := range []struct{ terms, want string }{
		{"", "0"},
		{"0 -0 0e5", "0"},
		{"0.1 0.2", "0.3"},
		{"1.50", "1.5"},
		{"100 1e2", "200"},
		{"1 -1", "0"},
		{"1e20 -1e20 0.05 0.05", "0.1"},
		{"9223372036854775807 1", "9223372036854775808"},
		{"18446744073709551615 18446744073709551615", "36893488147419103230"},
		{"1e38 1e38 -1e38 1e-38", "100000000000000000000000000000000000000.00000000000000000000000000000000000001"},
		{"1e300 1 -1e300", "1"},
		{"1e-300 1e300 -1e300", "0." + strings.Repeat("0", 299) + "1"},
		{"12345678901234567890123456789.5 -12345678901234567890123456789.5", "0"},
		{"-12345678901234567890123456789.5 0.5", "-12345678901234567890123456789"},
		{"8507059173023461586e19 8507059173023461586e19", "170141183460469231720000000000000000000"}, // 2^127 is …731687303715884105728
		{"8507059173023461587e19 8507059173023461587e19", "170141183460469231740000000000000000000"},
	} {
		var s Sum
		for _, term := range strings.Fields(c.terms) {
			s.Add(mustParse(t, term))
		}
		if s.String() != c.want {
			t.Errorf("%s = %s, want %s", c.terms, &s, c.want)
		}
		if s.IsZero() != (c.want == "0") {
			t.Errorf("%s: IsZero %v", c.terms, s.IsZero())
		}
	}
}

// TestSumProperty adds, subtracts, merges and copies at random beside big.Rat.
func TestSumProperty(t *testing.T) {
	small := rapid.StringMatching(`-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,18})?`)
	number := rapid.OneOf(small, small, validNumber())
	rapid.Check(t, func(t *rapid.T) {
		var s, other Sum
		want, otherWant := new(big.Rat), new(big.Rat)
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				s.Merge(&other)
				want.Add(want, otherWant)
			case 1:
				text := number.Draw(t, "sub")
				s.Sub(mustParse(t, text))
				want.Sub(want, rat(t, text))
			case 2: // what happens to a copy does not reach the original
				before, twin := s.String(), s
				twin.Add(mustParse(t, number.Draw(t, "twin")))
				twin.Merge(&twin)
				if s.String() != before {
					t.Fatalf("a copy changed %s to %s", before, s)
				}
			case 3:
				s, other = other, s
				want, otherWant = otherWant, want
			case 4:
				if rapid.IntRange(0, 3).Draw(t, "double") == 0 {
					s.Merge(&s)
					want.Add(want, want)
				}
			default:
				text := number.Draw(t, "add")
				s.Add(mustParse(t, text))
				want.Add(want, rat(t, text))
			}
		}
		text := s.String()
		if rat(t, text).Cmp(want) != 0 {
			t.Fatalf("sum is %s, want %s", text, want.FloatString(40))
		}
		if !canonical.MatchString(text) || text == "-0" {
			t.Fatalf("%s is not canonical", text)
		}
		back, err := ParseSum(text)
		if err != nil || !back.Equal(&s) {
			t.Fatalf("%s reads back as %s, %v", text, back, err)
		}
		if s.IsZero() != (want.Sign() == 0) {
			t.Fatalf("%s: IsZero %v", text, s.IsZero())
		}
	})
}

func TestSumText(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.00": "0", "-12.50": "-12.5", "100": "100",
		"123456789012345678901234567890.5": "123456789012345678901234567890.5",
		"-" + strings.Repeat("9", 330):     "-" + strings.Repeat("9", 330), // past a double, as a sum may be
	} {
		s, err := ParseSum(text)
		if err != nil || s.String() != want {
			t.Errorf("ParseSum(%q) = %s, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "-", "+1", "1e5", "01", ".5", "5.", "1.2.3", "1 ", "NaN", "1,5", "--1", "1.-5", strings.Repeat("1", maxSumText+1)} {
		s, err := ParseSum(text)
		if err == nil {
			t.Errorf("ParseSum(%.20q) = %.20s", text, s)
		}
	}
}

// TestSumJSON guards the value receiver of MarshalText: sums in maps and in
// structs that were passed by value must not come out as {}.
func TestSumJSON(t *testing.T) {
	type report struct {
		Total Sum            `json:"total"`
		By    map[string]Sum `json:"by"`
	}
	var r report
	r.Total.Add(mustParse(t, "1.50"))
	r.By = map[string]Sum{"gb": r.Total}
	text, err := json.Marshal(r)
	if want := `{"total":"1.5","by":{"gb":"1.5"}}`; err != nil || string(text) != want {
		t.Fatalf("%s, %v", text, err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	gb := back.By["gb"]
	if !back.Total.Equal(&r.Total) || !gb.Equal(&r.Total) {
		t.Fatalf("read back %s and %s", back.Total, gb)
	}
	if err := json.Unmarshal([]byte(`{"total":"x"}`), &back); err == nil || !back.Total.Equal(&r.Total) {
		t.Fatalf("%v, %s", err, back.Total)
	}
}

func TestSumAllocatesNothing(t *testing.T) {
	terms := []Decimal{mustParse(t, "12.5"), mustParse(t, "1234567890.12345678"), mustParse(t, "188743680000"), mustParse(t, "-0.000000000000000001")}
	var s, part Sum
	if n := testing.AllocsPerRun(100, func() {
		for _, d := range terms {
			part.Add(d)
		}
		s.Merge(&part)
		part = Sum{}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseSum(f *testing.F) {
	f.Add("-12.50")
	f.Add(strings.Repeat("9", 40))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSum(text)
		valid := grammar.MatchString(text) && !strings.ContainsAny(text, "eE") && len(text) <= maxSumText
		if (err == nil) != valid {
			t.Fatalf("ParseSum(%.40q): %v", text, err)
		}
		if valid && rat(t, s.String()).Cmp(rat(t, text)) != 0 {
			t.Fatalf("ParseSum(%q) = %s", text, s)
		}
	})
}

func BenchmarkSumAdd(b *testing.B) {
	var terms []Decimal
	for _, text := range []string{"13438.712904456", "0.0000577732", "188743680000.000000", "42"} {
		terms = append(terms, mustParse(b, text))
	}
	var s Sum
	b.ReportAllocs()
	for b.Loop() {
		for _, d := range terms {
			s.Add(d)
		}
	}
}
