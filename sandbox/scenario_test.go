package sandbox_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/m3import/m3import/sandbox"
)

var codeBlock = regexp.MustCompile("(?ms)^```(yaml|json)\n(.*?)^```$")

// TestManual parses the scenarios of the manual, and runs them.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(block[2], "eventId") {
			continue // an answer
		}
		config, err := sandbox.ParseScenario([]byte(block[2]))
		if err != nil {
			t.Errorf("%v in\n%s", err, block[2])
			continue
		}
		for _, f := range sandbox.New(config).Faults() {
			rules[f.Name] = true
		}
	}
	for _, name := range []string{"outage", "before", "between", "after", "lost", "never", "half", "throttled", "closed", "firewall", "early", "revoked", "nonsense", "slow"} {
		if !rules[name] {
			t.Errorf("no scenario has the rule %s", name)
		}
	}
	// The tables name all that there is.
	for _, v := range []any{sandbox.Config{}, sandbox.Fault{}, sandbox.When{}, sandbox.Match{}, sandbox.Drip{}, sandbox.Limit{}} {
		for field := range reflect.TypeOf(v).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name != "-" && !strings.Contains(string(text), "`"+name+"`") && !strings.Contains(string(text), name+":") {
				t.Errorf("the manual does not name %s of %T", name, v)
			}
		}
	}
}

func TestParseScenario(t *testing.T) {
	want := sandbox.Config{
		Seed: 18446744073709551615, ClockRate: 0.5, ClockStart: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		PerAddress: sandbox.Limit{Requests: 5, Per: time.Minute}, RetryAfter: true,
		Faults: []sandbox.Fault{{
			Name: "n", On: []string{"GetMeter"}, At: sandbox.Committed, Status: 503, Message: "é\u2028\"", RetryAfter: time.Minute,
			When:    sandbox.When{From: 1, To: 2, Every: 3, Probability: 0.25, Times: 4, After: time.Second, For: time.Hour, SinceStart: true, Contains: []string{"x"}, Within: 5},
			Headers: map[string]string{"A": "1"}, Drip: &sandbox.Drip{Bytes: 1, Every: time.Millisecond}, Cut: new(0), Delay: 90 * time.Second,
		}, {When: sandbox.When{Match: &sandbox.Match{UID: "u", Meter: "m", Account: "a", Text: "t"}}, Reset: true}},
	}
	const yaml = `
seed: 18446744073709551615
clock_rate: 0.5
clock_start: 2026-01-01T00:00:00Z
per_address: {requests: 5, per: 1m}
retry_after: true
faults:
  - name: n
    on: [GetMeter]
    at: committed
    status: 503
    message: "é\u2028\""
    retry_after: 60s
    when: {from: 1, to: 2, every: 3, probability: 0.25, times: 4, after: 1s, for: 1h, since_start: true, contains: [x], within: 5}
    headers: {A: "1"}
    drip: {bytes: 1, every: 1ms}
    cut: 0
    delay: 1m30s
  - reset: true
    when:
      match: {uid: u, meter: m, account: a, text: t}
`
	path := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := sandbox.LoadScenario(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
	if none, err := sandbox.ParseScenario(nil); err != nil || !reflect.DeepEqual(none, sandbox.Config{}) {
		t.Errorf("nothing: got %+v, %v", none, err)
	}
	if _, err := sandbox.LoadScenario(path + "x"); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: got %v", err)
	}
	os.WriteFile(path, []byte("seeds: 1"), 0o600)
	if _, err := sandbox.LoadScenario(path); err == nil || err.Error() != "scenario "+path+": line 1: seeds: is not known here" {
		t.Errorf("got %v", err)
	}
}

func TestScenarioErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"faults: 3", `line 1: faults: must be a list`},
		{"faults:\n  - name: x\n    delay: 90\n    status: 503", `line 3: faults[0].delay: 90 is not a duration such as "90s", "1h30m" or "24h"`},
		{"token_life: 1d", `line 1: token_life: "1d" is not a duration such as "90s", "1h30m" or "24h"`},
		{"faults:\n  - status: 503\n  - when:\n      probabilty: 2\n    status: 503", `line 4: faults[1].when.probabilty: is not known here`},
		{"faults:\n  - status: 503\n  - name: x\n    status: 99", `line 3: faults[1] (x): status: must be from 200 to 599`},
		{"faults:\n  - {name: x, status: 503}\n  - {name: x, status: 503}", `line 3: faults[1] (x): name: stands twice`},
		{"{\"faults\":\n[{\"status\":\"x\"}]}", `line 2: faults[0].status: must be a whole number`},
		{"{\"faults\":\n[{\"status\":", `line 2: faults[0].status: invalid JSON: unexpected EOF`},
		{"faults:\n- headers: {Retry-After: 3}", `line 2: faults[0].headers.Retry-After: must be a text; put it in quotes`},
		{"faults:\n- reset: 1", `line 2: faults[0].reset: must be true or false`},
		{"faults:\n- when: {probability: x}", `line 2: faults[0].when.probability: must be a number`},
		{"faults:\n- when: always", `line 2: faults[0].when: must be names with values`},
		{"a: b: c", `line 1: invalid YAML: mapping value is not allowed in this context`},
		{"seed: 5\nseed: 6", `line 2: invalid YAML: mapping key "seed" already defined at [1:1]`},
		{"seed: -1", `line 1: seed: must be a whole number`},
		{"- 5", `must be names with values`},
		{"clock_start: 5", `line 1: clock_start: must be a time such as 2026-01-01T00:00:00Z`},
		{"clock_rate: -1", `clock_rate: must be from 0 to 86400 seconds a second, not -1`},
		{"per_address: {requests: 5}", `per_address: must have requests and per, such as 50 and 1s`},
		{"per_organization: {requests: 5000000, per: 1s}", `per_organization: must be at most 1000000 requests`},
		{"token_life: 1500ms", `token_life: must be whole seconds`},
		{"uid_window: -1s", `uid_window: must not be negative`},
		{"unauthorized_status: 200", `unauthorized_status: must be from 400 to 499`},
		{"event_delay: -1s", `event_delay: must not be negative`},
	}
	for _, tt := range tests {
		if _, err := sandbox.ParseScenario([]byte(tt.text)); err == nil || err.Error() != tt.want {
			t.Errorf("%q:\ngot  %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

func TestRulesThatAreWrong(t *testing.T) {
	type f = sandbox.Fault
	when := func(w sandbox.When) f { return f{When: w, Status: 503} }
	tests := []struct {
		rule f
		want string // in the message
	}{
		{f{}, "nothing happens"},
		{f{When: sandbox.When{From: 3}}, "nothing happens"},
		{f{On: []string{"Submit"}, Status: 503}, `on: no operation "Submit"; one of GenerateToken, SubmitMeasurements`},
		{f{Name: "a/b", Status: 503}, "name:"},
		{f{At: "later", Status: 503}, "at:"},
		{f{At: sandbox.Arrival, Status: 503, When: sandbox.When{Contains: []string{"x"}}}, "at:"},
		{f{Reset: true, Hang: true}, "hang: excludes reset"},
		{f{Reset: true, Status: 503}, "there is no answer with reset"},
		{f{Hang: true, Cut: new(3)}, "there is no answer with reset"},
		{f{Status: 600}, "status:"},
		{f{Body: "x", Message: "y"}, "only one"},
		{f{Garbage: -1}, "garbage:"},
		{f{Status: 204, Body: "x"}, "there is none with this status"},
		{f{RetryAfter: time.Millisecond}, "retry_after:"},
		{f{Delay: -1}, "delay:"},
		{f{Drip: &sandbox.Drip{Bytes: -1}}, "drip:"},
		{f{Cut: new(-1)}, "cut:"},
		{f{TokenLife: -1}, "token_life:"},
		{f{Revoke: true, At: sandbox.Committed}, "revoke:"},
		{f{Revoke: true, When: sandbox.When{Match: &sandbox.Match{UID: "x"}}}, "match:"},
		{f{Headers: map[string]string{"A B": "x"}}, `headers: "A B" is not the name of a header`},
		{f{Headers: map[string]string{"A": "x\r\nB: y"}}, "headers: the value of A"},
		{when(sandbox.When{From: 3, To: 2}), "from and to"},
		{when(sandbox.When{Every: -1}), "every and times"},
		{when(sandbox.When{Probability: 1.1}), "probability"},
		{when(sandbox.When{For: -1}), "after and for"},
		{when(sandbox.When{Contains: []string{""}}), "empty text"},
		{when(sandbox.When{Within: 3}), "within"},
		{when(sandbox.When{Match: &sandbox.Match{}}), "match"},
	}
	for _, tt := range tests {
		s := sandbox.New(sandbox.Config{})
		err := s.AddFaults(f{Status: 500}, tt.rule)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "faults[1]") {
			t.Errorf("%+v: got %v, want %q in it", tt.rule, err, tt.want)
		}
		if len(s.Faults()) != 0 {
			t.Errorf("%+v: some of the rules were added", tt.rule)
		}
	}
}

// FuzzParseScenario: what is taken can be written, read again, and run.
func FuzzParseScenario(f *testing.F) {
	if text, err := os.ReadFile("../docs/sandbox.md"); err == nil {
		for _, block := range codeBlock.FindAllStringSubmatch(string(text), -1) {
			f.Add([]byte(block[2]))
		}
	}
	f.Add([]byte(`{"faults":[{"headers":{"A":"b"},"message":"\ud83d\ude00"}],"per_address":{"requests":1,"per":"1h"}}`))
	texts := json.MarshalFunc(func(d time.Duration) ([]byte, error) { return []byte(`"` + d.String() + `"`), nil })
	f.Fuzz(func(t *testing.T, text []byte) {
		config, err := sandbox.ParseScenario(text)
		if err != nil {
			return
		}
		s := sandbox.New(config)
		for i, state := range s.Faults() {
			if state.Name == "" || config.Faults[i].Name != "" && config.Faults[i].Name != state.Name {
				t.Errorf("rule %d has the name %q", i, state.Name)
			}
		}
		written, err := json.Marshal(config, json.WithMarshalers(texts))
		if err != nil {
			t.Fatal(err)
		}
		again, err := sandbox.ParseScenario(written)
		if err != nil {
			t.Fatalf("%v in %s", err, written)
		}
		twice, err := json.Marshal(again, json.WithMarshalers(texts))
		if err != nil || string(twice) != string(written) {
			t.Errorf("written %s\nagain   %s, %v", written, twice, err)
		}
	})
}

// One rule reads as it does in the list of a scenario, in one line of YAML, in
// several, and in JSON.
func TestParseFault(t *testing.T) {
	whole, err := sandbox.ParseScenario([]byte("faults:\n- {name: x, on: [SubmitMeasurements], status: 503, when: {from: 10, to: 40, after: 10m}, body: \"{}\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{name: x, on: [SubmitMeasurements], status: 503, when: {from: 10, to: 40, after: 10m}, body: "{}"}`,
		"name: x\non: [SubmitMeasurements]\nstatus: 503\nwhen: {from: 10, to: 40, after: 10m}\nbody: \"{}\"\n",
		`{"name":"x","on":["SubmitMeasurements"],"status":503,"when":{"from":10,"to":40,"after":"10m"},"body":"{}"}`,
	} {
		if got, err := sandbox.ParseFault([]byte(text)); err != nil || !reflect.DeepEqual(got, whole.Faults[0]) {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, whole.Faults[0])
		}
	}
	for text, want := range map[string]string{
		`{status: 503, sometimes: true}`: "sometimes: is not known here",
		`{when: {after: soon}}`:          `when.after: "soon" is not a duration`,
		`{status: 503, on: [Nothing]}`:   "Nothing",
		`{status: 503`:                   "invalid YAML",
		`status`:                         "must be names with values",
		``:                               "",
	} {
		if got, err := sandbox.ParseFault([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", text, got, err, want)
		}
	}
}
