package mapper

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/reader"
)

func mustNumber(t testing.TB, s NumberSpec) *numberParser {
	t.Helper()
	p, err := s.compile()
	if err != nil {
		t.Fatalf("%+v: %v", s, err)
	}
	return p
}

// reads is what p makes of v, or the code of its error. It checks what holds
// for all results.
func (p *numberParser) reads(t testing.TB, v reader.Value) (sent string, fl Flags) {
	t.Helper()
	out, d, fl, err := p.append([]byte("before"), v)
	sent, kept := strings.CutPrefix(string(out), "before")
	if !kept {
		t.Fatalf("what was in dst is %q", out)
	}
	if err != nil {
		if sent != "" || fl != 0 || !d.IsZero() || err.Code == "" || err.Reason == "" {
			t.Fatalf("an error with %q, %s, flags %d: %+v", sent, d, fl, err)
		}
		return err.Code, 0
	}
	if !json.Valid([]byte(sent)) || strings.TrimSpace(sent) != sent {
		t.Fatalf("%q becomes %q, which is not a JSON number", v.Text, sent)
	}
	if want, ok := decimal.Parse([]byte(sent)); !ok || want.String() != d.String() || (fl == 0) != d.SurvivesDouble() {
		t.Fatalf("%q becomes %s, of value %s, flags %d", v.Text, sent, d, fl)
	}
	return sent, fl
}

