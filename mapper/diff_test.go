package mapper

import (
	"slices"
	"strings"
	"testing"
)

const diffBase = `
version: 1
meter: {const: storage}
account: customer
ts: {column: time, timezone: UTC}
uid: {key: [event_id]}
measure: {gb: gigabytes}
`

// TestDifferences: what differs is named, and told from what keeps the uids.
func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		name, is string
		want     []string
		keeps    bool
	}{
		{"the same in another order", "version: 1\nmeasure: {gb: gigabytes}\nuid: {key: [event_id]}\nmeter: {const: storage}\nts: {column: time, timezone: UTC}\naccount: customer\n", nil, true},
		{"another column", replaceOnce(t, diffBase, "gb: gigabytes", "gb: bytes"), []string{`measure.gb.columns was ["gigabytes"], now ["bytes"]`}, true},
		{"a field more", diffBase + "where: {region: region}\n", []string{"where.region is new"}, true},
		{"another field", replaceOnce(t, diffBase, "gb: gigabytes", "tb: gigabytes"), []string{"measure.tb is new", "measure.gb is gone"}, true},
		{"another zone", replaceOnce(t, diffBase, "UTC", "Europe/Berlin"), []string{`ts.timezone was "UTC", now "Europe/Berlin"`}, true},
		{"another key", replaceOnce(t, diffBase, "[event_id]", "[event_id, customer]"), []string{`uid.columns was [{"column":"event_id","empty":{"policy":"required"}}], now [{"column":"event_id","empty":{"policy":"required"}},{"column":"customer","empty":{"policy":"required"}}]`}, false},
		{"another rule", replaceOnce(t, diffBase, "{key: [event_id]}", "content"), []string{`uid.columns was [{"column":"event_id","empty":{"policy":"required"}}], now not there`, `uid.rule was "key", now "content"`}, false},
		{"read in another way", diffBase + "input: {trim: true}\n", []string{"input.trim was not there, now true"}, false},
	} {
		old, is := mustParse(t, diffBase), mustParse(t, c.is)
		kept, err := ReadText(old.Text())
		if err != nil || kept.Hash() != old.Hash() {
			t.Fatalf("%s: the text of a mapping is not the mapping: %v", c.name, err)
		}
		if got := is.Differences(kept); !slices.Equal(got, c.want) {
			t.Errorf("%s: differences %q, want %q", c.name, got, c.want)
		}
		if got := is.KeepsUIDs(kept); got != c.keeps {
			t.Errorf("%s: keeps uids: %v, want %v", c.name, got, c.keeps)
		}
	}
	for _, rule := range []string{"content", "row"} {
		text := replaceOnce(t, diffBase, "{key: [event_id]}", rule)
		if mustParse(t, text).KeepsUIDs(mustParse(t, text+"where: {region: region}\n")) {
			t.Errorf("a field more keeps the uids of the rule %s", rule)
		}
	}
}

func mustParse(t *testing.T, text string) *Mapping {
	t.Helper()
	m, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func replaceOnce(t *testing.T, text, old, now string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q does not stand in the mapping once", old)
	}
	return strings.Replace(text, old, now, 1)
}
