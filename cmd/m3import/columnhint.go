package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
)

// withColumnHint adds to an error about the columns of a source what is most
// often behind it. Any other error it gives back as it is.
func withColumnHint(err error, m *mapper.Mapping, more ...string) error {
	hint := ""
	if miss, ok := errors.AsType[*reader.MissingColumnError](err); ok {
		hint = cmp.Or(headerHint(miss.Names), constHint(miss, m))
	} else if t, ok := errors.AsType[*mapper.TemplateError](err); ok {
		hint = headerHint(t.Columns)
	} else if len(more) == 0 {
		return err
	}
	if hint != "" {
		more = append([]string{hint}, more...)
	}
	return coded(exitUsage, err, strings.Join(more, "\n"))
}

// headerHint says what is wrong with a header as a whole: another delimiter, or
// lines before it.
func headerHint(names []string) string {
	if len(names) == 1 {
		best, most := "", 0
		for _, d := range []string{";", "\t", "|", ","} {
			if n := strings.Count(names[0], d); n > most {
				best, most = d, n
			}
		}
		if most > 0 {
			return fmt.Sprintf("the header looks separated by %s; in the mapping:  input: {csv: {delimiter: %s}}",
				map[string]string{";": "semicolons", "\t": "tabs", "|": "bars", ",": "commas"}[best], strconv.Quote(best))
		}
	}
	if n := len(slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s != "" })); n > 0 && 2*n >= len(names) {
		return "that line looks like a title, not a header; to pass over lines before the header, in the mapping:  input: {csv: {skip_lines: 1}}"
	}
	return ""
}

// constHint is for a constant that was written like a column.
func constHint(miss *reader.MissingColumnError, m *mapper.Mapping) string {
	if m == nil || len(miss.Near) > 0 {
		return ""
	}
	is := func(v mapper.Value) bool { return len(v.Columns) == 1 && v.Columns[0] == miss.Column }
	for i := range m.Measurements {
		mm := &m.Measurements[i]
		word := ""
		switch {
		case is(mm.Meter):
			word = "meter"
		case is(mm.Account):
			word = "account"
		}
		for _, f := range mm.Fields {
			if word == "" && !f.Category.Numeric() && is(f.Value) {
				word = f.Code
			}
		}
		if word != "" {
			return fmt.Sprintf("a bare word is the name of a column; for a constant write  %s: {const: %s}", word, miss.Column)
		}
	}
	return ""
}