// TestNumbers has the cases that docs/times-and-numbers.md does not.
func TestNumbers(t *testing.T) {
	const inexact = NumberInexact
	plain := NumberSpec{}
	comma := NumberSpec{Decimal: ","}
	german := NumberSpec{Decimal: ",", Group: "."}
	english := NumberSpec{Group: ","}
	padded := NumberSpec{Padding: true}
	for _, c := range []struct {
		spec NumberSpec
		text string
		want string
		fl   Flags
	}{
		{plain, "0", "0", 0},
		{plain, "0.0", "0.0", 0},
		{plain, "-0.00", "-0.00", 0},
		{plain, "0.1", "0.1", 0},
		{plain, "9007199254740992", "9007199254740992", 0},
		{plain, "9007199254740993", "9007199254740993", inexact},
		{plain, "0.1234567890123456", "0.1234567890123456", 0},
		{plain, "0.123456789012345678", "0.123456789012345678", inexact},
		{plain, "1e+05", "1e+05", 0},
		{plain, "1.5E-7", "1.5E-7", 0},
		{plain, "5e-324", "5e-324", 0},
		{plain, "1.7976931348623157e308", "1.7976931348623157e308", 0},
		{plain, "0e999999999999", "0e999999999999", 0},
		{plain, "1e999999999999", CodeNumberRange, 0},
		{plain, "-1e309", CodeNumberRange, 0},
		{plain, ".5e999", CodeNumberRange, 0},
		{plain, "1" + strings.Repeat("1", decimal.MaxDigits), CodeNumberRange, 0},
		{plain, "." + strings.Repeat("1", decimal.MaxDigits+1), CodeNumberRange, 0},
		{plain, ".5e3", "0.5e3", 0},
		{plain, ".0", "0.0", 0},
		{plain, ".", CodeNumber, 0},
		{plain, "-.", CodeNumber, 0},
		{plain, ".e5", CodeNumber, 0},
		{plain, "+.5", CodeNumber, 0},
		{plain, "-", CodeNumber, 0},
		{plain, "--5", CodeNumber, 0},
		{plain, "5-", CodeNumber, 0},
		{plain, "(5)", CodeNumber, 0},
		{plain, "5%", CodeNumber, 0},
		{plain, "$5", CodeNumber, 0},
		{plain, "5e", CodeNumber, 0},
		{plain, "e5", CodeNumber, 0},
		{plain, "5e5.5", CodeNumber, 0},
		{plain, "1.2.3", CodeNumber, 0},
		{plain, "1..2", CodeNumber, 0},
		{plain, "00", CodeNumber, 0},
		{plain, "-007", CodeNumber, 0},
		{plain, "5\n", CodeNumber, 0},
		{plain, "5\u00a0", CodeNumber, 0},
		{plain, "５", CodeNumber, 0},
		{plain, "−5", CodeNumber, 0}, // a minus sign of typography
		{plain, "null", CodeNumber, 0},
		{plain, `"5"`, CodeNumber, 0},
		{plain, "infinity", CodeNumber, 0},
		{plain, "1_0", CodeNumber, 0},
		{comma, "0,1", "0.1", 0},
		{comma, "-1234,5e3", "-1234.5e3", 0},
		{comma, ",5", "0.5", 0},
		{comma, "-,5", "-0.5", 0},
		{comma, "5,", CodeNumber, 0},
		{comma, ",", CodeNumber, 0},
		{comma, ".5", CodeNumber, 0},
		{comma, "1.234,5", CodeNumber, 0},
		{comma, "1,5.5", CodeNumber, 0},
		{comma, "1,5,5", CodeNumber, 0},
		{comma, "42", "42", 0},
		{comma, "007,5", CodeNumber, 0},
		{german, "1.5", CodeNumber, 0}, // an English fraction is no German group
		{german, "1.500", "1500", 0},
		{german, "1.500.00", CodeNumber, 0},
		{german, "1500,25", "1500.25", 0},
		{german, "1.500,2.5", CodeNumber, 0},
		{german, ".500", CodeNumber, 0},
		{german, "0.500", CodeNumber, 0}, // 0500 has a zero in front
		{german, "9.007.199.254.740.993", "9007199254740993", inexact},
		{english, "1,234,567.891", "1234567.891", 0},
		{english, "123,456", "123456", 0},
		{english, "1,2345", CodeNumber, 0},
		{english, "1,,234", CodeNumber, 0},
		{english, "1,234,", CodeNumber, 0},
		{english, ",234", CodeNumber, 0},
		{english, "1,234.567,891", CodeNumber, 0},
		{english, "1234567", "1234567", 0},
		{english, "1,234e5", "1234e5", 0},
		{english, "000,123", CodeNumber, 0},
		{NumberSpec{Group: "\u202f"}, "1\u202f234", "1234", 0},
		{NumberSpec{Group: "\u202f"}, "1\u202f23", CodeNumber, 0},
		{NumberSpec{Group: "\u202f"}, "1 234", CodeNumber, 0},
		{NumberSpec{Group: "’"}, "1’234’567.5", "1234567.5", 0},
		{NumberSpec{Group: "_"}, "1_234", "1234", 0},
		{NumberSpec{Group: " ", Padding: true}, "  1 234 ", "1234", 0},
		{padded, "000", "0", 0},
		{padded, "-000", "-0", 0},
		{padded, "\t+007.50 ", "7.50", 0},
		{padded, "+.5", "0.5", 0},
		{padded, "++5", CodeNumber, 0},
		{padded, "+", CodeNumber, 0},
		{padded, "- 5", CodeNumber, 0},
		{padded, "-+5", CodeNumber, 0},
		{padded, "5 5", CodeNumber, 0},
		{padded, "   ", CodeNumber, 0},
		{padded, "5\r\n", CodeNumber, 0},
		{padded, "0001e5", "1e5", 0},
		{padded, "1e005", "1e005", 0},
		{NumberSpec{Group: ",", Padding: true}, "000,123", "123", 0},
		{NumberSpec{Decimal: ",", Padding: true}, "0012,5", "12.5", 0},
	} {
		sent, fl := mustNumber(t, c.spec).reads(t, textValue(c.text))
		if sent != c.want || fl != c.fl {
			t.Errorf("%+v: %.40q becomes %.60s, flags %d; want %s, %d", c.spec, c.text, sent, fl, c.want, c.fl)
		}
	}
}

