package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/m3import/m3import/checkpoint"
)

// The platform takes a uid once within 35 days of its first arrival, and after
// that as if it were new: the row is billed twice. One day is kept in hand for
// clocks and for the time that an import takes.
const (
	uidWindow  = 35 * 24 * time.Hour
	safeWindow = uidWindow - 24*time.Hour
)

var errBeyondWindow = errors.New("rows would be sent again that the platform may have forgotten")

// guardResume refuses to send again what a crash left uncertain, when that was
// first sent too long ago.
func (r *runner) guardResume(plan checkpoint.Plan, mark checkpoint.Mark) error {
	before, err := r.sentBefore()
	if err != nil {
		return err
	}
	rest := plan.Sources[min(mark.Position.Source, len(plan.Sources)):]
	if err := r.guardRest(plan, mark.Position, rest, before); err != nil {
		return err
	}
	if plan.Kind == rejectsKind {
		if err := r.guardOrigins(plan, mark.Position, before); err != nil {
			return err
		}
	}
	if err := r.guardChanges(plan, rest, before); err != nil {
		return err
	}
	if mark.FirstSent.IsZero() || mark.Position.Source >= len(plan.Sources) {
		return nil // nothing after the mark was ever sent
	}
	age, most := r.age(mark.FirstSent), "up to "+plural(mark.MaxUncertain, "measurement")
	if unknown := mark.MaxUncertain > checkpoint.AnyNumber/2; unknown {
		most = "any number of measurements"
		r.app.say("the position of import %s was lost once: what arrived before is sent again under the same uids, and the platform counts it against your allowance", plan.ID)
	}
	switch {
	case age < safeWindow:
		r.app.say("%s may have arrived before (%s): they are sent again under the same uids, which the platform ignores and counts against your allowance", most, place(plan, mark))
		return nil
	case r.f.allowBeyond:
		r.app.warn("warning: %s may have arrived %s (%s): those that did may be billed a second time", most, agoText(age), place(plan, mark))
		return nil
	}
	sums := ""
	if n, totals, err := r.amountsInDoubt(plan, mark); err == nil && mark.MaxUncertain <= checkpoint.AnyNumber/2 {
		most = "up to " + plural(n, "measurement")
		sums = "they come to: " + sumsText(totals) + "\n"
	}
	return coded(exitUsage, fmt.Errorf("%w: import %s ended without a clean stop %s, and %s may have arrived then (%s)",
		errBeyondWindow, plan.ID, agoText(age), most, place(plan, mark)),
		"m3ter knows a uid for 35 days: what arrived then would be billed twice now\n"+sums+
			"find out what arrived (the data explorer shows it), or add --allow-beyond-dedupe-window to send all the same")
}

// guardChanges says once more of a resumed import what was said when it began, as
// nobody may have seen it then; and it asks about what was sent since from
// elsewhere, which nobody was asked about.
func (r *runner) guardChanges(plan checkpoint.Plan, rest []checkpoint.Source, before *sent) error {
	since := r.changesOf(rest, before, func(im checkpoint.Import) bool {
		return im.Plan.ID != plan.ID && im.Plan.Started.After(plan.Started)
	})
	if err := r.guardUIDs(since); err != nil {
		return err
	}
	then := r.changesOf(rest, before, func(im checkpoint.Import) bool {
		return im.Plan.ID != plan.ID && !im.Plan.Started.After(plan.Started)
	})
	r.app.warnAll(changeNotes(append(since, then...)))
	return nil
}

// age is how long ago something was, by this machine's clock. What it says of
// the future, as it does once it was set back, is of no use: then it is for ever.
func (r *runner) age(then time.Time) time.Duration {
	age := r.app.now().Sub(then)
	if age < -24*time.Hour {
		return math.MaxInt64
	}
	return age
}

// agoText is an age in words.
func agoText(age time.Duration) string {
	if age == math.MaxInt64 {
		return "at a time that this machine's clock has not come to yet, so that nobody knows how long ago,"
	}
	return durationText(age) + " ago"
}

