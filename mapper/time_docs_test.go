package mapper

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/m3import/m3import/reader"
)

// TestTimesAndNumbersPage runs every row of the tables in the users' page
// through the mapping language, as a mapping of one column.
func TestTimesAndNumbersPage(t *testing.T) {
	page, err := os.ReadFile("../docs/times-and-numbers.md")
	if err != nil {
		t.Fatal(err)
	}
	times, numbers, found := strings.Cut(string(page), "\n## Numbers\n")
	if !found {
		t.Fatal("the page has no part about numbers")
	}
	timeRows, numberRows := 0, 0
	for _, row := range docRows(t, times) {
		timeRows++
		t.Run(row.setting+" "+row.text, func(t *testing.T) { row.run(t, "ts", timeOfRow) })
	}
	for _, row := range docRows(t, numbers) {
		numberRows++
		t.Run(row.setting+" "+row.text, func(t *testing.T) { row.run(t, "number", numberOfRow) })
	}
	if timeRows < 90 || numberRows < 40 {
		t.Errorf("the page has %d rows about times and %d about numbers; did the tables change their form?", timeRows, numberRows)
	}
}

// docRow is one row of a table with an expectation in it.
type docRow struct {
	setting string // inside the braces of the mapping
	text    string // of the file
	want    string // what is sent, or the code of the reject
	wrong   bool   // the mapping is refused, with want in the message
	reject  bool
}

// TestTimesAndNumbersDirectives holds the page's list of directives against
// the ones there are.
func TestTimesAndNumbersDirectives(t *testing.T) {
	page, err := os.ReadFile("../docs/times-and-numbers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| directive | meaning |")
	table, _, _ = strings.Cut(table, "\n\n")
	told := map[string]bool{"h": true, "P": true, ":z": true, "-j": true} // synonyms
	for line := range strings.Lines(table) {
		cell, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, span := range codeSpan.FindAllStringSubmatch(cell, -1) {
			name := strings.TrimPrefix(span[1], "%")
			told[name] = true
			if _, ok := verbs[name]; !ok && shorthands[name] == "" && name != "%" {
				t.Errorf("the page has %s, which is unknown", span[1])
			}
		}
	}
	for name := range verbs {
		if !told[name] {
			t.Errorf("the page does not have %%%s", name)
		}
	}
	for name := range shorthands {
		if !told[name] {
			t.Errorf("the page does not have %%%s", name)
		}
	}
}

var codeSpan = regexp.MustCompile("`([^`]*)`")

// docRows are the rows of the tables of page that expect something.
func docRows(t *testing.T, page string) (rows []docRow) {
	head := ""
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "|") {
			head = ""
			continue
		}
		if head == "" {
			head = line
			continue
		}
		if strings.HasPrefix(line, "|---") || strings.Contains(head, "directive") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		spans := codeSpan.FindAllStringSubmatch(line, -1)
		row := docRow{}
		if strings.Contains(cells[0], "`") {
			row.setting, spans = spans[0][1], spans[1:]
		}
		switch head {
		case "| in the mapping | in the file | sent |":
			if len(cells) != 3 || len(spans) != 2 {
				t.Fatalf("a row with other cells than its table: %s", line)
			}
			row.text, row.want = spans[0][1], spans[1][1]
			row.reject = strings.Contains(cells[2], "rejected")
		case "| in the mapping | instead |":
			if len(cells) != 2 || len(spans) == 0 {
				t.Fatalf("a row with other cells than its table: %s", line)
			}
			row.want, row.wrong = spans[0][1], true
		default:
			t.Fatalf("a table that no test knows: %s", head)
		}
		rows = append(rows, row)
	}
	return rows
}

// run maps the row, and compares. sent is the text that would be sent.
func (r docRow) run(t *testing.T, field string, sent func(*Mapping, reader.Value) (string, *FieldError)) {
	ts, number := "", ""
	if field == "ts" {
		ts = ", " + r.setting
	} else {
		number = ", number: {" + r.setting + "}"
	}
	m, err := Parse([]byte(`
version: 1
meter: {const: m}
account: {const: a}
uid: content
ts: {column: T` + strings.TrimSuffix(ts, ", ") + `}
measure: {n: {column: N` + strings.TrimSuffix(number, ", number: {}") + `}}
`))
	if r.wrong {
		if err == nil || !strings.Contains(err.(*ParseError).Reason, r.want) {
			t.Fatalf("the mapping with %s: %v; the page proposes %s", r.setting, err, r.want)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	got, fault := sent(m, textValue(r.text))
	switch {
	case r.reject && fault == nil:
		t.Errorf("%s becomes %s, and the page says it is rejected", r.text, got)
	case r.reject && fault.Code != r.want:
		t.Errorf("%s is rejected as %s, and the page says %s", r.text, fault.Code, r.want)
	case !r.reject && (fault != nil || got != r.want):
		t.Errorf("%s becomes %s (%v), and the page says %s", r.text, got, fault, r.want)
	}
}

func textValue(text string) reader.Value {
	return reader.Value{Kind: reader.String, Text: []byte(text)}
}

func timeOfRow(m *Mapping, v reader.Value) (string, *FieldError) {
	p, err := m.Measurements[0].TS.compile()
	if err != nil {
		return "", &FieldError{Reason: err.Error()}
	}
	out, _, fault := p.append(nil, v)
	return string(out), fault
}

func numberOfRow(m *Mapping, v reader.Value) (string, *FieldError) {
	p, err := m.Measurements[0].Fields[0].Value.Number.compile()
	if err != nil {
		return "", &FieldError{Reason: err.Error()}
	}
	out, _, _, fault := p.append(nil, v)
	return string(out), fault
}
