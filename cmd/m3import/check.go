package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/uploader"
)

type checkFlags struct {
	inputFlags
	online     bool
	retryFor   time.Duration
	json       bool
	rateLimit  string
	batchSize  int
	batchBytes int
	selection  *pipeline.Selection
	slice      bool
	state      string       // these are of a run --dry-run
	foresee    func() error // what the real command would come to; nil: there is none
	same       bool
	force      bool
}

func (a *app) checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check [-m mapping.yaml] SOURCE…",
		Short: "Do everything but send, over every row",
		Long: `Read and map every row of the sources, send nothing, and tell what an import
would do: how many rows are good, rejected and filtered, and why; the exact
total of each meter and field; uids that repeat over the whole input, which the
platform would ignore without a word; how many requests it takes and how long
they take at the platform's limits. "m3import run --dry-run" is the same.

Uids that repeat with other content end it with exit code 3, as rejects do: what
they hold would never be billed.

With --online it first proves the credentials and the organization, by a token
and a look at the organization's configuration; then sources may be left out.

` + exitCodeHelp,
		Example: `  m3import check -m mapping.yaml 'usage/**/*.csv'
  m3import check --online`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !f.online {
				return coded(exitUsage, errors.New("no source given"), "name files, globs or directories; or --online to check the credentials only")
			}
			return a.check(cmd.Context(), &f, args)
		},
	}
	flags := cmd.Flags()
	f.register(flags)
	flags.BoolVar(&f.online, "online", false, "prove credentials and organization first")
	flags.DurationVar(&f.retryFor, "retry-for", 30*time.Second, "how long --online tries on when nothing gets through, before exit 5")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	addRateLimit(flags, &f.rateLimit, "requests in rolling windows (several, or several times: all hold), or none: for the time it would take")
	flags.IntVar(&f.batchSize, "batch-size", uploader.MaxItems, "most measurements in a request")
	flags.IntVar(&f.batchBytes, "batch-bytes", uploader.MaxBytes, "most bytes in a request body")
	return cmd
}

func (a *app) check(ctx context.Context, f *checkFlags, args []string) error {
	if f.online {
		if err := a.checkOnline(ctx, f, len(args) > 0); err != nil || len(args) == 0 {
			return err
		}
	}
	rate, err := uploader.ParseRate(f.rateLimit)
	if err != nil {
		return coded(exitUsage, fmt.Errorf("--rate-limit: %w", err), "")
	}
	paths, err := a.sources(&f.inputFlags, args, f.state)
	if err != nil {
		return err
	}
	mapping, err := f.load()
	if err != nil {
		return err
	}
	if err := errors.Join(checkLimits(f.batchSize, f.batchBytes), checkPerRow(mapping, f.batchSize), checkStdin(mapping, paths)); err != nil {
		return err
	}
	audit := new(pipeline.Audit)
	defer audit.Close()
	im := &pipeline.Import{
		Mapping: mapping, Reader: f.reader(), Stdin: standardInput(ctx, a.stdin), Submit: audit, Journal: pipeline.Forget{},
		Limits: uploader.Limits{Items: f.batchSize, Bytes: f.batchBytes}, Uploads: 1, Now: a.now, Select: f.selection,
	}
	if im.Sources, err = a.toCheck(f, paths, im); err != nil {
		return err
	}
	firsts := make(map[string]pipeline.Reject)
	remarks := new(remarked)
	im.OnRemark = remarks.add
	im.OnReject = func(r pipeline.Reject) {
		if _, ok := firsts[r.Code]; !ok {
			firsts[r.Code] = r
		}
	}
	broken := im.Run(ctx)
	if broken != nil && (!f.json || ctx.Err() != nil) {
		return withColumnHint(broken, mapping)
	}
	rep, err := newCheckReport(im, audit, rate, firsts)
	if err != nil {
		return errors.Join(broken, err)
	}
	rep.Warnings, rep.Finished = remarks.lines(), broken == nil
	if rep.Finished {
		rep.Notes = emptyNotes(im.Sources, rep.Rows.Read)
	}
	if err = rep.verdict(); broken != nil {
		err = withColumnHint(broken, mapping)
	} else if err == nil && f.slice {
		err = a.sliceEnd(&f.inputFlags, im, true, 0)
	}
	if broken == nil && f.foresee != nil {
		if refused := f.foresee(); refused != nil {
			err = refused // which says more than that some rows are bad
		}
	}
	if rep.ExitCode = exitCode(ctx, err); err != nil {
		rep.Error = err.Error()
	}
	if err := a.printCheck(f, rep); err != nil {
		return err
	}
	return err
}

