package mapper

import (
	"fmt"
	"slices"
	"strings"
)

// ForColumns makes the mapping of a file whose column names are those of the
// m3ter Console's CSV template: uid, account, meter, ts, perhaps ets, and
// `category.code` for each data field, such as measure.gb or where.region.
//
// The words of the template are matched whatever their case; a field code
// keeps the case that it has, for m3ter tells codes apart by it. Every column
// must be understood and every value of a field given, as the Console asks
// too; only ets may be empty. Two columns that differ by case alone are an
// error, because one of them would be left out.
func ForColumns(names []string) (*Mapping, error) {
	m := Measurement{}
	var strange, repeated []string
	seen := map[string]string{}
	for _, name := range names {
		word := strings.ToLower(name)
		if first, ok := seen[word]; ok {
			repeated = append(repeated, quoted(first)+" and "+quoted(name))
			continue
		}
		seen[word] = name
		head, code, dotted := strings.Cut(name, ".")
		switch cat := Category(strings.ToLower(head)); {
		case word == "uid":
			m.UID = UID{Rule: RuleColumn, Columns: []KeyColumn{{Column: name}}}
		case word == "account":
			m.Account.Columns = []string{name}
		case word == "meter":
			m.Meter.Columns = []string{name}
		case word == "ts":
			m.TS.Column = name
		case word == "ets":
			m.ETS = &Time{Column: name, Empty: Empty{Policy: Skip}}
		case dotted && cat.order() >= 0 && validFieldCode([]byte(code)):
			m.Fields = append(m.Fields, Field{Category: cat, Code: code, Value: Value{Columns: []string{name}}})
		default:
			strange = append(strange, explained(name))
		}
	}
	if err := consoleFault(names, seen, strange, repeated); err != nil {
		return nil, err
	}
	mapping := &Mapping{Measurements: []Measurement{m}, template: true}
	if _, err := mapping.Compile(); err != nil {
		return nil, fmt.Errorf("columns of the m3ter Console's template: %w", err)
	}
	return mapping, nil
}

// consoleFault says everything at once that is wrong with the columns: a
// person should have to open the file but once.
func consoleFault(names []string, seen map[string]string, strange, repeated []string) error {
	var faults []string
	var missing []string
	for _, word := range []string{"uid", "account", "meter", "ts"} {
		if seen[word] == "" {
			missing = append(missing, word)
		}
	}
	if len(missing) > 0 {
		faults = append(faults, "missing: "+strings.Join(missing, ", "))
	}
	if len(strange) > 0 {
		faults = append(faults, "not understood: "+strings.Join(strange, ", "))
	}
	if len(repeated) > 0 {
		faults = append(faults, "the same but for upper and lower case: "+strings.Join(repeated, ", "))
	}
	if len(faults) == 0 {
		return nil
	}
	return &TemplateError{Columns: names, reason: strings.Join(faults, "; ")}
}

// TemplateError says that columns are not those of the Console's template.
type TemplateError struct {
	Columns []string
	reason  string
}

func (e *TemplateError) Error() string {
	return "columns are not those of the m3ter Console's template (uid, account, meter, ts and measure.gb for a field): " + e.reason +
		"; write a mapping and name it with -m"
}

// explained is the name of a column that was not understood, with a guess at
// what it was meant to be.
func explained(name string) string {
	head, code, dotted := strings.Cut(name, ".")
	words := []string{"uid", "account", "meter", "ts", "ets"}
	if dotted {
		words = words[:0]
		for _, c := range categories {
			words = append(words, string(c))
		}
		if slices.Contains(words, strings.ToLower(head)) {
			return quoted(name) + " (" + quoted(code) + " cannot be a field code)"
		}
	}
	word := near(strings.TrimSpace(head), words)
	if word == "" {
		return quoted(name)
	}
	if dotted {
		word += "." + code
	}
	return quoted(name) + " (" + word + "?)"
}
