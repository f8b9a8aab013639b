package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

// report is the account of an import: report.json, and what is printed.
type report struct {
	MessageType string             `json:"message_type"` // "report"
	Import      string             `json:"import"`
	Version     string             `json:"m3import_version"`
	UIDVersion  int                `json:"uid_version"`
	Org         string             `json:"organization"`
	Endpoint    string             `json:"endpoint"`
	Mapping     string             `json:"mapping,omitempty"`
	MappingHash string             `json:"mapping_hash"`
	Command     []string           `json:"command"`
	Started     time.Time          `json:"started"` // of this run
	Ended       time.Time          `json:"ended"`
	Seconds     float64            `json:"seconds"`
	Runs        int                `json:"runs"`     // that worked on this import so far
	Finished    bool               `json:"finished"` // the whole input is settled
	ExitCode    int                `json:"exit_code"`
	Error       string             `json:"error,omitempty"`
	Rows        checkpoint.Counts  `json:"rows"` // of the whole import
	ThisRun     int64              `json:"rows_this_run"`
	Sources     []sourceReport     `json:"sources"`
	Skipped     int                `json:"sources_imported_before"`
	Rejects     map[string]int64   `json:"rejects_by_code"`
	RejectsFile string             `json:"rejects_file,omitempty"`
	Totals      []checkpoint.Total `json:"totals"`
	Requests    uploader.Stats     `json:"requests"`              // of this run
	Warnings    []string           `json:"warnings,omitempty"`    // about sources that were read to their end in this run
	Notes       []string           `json:"notes,omitempty"`       // about sources that were read to their end in this run and hold nothing
	Pacing      string             `json:"pacing_note,omitempty"` // why less was sent at the end than the rate limit allows
	State       string             `json:"state"`
	runTime     time.Duration
	doubt       string // of the mark
	unread      error  // why Sources are not all
}

// nothingReport is what `run --json` prints in the place of a report when
// nothing was imported: the members of a report that there is something to say
// in, under their names.
type nothingReport struct {
	MessageType string             `json:"message_type"`  // "report"
	Nothing     bool               `json:"nothing_to_do"` // true
	ExitCode    int                `json:"exit_code"`
	Error       string             `json:"error,omitempty"`
	Rows        checkpoint.Counts  `json:"rows"`
	ThisRun     int64              `json:"rows_this_run"`
	Sources     []sourceReport     `json:"sources"`
	Rejects     map[string]int64   `json:"rejects_by_code"`
	Totals      []checkpoint.Total `json:"totals"`
	State       string             `json:"state,omitempty"`
}

// reportNothing prints that nothing was to do, where a report was asked for as
// JSON: a program reads an object then, whatever there was to import. Other
// errors than rejects say what was to do.
func (a *app) reportNothing(ctx context.Context, f *runFlags, state string, err error) error {
	if !f.json || a.quiet || err != nil && !errors.Is(err, errRejects) {
		return err
	}
	rep := nothingReport{MessageType: "report", Nothing: true, ExitCode: exitCode(ctx, err), State: state,
		Sources: []sourceReport{}, Rejects: map[string]int64{}, Totals: []checkpoint.Total{}}
	if err != nil {
		rep.Error = err.Error()
	}
	text, e := json.MarshalIndent(rep, "", "  ")
	if e == nil {
		_, e = a.stdout.Write(append(text, '\n'))
	}
	if readerGone(a.stdout, e) {
		e = nil
	}
	return errors.Join(err, e)
}

// sourceReport is what one source came to.
type sourceReport struct {
	Path string `json:"source"`
	checkpoint.Counts
	Done bool `json:"done"`
}

func newReport(plan checkpoint.Plan, mark checkpoint.Mark, before checkpoint.Counts, stats uploader.Stats, start, end time.Time, j *checkpoint.Journal) *report {
	took := elapsed(start, end)
	r := &report{
		MessageType: "report", Import: plan.ID, Version: version(), UIDVersion: plan.UIDVersion,
		Org: plan.OrgID, Endpoint: plan.Endpoint, Mapping: plan.MappingFile, MappingHash: plan.MappingHash,
		Command: plan.Command, Started: start.UTC(), Ended: end.UTC(), Seconds: took.Seconds(),
		Runs: mark.Runs, Finished: mark.Position.Source >= len(plan.Sources),
		Rows: mark.Counts, ThisRun: mark.Counts.Read - before.Read,
		Skipped: plan.Skipped, Rejects: mark.RejectCodes, RejectsFile: j.RejectsPath(),
		Totals: mark.Totals, Requests: stats, State: j.Dir(), runTime: took, doubt: mark.Doubt,
	}
	r.Sources, r.unread = sourceReports(plan, mark, j)
	if mark.Counts.Rejected == 0 {
		r.RejectsFile = ""
	}
	return r
}

