package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

func TestParseLines(t *testing.T) {
	for _, c := range []struct {
		text        string
		first, last int64
		ok          bool
	}{
		{"100-199", 100, 199, true}, {"7-7", 7, 7, true},
		{text: "100-199x"}, {text: "100"}, {text: "-5"}, {text: "5-"}, {text: "0-5"}, {text: "6-5"}, {text: "1--5"}, {text: "+1-5"},
		{text: "1-5-9"}, {text: " 1-5"}, {text: "1-99999999999999999999"}, {text: ""},
	} {
		if first, last, ok := parseLines(c.text); ok != c.ok || ok && (first != c.first || last != c.last) {
			t.Errorf("%q: %d to %d, %t, want %d to %d, %t", c.text, first, last, ok, c.first, c.last, c.ok)
		}
	}
}

const otherOrg = "5a4db0c5-0000-4000-8000-000000000002"

// migration is a person with an organization and a new one, which is elsewhere.
type migration struct {
	*session
	t    *testing.T
	dir  string
	next *session // the same person, with the credentials of the new organization
}

// newMigration has a mapping m.yaml, and a file a.csv of n rows the last of
// which is bad.
func newMigration(t *testing.T, n int) *migration {
	t.Helper()
	m := &migration{t: t, dir: t.TempDir(), session: newSession(t, newPlatform(t, sandbox.Config{})),
		next: newSession(t, newPlatform(t, sandbox.Config{OrgID: otherOrg}))}
	m.next.env["XDG_STATE_HOME"] = m.env["XDG_STATE_HOME"]
	writeFiles(t, m.dir, map[string]string{"m.yaml": guardMapping, "a.csv": endRows("acme", n, true)})
	return m
}

func (m *migration) path(name string) string { return filepath.Join(m.dir, name) }

// does runs a command that must end with the code.
func (m *migration) does(code int, args ...string) (stdout string) {
	m.t.Helper()
	got, stdout, stderr := m.run(args...)
	if got != code {
		m.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, stdout, stderr)
	}
	return stdout
}

// last is the import of the kind that began last.
func (m *migration) last(kind string) (last pastImport) {
	m.t.Helper()
	dec := json.NewDecoder(strings.NewReader(m.does(exitOK, "history", "--json")))
	for dec.More() {
		var one pastImport
		if err := dec.Decode(&one); err != nil {
			m.t.Fatal(err)
		}
		if strings.HasPrefix(one.Kind, kind) && !one.Started.Before(last.Started) {
			last = one
		}
	}
	if last.Import == "" {
		m.t.Fatalf("no import of the kind %q is known", kind)
	}
	return last
}

// moves replays the last import of a kind to the new organization, which must
// then hold so many measurements.
func (m *migration) moves(kind string, code int, held int64, flags ...string) {
	m.t.Helper()
	args := append([]string{"replay", "run", m.last(kind).Import, "--org", otherOrg}, flags...)
	got, stdout, stderr := m.next.run(args...)
	if got != code {
		m.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, stdout, stderr)
	}
	if n := m.next.p.Totals().Measurements; n != held {
		m.t.Fatalf("%v: the new organization holds %d measurements, want %d", args, n, held)
	}
}

// What an import delivered is what its replay sends: of a slice the slice, and
// so on from replay to replay.
func TestReplayRunOfASlice(t *testing.T) {
	m := newMigration(t, 9)
	m.does(exitRejects, "run", "-m", m.path("m.yaml"), m.path("a.csv"))
	m.does(exitOK, "replay", "slice", "-m", m.path("m.yaml"), m.path("a.csv"), "--lines", "2-3")
	m.moves("replay slice", exitOK, 2)
	again := m.last("replay run")
	if code, _, stderr := m.next.run("replay", "run", again.Import, "--same-organization"); code != exitOK {
		t.Fatalf("a replay of the replay: exit code %d\n%s", code, stderr)
	}
	if held := m.next.p.Totals(); held.Measurements != 2 || held.Duplicates != 2 {
		t.Errorf("after a replay of the replay %d measurements are held, and %d came twice, want 2 and 2", held.Measurements, held.Duplicates)
	}
	m.moves("run", exitRejects, 8)
}

