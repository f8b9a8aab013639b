package main

import "testing"

func TestParseLines(t *testing.T) {
	for _, c := range []struct {
		text        string
		first, last int64
		ok          bool
	}{
		{"100-199", 100, 199, true}, {"7-7", 7, 7, true},
		{text: "100-199x"}, {text: "100"}, {text: "-5"}, {text: "5-"}, {text: "0-5"}, {text: "6-5"}, {text: "1--5"}, {text: "+1-5"},
		{text: "1-5-9"}, {text: " 1-5"}, {text: "1-99999999999999999999"}, {text: ""},
	} {
		if first, last, ok := parseLines(c.text); ok != c.ok || ok && (first != c.first || last != c.last) {
			t.Errorf("%q: %d to %d, %t, want %d to %d, %t", c.text, first, last, ok, c.first, c.last, c.ok)
		}
	}
}
