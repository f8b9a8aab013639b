package main

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/m3import/m3import/checkpoint"
)

// The sources in report.json are written by hand, as encoding/json writes them.
func TestReportJSON(t *testing.T) {
	all := sourceReport{Path: "/a & \"b\"\n  \"sources\": null", Done: true}
	counts := reflect.ValueOf(&all.Counts).Elem()
	for i := range counts.NumField() {
		counts.Field(i).SetInt(int64(i) + 1) // also those that somebody adds
	}
	for _, list := range [][]sourceReport{nil, {}, {{Path: "/x"}}, {all}, {{Path: "/x", Counts: checkpoint.Counts{Read: 1, Accepted: 1}}, all, {Path: "é"}}} {
		r := &report{Import: "one", Sources: list, Command: []string{"run", "\n  \"sources\": null"}, Rejects: map[string]int64{"a": 1}}
		got, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want)+"\n" {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}
