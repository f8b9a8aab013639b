package sandbox

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// FailureType is why a measurement was not ingested, or not wholly, after its
// request had been answered "accepted". m3ter's page on ingest events lists
// these; a client must expect others.
type FailureType string

const (
	// UndefinedMeter: no meter has the code. Only with Config.StrictMeters.
	UndefinedMeter FailureType = "UndefinedMeter"
	// MissingField: a data field of the meter is not there.
	MissingField FailureType = "MissingField"
	// DuplicateUID: the uid has arrived before.
	DuplicateUID FailureType = "DuplicateUid"
	// DuplicateField: a field code stands in two categories.
	DuplicateField FailureType = "DuplicateField"
	// CalculationError: a derived field could not be calculated. The
	// measurement is ingested, without it.
	CalculationError FailureType = "CalculationError"
	// InvalidAccountCode: no account has the code, and one was not made
	// because another has nearly the same.
	InvalidAccountCode FailureType = "InvalidAccountCode"
)

// failureTypes are in the order in which a measurement is checked; it fails
// by the first. Only the one about calculations lets it in.
var failureTypes = [...]FailureType{
	DuplicateUID, UndefinedMeter, MissingField, DuplicateField, InvalidAccountCode, CalculationError,
}

// failure is one measurement that failed.
type failure struct {
	kind   FailureType
	item   int // of batch.items
	reason string
}

// enrichment is what m3ter does with measurements after it has accepted them,
// as far as it can go wrong. A nil one finds nothing wrong.
type enrichment struct {
	strict   bool // an undefined meter is a failure
	fields   bool // the other checks are made
	meters   *meters
	accounts *accounts
}

func newEnrichment(c Config, m *meters, a *accounts) *enrichment {
	if !c.Validate && !c.StrictMeters {
		return nil
	}
	if c.Validate {
		a.near = make(map[string]struct{})
	}
	return &enrichment{c.StrictMeters, c.Validate, m, a}
}

// refusal returns why m is not ingested; "" when it is. names is scratch.
func (e *enrichment) refusal(m *measurement, fields []fieldRef, names *nameSet) (FailureType, string) {
	if e == nil {
		return "", ""
	}
	defined, ok := e.meters.withCode(m.meter)
	if !ok && e.strict {
		return UndefinedMeter, fmt.Sprintf("no meter has the code %q", m.meter)
	}
	if !e.fields {
		return "", ""
	}
	if ok {
		if lacking := defined.lacking(fields); lacking != "" {
			return MissingField, fmt.Sprintf("%s is a data field of the meter %q and is not there", lacking, m.meter)
		}
	}
	names.reset()
	for _, f := range fields {
		if !names.add(f.code) { // within a category it would be a schema's fault
			return DuplicateField, fmt.Sprintf("the field code %q stands in two categories", shorten(f.code))
		}
	}
	if near := e.accounts.nearly(m.account); near {
		return InvalidAccountCode, fmt.Sprintf("no account has the code %q, and one has a code that closely matches", m.account)
	}
	return "", ""
}

// miscalculation returns why a derived field of m cannot be calculated.
func (e *enrichment) miscalculation(m *measurement, numbers []number) string {
	if e == nil || !e.fields {
		return ""
	}
	defined, ok := e.meters.withCode(m.meter)
	if !ok {
		return ""
	}
	for i, formula := range defined.formulas {
		if wrong := formula.wrong(numbers); wrong != "" {
			return fmt.Sprintf("the derived field %s: %s", defined.DerivedFields[i].Code, wrong)
		}
	}
	return ""
}

// fieldRef is a field that a measurement has, or that a meter asks for.
type fieldRef struct {
	member member
	code   []byte
}

// lacking returns the name of the first data field that is not among fields.
func (m *meter) lacking(fields []fieldRef) string {
	for _, want := range m.required {
		found := false
		for _, f := range fields {
			if f.member == want.member && string(f.code) == string(want.code) {
				found = true
				break
			}
		}
		if !found {
			return memberNames[want.member] + "." + string(want.code)
		}
	}
	return ""
}

// compile prepares what enrichment needs of a meter.
func (m *meter) compile() {
	for _, f := range m.DataFields {
		m.required = append(m.required, fieldRef{memberOf([]byte(strings.ToLower(f.Category))), []byte(f.Code)})
	}
	for _, f := range m.DerivedFields {
		m.formulas = append(m.formulas, parseFormula(f.Calculation, m.required))
	}
}

// nearly reports whether no account has the code, but one has a code that
// closely matches. What m3ter means by that is not known; our guess is: equal
// but for case and white space.
func (a *accounts) nearly(code []byte) bool {
	if _, exact := a.withCode(code); exact {
		return false
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	_, found := a.near[nearForm(string(code))]
	return found
}

func nearForm(code string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, code)
}

// eventTime is when an event about measurements taken at now is seen.
func (c *Config) eventTime(now time.Time) time.Time {
	return now.Add(c.EventDelay).Truncate(time.Millisecond)
}