// toCheck are the sources that a run would take of paths if none was imported
// before. What a run would refuse is a warning here, as the rest can be checked.
func (a *app) toCheck(f *checkFlags, paths []string, as *pipeline.Import) ([]checkpoint.Source, error) {
	j := &job{mapping: as.Mapping, force: f.force, same: f.same}
	var all []checkpoint.Source
	var list []candidate
	for _, path := range paths {
		src, err := j.fingerprint(path)
		if err != nil {
			return nil, coded(exitUsage, err, "")
		}
		src.Modified = time.Time{} // nothing is remembered, so that a change does no harm
		all, list = append(all, src), append(list, candidate{Source: src})
	}
	// Look is for an import of its own, since Run is called on this one.
	keep, notes, err := j.withoutCopies(list, &pipeline.Import{Mapping: as.Mapping, Reader: as.Reader})
	if c, ok := errors.AsType[*codedError](err); ok {
		a.warn("warning: a run would refuse this: %v; it would need --same or --force", c)
		return all, nil
	}
	a.sayAll(notes)
	return keep, err
}

// checkOnline proves that the credentials work and the organization is there;
// more says that something is printed after it.
func (a *app) checkOnline(ctx context.Context, f *checkFlags, more bool) error {
	if f.retryFor <= 0 {
		return coded(exitUsage, fmt.Errorf("--retry-for %v: it must be more than nothing (1ms for a single try)", f.retryFor), "")
	}
	client, cfg, err := a.client(&runFlags{rateLimit: f.rateLimit, uploads: 1, timeout: time.Minute, retryFor: f.retryFor})
	if err != nil {
		return err
	}
	told := a.tellTrouble(client, f.retryFor)
	org, err := client.Organization(ctx)
	told()
	if err != nil {
		return err
	}
	if !a.quiet && !f.json {
		p := &printer{w: a.stdout}
		p.linef("credentials work for organization %s at %s (time zone %s, currency %s)",
			cfg.OrgID, cfg.BaseURL, org.Timezone, org.Currency)
		if more {
			p.line()
		}
		return p.err
	}
	return nil
}