// guardStdin refuses to begin an import of standard input when one of the state
// directory, which was not finished, began too long ago: whoever goes on pipes all
// of it in again.
func (r *runner) guardStdin() error {
	imports, err := r.imports()
	if err != nil || r.f.allowBeyond {
		return err
	}
	stdin := slices.DeleteFunc(r.ofTheJob(imports, r.dir()), func(im known) bool { return im.Plan.Sources[0].Path != "-" })
	for _, im := range stdin {
		age := r.age(im.Plan.Started)
		asked := slices.ContainsFunc(stdin, func(later known) bool { return later.Plan.Started.Sub(im.Plan.Started) >= safeWindow })
		if asked || im.Mark.Finished || age < safeWindow || im.Mark.Counts.Accepted+im.Mark.MaxUncertain == 0 {
			continue // of what was asked about once, a person has decided
		}
		return coded(exitUsage, fmt.Errorf("%w: an import of standard input, %s, began %s and was not finished; up to %s of it may have arrived",
			errBeyondWindow, im.Plan.ID, agoText(age), rowsText(im.Mark.Counts.Accepted+im.Mark.MaxUncertain)),
			"m3ter knows a uid for 35 days: rows of then that are piped in again would be billed twice\n"+
				"when it is other usage, or all the same: add --allow-beyond-dedupe-window")
	}
	return nil
}

// rowsText is a number of rows, as far as one is known.
func rowsText(n int64) string {
	if n > checkpoint.AnyNumber/2 {
		return "any number of rows"
	}
	return plural(n, "row")
}

// guardNew looks at each source that is about to be imported for rows that an
// earlier import sent: because it is forced, or because the file has changed and
// its old rows come along.
func (r *runner) guardNew(plan checkpoint.Plan) error {
	before, err := r.sentBefore()
	if err != nil {
		return err
	}
	if plan.Kind == rejectsKind {
		if err := r.guardOrigins(plan, checkpoint.Position{}, before); err != nil {
			return err
		}
	}
	if len(before.imports) == 0 {
		return nil // as of every first import
	}
	anyImport := func(im checkpoint.Import) bool { return im.Plan.ID != plan.ID }
	past := r.pastOf(plan.Sources, before, anyImport)
	if err := r.tooLate(plan.Sources, past); err != nil {
		return err
	}
	var changes []change
	var again, late int64
	for i, src := range plan.Sources {
		was := past[i]
		late += was.late
		if c, changed := r.changeOf(src, before, anyImport); changed {
			changes = append(changes, c)
		} else if was.late == 0 {
			again += was.most
		}
	}
	if err := r.guardUIDs(changes); err != nil {
		return err
	}
	r.app.warnAll(r.tornBefore(plan, before))
	r.app.warnAll(r.twinsBefore(plan.Sources, before))
	r.app.warnAll(changeNotes(changes))
	if late > 0 { // which was allowed
		r.app.warn("warning: up to %s sent more than 34 days ago: those that are sent again may be billed a second time", rowsText(late))
	}
	if before.missed > 0 {
		r.app.warn("warning: %s were not compared with what earlier ones began with, as they are too many: a file that was moved and has grown is not known again among them", plural(int64(before.missed), "source"))
	}
	if again > 0 {
		r.app.say("up to %s sent before: sent again under the same uids, which the platform ignores and counts against your allowance", rowsText(again))
	}
	return nil
}

// twinsBefore tells of sources that hold what another name held before, where the
// name is a part of uids.
func (r *runner) twinsBefore(sources []checkpoint.Source, before *sent) (notes []string) {
	for _, src := range sources {
		named, others := before.holding(src)
		if len(named) > 0 || len(others) == 0 || !r.job.namesCount() {
			continue
		}
		i := slices.IndexFunc(others, func(was sourceOf) bool { return was.atMost() > 0 })
		if i >= 0 {
			was := others[i]
			holds := "holds"
			if was.source().Size != src.Size {
				holds = "begins with"
			}
			notes = append(notes, fmt.Sprintf("warning: %s %s what %s held in import %s: with the uid rule row it is other usage, and billed as such",
				visible(src.Path), holds, visible(was.source().Path), was.Plan.ID))
		}
	}
	return notes
}

// warnOfMapping says which sources were imported before under another mapping:
// then nothing of them counts as done.
func (r *runner) warnOfMapping(plan checkpoint.Plan, imports []checkpoint.Import) {
	was := make(map[string]checkpoint.Plan) // the last one of each path
	for _, im := range imports {
		if im.Plan.Kind == "" && strings.EqualFold(im.Plan.OrgID, plan.OrgID) && im.Plan.ID != plan.ID {
			for _, src := range im.Plan.Sources {
				was[src.Path] = im.Plan
			}
		}
	}
	var first checkpoint.Plan
	var name string
	n := 0
	for _, src := range plan.Sources {
		if old, ok := was[src.Path]; ok && src.Path != "-" && old.MappingHash != plan.MappingHash {
			if n++; n == 1 {
				first, name = old, filepath.Base(src.Path)
			}
		}
	}
	if n == 0 || plan.Kind != "" {
		return
	}
	if n > 1 {
		name += fmt.Sprintf(" and %s", plural(int64(n-1), "other source"))
	}
	r.app.say("the mapping is not the one under which %s came before: every row comes again, and rows that were mended in a reject file are rejected again if this mapping cannot take them",
		name)
	r.app.sayHint("%s", r.job.mappingDiff(first))
}

