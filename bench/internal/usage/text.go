package usage

import (
	"strconv"
	"strings"
)

// Extra is the name of the nth column beyond a row's own, and ExtraValue what
// row number row holds there.
func Extra(n int) string { return "extra_" + strconv.Itoa(n) }

// ExtraValue is a small number that differs from row to row and column to
// column.
func ExtraValue(row int64, n int) int64 { return (row*31 + int64(n)*17) % 100_000 }

// AppendHeader appends the first line of a CSV file with extra columns beyond
// a row's own.
func AppendHeader(dst []byte, extra int) []byte {
	dst = append(dst, strings.Join(Columns, ",")...)
	for n := range extra {
		dst = append(append(dst, ','), Extra(n)...)
	}
	return append(dst, '\n')
}

// AppendCSV appends row number nth as a line of CSV.
func AppendCSV(dst []byte, row *Row, nth int64, extra int) []byte {
	for _, s := range []string{row.ID, row.Account, row.Meter} {
		dst = append(append(dst, s...), ',')
	}
	dst = append(row.Time.AppendFormat(dst, TimeLayout), ',')
	dst = append(appendFixed(dst, row.Millis, 3), ',')
	dst = append(strconv.AppendInt(dst, row.Bytes, 10), ',')
	dst = append(appendFixed(dst, row.Amount, 4), ',')
	for _, s := range []string{row.Region, row.Service} {
		dst = append(append(dst, s...), ',')
	}
	dst = append(appendQuoted(dst, row.Description), ',')
	dst = append(strconv.AppendInt(dst, row.Status, 10), ',')
	dst = append(dst, row.Tags...)
	for n := range extra {
		dst = strconv.AppendInt(append(dst, ','), ExtraValue(nth, n), 10)
	}
	return append(dst, '\n')
}

// appendQuoted appends a CSV field, in quotes where it needs them.
func appendQuoted(dst []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\n") {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// AppendNDJSON appends row number nth as a line of NDJSON.
func AppendNDJSON(dst []byte, row *Row, nth int64, extra int) []byte {
	text := func(key, value string) {
		dst = append(append(append(dst, `,"`...), key...), `":"`...)
		for i := range len(value) {
			switch c := value[i]; c {
			case '"':
				dst = append(dst, `\"`...)
			case '\n':
				dst = append(dst, `\n`...)
			default:
				dst = append(dst, c)
			}
		}
		dst = append(dst, '"')
	}
	dst = append(append(append(dst, `{"event_id":"`...), row.ID...), '"')
	text("account", row.Account)
	text("meter", row.Meter)
	dst = append(row.Time.AppendFormat(append(dst, `,"ts":"`...), TimeLayout), '"')
	dst = appendFixed(append(dst, `,"duration":`...), row.Millis, 3)
	dst = strconv.AppendInt(append(dst, `,"bytes":`...), row.Bytes, 10)
	dst = appendFixed(append(dst, `,"amount":`...), row.Amount, 4)
	text("region", row.Region)
	text("service", row.Service)
	text("description", row.Description)
	dst = strconv.AppendInt(append(dst, `,"status":`...), row.Status, 10)
	text("tags", row.Tags)
	for n := range extra {
		dst = append(append(append(dst, `,"`...), Extra(n)...), `":`...)
		dst = strconv.AppendInt(dst, ExtraValue(nth, n), 10)
	}
	return append(dst, "}\n"...)
}