// tellTrouble says once what keeps client from getting through, so that nobody
// sits before a command that seems to do nothing; end stops that.
func (a *app) tellTrouble(client *uploader.Client, retryFor time.Duration) (end func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if trouble, ok := client.Trouble(); ok {
					a.say("%v; trying again, for %v at most (--retry-for)", trouble.Err, retryFor)
					return
				}
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// checkReport is what `check` found.
type checkReport struct {
	MessageType string             `json:"message_type"` // "check"
	Finished    bool               `json:"finished"`     // false: an error ended it, and the rest is what was found before
	ExitCode    int                `json:"exit_code"`
	Error       string             `json:"error,omitempty"`
	Rows        checkpoint.Counts  `json:"rows"`
	Sources     int                `json:"sources"`
	Rejects     map[string]int64   `json:"rejects_by_code"`
	FirstReject []string           `json:"first_rejects"` // one for each code, the most frequent one first
	Totals      []checkpoint.Total `json:"totals"`
	Repeats     pipeline.Repeats   `json:"repeated_uids"`
	Requests    int64              `json:"requests"`
	Bytes       int64              `json:"bytes"`
	Seconds     float64            `json:"seconds_at_the_limits"`
	Notes       []string           `json:"notes,omitempty"` // sources that hold nothing
	Warnings    []string           `json:"warnings,omitempty"`
}

// maxRepeatsShown is how many of the measurements are listed whose uid repeats.
const maxRepeatsShown = 10

func newCheckReport(im *pipeline.Import, audit *pipeline.Audit, rate []uploader.Window, firsts map[string]pipeline.Reject) (*checkReport, error) {
	repeats, err := audit.Repeats(maxRepeatsShown)
	if err != nil {
		return nil, err
	}
	r := &checkReport{
		MessageType: "check", Rows: im.Mark.Counts, Sources: len(im.Sources),
		Rejects: im.Mark.RejectCodes, Totals: im.Mark.Totals, Repeats: repeats,
		Requests: audit.Requests, Bytes: audit.Bytes, Seconds: uploader.TimeFor(rate, audit.Requests).Seconds(),
	}
	for _, code := range byCount(r.Rejects) {
		r.FirstReject = append(r.FirstReject, rejectText(firsts[code]))
	}
	return r, nil
}

// errConflicts is what uids that repeat with other content end a check with.
var errConflicts = errors.New("uids repeat with other content")

// verdict is what the check ends with. That money would be lost without a word
// is at least as bad as a reject, which is told.
func (r *checkReport) verdict() error {
	rejected := fmt.Errorf("%w: %s of %s", errRejects, grouped(r.Rows.Rejected), grouped(r.Rows.Read))
	conflicts := fmt.Errorf("%w: %s would never be billed", errConflicts, plural(r.Repeats.Other, "measurement"))
	const hint = "the uid rule does not tell these rows apart: docs/uid.md has the traps"
	switch {
	case !r.Rows.Sums():
		return errSums
	case r.Repeats.Other > 0 && r.Rows.Rejected > 0:
		return coded(exitRejects, fmt.Errorf("%w; %w", conflicts, rejected), hint)
	case r.Repeats.Other > 0:
		return coded(exitRejects, conflicts, hint)
	case r.Rows.Rejected > 0:
		return coded(exitRejects, rejected, "")
	}
	return nil
}

func (a *app) printCheck(f *checkFlags, r *checkReport) error {
	if a.quiet {
		for _, text := range r.Warnings {
			a.warn("warning: %s", text)
		}
		return nil
	}
	if f.json {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	p := &printer{w: a.stdout, all: "m3import check --json shows all of them"} // there is no report.json
	p.linef("check of %s; nothing was sent\n", plural(int64(r.Sources), "source"))
	p.linef("  rows read     %12s", grouped(r.Rows.Read))
	p.linef("  good          %12s   %s", grouped(r.Rows.Accepted), plural(r.Rows.Measurements, "measurement"))
	p.linef("  rejected      %12s", grouped(r.Rows.Rejected))
	p.linef("  filtered out  %12s\n", grouped(r.Rows.Filtered))
	p.firstRejects(r)
	p.totals(r.Totals)
	p.repeats(r.Repeats)
	p.remarks(r.Rows)
	p.notes(r.Notes)
	p.warnings(r.Warnings)
	took := "less than a second"
	if r.Seconds >= 1 {
		took = durationText(time.Duration(r.Seconds * float64(time.Second)))
	}
	p.linef("  sending takes %s with %s, %s at the rate limits", plural(r.Requests, "request"), bytesText(r.Bytes), took)
	return p.err
}

// firstRejects shows one reject for each code, and how many more there are.
func (p *printer) firstRejects(r *checkReport) {
	if len(r.Rejects) == 0 {
		return
	}
	for i, code := range byCount(r.Rejects) {
		p.linef("  rejected: %s", r.FirstReject[i])
		if more := r.Rejects[code] - 1; more > 0 {
			p.linef("            and %s more for the same reason (%s)", plural(more, "row"), code)
		}
	}
	if r.Rows.Rejected > int64(len(r.Rejects)) {
		p.linef("  all of them: m3import preview -n 0 … > /dev/null, with the same flags and sources")
	}
	p.line()
}

// repeats warns of uids that stand more than once in the input.
func (p *printer) repeats(r pipeline.Repeats) {
	all := r.Same + r.Other
	if all == 0 {
		return
	}
	have := "have"
	if all == 1 {
		have = "has"
	}
	p.linef("  WARNING: %s %s the uid of an earlier one; the platform takes the first of a uid, and ignores the others without a word:",
		plural(all, "measurement"), have)
	if r.Other > 0 {
		p.linef("    %s with other content: the uid rule is wrong, and money would be lost", grouped(r.Other))
	}
	if r.Same > 0 {
		p.linef("    %s with the same content: a true repeat, or real usage that the uid rule does not tell apart", grouped(r.Same))
	}
	for _, one := range r.First {
		kind := "OTHER content"
		if one.Same {
			kind = "same content"
		}
		p.linef("    %s has the uid of %s, %s%s", placeText(one.Measurement), placeText(one.Earlier), kind, before(": ", one.UID))
	}
	if more := all - int64(len(r.First)); more > 0 {
		p.linef("    … and %s more", grouped(more))
	}
	p.linef("    docs/uid.md helps to choose a rule\n")
}

// placeText is where a measurement stands, for people.
func placeText(p pipeline.Place) string {
	source := filepath.Base(p.Source)
	if p.Source == "-" {
		source = "standard input"
	}
	if p.Line == 0 {
		return fmt.Sprintf("measurement %s of %s", grouped(p.Measurement), source)
	}
	return fmt.Sprintf("%s:%d", source, p.Line)
}

// before puts lead before a text that is there.
func before(lead, text string) string {
	if text == "" {
		return ""
	}
	return lead + text
}
