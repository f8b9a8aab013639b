package mapper

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Text is m as plain data, in JSON: what ReadText reads. Equal meanings, as Hash
// has them, are equal texts.
func (m *Mapping) Text() []byte {
	text, err := json.Marshal(m.canonical())
	if err != nil {
		panic("mapper: a mapping is not plain data: " + err.Error()) // strings, bools and ints always marshal
	}
	return text
}

// ReadText reads what Text wrote. It is not for what people write: nothing is
// checked.
func ReadText(text []byte) (*Mapping, error) {
	m := new(Mapping)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("mapping as plain data: %w", err)
	}
	return m, nil
}

// KeepsUIDs reports whether a row that old makes measurements of gets the same
// uids from m. Where they are made of the whole measurement, only the same
// mapping is sure to do so.
func (m *Mapping) KeepsUIDs(old *Mapping) bool {
	if m.Hash() == old.Hash() {
		return true
	}
	is, was := m.canonical(), old.canonical()
	// How columns are read says what stands in them.
	return m.Native == old.Native && reflect.DeepEqual(is.Input, was.Input) && !is.UsesRule(RuleContent, RuleRow) &&
		slices.EqualFunc(is.Measurements, was.Measurements, func(a, b Measurement) bool {
			return a.Name == b.Name && reflect.DeepEqual(a.UID, b.UID)
		})
}

// UsesRule reports whether a measurement has one of the uid rules.
func (m *Mapping) UsesRule(rules ...string) bool {
	return slices.ContainsFunc(m.Measurements, func(mm Measurement) bool { return slices.Contains(rules, mm.UID.Rule) })
}

// Differences says what is not in m as it is in old, in the words of a mapping
// file as far as they reach: "account.empty.policy was "const", now "required"".
func (m *Mapping) Differences(old *Mapping) []string {
	was, is := old.parts(), m.parts()
	var out []string
	for _, p := range is.list {
		if before, ok := was.values[p]; ok {
			out = appendDifferences(out, p, before, is.values[p])
		} else {
			out = append(out, p+" is new")
		}
	}
	for _, p := range was.list {
		if _, ok := is.values[p]; !ok {
			out = append(out, p+" is gone")
		}
	}
	return out
}

// appendDifferences goes down to the members that differ.
func appendDifferences(out []string, name string, was, is any) []string {
	a, ok := was.(map[string]any)
	b, ok2 := is.(map[string]any)
	switch {
	case reflect.DeepEqual(was, is):
	case ok && ok2:
		keys := slices.Collect(maps.Keys(a))
		for k := range b {
			if _, ok := a[k]; !ok {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			out = appendDifferences(out, name+"."+k, a[k], b[k])
		}
	default:
		out = append(out, name+" was "+briefly(was)+", now "+briefly(is))
	}
	return out
}

func briefly(v any) string {
	if v == nil {
		return "not there"
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic("mapper: a mapping is not plain data: " + err.Error())
	}
	return shown(text)
}

// mappingParts are the parts of a mapping, as plain data, by their names in a
// mapping file.
type mappingParts struct {
	list   []string
	values map[string]any
}

func (p *mappingParts) add(name string, v any) {
	var plain any
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		panic("mapper: a mapping is not plain data: " + err.Error())
	}
	p.list = append(p.list, name)
	p.values[name] = plain
}

// parts takes m apart.
func (m *Mapping) parts() mappingParts {
	p := mappingParts{values: make(map[string]any)}
	c := m.canonical()
	p.add("input", c.Input)
	p.add("filter", c.Filter)
	for i, mm := range c.Measurements {
		in := ""
		if len(c.Measurements) > 1 {
			in = fmt.Sprintf("measurements[%d].", i)
			p.add(in+"name", mm.Name)
		}
		p.add(in+"meter", mm.Meter)
		p.add(in+"account", mm.Account)
		p.add(in+"ts", mm.TS)
		if mm.ETS != nil {
			p.add(in+"ets", mm.ETS)
		}
		p.add(in+"uid", mm.UID)
		for _, f := range mm.Fields {
			p.add(in+f.name(), f.Value)
		}
		p.add(in+"omit_empty", mm.OmitEmpty)
	}
	return p
}
