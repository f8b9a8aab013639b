package mapper

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/m3import/m3import/reader"
)

// vectors are rows and the uids that they must have for ever. The file was
// computed by a program in another language from docs/uid.md alone. A vector
// may be added; one that has to be changed means that everything imported so
// far would be billed again.
type vectors struct {
	Version   int
	Namespace string
	Vectors   []struct {
		Name, Mapping, Source string
		Offset                int64
		Row                   map[string]string
		UIDs                  []struct {
			Space     string  // what the name space of the rule is made of
			Canonical *string // nil for an id that is sent as it is
			UID       string
		}
	}
}

func TestUIDVectors(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "uid_vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if v.Version != UIDVersion || v.Namespace != uuid.UUID(uidNamespace).String() || len(v.Vectors) < 20 {
		t.Fatalf("vectors of version %d, name space %s, %d of them", v.Version, v.Namespace, len(v.Vectors))
	}
	for _, tt := range v.Vectors {
		t.Run(tt.Name, func(t *testing.T) {
			m, c := parsed(t, tt.Mapping)
			r := row{}
			for k, x := range tt.Row {
				r[k] = x
			}
			rec := r.record(m)
			rec.Source, rec.Pos.Offset = tt.Source, tt.Offset
			var out Output
			if _, err := c.Append(&out, rec); err != nil {
				t.Fatal(err)
			}
			list := split(t, &out)
			if len(list) != len(tt.UIDs) {
				t.Fatalf("%d measurements, want %d", len(list), len(tt.UIDs))
			}
			for i, want := range tt.UIDs {
				if want.Canonical != nil {
					space := uuid.NewSHA1(uuid.UUID(uidNamespace), []byte(want.Space))
					if again := uuid.NewSHA1(space, []byte(*want.Canonical)).String(); again != want.UID {
						t.Errorf("the vector contradicts itself: %s is %s", *want.Canonical, again)
					}
				}
				if got := uidOf(t, list[i]); got != want.UID {
					t.Errorf("measurement %d: uid %s, want %s\n%s", i, got, want.UID, list[i])
				}
			}
			if got, ok := c.UID(rec); !ok || got != tt.UIDs[0].UID {
				t.Errorf("UID: %s, %v; want %s", got, ok, tt.UIDs[0].UID)
			}
		})
	}
}

// TestUIDGuideRuns executes the Python of docs/uid.md, which claims to
// recompute the golden vectors.
func TestUIDGuideRuns(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("the Python of docs/uid.md was not run: there is no python3 here")
	}
	guide, err := os.ReadFile(filepath.Join("..", "docs", "uid.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(guide), "```python\n")
	code, _, ended := strings.Cut(code, "```\n")
	if !found || !ended {
		t.Fatal("docs/uid.md has no block of Python")
	}
	cmd := exec.Command(python, "-", filepath.Join("testdata", "uid_vectors.json"))
	cmd.Stdin = strings.NewReader(code)
	got, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	if !strings.Contains(string(got), "all recomputed") || strings.Contains(string(got), "0 uids") {
		t.Errorf("it says %s", got)
	}
}

const keyed = "version: 1\nmeter: {const: api}\naccount: A\nts: T\nmeasure: {n: N}\nuid: "

// TestUIDFaults: what identifies a row is there and fits, or the row is a
// reject.
func TestUIDFaults(t *testing.T) {
	base := row{"A": "acme", "T": "2024-09-01T00:00:00Z", "N": "1", "U": "u", "V": "v"}
	for _, tt := range []struct {
		name, rule   string
		with         row
		column, want string
	}{
		{"id is empty", "U", row{"U": ""}, "U", "empty"},
		{"id is null", "U", row{"U": reader.Value{Kind: reader.Null}}, "U", "empty"},
		{"id of 51 characters", "U", row{"U": strings.Repeat("a", 51)}, "U", "{column: U, hash: true}"},
		{"id of 26 surrogate pairs", "U", row{"U": strings.Repeat("🚀", 26)}, "U", "the id has 52 characters"},
		{"id is an object", "U", row{"U": obj("{}")}, "U", "an object"},
		{"hashed id is empty", "{column: U, hash: true}", row{"U": ""}, "U", "empty"},
		{"part of a key is missing", "{key: [U, V]}", row{"V": reader.Value{}}, "V", "empty"},
		{"place without a source", "row", row{"_reject.offset": num("5")}, "_reject.source", "name of its source"},
		{"place without an offset", "row", row{"_reject.source": "a.csv"}, "_reject.offset", "a whole number"},
		{"offset below zero", "row", row{"_reject.source": "a.csv", "_reject.offset": num("-1")}, "_reject.offset", "a whole number"},
		{"offset spelt otherwise", "row", row{"_reject.source": "a.csv", "_reject.offset": num("1e3")}, "_reject.offset", "a whole number"},
		{"offset with a zero in front", "row", row{"_reject.source": "a.csv", "_reject.offset": "007"}, "_reject.offset", "a whole number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, c := parsed(t, keyed+tt.rule+"\n")
			r := row{}
			for k, v := range base {
				r[k] = v
			}
			for k, v := range tt.with {
				r[k] = v
			}
			fe := refused(t, m, c, r)
			if fe.Field != "uid" || fe.Column != tt.column || !strings.Contains(fe.Reason, tt.want) || fe.Code != CodeUID && fe.Code != CodeScalar {
				t.Errorf("got %+v; want column %s and …%s…", fe, tt.column, tt.want)
			}
			if uid, ok := c.UID(r.record(m)); ok {
				t.Errorf("UID gave %q for a row without identity", uid)
			}
		})
	}
}