// sourceReports are the sources that were begun, from the lines that finished
// ones left and the mark; with an error they are not all.
func sourceReports(plan checkpoint.Plan, mark checkpoint.Mark, j *checkpoint.Journal) ([]sourceReport, error) {
	var list []sourceReport
	for line, err := range j.SourceLines() {
		if err != nil {
			return list, err
		}
		list = append(list, sourceReport{Path: line.Path, Counts: line.Counts, Done: true})
	}
	if i := mark.Position.Source; i < len(plan.Sources) && mark.Current.Read > 0 {
		list = append(list, sourceReport{Path: plan.Sources[i].Path, Counts: mark.Current})
	}
	return list, nil
}

// proof holds the counts against what others counted: the fates against the
// rows, the client's own account of what the platform took against what was
// committed, the reject file's reasons against the rejects, and the sources
// against the whole. It returns what does not agree, or ""; what did not agree
// in an earlier run of the import never does.
func (r *report) proof(before checkpoint.Counts, calm bool) string {
	n := r.Rows
	var codes, read int64
	for _, count := range r.Rejects {
		codes += count
	}
	for _, s := range r.Sources {
		read += s.Read
	}
	taken, committed := r.Requests.Measurements, n.Measurements-before.Measurements
	switch {
	case r.doubt != "":
		return r.doubt
	case !n.Sums():
		return fmt.Sprintf("read %d, accepted %d, rejected %d, filtered %d", n.Read, n.Accepted, n.Rejected, n.Filtered)
	case codes != n.Rejected:
		return fmt.Sprintf("%d rows are rejected, %d reasons are counted", n.Rejected, codes)
	case r.unread == nil && (read < n.Read || calm && read != n.Read):
		// More are none of its business after a commit that failed half way.
		return fmt.Sprintf("%d rows are read, the sources add up to %d", n.Read, read)
	case taken < committed || calm && taken != committed:
		return fmt.Sprintf("the platform took %d measurements in this run, %d are counted", taken, committed)
	}
	return ""
}

// JSON is the report as it stands in report.json, with a line end.
func (r *report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	return append(b, '\n'), err
}

// print writes the account that a person reads at the end of a run.
func (r *report) print(w io.Writer) error {
	p := &printer{w: w}
	head := "import " + r.Import
	switch {
	case !r.Finished:
		head += ", not finished"
	case r.Runs > 1:
		head += fmt.Sprintf(", finished in %d runs", r.Runs)
	}
	p.linef("%s\n", head)

	p.linef("  rows read     %12s", grouped(r.Rows.Read))
	p.linef("  accepted      %12s   %s", grouped(r.Rows.Accepted), plural(r.Rows.Measurements, "measurement"))
	p.linef("  rejected      %12s%s", grouped(r.Rows.Rejected), before("   ", r.RejectsFile))
	p.linef("  filtered out  %12s", grouped(r.Rows.Filtered))
	p.line()
	p.sources(r.Sources, r.Skipped)
	p.rejects(r.Rejects)
	p.totals(r.Totals)
	if len(r.Totals) > 0 {
		p.linef("  note: totals are of what was sent; the platform keeps the first measurement of a uid only (m3import check finds uids that repeat)")
	}
	p.remarks(r.Rows)
	p.notes(r.Notes)
	p.warnings(r.Warnings)
	if r.Pacing != "" {
		p.linef("  note: %s", r.Pacing)
	}
	s := r.Requests
	took := "less than a second" // out of which a rate would say nothing
	if r.runTime >= time.Second {
		took = fmt.Sprintf("%s (%s rows/s)", durationText(r.runTime), grouped(int64(float64(r.ThisRun)/r.runTime.Seconds())))
	}
	p.linef("  this run: %s in %s, %s%s, %s, %s",
		plural(r.ThisRun, "row"), took,
		plural(s.Requests, "request"), searching(s), plural(s.Retries, "retry"), bytesText(s.BytesSent))
	return p.err
}