func TestNumberKinds(t *testing.T) {
	value := func(k reader.Kind, text string) reader.Value { return reader.Value{Kind: k, Text: []byte(text)} }
	for _, c := range []struct {
		v    reader.Value
		want string
	}{
		{value(reader.Missing, ""), CodeRequired},
		{value(reader.Null, ""), CodeRequired},
		{value(reader.String, ""), CodeRequired},
		{value(reader.String, "1,5"), "1.5"},
		{value(reader.Number, "1.5"), "1.5"},
		// A typed number is in JSON's form, whatever its column writes as text.
		{value(reader.Number, "1.500"), "1.500"},
		{value(reader.Number, "1,5"), CodeNumber},
		{value(reader.Number, "1e999"), CodeNumberRange},
		{value(reader.Number, "NaN"), CodeNumber}, // what a Parquet float may hold
		{value(reader.Bool, "true"), CodeNumber},
		{value(reader.Time, "2024-09-01"), CodeNumber},
		{value(reader.Object, "{}"), CodeScalar},
		{value(reader.Array, "[1]"), CodeScalar},
	} {
		if sent, _ := mustNumber(t, NumberSpec{Decimal: ",", Group: "."}).reads(t, c.v); sent != c.want {
			t.Errorf("%d %q becomes %s, want %s", c.v.Kind, c.v.Text, sent, c.want)
		}
	}
}

func TestNumberReasons(t *testing.T) {
	for _, c := range []struct {
		spec       NumberSpec
		text, want string
	}{
		{NumberSpec{}, "1,5", `the form 1234.5, unless the mapping says number: {decimal: ","}`},
		{NumberSpec{}, "1,234", `number: {group: ","} or number: {decimal: ","}`},
		{NumberSpec{}, "1,234.5", `number: {group: ","}`},
		{NumberSpec{}, "1.234,5", `number: {decimal: ",", group: "."}`},
		{NumberSpec{}, "1_000", `number: {group: "_"}`},
		{NumberSpec{}, "007", `number: {padding: true}`},
		{NumberSpec{Decimal: ","}, "1.234,5", `number: {decimal: ",", group: "."}`},
		{NumberSpec{Decimal: ",", Group: "."}, "1.5", "the form 1.234,5"},
		{NumberSpec{}, "1e309", "1.8e308"},
		{NumberSpec{}, "1e-400", "5e-324"},
		{NumberSpec{}, strings.Repeat("1", decimal.MaxDigits-600) + "." + strings.Repeat("1", 601), "1.8e308"},
		{NumberSpec{}, "0." + strings.Repeat("1", decimal.MaxDigits+1), "1000 digits"},
	} {
		_, _, _, err := mustNumber(t, c.spec).append(nil, textValue(c.text))
		if err == nil || !strings.Contains(err.Reason, c.want) {
			t.Errorf("%+v: %.40q: %v; want %s in the reason", c.spec, c.text, err, c.want)
		}
	}
}

func TestNumberSpecRefused(t *testing.T) {
	for want, s := range map[string]NumberSpec{
		`add decimal: ","`:    {Group: "."},
		"decimal mark too":    {Decimal: ".", Group: "."},
		`expected "." or`:     {Decimal: "٫"},
		"or a space":          {Group: "  "},
		`expected ",", "."`:   {Group: "0"},
		`expected "." or ","`: {Decimal: "-"},
	} {
		if _, err := s.compile(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q in it", s, err, want)
		}
	}
}

// numberForm is a spec as a regular expression: an account of the rules that
// shares nothing with the code.
func numberForm(s NumberSpec) *regexp.Regexp {
	point := regexp.QuoteMeta(s.Decimal)
	if s.Decimal == "" {
		point = `\.`
	}
	whole, sign, around := `0|[1-9][0-9]*`, `-?`, ``
	if s.Padding {
		whole, sign, around = `[0-9]+`, `[-+]?`, "[ \t]*"
	}
	if s.Group != "" {
		first := `[1-9][0-9]{0,2}`
		if s.Padding {
			first = `[0-9]{1,3}`
		}
		whole += `|` + first + `(?:` + regexp.QuoteMeta(s.Group) + `[0-9]{3})+`
	}
	return regexp.MustCompile(`^` + around + `(` + sign + `)(?:(` + whole + `)(?:` + point + `([0-9]+))?|` + point + `([0-9]+))([eE][-+]?[0-9]+)?` + around + `$`)
}

