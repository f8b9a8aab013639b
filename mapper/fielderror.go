package mapper

import (
	"strings"
	"unicode/utf8"

	"github.com/m3import/m3import/reader"
)

// Codes of FieldError.
const (
	CodeRequired    = "required"        // nothing where the mapping wants something
	CodeNumber      = "number"          // text that is not a number
	CodeNumberRange = "number-range"    // a number that a double cannot come near
	CodeTime        = "time"            // text that is not a time, or ets before ts
	CodeTimeZone    = "time-zone"       // a time without a zone, and no timezone in the mapping
	CodeTimeGap     = "time-gap"        // a local time that a change of clocks left out
	CodeTimeOverlap = "time-overlap"    // a local time that a change of clocks made twice
	CodeCode        = "code"            // text that cannot be a code of m3ter's
	CodeLength      = "length"          // text past a limit of m3ter's
	CodeScalar      = "scalar"          // an object or an array where one value belongs, or the other way round
	CodeUID         = "uid"             // an identity that is not there or does not fit
	CodeDuplicate   = "duplicate-field" // one field code in two categories
	CodeFields      = "too-many-fields" // more than 15 data fields
	CodeUnknown     = "unknown-key"     // a key of a native row that measurements do not have
)

// FieldError says why a record makes no measurement. It concerns one row.
type FieldError struct {
	// Field is m3ter's word for what is at fault: "account", "measure.gb".
	// It is "filter" when a condition could not be decided.
	Field string
	// Column is the column, or the columns with " + " between them, that the
	// value came from; empty when it came from none.
	Column string
	// Value is the text at fault, cut to 120 bytes.
	Value string
	// Code is one of the Code constants.
	Code string
	// Reason is for people: what is wrong, and what to do.
	Reason string
}

func (e *FieldError) Error() string {
	var b strings.Builder
	b.WriteString(e.Field)
	if e.Column != "" && e.Column != e.Field {
		b.WriteString(", column " + quoted(e.Column))
	}
	b.WriteString(": " + e.Reason)
	if e.Value != "" {
		b.WriteString(" (value " + quoted(e.Value) + ")")
	}
	return b.String()
}

// shown is text as an error shows it: owned by the error, and not too long.
func shown(text []byte) string {
	if len(text) <= maxShownText {
		return string(text)
	}
	const more = "…"
	cut := maxShownText - len(more)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return string(text[:cut]) + more
}

// scalar returns the error for a value that is an object or an array.
func scalar(field, column string, v reader.Value) *FieldError {
	kind := "an object"
	if v.Kind == reader.Array {
		kind = "an array"
	}
	return &FieldError{Field: field, Column: column, Value: shown(v.Text), Code: CodeScalar,
		Reason: kind + " stands where one value belongs; map a path inside it, such as " + quoted(column+".name") + " or " + quoted(column+"[0]")}
}

// isScalar reports whether v is one value, or none.
func isScalar(v reader.Value) bool { return v.Kind != reader.Object && v.Kind != reader.Array }
