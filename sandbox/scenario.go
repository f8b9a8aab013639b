package sandbox

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml"
)

// LoadScenario reads a scenario file: a Config, as YAML or JSON.
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

// ParseScenario reads the text of a scenario file. The names are those of the
// JSON form of Config, durations are texts such as "90s" or "24h", and what
// is not known is an error.
func ParseScenario(text []byte) (Config, error) {
	var config Config
	if err := decodePlain(text, &config); err != nil {
		return Config{}, err
	}
	for i := range config.Faults {
		if err := config.Faults[i].Check(); err != nil {
			return Config{}, &faultError{i, config.Faults[i].Name, err}
		}
	}
	return config, nil
}

// decodePlain decodes plain data, JSON or else YAML, into v.
func decodePlain(text []byte, v any) error {
	if start := bytes.TrimLeft(text, " \t\r\n"); len(start) == 0 || start[0] != '{' {
		var tree any
		if err := yaml.Unmarshal(text, &tree); err != nil {
			return err
		}
		var err error
		if text, err = json.Marshal(tree); err != nil {
			return err
		}
	}
	return json.Unmarshal(text, v, json.RejectUnknownMembers(true), json.WithUnmarshalers(fromText))
}

// fromText and intoText write a duration as people do.
var (
	fromText = json.UnmarshalFromFunc(func(dec *jsontext.Decoder, d *time.Duration) error {
		var text string
		if err := json.UnmarshalDecode(dec, &text); err != nil {
			return err
		}
		parsed, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 90s, 1.5h or 24h", text)
		}
		*d = parsed
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
