package mapper

import "strings"

// withoutMapping makes the words of e fit for rows that are imported without a
// mapping file: then there is nothing in which to say a format or another rule.
func (e *FieldError) withoutMapping() {
	switch e.Code {
	case CodeUID:
		if e.Value == "" {
			e.Reason = "every row needs a uid, which tells it from all others; write a mapping if other columns do"
		} else {
			e.Reason, _, _ = strings.Cut(e.Reason, ";")
			e.Reason += "; a mapping can make a UUID of it: uid: {column: " + e.Column + ", hash: true}"
		}
	case CodeTimeZone:
		e.Reason = "a time without a zone: write it with one, such as 2024-09-01T10:15:00Z, or write a mapping that says the timezone"
	case CodeTime:
		if text, _, ok := strings.Cut(e.Reason, "; for other forms"); ok {
			e.Reason = text + "; for other forms write a mapping"
		} else if e.Reason == bareDigits {
			e.Reason = "only digits, which may be a date or a count: write a mapping that says the format"
		}
	case CodeNumber:
		if text, _, ok := strings.Cut(e.Reason, ", unless the mapping says"); ok {
			e.Reason = text + "; for other forms write a mapping"
		}
	}
}
