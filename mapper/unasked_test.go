package mapper

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Rows without a mapping file are never told to change it.
func TestWordsWithoutMapping(t *testing.T) {
	columns := []string{"uid", "account", "meter", "ts", "measure.n"}
	template, err := ForColumns(columns)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ column, value, want string }{
		{"uid", "", "every row needs a uid"},
		{"uid", strings.Repeat("x", 51), "the id has 51 characters and m3ter takes 50; a mapping can make a UUID of it: uid: {column: uid, hash: true}"},
		{"ts", "2026-01-01T00:00:00", "write it with one, such as 2024-09-01T10:15:00Z"},
		{"ts", "01.02.2026", "expected a time such as 2024-09-01T10:15:00Z or 2024-09-01 10:15:00 +02:00; for other forms write a mapping"},
		{"ts", "1767225600", "only digits, which may be a date or a count: write a mapping"},
		{"measure.n", "1;5", "expected the form 1234.5"},
		{"measure.n", " 7", "expected the form 1234.5; for other forms write a mapping"},
	} {
		values := []string{"u", "a", "m", "2026-01-01T00:00:00Z", "1"}
		values[slices.Index(columns, tt.column)] = tt.value
		line := ""
		for i, name := range columns {
			line += "," + strconv.Quote(name) + ":" + strconv.Quote(values[i])
		}
		_, native := read(t, Native(), "x.ndjson", "{"+line[1:]+"}\n")
		_, csv := read(t, template, "x.csv", strings.Join(columns, ",")+"\n"+strings.Join(values, ",")+"\n")
		for _, faults := range [][]error{native, csv} {
			if len(faults) != 1 {
				t.Fatalf("%s = %q: %d faults, want one", tt.column, tt.value, len(faults))
			}
			if fe, ok := errors.AsType[*FieldError](faults[0]); !ok || !strings.Contains(fe.Reason, tt.want) || strings.Contains(fe.Reason, "the mapping") {
				t.Errorf("%s = %q: %v, want %s", tt.column, tt.value, faults[0], tt.want)
			}
		}
	}
	m, c := parsed(t, start)
	if fe := refused(t, m, c, usual(row{"T": "2026-01-01T00:00:00"})); !strings.Contains(fe.Reason, "timezone: UTC in the mapping") {
		t.Errorf("with a mapping: %s", fe.Reason)
	}
}
