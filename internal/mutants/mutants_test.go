package mutants

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a defect: in file, each old text stands once and becomes the new.
type mutant struct {
	name  string // what goes wrong, as docs/testing.md has it
	file  string
	edits []edit
	pkg   string // of the tests that find it
	run   string // their -run
}

type edit struct{ old, new string }

var mutants = []mutant{
	{"drop a row", "pipeline/pack.go", []edit{{
		"if err := p.cur.batch.AddJoined(e.out.JSON[p.done.json:end.json-len(\",\")], p.ends); err != nil {",
		"joined := e.out.JSON[p.done.json : end.json-len(\",\")]\n\tif n := len(p.ends); n > 3 {\n\t\tjoined, p.ends = joined[:p.ends[n-2]], p.ends[:n-1]\n\t}\n" +
			"\tif err := p.cur.batch.AddJoined(joined, p.ends); err != nil {",
	}}, "./pipeline", "TestSameWhateverTheSizes"},
	{"count a row twice", "pipeline/pack.go", []edit{{
		"counts.Accepted++", "counts.Accepted += 1 + int64(p.at.Record%100/99)",
	}}, "./cmd/m3import", "TestSamples"},
	{"commit before the answer", "pipeline/import.go", []edit{{
		"refusals, err = im.Submit.Submit(flying, p.batch)",
		"sent := new(uploader.Batch)\n\t\tfor i := range p.batch.Len() {\n\t\t\t_ = sent.Add(p.batch.Item(i))\n\t\t}\n\t\tgo im.Submit.Submit(flying, sent)",
	}}, "./pipeline", "TestPlatformFails|TestStopAndGoOn"},
	{"commit although the answer is an error", "pipeline/commit.go", []edit{{
		"if why = p.err; why != nil {", "if why = p.err; why != nil && p.batch.Len() == 0 {",
	}}, "./pipeline", "TestPlatformFails"},
	{"fill a body again that is in the air", "pipeline/import.go", []edit{{
		"refusals, err = im.Submit.Submit(flying, p.batch)",
		"im.batches.Put(p.batch)\n\t\trefusals, err = im.Submit.Submit(flying, p.batch)",
	}}, "./pipeline", "TestSameWhateverTheSizes|TestPlatformFails"},
	{"settle out of order", "pipeline/ordered.go", []edit{
		{"jobs := make(chan job)\n", "jobs := make(chan job)\n\tshared := make(chan Out, window+n)\n"},
		{"promise := promises.Get().(chan Out)\n", "promise := shared\n"},
	}, "./pipeline", "TestOrderedKeepsOrderAndWindow"},
	{"leave more in the air than the window", "pipeline/import.go", []edit{{
		"im.slots = make(chan struct{}, im.Window)", "im.slots = make(chan struct{}, im.Window+8)",
	}}, "./pipeline", "TestWindowBoundsACrash"},
	{"forget the last batch", "pipeline/pack.go", []edit{{
		"if len(p.cur.stays) > 0 {\n\t\tp.hand()", "if len(p.cur.stays) > 1 {\n\t\tp.hand()",
	}}, "./pipeline", "TestSameWhateverTheSizes"},
	{"merge totals twice", "pipeline/ledger.go", []edit{{
		"have.sum.Merge(&t.sum)\n", "have.sum.Merge(&t.sum)\n\tif have.count > 0 {\n\t\thave.sum.Merge(&t.sum)\n\t}\n",
	}}, "./pipeline", "TestSameWhateverTheSizes"},
	{"skip a reject", "pipeline/commit.go", []edit{{
		"c.im.Journal.Reject(c.line)\n", "if i != 1 {\n\t\t\tc.im.Journal.Reject(c.line)\n\t\t}\n",
	}}, "./pipeline", "TestSameWhateverTheSizes"},
	{"write a reject twice after a crash", "checkpoint/tail.go", []edit{{
		"if info.Size() > vouched {", "if vouched = info.Size(); false {",
	}}, "./checkpoint", "TestCrashAtAnyMoment"},
	{"write the mark before the rejects are durable", "checkpoint/tail.go", []edit{{
		"t.err = t.file.Sync()\n", "",
	}}, "./checkpoint", "TestCrashAtAnyMoment"},
	{"rename a mark that is not durable", "checkpoint/fs.go", []edit{{
		"err = f.Sync()", "err = nil",
	}}, "./checkpoint", "TestCrashAtAnyMoment"},
	{"ignore the lock", "checkpoint/fs.go", []edit{{
		"return nil, ErrHeld", "return l, nil",
	}}, "./checkpoint", "TestFiftyProcessesOneOpens"},
	{"ignore a refused measurement", "pipeline/import.go", []edit{{
		"case err == nil && len(refusals) > 0:", "case err == nil && len(refusals) > 1:",
	}}, "./pipeline", "TestRefusedRowsAreRejects"},
	{"refuse a measurement that never stood alone", "uploader/bisect.go", []edit{{
		"case ok || err != nil || s.len() == 1:", "case ok || err != nil || s.len() <= 2:",
	}}, "./uploader", "TestOneGuilty"},
	{"retry with other bytes", "uploader/client.go", []edit{{
		"c.count.retries.Add(1)\n\t}\n}", "c.count.retries.Add(1)\n\t\tif n := len(what.body); n > 2 {\n\t\t\twhat.body = append(append([]byte(nil), what.body[:n-2]...), \" ]}\"...)\n\t\t}\n\t}\n}",
	}}, "./uploader", "TestSubmitRetries"},
	{"take any 200 for accepted", "uploader/client.go", []edit{{
		`accepted = value == "accepted"`, `accepted = true`,
	}}, "./uploader", "TestSubmitRetries"},
	{"take an answer to half a request for accepted", "uploader/transport.go", []edit{{
		"x.hasty = !w.sent(len(body))", "x.hasty = false",
	}}, "./uploader", "TestAcceptedBeforeItWasRead"},
	{"wait for an outage when told to stop", "pipeline/flights.go", []edit{{
		"case !one.paused || one.landed:", "case true:",
	}}, "./pipeline", "TestStopInAnOutage"},
	{"call a stop clean that gave something up", "pipeline/commit.go", []edit{{
		"c.im.flights.uncertain(); any {", "c.im.flights.uncertain(); any && false {",
	}}, "./pipeline", "TestStopInAnOutage"},
	{"take a part of a row for all of it", "pipeline/cutoff.go", []edit{{
		"if !c.found && c.next <= c.settled {", "if !c.found && from < c.settled {",
	}}, "./pipeline", "TestPartOfABatchIsSettled"},
	{"go on taking apart after a stop", "uploader/bisect.go", []edit{{
		"d.departure.Pausing() // a stop", "_ = 0 // a stop",
	}}, "./pipeline", "TestStopWhileTakenApart"},
	{"call an answer that is missing a refusal", "uploader/client.go", []edit{{
		"case !v.untaken:", "case !v.untaken && v.do != retry:",
	}}, "./pipeline", "TestUncertainOnlyWhatMayBe"},
	{"send on behind the reject that is one too many", "pipeline/pack.go", []edit{{
		"if err := p.im.tooMany(p.known); err != nil {", "if err := p.im.tooMany(p.known); err != nil && p.at.Record < 0 {",
	}}, "./pipeline", "TestTooManyRejectsSendsNothingBehind"},
	{"write rejects where nobody finds them", "checkpoint/rejects.go", []edit{{
		"t.sum, t.watch = sum, j.watchRejects", "t.sum, t.watch = sum, nil",
	}}, "./cmd/m3import", "TestRejectsEditedWhileTheRunIsAtWork"},
	{"end with what was left, and not go on to what came since", "cmd/m3import/runner.go", []edit{{
		"if r.job.kind == rejectsKind {\n\t\t\treturn result", "if r.f.force || r.job.kind != \"\" {\n\t\t\treturn result",
	}}, "./cmd/m3import", "TestForceAndSliceGoOnToWhatCameSince"},
	{"replay rejects to wherever the environment says", "cmd/m3import/replay.go", []edit{{
		"case cfg.IngestURL != of.Endpoint:", "case false:",
	}}, "./cmd/m3import", "TestReplayRejectsGoWhereTheyBelong"},
	{"forget the tail of a packed body", "uploader/batch.go", []edit{{
		"return b.body[:len(b.body):len(b.body)]",
		"if n := len(b.ends); n == b.limits.Items && n > 1 {\n\t\treturn append(b.body[:b.ends[n-2]:b.ends[n-2]], tail...)\n\t}\n\treturn b.body[:len(b.body):len(b.body)]",
	}}, "./uploader", "TestBatchIsTheBodyOfItsItems"},
	{"uid from a position within the chunk", "reader/text.go", []edit{{
		"t.pos = Pos{start.Offset + n, start.Line + lines}\n", "t.pos = Pos{start.Offset + n, start.Line + lines}\n\tstart.Offset = t.first.Offset\n",
	}}, "./pipeline", "TestSameWhateverTheSizes"},
	{"lose the last record, which has no line end", "reader/text.go", []edit{{
		"final := ended && t.err == io.EOF\n", "final := ended && t.err == errNoRecord\n",
	}}, "./reader", "TestNDJSONSource"},
	{"send on from a source that has changed", "pipeline/cut.go", []edit{{
		"if info.Size() != src.Size || !info.ModTime().Equal(src.Modified) {", "if false {",
	}}, "./cmd/m3import", "TestSourceChangesWhileRead"},
	{"exit 0 although the counts do not agree", "cmd/m3import/report.go", []edit{{
		"case taken < committed || calm && taken != committed:", "case taken < committed && calm:",
	}}, "./cmd/m3import", "TestLiesAreFoundOut"},
}

// mutate returns the file with the defect.
func (m *mutant) mutate() (path, text string, err error) {
	if path, err = filepath.Abs(filepath.Join("../..", m.file)); err != nil {
		return "", "", err
	}
	b, err := os.ReadFile(path)
	text = string(b)
	for _, e := range m.edits {
		if n := strings.Count(text, e.old); n != 1 && err == nil {
			err = fmt.Errorf("%s: %q stands there %d times, and must be once: say anew how to make this defect", m.file, e.old, n)
		}
		text = strings.Replace(text, e.old, e.new, 1)
	}
	return path, text, err
}

// Each defect can be made, and is in the list that people read.
func TestMutantsApply(t *testing.T) {
	page, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		if _, _, err := m.mutate(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if row := m.row(); !strings.Contains(string(page), row) {
			t.Errorf("docs/testing.md lacks the line\n%s", row)
		}
	}
}

// row is the mutant in the table of docs/testing.md.
func (m *mutant) row() string {
	tests := "`" + strings.ReplaceAll(m.run, "|", "`, `") + "`"
	return fmt.Sprintf("| %s | `%s` | %s in `%s` |\n", m.name, m.file, tests, strings.TrimPrefix(m.pkg, "./"))
}
