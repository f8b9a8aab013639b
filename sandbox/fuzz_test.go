package sandbox_test

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m3import/m3import/sandbox"
)

// FuzzSubmit compares what the sandbox takes with the schema, read by a JSON
// library and checked a rule at a time; and what it then holds with what was
// sent.
func FuzzSubmit(f *testing.F) {
	for _, seed := range []string{
		envelope(plainUsage),
		envelope(usage("1", "acme", "-0.5e+3"), usage("1", "acme", "2")),
		`{"x":[{"y":"]"}],"measurements":[{"meter":"\u00e9\ud83d\ude00","account":"a b","ts":"2024-02-29T23:59:59.999999999+05:30","z":{"a":{"b":[]}}}]}`,
		envelope(`{"meter":"m","account":"a","ts":"2024-05-01T00:00:00Z","ets":"2023-02-29T00:00:00Z","who":{"a":"\n"},"what":{},"where":{"a":""},"other":{"a":"b"},"metadata":{"a":"b"},"cost":{"a":1E5},"income":{"b":0}}`),
		envelope(`{"meter":"m","account":" a","ts":"2024-05-01T00:00:00-24:00"}`), `{"measurements":[]}`, `[]`, ``,
		strings.Replace(envelope(plainUsage), ",", ",\r\n", 3),
	} {
		f.Add([]byte(seed))
	}
	s := sandbox.New(sandbox.Config{})
	var token string
	f.Fuzz(func(t *testing.T, body []byte) {
		if token == "" {
			token = tokenOf(t, s)()
		}
		s.Reset()
		if beyondOracle(body) {
			t.Skip()
		}
		want, problem := wellFormed(body)
		w := direct(s, token, body)
		if w.Code == 200 != (problem == "") {
			t.Fatalf("got %d %s; the schema says %q", w.Code, w.Body, problem)
		}
		got := s.Totals()
		if int(got.Submitted) != len(want) || got.Submitted != got.Measurements+got.Duplicates+got.Conflicts {
			t.Fatalf("got %+v of %d measurements", got, len(want))
		}
		held := slices.Collect(s.Measurements())
		if got.Duplicates+got.Conflicts == 0 {
			for i := range want {
				if !bytes.Equal(held[i], oneLine(want[i])) {
					t.Errorf("sent %q, held %q", want[i], held[i])
				}
			}
		}
	})
}

// beyondOracle reports texts on which the libraries below have limits of their
// own: depth, and the digits of a number.
func beyondOracle(body []byte) bool {
	return bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > 5000 ||
		hugeNumber.Match(body)
}

var hugeNumber = regexp.MustCompile(`[0-9]{300}|[eE][-+]?0*3[0-9][0-9]`)

// wellFormed returns the measurements of a SubmitMeasurementsRequest, or what
// is wrong with it.
func wellFormed(body []byte) ([]jsontext.Value, string) {
	if !jsontext.Value(body).IsValid() {
		return nil, "JSON"
	}
	var request map[string]jsontext.Value
	var items []jsontext.Value
	if json.Unmarshal(body, &request) != nil || request == nil || request["measurements"].Kind() != '[' {
		return nil, "body"
	}
	if json.Unmarshal(request["measurements"], &items) != nil || len(items) < 1 || len(items) > 1000 {
		return nil, "measurements"
	}
	for _, item := range items {
		var members map[string]jsontext.Value
		if item.Kind() != '{' || json.Unmarshal(item, &members) != nil {
			return nil, "measurement"
		}
		for _, required := range []string{"meter", "account", "ts"} {
			if members[required] == nil {
				return nil, required
			}
		}
		for name, value := range members {
			if !wellFormedMember(name, value) {
				return nil, name
			}
		}
	}
	return items, ""
}

var dateTimeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

var codePattern = regexp.MustCompile(`^[^\x00-\x20\x7F](?:[^\x00-\x1F\x7F]*[^\x00-\x20\x7F])?$`)

func wellFormedMember(name string, value jsontext.Value) bool {
	text, isText := unquoted(value)
	switch name {
	case "uid":
		return isText && utf8.RuneCountInString(text) <= 50
	case "meter", "account":
		return isText && utf8.RuneCountInString(text) <= 80 && codePattern.MatchString(text)
	case "ts", "ets":
		_, err := time.Parse(time.RFC3339, text) // lenient about the form, strict about the calendar
		return isText && err == nil && dateTimeForm.MatchString(text)
	case "who", "what", "where", "other", "metadata", "measure", "cost", "income":
	default:
		return true
	}
	var fields map[string]jsontext.Value
	if value.Kind() != '{' || json.Unmarshal(value, &fields) != nil {
		return false
	}
	for _, value := range fields {
		text, isText := unquoted(value)
		switch name {
		case "measure", "cost", "income":
			x, err := strconv.ParseFloat(string(value), 64)
			if value.Kind() != '0' || err != nil || x == 0 && !zeroMantissa(value) {
				return false
			}
		case "metadata":
			if !isText || utf8.RuneCountInString(text) > 256 {
				return false
			}
		default:
			if !isText {
				return false
			}
		}
	}
	return true
}

// oneLine is a measurement as it is held.
func oneLine(m []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, m)
}

// zeroMantissa tells 0e5 from 1e-999.
func zeroMantissa(number []byte) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(string(number)), "e")
	return strings.Trim(mantissa, "-0.") == ""
}

func unquoted(value jsontext.Value) (string, bool) {
	if value.Kind() != '"' {
		return "", false
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return string(text), err == nil
}
