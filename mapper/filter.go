package mapper

import (
	"bytes"

	"github.com/m3import/m3import/reader"
)

// condition is a Condition, ready to use.
type condition struct {
	column part
	oneOf  [][]byte // nil for a test of emptiness
	want   bool     // what the test must say
}

// keep reports whether rec passes every condition.
func keep(conditions []condition, rec *reader.Record) (bool, *FieldError) {
	for i := range conditions {
		c := &conditions[i]
		v := rec.Values[c.column.index]
		held := v.Empty()
		if c.oneOf != nil {
			if !isScalar(v) {
				return false, scalar("filter", c.column.name, v)
			}
			held = !held && contains(c.oneOf, v.Text)
		}
		if held != c.want {
			return false, nil
		}
	}
	return true, nil
}

func contains(list [][]byte, text []byte) bool {
	for _, t := range list {
		if bytes.Equal(t, text) {
			return true
		}
	}
	return false
}
