//go:build slow && unix

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/sandbox"
)

var update = flag.Bool("update", false, "write docs/outage-session.md anew")

const outagePage = "../../docs/outage-session.md"

// The session's platform: 240 seconds pass on its clock in each one of ours.
const outageScenario = `clock_start: 2026-01-31T22:00:00Z
clock_rate: 240
faults:
  - {name: distance, on: [SubmitMeasurements], delay: 120ms}
  - {name: revoked, on: [SubmitMeasurements], when: {from: 45, to: 45}, revoke: true}
  - name: closed account
    on: [SubmitMeasurements]
    when: {match: {account: blum-closed}}
    status: 400
    message: "measurements[{item}].account: the account is closed"
  - {name: outage, when: {after: 12m, for: 1h}, status: 503, message: Service Unavailable}
`

const outageMapping = `version: 1
meter:   {const: storage}
account: customer
ts:      time
uid:     {key: [event_id]}
measure: {gb: gigabytes}
`

// outageRows are how many rows the session imports, and which of them has the
// account that the platform does not like. Row n has n modulo 7 and a quarter
// gigabytes, which for all but that row is outageSum.
const (
	outageRows, outagePoison = 24_000, 2_718
	outageSum                = "77995.75"
)

// outageWorkers and outageBatch bound what its kill can send twice.
const outageWorkers, outageBatch = 4, 100

