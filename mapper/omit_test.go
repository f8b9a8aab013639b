package mapper

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// twoOf is a mapping of two measurements, whose amounts may be empty.
func twoOf(uid, omit string) string {
	item := "  - {name: %s, meter: {const: %[1]s}, account: A, ts: T, uid: " + uid + ", who: {w: {column: W, empty: skip}}, measure: {n: {column: %[1]s, empty: skip}}" + omit + "}\n"
	return "version: 1\nmeasurements:\n" + fmt.Sprintf(item, "x") + fmt.Sprintf(item, "y")
}

// A measurement whose amounts are all empty is left out, and nothing else of
// the row changes by it: not the other measurement, and not a uid. Without
// omit_empty it is made, and flagged.
func TestOmitEmpty(t *testing.T) {
	for _, uid := range []string{"content", "row", "{key: [U]}", "{column: U, hash: true}"} {
		plain, made := parsed(t, twoOf(uid, ""))
		omit, left := parsed(t, twoOf(uid, ", omit_empty: true"))
		for _, amounts := range []row{{"x": "1", "y": "2"}, {"x": "1"}, {"y": "2"}, {"x": "", "y": "0"}, {}} {
			r := usual(amounts)
			r["W"] = "who"
			var all, some Output
			if filtered, err := made.Append(&all, r.record(plain)); err != nil || filtered || len(all.Items) != 2 {
				t.Fatalf("%s, %v: %v, %d measurements", uid, amounts, err, len(all.Items))
			}
			var want []string
			for i, m := range split(t, &all) {
				if empty := !strings.Contains(m, `"measure"`); empty != (all.Items[i].Flags&NoAmount != 0) {
					t.Errorf("%s: flags %b of %s", uid, all.Items[i].Flags, m)
				} else if !empty {
					want = append(want, m)
				}
			}
			filtered, err := left.Append(&some, r.record(omit))
			if got := split(t, &some); err != nil || !slices.Equal(got, want) || filtered != (len(want) == 0) {
				t.Errorf("%s, %v: filtered %t, %v, made %q, want %q", uid, amounts, filtered, err, got, want)
			}
		}
	}
}

// What is wrong with the rest of a measurement is a fault, also where its
// amounts are empty; and a reject is named by a uid when one can be made.
func TestOmitEmptyHidesNoFault(t *testing.T) {
	m, c := parsed(t, twoOf("content", ", omit_empty: true"))
	bad := usual(row{"A": ""})
	if fe := refused(t, m, c, bad); fe.Field != "account" {
		t.Errorf("%+v", fe)
	}
	if fe := refused(t, m, c, usual(row{"y": "many"})); fe.Field != "measure.n" {
		t.Errorf("%+v", fe)
	}
	if uid, ok := c.UID(usual(row{"y": "many"}).record(m)); ok {
		t.Errorf("the row has the uid %s of a measurement that was left out", uid)
	}
	plain, _ := parsed(t, twoOf("content", ", omit_empty: false"))
	never, _ := parsed(t, twoOf("content", ""))
	if plain.Hash() != never.Hash() || plain.Hash() == m.Hash() {
		t.Error("the hash of a mapping does not tell what omit_empty says")
	}
}