// FuzzNumber holds number texts of all specs against regular expressions, and
// their values against big.Rat.
func FuzzNumber(f *testing.F) {
	var specs []NumberSpec
	for _, group := range append([]string{""}, groups...) {
		for _, point := range []string{"", ".", ","} {
			for _, padding := range []bool{false, true} {
				s := NumberSpec{Decimal: point, Group: group, Padding: padding}
				if _, err := s.compile(); err == nil {
					specs = append(specs, s)
				}
			}
		}
	}
	for i, text := range []string{"1,234.5", "-0", ".5", "1e309", " +007", "1.234.567,89", "5.", "1_000", "1 234", "0x1p-2", "1e99999"} {
		f.Add(text, uint8(i))
	}
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		s := specs[int(which)%len(specs)]
		sent, _ := mustNumber(t, s).reads(t, textValue(text))
		parts := numberForm(s).FindStringSubmatch(text)
		if parts == nil {
			if sent != CodeNumber && (text != "" || sent != CodeRequired) {
				t.Fatalf("%+v: %q becomes %s", s, text, sent)
			}
			return
		}
		if sent == CodeNumber {
			t.Fatalf("%+v: %q is no number", s, text)
		}
		whole := parts[2]
		if s.Group != "" {
			whole = strings.ReplaceAll(whole, s.Group, "")
		}
		value := strings.TrimPrefix(parts[1], "+") + "0" + whole + "." + parts[3] + parts[4] + "0" + parts[5]
		if exp, err := strconv.Atoi(strings.TrimLeft(parts[5], "eE")); parts[5] != "" && (err != nil || exp > 2000 || exp < -2000) {
			return // big.Rat would write out the zeros
		}
		want, ok := new(big.Rat).SetString(value)
		if !ok {
			t.Fatalf("the test cannot read %q of %q", value, text)
		}
		if sent == CodeNumberRange {
			f, _ := want.Float64()
			if len(text) <= decimal.MaxDigits && (f-f == 0 && f != 0 || want.Sign() == 0) {
				t.Fatalf("%+v: %q is out of range", s, text)
			}
			return
		}
		got, _ := new(big.Rat).SetString(sent)
		if got.Cmp(want) != 0 {
			t.Fatalf("%+v: %q becomes %s, of another value", s, text, sent)
		}
		if json.Valid([]byte(text)) && !strings.ContainsAny(text, " \t\r\n") && sent != text && s.Group != "." {
			t.Fatalf("%+v: %q is JSON's already and becomes %s", s, text, sent)
		}
	})
}

func TestNumbersAllocateNothing(t *testing.T) {
	for text, s := range map[string]NumberSpec{
		"13438.712904456": {}, ".5": {}, "0.1234567890123456": {}, "1.234.567,89": {Decimal: ",", Group: "."}, " +007": {Padding: true},
	} {
		p, v, buf := mustNumber(t, s), textValue(text), make([]byte, 0, 128)
		if n := testing.AllocsPerRun(100, func() {
			if _, _, _, err := p.append(buf, v); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func BenchmarkNumber(b *testing.B) {
	for _, c := range []struct {
		name, text string
		spec       NumberSpec
	}{
		{"Short", "10", NumberSpec{}},
		{"Amount", "188743680000.000000", NumberSpec{}},
		{"Float", "0.1234567890123456", NumberSpec{}},
		{"German", "1.234.567,89", NumberSpec{Decimal: ",", Group: "."}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, v, buf := mustNumber(b, c.spec), textValue(c.text), make([]byte, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := p.append(buf, v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