// A part of a source is not all of it: to have sent the one is not to have
// sent the other, in one state directory either.
func TestSliceIsNotTheWhole(t *testing.T) {
	m := newMigration(t, 9)
	state := m.path("st")
	m.does(exitOK, "replay", "slice", "-m", m.path("m.yaml"), m.path("a.csv"), "--lines", "2-3", "--state", state)
	m.does(exitOK, "replay", "slice", "-m", m.path("m.yaml"), m.path("a.csv"), "--lines", "3-5", "--state", state)
	m.does(exitRejects, "run", "-m", m.path("m.yaml"), m.path("a.csv"), "--state", state)
	if held := m.p.Totals(); held.Measurements != 8 || held.Duplicates != 5 {
		t.Errorf("%d measurements are held, and %d came twice, want 8 and 5", held.Measurements, held.Duplicates)
	}
}

// A replay of rejects, too, is an import that can be replayed, and one that was
// read in a way that was said on the command line.
func TestReplayRunOfRejects(t *testing.T) {
	m := newMigration(t, 9)
	m.does(exitRejects, "run", "-m", m.path("m.yaml"), m.path("a.csv"), "--format", "csv", "--max-record-bytes", "5000")
	run := m.last("run")
	mend(t, run.Rejects)
	m.does(exitOK, "replay", "rejects", run.State)
	m.moves("replay rejects", exitOK, 1)
	m.moves("run", exitRejects, 9)
	code, _, stderr := m.next.run("replay", "run", run.Import, "--org", otherOrg, "--max-record-bytes", "6000")
	if code != exitUsage || !strings.Contains(stderr, "how the sources are read, is not what it was") {
		t.Errorf("read in another way: exit code %d\n%s", code, stderr)
	}
}