// guardRest looks at what an unfinished import has still to read for rows that
// another import has sent: one that began since, in another state directory, or
// one that began before and was not too long ago then.
func (r *runner) guardRest(plan checkpoint.Plan, at checkpoint.Position, rest []checkpoint.Source, before *sent) error {
	past := r.pastOf(rest, before, func(im checkpoint.Import) bool {
		return im.Plan.ID != plan.ID && plan.Started.Sub(im.Plan.Started) < safeWindow
	})
	// Of one that has only grown since, all old rows may lie before the mark.
	if was, known := past[0]; known && !slices.ContainsFunc(was.all, func(s sourceOf) bool {
		return s.source().Size > at.Offset || !continues(s.source(), rest[0])
	}) {
		delete(past, 0)
	}
	return r.tooLate(rest, past)
}

// tooLate refuses sources that were first sent too long ago.
func (r *runner) tooLate(sources []checkpoint.Source, before map[int]past) error {
	var late []string
	var of []checkpoint.Import
	for i, src := range sources {
		was, known := before[i]
		if !known {
			continue
		}
		if age := r.age(was.first.Plan.Started); age >= safeWindow {
			name := src.Path
			if old := was.first.source().Path; old != src.Path {
				name += ", with what " + old + " held,"
			}
			late = append(late, fmt.Sprintf("%s was first imported %s, on %s (up to %s then)",
				name, agoText(age), was.first.Plan.Started.Format("2006-01-02"), rowsText(was.late)))
			if !slices.ContainsFunc(of, func(im checkpoint.Import) bool { return im.Plan.ID == was.first.Plan.ID }) {
				of = append(of, was.first.Import)
			}
		}
	}
	if len(late) == 0 || r.f.allowBeyond {
		return nil
	}
	more := ""
	if len(late) > 5 {
		late, more = late[:5], fmt.Sprintf("; and %d more sources", len(late)-5)
	}
	return coded(exitUsage, fmt.Errorf("%w: %s%s", errBeyondWindow, strings.Join(late, "; "), more),
		"m3ter knows a uid for 35 days: rows of then that are still in there would be billed twice\n"+
			atStake(of)+
			r.waysAroundLate()+"to send all the same: add --allow-beyond-dedupe-window")
}

// waysAroundLate are what else there is than to send rows again too late.
func (r *runner) waysAroundLate() string {
	text := ""
	if !r.f.dryRun {
		text = "what exactly this would send: the same command with --dry-run tells the rows and their totals\n"
	}
	if r.job.kind == "" && !r.job.force {
		text += "put the new rows into a file of their own\n"
	}
	return text
}

// atStake says what imports came to, line by line.
func atStake(of []checkpoint.Import) (text string) {
	const imports = 3
	for i, im := range of {
		if i == imports {
			return text + fmt.Sprintf("and %s more\n", plural(int64(len(of)-i), "import"))
		}
		if len(im.Mark.Totals) == 0 {
			continue
		}
		text += fmt.Sprintf("import %s came to, with all its sources: %s\n", im.Plan.ID, sumsText(im.Mark.Totals))
	}
	return text
}

// past is what is known of the earlier imports of a source.
type past struct {
	first sourceOf // that may have sent some of it
	most  int64    // rows that one of them may have sent, at the most
	late  int64    // the same, of those that began too long ago
	all   []sourceOf
}

// pastOf finds for each source, by its index, the imports among those that count
// from which the platform may hold rows of it.
func (r *runner) pastOf(sources []checkpoint.Source, before *sent, counts func(checkpoint.Import) bool) map[int]past {
	all := make(map[int]past)
	for i, src := range sources {
		if src.Path == "-" {
			continue
		}
		for _, s := range before.of(src) {
			rows := int64(0)
			if counts(s.Import) {
				rows = before.held(s)
			}
			if rows == 0 {
				continue
			}
			was, known := all[i]
			if !known || s.Plan.Started.Before(was.first.Plan.Started) {
				was.first = s
			}
			was.most, was.all = max(was.most, rows), append(was.all, s)
			if r.age(s.Plan.Started) >= safeWindow {
				was.late = max(was.late, rows)
			}
			all[i] = was
		}
	}
	return all
}
