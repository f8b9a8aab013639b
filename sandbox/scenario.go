package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// maxScenario bounds a scenario file and the body of POST /_sandbox/faults.
const maxScenario = 4 << 20

// LoadScenario reads a scenario file; see ParseScenario. Errors name the file.
func LoadScenario(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("scenario: %w", err)
	}
	config, err := ParseScenario(text)
	if err != nil {
		return Config{}, fmt.Errorf("scenario %s: %w", path, err)
	}
	return config, nil
}

// ParseScenario reads the text of a scenario file: a Config in YAML or JSON.
// The names are those of its JSON form, durations are texts such as "90s" or
// "24h", and a name that is not known is an error. Errors are a *ScenarioError.
func ParseScenario(text []byte) (Config, error) {
	var config Config
	if err := decodePlain(text, &config); err != nil {
		return Config{}, err
	}
	if err := config.Check(); err != nil {
		wrong := &ScenarioError{Reason: err.Error()}
		var fault *faultError
		if errors.As(err, &fault) {
			wrong.Line = lineOf(text, jsontext.Pointer("/faults/"+strconv.Itoa(fault.index)))
		}
		return Config{}, wrong
	}
	return config, nil
}

// ParseFault reads one rule as it stands in the list of a scenario file, in YAML,
// also on one line, or JSON: {on: [SubmitMeasurements], status: 503}. Errors are a
// *ScenarioError.
func ParseFault(text []byte) (Fault, error) {
	var fault Fault
	form := text
	if !jsontext.Value(text).IsValid() { // JSON and YAML in one line begin alike
		var err error
		if form, err = fromYAML(text); err != nil {
			return Fault{}, err
		}
	}
	if err := decodeForm(text, form, &fault); err != nil {
		return Fault{}, err
	}
	if err := fault.Check(); err != nil {
		return Fault{}, &ScenarioError{Reason: err.Error()}
	}
	return fault, nil
}

// ScenarioError is what is wrong with the text of a scenario.
type ScenarioError struct {
	Line   int    // from 1; 0 when it is not known
	Field  string // "faults[1].when.from"; "" for the text as a whole
	Reason string
}

func (e *ScenarioError) Error() string {
	text := e.Reason
	if e.Field != "" {
		text = e.Field + ": " + text
	}
	if e.Line > 0 {
		text = "line " + strconv.Itoa(e.Line) + ": " + text
	}
	return text
}

// decodePlain decodes plain data, JSON or else YAML, into v. YAML goes by way
// of JSON, so that there is one set of rules.
func decodePlain(text []byte, v any) error {
	if len(text) > maxScenario {
		return &ScenarioError{Reason: fmt.Sprintf("larger than %d bytes", maxScenario)}
	}
	form := text
	if start := bytes.TrimLeft(text, " \t\r\n"); len(start) == 0 || start[0] != '{' {
		var err error
		if form, err = fromYAML(text); err != nil {
			return err
		}
	}
	return decodeForm(text, form, v)
}

// decodeForm decodes the JSON form of a text into v.
func decodeForm(text, form []byte, v any) error {
	err := json.Unmarshal(form, v, json.RejectUnknownMembers(true), json.WithUnmarshalers(fromText))
	if err == nil {
		return nil
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return &ScenarioError{lineOf(text, semantic.JSONPointer), fieldName(semantic.JSONPointer), semanticReason(semantic)}
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		line := 1 + bytes.Count(form[:min(int(syntactic.ByteOffset), len(form))], []byte("\n"))
		return &ScenarioError{line, fieldName(syntactic.JSONPointer), "invalid JSON: " + syntactic.Err.Error()}
	}
	return &ScenarioError{Reason: err.Error()}
}

func fromYAML(text []byte) ([]byte, error) {
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		wrong := &ScenarioError{Reason: "invalid YAML: " + err.Error()}
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			wrong.Reason = "invalid YAML: " + syntax.GetMessage()
			if token := syntax.GetToken(); token != nil {
				wrong.Line = token.Position.Line
			}
		}
		return nil, wrong
	}
	form, err := json.Marshal(tree)
	if err != nil {
		return nil, &ScenarioError{Reason: "a value has no JSON form: " + err.Error()}
	}
	return form, nil
}

// semanticReason says what is wrong in words that do not mention Go.
func semanticReason(e *json.SemanticError) string {
	if errors.Is(e.Err, json.ErrUnknownName) {
		return "is not known here"
	}
	var duration *durationError
	if errors.As(e.Err, &duration) {
		return duration.Error()
	}
	if e.GoType == nil {
		return "has the wrong form"
	}
	switch e.GoType.Kind() {
	case reflect.String:
		return "must be a text; put it in quotes"
	case reflect.Bool:
		return "must be true or false"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "must be a whole number"
	case reflect.Float64:
		return "must be a number"
	case reflect.Slice:
		return "must be a list"
	}
	if e.GoType == reflect.TypeFor[time.Time]() {
		return "must be a time such as 2026-01-01T00:00:00Z"
	}
	return "must be names with values"
}

// lineOf finds the line where the value of a pointer stands, or the nearest
// one around it; 0 when there is none. JSON is YAML enough for that.
func lineOf(text []byte, pointer jsontext.Pointer) int {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return 0
	}
	for ; pointer != ""; pointer = pointer.Parent() {
		path := (&yaml.PathBuilder{}).Root()
		for token := range pointer.Tokens() {
			if n, err := strconv.ParseUint(token, 10, 32); err == nil {
				path = path.Index(uint(n))
			} else {
				path = path.Child(token)
			}
		}
		if node, err := path.Build().FilterFile(file); err == nil && node != nil {
			return node.GetToken().Position.Line
		}
	}
	return 0
}

// fieldName writes "/faults/1/when" as "faults[1].when".
func fieldName(pointer jsontext.Pointer) string {
	var name strings.Builder
	for token := range pointer.Tokens() {
		switch _, err := strconv.ParseUint(token, 10, 32); {
		case err == nil:
			name.WriteString("[" + token + "]")
		case name.Len() > 0:
			name.WriteString("." + token)
		default:
			name.WriteString(token)
		}
	}
	return name.String()
}

// durationError is a text that is no duration.
type durationError struct{ text string }

func (e *durationError) Error() string {
	return e.text + ` is not a duration such as "90s", "1h30m" or "24h"`
}

// fromText and intoText write a duration as people do.
var (
	fromText = json.UnmarshalFromFunc(func(dec *jsontext.Decoder, d *time.Duration) error {
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return &durationError{shorten(value)}
		}
		if *d, err = time.ParseDuration(string(text)); err != nil {
			return &durationError{strconv.Quote(shorten(text))}
		}
		return nil
	})
	intoText = json.MarshalFunc(func(d time.Duration) ([]byte, error) {
		return []byte(`"` + d.String() + `"`), nil
	})
)

// answerPlain answers with plain data.
func answerPlain(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v, json.Deterministic(true), json.WithMarshalers(intoText))
	if err != nil {
		panic("sandbox: an answer that is no JSON: " + err.Error())
	}
	answerJSON(w, status, body)
}