func mend(t *testing.T, rejects string) {
	t.Helper()
	text, err := os.ReadFile(rejects)
	if err == nil {
		err = os.WriteFile(rejects, []byte(strings.ReplaceAll(string(text), `"n":"n/a"`, `"n":"1"`)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Rows that the platform refused were not delivered; when it is not known which
// those were, nothing is sent.
func TestReplayRunLeavesRefusedRowsOut(t *testing.T) {
	m := newMigration(t, 9)
	if err := m.p.AddFaults(sandbox.Fault{On: []string{"SubmitMeasurements"}, When: sandbox.When{Match: &sandbox.Match{Text: "acme-3"}}, Status: 400, Message: "no such thing"}); err != nil {
		t.Fatal(err)
	}
	uidOfRow := strings.Replace(guardMapping, "uid: {key: [id]}", "uid: {column: id}", 1)
	writeFiles(t, m.dir, map[string]string{"m.yaml": uidOfRow})
	m.does(exitRejects, "run", "-m", m.path("m.yaml"), m.path("a.csv"))
	run := m.last("run")
	if run.Rows.Rejected != 2 || run.Rows.Accepted != 7 {
		t.Fatalf("rows %+v, want one refused and one that cannot be mapped", run.Rows)
	}
	m.moves("run", exitRejects, 7) // what could not be mapped cannot be mapped now

	rejects, err := os.ReadFile(run.Rejects)
	if err != nil {
		t.Fatal(err)
	}
	cut := rejects[strings.Index(string(rejects), "\n")+1:]
	if err := os.WriteFile(run.Rejects, cut, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := m.next.run("replay", "run", run.Import, "--org", otherOrg)
	if code != exitUsage || !strings.Contains(stderr, "the platform refused 1, and "+run.Rejects+" names 0 of them") {
		t.Errorf("with rejects that are gone: exit code %d\n%s", code, stderr)
	}
}

// Of rows that share a uid the platform can have taken one and refused another:
// the one that it took is delivered, from replay to replay, and so it is where
// the refused one was read from a reject file.
func TestReplayRunOfRowsThatShareAUID(t *testing.T) {
	m := newMigration(t, 9)
	writeFiles(t, m.dir, map[string]string{"a.csv": endRows("acme", 9, true) + "acme-3,ghost,2026-01-01T00:00:00Z,1\nacme-8,ghost,2026-01-01T00:00:00Z,1\n"})
	ghost := sandbox.Fault{Name: "ghost", On: []string{"SubmitMeasurements"}, When: sandbox.When{Match: &sandbox.Match{Account: "ghost"}}, Status: 400, Message: "no such thing"}
	if err := m.p.AddFaults(ghost); err != nil {
		t.Fatal(err)
	}
	m.does(exitRejects, "run", "-m", m.path("m.yaml"), m.path("a.csv"))
	run := m.last("run")
	if run.Rows.Rejected != 3 || run.Rows.Accepted != 8 {
		t.Fatalf("rows %+v, want two refused and one that cannot be mapped", run.Rows)
	}
	m.moves("run", exitRejects, 8)
	again := m.last("replay run")
	if code, _, stderr := m.next.run("replay", "run", again.Import, "--same-organization"); code != exitRejects {
		t.Fatalf("a replay of the replay: exit code %d\n%s", code, stderr)
	}
	if held := m.next.p.Totals(); held.Measurements != 8 || held.Duplicates != 8 || held.Conflicts != 0 {
		t.Errorf("after a replay of the replay %d measurements are held, %d came twice, and %d as others, want 8, 8 and none", held.Measurements, held.Duplicates, held.Conflicts)
	}

	mend(t, run.Rejects) // of which the platform takes acme-8, and refuses both others again
	m.does(exitRejects, "replay", "rejects", run.State)
	if n := m.last("replay rejects").Rows; n.Rejected != 2 || n.Accepted != 1 {
		t.Fatalf("rows of the mended rejects %+v, want two refused again", n)
	}
	m.moves("replay rejects", exitOK, 9)
	if held := m.next.p.Totals(); held.Duplicates != 8 || held.Conflicts != 0 {
		t.Errorf("of the mended rejects %d came twice, and %d as others: a refused row was sent", held.Duplicates-8, held.Conflicts)
	}
}

// Rows of two reject files can have stood in the same place: then it does not
// tell which of them was refused, and nothing is sent.
func TestReplayRunOfRowsOfOnePlace(t *testing.T) {
	m := newMigration(t, 3)
	m.does(exitRejects, "run", "-m", m.path("m.yaml"), m.path("a.csv"))
	m.does(exitRejects, "run", "-m", m.path("m.yaml"), m.path("a.csv"), "--force")
	run := m.last("run")
	text, err := os.ReadFile(run.Rejects)
	if err == nil { // of one the amount is mended, of the other the account is not
		err = os.WriteFile(run.Rejects, []byte(strings.NewReplacer(`"n":"n/a"`, `"n":"1"`, `"who":"acme"`, `"who":"ghost"`).Replace(string(text))), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	others, err := filepath.Glob(filepath.Join(run.State, "imports", "*", "rejects.ndjson"))
	if err != nil || len(others) != 2 {
		t.Fatalf("reject files %q, %v", others, err)
	}
	for _, path := range others {
		if path != run.Rejects {
			mend(t, path)
		}
	}
	ghost := sandbox.Fault{On: []string{"SubmitMeasurements"}, When: sandbox.When{Match: &sandbox.Match{Account: "ghost"}}, Status: 400, Message: "no such thing"}
	if err := m.p.AddFaults(ghost); err != nil {
		t.Fatal(err)
	}
	m.does(exitRejects, "replay", "rejects", run.State)
	again := m.last("replay rejects")
	if again.Rows.Accepted != 1 || again.Rows.Rejected != 1 {
		t.Fatalf("rows of the rejects %+v, want one accepted and one refused", again.Rows)
	}
	code, _, stderr := m.next.run("replay", "run", again.Import, "--org", otherOrg)
	if code != exitUsage || !strings.Contains(stderr, "it is one of two rows that were read from byte ") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

// Rejects go where their import sent its rows, and nowhere else: taken by another
// endpoint or organization, they would not be missed where they belong.
func TestReplayRejectsGoWhereTheyBelong(t *testing.T) {
	m := newMigration(t, 9)
	other := newSession(t, newPlatform(t, sandbox.Config{})) // the same organization at another address
	other.env["XDG_STATE_HOME"] = m.env["XDG_STATE_HOME"]
	m.does(exitRejects, "run", "-m", m.path("m.yaml"), m.path("a.csv"))
	run := m.last("run")
	mend(t, run.Rejects)
	for _, c := range []struct {
		name string
		*session
		words []string
	}{
		{"endpoint", other, []string{"of an import to the endpoint " + m.p.url + ", and now it is " + other.p.url, "set M3TER_BASE_URL and M3TER_INGEST_URL", "m3import run -m " + m.path("m.yaml") + " --format ndjson --compression none " + run.Rejects}},
		{"organization", m.next, []string{"of an import to the organization ", "and now it is " + otherOrg, "set M3TER_ORG_ID"}},
	} {
		for _, flags := range [][]string{nil, {"--dry-run"}, {"--restart"}} {
			code, _, stderr := c.run(append([]string{"replay", "rejects", run.State}, flags...)...)
			if code != exitUsage || c.p.Totals().Measurements != 0 {
				t.Errorf("another %s, %v: exit code %d, %d measurements\n%s", c.name, flags, code, c.p.Totals().Measurements, stderr)
			}
			for _, w := range c.words {
				if !strings.Contains(stderr, w) {
					t.Errorf("another %s: it does not say %q\n%s", c.name, w, stderr)
				}
			}
		}
	}
	m.does(exitOK, "replay", "rejects", run.State)
	if n := m.p.Totals().Measurements; n != 9 {
		t.Errorf("%d measurements where they belong, want 9", n)
	}
}

// Where one state directory has rejects of two endpoints, nobody can say where
// both belong.
func TestReplayRejectsOfTwoEndpoints(t *testing.T) {
	m := newMigration(t, 9)
	other := newSession(t, newPlatform(t, sandbox.Config{}))
	for _, s := range []*session{m.session, other} {
		if code, _, stderr := s.run("run", "-m", m.path("m.yaml"), m.path("a.csv"), "--state", m.path("st")); code != exitRejects {
			t.Fatalf("exit code %d\n%s", code, stderr)
		}
	}
	code, _, stderr := other.run("replay", "rejects", m.path("st"))
	if code != exitUsage || !strings.Contains(stderr, "has rejects of several endpoints, "+m.p.url+" and "+other.p.url) {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

// The organization that has the rows already is known by its id, in either case, and
// by an address that holds it; another one is not it because it begins the same.
func TestReplayRunKnowsTheOrganization(t *testing.T) {
	m := newMigration(t, 9)
	m.does(exitRejects, "run", "-m", m.path("m.yaml"), m.path("a.csv"))
	run := m.last("run").Import
	id := m.env["M3TER_ORG_ID"]
	for _, org := range []string{id, strings.ToUpper(id), " " + id, "https://console.m3ter.com/organizations/" + strings.ToUpper(id) + "/usage"} {
		code, _, stderr := m.run("replay", "run", run, "--org", org)
		if code != exitUsage || !strings.Contains(stderr, "has the rows of import "+run+" already") || !strings.Contains(stderr, "add --same-organization") {
			t.Errorf("--org %q: exit code %d\n%s", org, code, stderr)
		}
	}
	if n := m.p.Totals(); n.Duplicates != 0 {
		t.Errorf("%d measurements came twice", n.Duplicates)
	}
	for named, same := range map[string]bool{"org": true, "ORG": true, "org-2": false, "my-org": false, "": false} {
		if sameOrganization(named, "org") != same {
			t.Errorf("%q is the organization org: %v", named, !same)
		}
	}
}

// What an unfinished import delivers is not known yet.
func TestReplayRunOfAnUnfinishedImport(t *testing.T) {
	m := newMigration(t, 9)
	m.does(exitBudget, "run", "-m", m.path("m.yaml"), m.path("a.csv"), "--max-errors", "0")
	id := m.last("run").Import
	code, _, stderr := m.next.run("replay", "run", id, "--org", otherOrg)
	if code != exitUsage || !strings.Contains(stderr, "is not finished, so what it delivers is not known") || !strings.Contains(stderr, "first  m3import run ") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}