// searching is how many of the requests were made only to find what the
// platform had refused.
func searching(s uploader.Stats) string {
	if s.Bisecting == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s to find what was refused: %s)", grouped(s.Bisecting), plural(s.Refused, "measurement"))
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	all string // what has all of a list that is too long to print; "": report.json
	err error
}

func (p *printer) linef(format string, args ...any) {
	if _, err := fmt.Fprintf(p.w, format+"\n", args...); p.err == nil {
		p.err = err
	}
}

func (p *printer) line() { p.linef("") }

// maxListed is how many sources or totals are printed.
const maxListed = 20

func (p *printer) sources(list []sourceReport, skipped int) {
	if len(list) > 1 {
		var rows [][]string
		prefix := commonFolder(list)
		for _, s := range list[:min(len(list), maxListed)] {
			rows = append(rows, []string{strings.TrimPrefix(s.Path, prefix), grouped(s.Read), grouped(s.Accepted), grouped(s.Rejected), grouped(s.Filtered)})
		}
		table(p.w, "  ", []column{{"source", false}, {"read", true}, {"accepted", true}, {"rejected", true}, {"filtered", true}}, rows)
		p.more(len(list), "source")
	}
	if skipped > 0 {
		p.linef("  %s imported before, not sent again\n", plural(int64(skipped), "source"))
	}
}

// commonFolder is the folder that all sources are in, with its last separator.
func commonFolder(list []sourceReport) string {
	folder := filepath.Dir(list[0].Path) + string(filepath.Separator)
	for _, s := range list {
		for !strings.HasPrefix(s.Path, folder) {
			up := strings.TrimSuffix(folder, filepath.Base(folder)+string(filepath.Separator))
			if up == folder {
				return "" // they have no root in common
			}
			folder = up
		}
	}
	return folder
}

// more says how much of a list was not printed, and ends the table.
func (p *printer) more(n int, noun string) {
	if n > maxListed {
		p.linef("  … and %s more: %s", plural(int64(n-maxListed), noun), cmp.Or(p.all, "report.json has all of them"))
	}
	p.line()
}

// byCount are the codes, the most frequent one first.
func byCount(codes map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(codes), func(a, b string) int {
		return cmp.Or(cmp.Compare(codes[b], codes[a]), cmp.Compare(a, b))
	})
}

func (p *printer) rejects(codes map[string]int64) {
	if len(codes) == 0 {
		return
	}
	var rows [][]string
	for _, code := range byCount(codes) {
		rows = append(rows, []string{code, grouped(codes[code])})
	}
	table(p.w, "  ", []column{{"rejected for", false}, {"rows", true}}, rows)
	p.line()
}

func (p *printer) totals(totals []checkpoint.Total) {
	if len(totals) == 0 {
		return
	}
	var rows [][]string
	for _, t := range totals[:min(len(totals), maxListed)] {
		rows = append(rows, []string{t.Meter, t.Category + "." + t.Field, t.Sum, grouped(t.Count)})
	}
	table(p.w, "  ", []column{{"meter", false}, {"field", false}, {"exact sum", true}, {"values", true}}, rows)
	p.more(len(totals), "total")
}

// noAmount is said of measurements that have none: perhaps a column is empty
// that should not be.
const noAmount = "without any amount (measure, cost or income): perhaps a column is empty; docs/mapping.md says how to leave them out"

// remarks are what a person should know about rows that were accepted.
func (p *printer) remarks(n checkpoint.Counts) {
	for _, m := range []struct {
		n          int64
		noun, text string
	}{
		{n.TimesTruncated, "time", "cut to the precision of the mapping (milliseconds unless it says another, which is what the platform keeps)"},
		{n.NumbersInexact, "number", "with digits that a double cannot hold: sent whole, the platform will round"},
		{n.TimesAncient, "time", "before the year 2000: is the format of ts right?"},
		{n.TimesFuture, "time", "in the future: m3ter is documented to refuse those"},
		{n.WithoutAmount, "measurement", noAmount},
	} {
		if m.n > 0 {
			p.linef("  note: %s %s", plural(m.n, m.noun), m.text)
		}
	}
}
