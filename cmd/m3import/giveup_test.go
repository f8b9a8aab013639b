package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// halfReplayed is a person whose import of four rows, two of them bad, is
// finished, and whose replay of the mended rejects is not: one went in.
func halfReplayed(t *testing.T) (m *migration, run []string, state string) {
	t.Helper()
	m = newMigration(t, 2)
	text := endRows("acme", 4, true)
	writeFiles(t, m.dir, map[string]string{"a.csv": strings.Replace(text, "Z,1\n", "Z,n/a\n", 1)})
	run = []string{"run", "-m", m.path("m.yaml"), m.path("a.csv")}
	m.does(exitRejects, run...)
	last := m.last("run")
	rejects, err := os.ReadFile(last.Rejects)
	if err == nil {
		err = os.WriteFile(last.Rejects, []byte(strings.Replace(string(rejects), `"n":"n/a"`, `"n":"1"`, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.does(exitBudget, "replay", "rejects", last.State, "--max-errors", "0")
	return m, run, last.State
}

// says runs a command that must end with the code, and say all the words.
func (m *migration) says(code int, words []string, args ...string) (stderr string) {
	m.t.Helper()
	got, stdout, stderr := m.run(args...)
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			got = -1
		}
	}
	if got != code {
		m.t.Fatalf("%v: it should end with %d and say %q:\n%s%s", args, code, words, stdout, stderr)
	}
	return stderr
}

// --restart beside an unfinished replay says what it gives up, and frees the
// way: the rejects can be replayed again, and the source is as imported as it was.
func TestRestartGivesAReplayUp(t *testing.T) {
	m, run, state := halfReplayed(t)
	m.says(exitUsage, []string{"it is another one (replay rejects)", "to finish it first:  m3import replay rejects"}, run...)
	left := fmt.Sprintf("1 of the 2 rejects that it was to send are not sent; they are in %s%cimports", state, filepath.Separator)
	m.says(exitOK, []string{"gives import ", "(replay rejects, stopped at ", ": 2 rows settled, 1 accepted, 1 rejected", left,
		"to send them:  m3import replay rejects " + state}, append(run, "--restart")...)
	m.says(exitOK, []string{"nothing to do"}, run...)
	if out := m.does(exitOK, "status"); strings.Contains(out, "unfinished") || strings.Contains(out, "go on") {
		t.Errorf("something is unfinished still:\n%s", out)
	}
	if m.last("replay rejects").Phase != "given up" {
		t.Errorf("the history says %+v", m.last("replay rejects"))
	}
	mend(t, m.last("run").Rejects)
	m.does(exitOK, "replay", "rejects", state)
	if held := m.p.Totals().Measurements; held != 4 {
		t.Errorf("%d measurements are held, want 4", held)
	}
}

// Where a new import takes the place of the replay, too: the rejects that were
// not sent are told with the command that sends them.
func TestRestartTellsOfRejectsNotSent(t *testing.T) {
	m, run, _ := halfReplayed(t)
	rejects := m.last("run").Rejects
	writeFiles(t, m.dir, map[string]string{"a.csv": endRows("acme", 4, true)}) // the first bad row was mended there
	stderr := m.says(exitRejects, []string{"1 of the 2 rejects that it was to send are not sent; they are in " + rejects}, append(run, "--restart")...)
	_, command, _ := strings.Cut(stderr, "to send them:  m3import ")
	command, _, _ = strings.Cut(command, "\n")
	mend(t, rejects)
	m.does(exitRejects, strings.Fields(command)...) // the bad row of the new import is open, too
	if held := m.p.Totals().Measurements; held != 4 {
		t.Errorf("%d measurements are held, want 4", held)
	}
}

// An import of sources that are no more there can be given up, too.
func TestRestartWithoutItsSources(t *testing.T) {
	m := newMigration(t, 3)
	glob := []string{"run", "-m", m.path("m.yaml"), m.path("*.csv")}
	m.does(exitRejects, glob...)
	if err := m.p.AddFaults(sandbox.Fault{Name: "shut", On: []string{"SubmitMeasurements"}, Status: 404}); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, m.dir, map[string]string{"b.csv": endRows("blum", 3, false)})
	m.does(exitFatal, glob...)
	m.p.RemoveFaults("shut")
	if err := os.Remove(m.path("b.csv")); err != nil {
		t.Fatal(err)
	}
	m.says(exitUsage, []string{"b.csv: no such file", "add --restart"}, glob...)
	m.says(exitOK, []string{"gives import ", ": 0 rows settled", "nothing else to do: 1 source"}, append(glob, "--restart")...)
	m.says(exitOK, []string{"nothing to do"}, glob...)
}

// Rejects that are mended before their import is finished are mended: the rest
// of the import leaves them alone, and a replay sends them.
func TestRejectsMendedTooEarly(t *testing.T) {
	m := newMigration(t, 9)
	bad := strings.Replace(endRows("acme", 9, true), "Z,1\n", "Z,n/a\n", 1)
	writeFiles(t, m.dir, map[string]string{"a.csv": bad})
	run := []string{"run", "-m", m.path("m.yaml"), "--batch-size", "2", "--chunk-bytes", "60", m.path("a.csv")}
	m.does(exitBudget, append(run, "--max-errors", "0")...)
	last := m.last("run")
	if last.Rows.Rejected != 1 {
		t.Fatalf("it stopped with %+v, want one reject", last.Rows)
	}
	text, err := os.ReadFile(last.Rejects)
	if err == nil {
		err = os.WriteFile(last.Rejects, []byte(strings.Replace(string(text), `"n":"n/a"`, `"n":"1234567"`, 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	m.says(exitRejects, []string{"the reject file was edited since it was written: it is kept as it is", "resuming import "}, run...)
	m.does(exitRejects, "replay", "rejects", last.State)
	if held := m.p.Totals(); held.Measurements != 8 || held.Sum("api", "measure.n") != "1234574" {
		t.Errorf("%d measurements are held, in all %s, want 8 and 1234574", held.Measurements, held.Sum("api", "measure.n"))
	}

	// Where a line is gone, nobody can tell which: it is not gone on.
	m.does(exitBudget, append(run, "--max-errors", "0", "--force")...)
	rejects := m.last("run").Rejects
	if err := os.WriteFile(rejects, []byte("{}\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.says(exitUsage, []string{rejects, "rejects written: 1, lines now: 2", "m3import state repair "}, run...)
}