// TestOutageSession plays the session of docs/outage-session.md, in half a
// minute, and holds the page to it:
//
//	go test -tags slow -run OutageSession -v ./cmd/m3import
//	go test -tags slow -run OutageSession ./cmd/m3import -update    # writes the page anew
func TestOutageSession(t *testing.T) {
	s := newOutage(t)
	s.say(outageHead)
	s.show("head -3 usage.csv", "")
	s.show("wc -l usage.csv", "")
	s.show("cat mapping.yaml", "")
	s.say("The platform is a sandbox in another terminal, with a scenario of what goes wrong:")
	s.show("cat outage.yaml", "")
	s.serve()

	run := fmt.Sprintf("m3import run -m mapping.yaml --state state --batch-size %d --workers %d --retry-for 3750ms --progress-interval 1s usage.csv", outageBatch, outageWorkers)
	s.say("## A revoked token, a poison row, and the outage begins\n\n`--retry-for 3750ms` is a quarter of an hour on this clock, which is the default.")
	s.exits(exitTemporary, s.show(run, `; echo "exit code $?"`))
	s.say("The token was revoked on the way, and nobody had to know: m3import fetched another (`refreshes`). One request of a hundred rows was answered with 400; it was halved until the guilty row stood alone (`bisecting`), and the other 99 are in.")
	s.show(`grep -h -E '"(requests|bisecting|retries|refreshes)": [0-9]' state/imports/*/report.json`, "")
	s.show("m3import status --state state", "")
	s.say("## The same command again, too early\n\nA cron job would do just this. The platform is still down.")
	s.exits(exitTemporary, s.show(run, `; echo "exit code $?"`))
	s.say("## After the outage, and `kill -9`")
	s.show("sleep 12", "")
	s.exits(137, s.show(run+" & sleep 2; kill -9 $!; wait $!", `; echo "exit code $?"`))
	s.say("No clean stop, no last words. What was on its way when it died may have arrived or not: it will be sent again, under the same uids.")
	s.show("m3import status --state state", "")
	s.say("## The same command, to the end")
	s.exits(exitRejects, s.show(run, `; echo "exit code $?"`))
	s.show("cat state/imports/*/rejects.ndjson", "")
	s.say("And once more, because cron does:")
	s.exits(exitOK, s.show(run, `; echo "exit code $?"`))
	s.verdict()

	if *update {
		if err := os.WriteFile(outagePage, []byte(s.page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	was, err := os.ReadFile(outagePage)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := stable(s.page.String()), stable(string(was)); got != want {
		is, shown := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range min(len(is), len(shown)) {
			if is[i] != shown[i] {
				t.Errorf("the session has become\n%s\nand %s shows\n%s\nwrite it anew with -update", is[i], outagePage, shown[i])
				break
			}
		}
		if len(is) != len(shown) {
			t.Errorf("the session has %d lines, %s has %d", len(is), outagePage, len(shown))
		}
	}
}

const outageHead = `# An outage, survived

This is a terminal session: an import of 24,000 rows through a revoked token, a row that the platform refuses, an outage of an hour, and a ` + "`kill -9`" + `. Nothing in it was typed by hand. A test plays it, against the [sandbox](sandbox.md) on a clock that runs 240 times as fast, so that the hour takes 15 seconds; it writes this page, or holds what it sees against it:

` + "```text" + `
go test -tags slow -run OutageSession -v ./cmd/m3import        # half a minute
go test -tags slow -run OutageSession ./cmd/m3import -update   # writes this page
` + "```" + `

Only the folder, the port and the id of the import were replaced by others. How far an import has come at some moment, and how long it took, is another each time.

## The file
`

// outage is the session: a folder, a shell, and the page that shows it.
type outage struct {
	t    *testing.T
	dir  string
	env  []string
	url  string // of the platform
	page strings.Builder
}

func newOutage(t *testing.T) *outage {
	t.Helper()
	s := &outage{t: t, dir: t.TempDir()}
	var rows strings.Builder
	rows.WriteString("event_id,customer,time,gigabytes\n")
	for i := 1; i <= outageRows; i++ {
		account := "acme"
		if i == outagePoison {
			account = "blum-closed"
		}
		fmt.Fprintf(&rows, "e-%05d,%s,2026-01-31T%02d:%02d:%02dZ,%d.2500\n", i, account, i/3600, i/60%60, i%60, i%7)
	}
	for name, text := range map[string]string{"usage.csv": rows.String(), "mapping.yaml": outageMapping, "outage.yaml": outageScenario} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "m3import")); err != nil {
		t.Fatal(err)
	}
	s.env = append(environment(), "M3IMPORT_TEST_AS_PROGRAM=1", "PATH="+bin+":"+os.Getenv("PATH"), "XDG_STATE_HOME="+filepath.Join(s.dir, "xdg"))
	return s
}

func (s *outage) say(text string) {
	if s.page.Len() > 0 {
		s.page.WriteString("\n")
	}
	s.page.WriteString(strings.TrimRight(text, "\n") + "\n")
}

// show runs a command in a shell and puts it on the page with what it prints.
// quiet is the part of the command that a person would not type.
func (s *outage) show(command, quiet string) string {
	s.t.Helper()
	cmd := exec.Command("sh", "-c", command+quiet)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		s.t.Fatal(err)
	}
	s.t.Logf("$ %s\n%s", command, out)
	fmt.Fprintf(&s.page, "\n```text\n$ %s\n%s```\n", command, s.normal(string(out)))
	return string(out)
}

func (s *outage) exits(code int, out string) {
	s.t.Helper()
	if want := fmt.Sprintf("exit code %d\n", code); !strings.HasSuffix(out, want) {
		s.t.Errorf("it ends with %.80q, want %q", out[max(0, len(out)-80):], want)
	}
}