// TestUIDOfReject: a reject is named by its uid whenever the fault is not in
// what the uid is made of.
func TestUIDOfReject(t *testing.T) {
	bad := row{"A": "acme", "T": "2024-09-01T00:00:00Z", "N": "many", "U": "u"}
	for rule, want := range map[string]bool{"U": true, "{column: U, hash: true}": true, "{key: [U, A]}": true, "content": false, "row": false} {
		m, c := parsed(t, keyed+rule+"\n")
		refused(t, m, c, bad)
		uid, ok := c.UID(bad.record(m))
		if ok != want || ok != (uid != "") {
			t.Errorf("rule %s: %q, %v", rule, uid, ok)
		}
		good := row{"A": "acme", "T": "2024-09-01T00:00:00Z", "N": "1", "U": "u"}
		if got := uidOf(t, appended(t, m, c, good)); ok && got != uid {
			t.Errorf("rule %s: the repaired row has uid %s and the reject had %s", rule, got, uid)
		}
	}
}

// TestRowUIDSurvivesRejection: a row that comes back from the reject file has
// the uid of its first place, wherever it stands now.
func TestRowUIDSurvivesRejection(t *testing.T) {
	m, c := parsed(t, keyed+"row\n")
	r := row{"A": "acme", "T": "2024-09-01T00:00:00Z", "N": "1"}
	first := appended(t, m, c, r)
	r["_reject.source"], r["_reject.offset"] = "usage.csv", num("1234")
	rec := r.record(m)
	rec.Source, rec.Pos.Offset = "rejects.ndjson", 0
	var out Output
	if _, err := c.Append(&out, rec); err != nil || strings.Join(split(t, &out), "\n") != first {
		t.Errorf("got %s, %v; want %s", out.JSON, err, first)
	}
	delete(r, "_reject.source")
	delete(r, "_reject.offset")
	if rec := r.record(m); uidOf(t, first) != uidOf(t, appended(t, m, c, r)) || rec.Pos.Offset != 1234 {
		t.Error("the same row has two uids")
	}
}

// TestPartsAreUnambiguous: two different lists of parts are never the
// same canonical text.
func TestPartsAreUnambiguous(t *testing.T) {
	part := rapid.StringMatching(`[0-9:,a]{0,4}`)
	join := func(parts []string) string {
		var b []byte
		for _, p := range parts {
			b = appendPart(b, p)
		}
		return string(b)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(part, 0, 4).Draw(t, "a"), rapid.SliceOfN(part, 0, 4).Draw(t, "b")
		if (join(a) == join(b)) != same(a, b) {
			t.Fatalf("%q and %q make %q and %q", a, b, join(a), join(b))
		}
	})
}