// serve starts the platform and takes over the variables that it prints.
func (s *outage) serve() {
	s.t.Helper()
	cmd := exec.Command("m3import", "sandbox", "--addr", "127.0.0.1:0", "--scenario", "outage.yaml")
	cmd.Path = filepath.Join(strings.SplitN(strings.TrimPrefix(s.env[len(s.env)-2], "PATH="), ":", 2)[0], "m3import")
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var printed strings.Builder
	lines := bufio.NewScanner(out)
	for range sandbox.New(sandbox.Config{}).Env("") {
		if !lines.Scan() {
			s.t.Fatalf("the sandbox has ended: %v\n%s", lines.Err(), printed.String())
		}
		printed.WriteString(lines.Text() + "\n")
		if variable, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			s.env = append(s.env, variable)
			if name, url, _ := strings.Cut(variable, "="); name == "M3TER_BASE_URL" {
				s.url = url
			}
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	fmt.Fprintf(&s.page, "\n```text\n$ m3import sandbox --scenario outage.yaml\n%s```\n", s.normal(printed.String()))
}

// verdict asks the platform what it holds, and looks at it row by row.
func (s *outage) verdict() {
	s.t.Helper()
	get := func(path string) *http.Response {
		answer, err := http.Get(s.url + path)
		if err != nil || answer.StatusCode != http.StatusOK {
			s.t.Fatalf("%s: %v, %v", path, answer, err)
		}
		return answer
	}
	answer := get("/_sandbox/totals")
	defer answer.Body.Close()
	var held sandbox.Totals
	if err := json.NewDecoder(answer.Body).Decode(&held); err != nil {
		s.t.Fatal(err)
	}
	answer = get("/_sandbox/measurements")
	defer answer.Body.Close()
	times := make(map[string]int)
	for dec := json.NewDecoder(answer.Body); dec.More(); {
		var m struct{ UID, Account string }
		if err := dec.Decode(&m); err != nil {
			s.t.Fatal(err)
		}
		if times[m.UID]++; m.Account != "acme" {
			s.t.Errorf("the platform holds a measurement of %s", m.Account)
		}
	}
	sum := held.Sum("storage", "measure.gb")
	if len(times) != outageRows-1 || held.Measurements != outageRows-1 || held.Conflicts != 0 || sum != outageSum {
		s.t.Errorf("the platform holds %d measurements with %d uids, %d in conflict, %s GB; want %d with %s GB", held.Measurements, len(times), held.Conflicts, sum, outageRows-1, outageSum)
	}
	if window := windowOf(outageWorkers, outageBatch); held.Duplicates > window {
		s.t.Errorf("%d measurements came twice; the window holds %d", held.Duplicates, window)
	}
	state, err := checkpoint.Peek(filepath.Join(s.dir, "state"))
	if err != nil || !state.Mark.Finished || state.Mark.Counts.Rejected != 1 {
		s.t.Errorf("the state says %+v, %v", state.Mark.Counts, err)
	}
	s.say(fmt.Sprintf("## What the platform holds\n\n`GET /_sandbox/totals`: **%s measurements, each once; %s GB.** %s came a second time after the `kill -9`, under the uids that they had, and were counted once. The one bad row is in the reject file.",
		grouped(held.Measurements), sum, plural(held.Duplicates, "measurement")))
}

// normal replaces what depends on the machine.
func (s *outage) normal(text string) string {
	text = strings.ReplaceAll(text, s.dir, "/home/ada/import")
	text = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(text, "127.0.0.1:8137")
	text = regexp.MustCompile(`\d{8}T\d{6}Z-[0-9a-f]{6}`).ReplaceAllString(text, "20260131T220012Z-4f2a1c")
	text = regexp.MustCompile(`(?m)^(sh: .*|Killed)\n`).ReplaceAllString(text, "")
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text
}

// stable is what of the page is the same each time: neither how far an import
// has come at some moment, nor how long it took.
func stable(page string) string {
	page = regexp.MustCompile(`(?m)^m3import: .* rows/s.*\n`).ReplaceAllString(page, "")
	page = regexp.MustCompile(`(?m)^(  this run|  table|     \{|  import    ).*`).ReplaceAllString(page, "$1 …")
	page = regexp.MustCompile(`(?s)gave up after .*? of retries`).ReplaceAllString(page, "gave up")
	// How many measurements are in doubt is no matter of time: it is the window.
	page = regexp.MustCompile(`up to [\d,]+ measurements|\d[\d,.]*`).ReplaceAllStringFunc(page, func(number string) string {
		if strings.HasPrefix(number, "up to") {
			return number
		}
		return "#"
	})
	page = regexp.MustCompile(`# (measurement|row|retr|request|failure)(s|ies|y)?\b`).ReplaceAllString(page, "# $1")
	return regexp.MustCompile(` +`).ReplaceAllString(page, " ")
}
