package main

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/pipeline"
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
	if err := r.guardRest(plan, mark); err != nil {
		return err
	}
	if err := r.tellChanges(plan, mark); err != nil {
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
	if age < safeWindow || r.f.allowBeyond {
		r.app.say("%s after %s may have arrived before: they are sent again under the same uids, which the platform ignores and counts against your allowance", most, place(plan, mark))
		return nil
	}
	return coded(exitUsage, fmt.Errorf("%w: import %s ended without a clean stop %s, and %s after %s may have arrived then",
		errBeyondWindow, plan.ID, agoText(age), most, place(plan, mark)),
		"m3ter knows a uid for 35 days: what arrived then would be billed twice now\n"+
			"find out what arrived (the data explorer shows it), or add --allow-beyond-dedupe-window to send all the same")
}

// tellChanges says once more what was said when an import began that is resumed:
// nobody may have seen it then.
func (r *runner) tellChanges(plan checkpoint.Plan, mark checkpoint.Mark) error {
	past, err := r.pastRuns(plan)
	if err != nil {
		return err
	}
	var changes []change
	for _, src := range plan.Sources[min(mark.Position.Source, len(plan.Sources)):] {
		if c, changed := r.changeOf(src, past); changed {
			changes = append(changes, c)
		}
	}
	r.app.warnAll(changeNotes(changes))
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

// guardStdin refuses to begin an import of standard input anew when the one
// before it, which was not finished, began too long ago: whoever goes on pipes
// all of it in again.
func (r *runner) guardStdin(plan checkpoint.Plan, mark checkpoint.Mark) error {
	age := r.age(plan.Started)
	if age < safeWindow || r.f.allowBeyond || !mark.Begun() {
		return nil
	}
	return coded(exitUsage, fmt.Errorf("%w: the last import of standard input, %s, began %s and was not finished; up to %s of it may have arrived",
		errBeyondWindow, plan.ID, agoText(age), rowsText(mark.Counts.Accepted+mark.MaxUncertain)),
		"m3ter knows a uid for 35 days: rows of then that are piped in again would be billed twice\n"+
			"when it is other usage, or all the same: add --allow-beyond-dedupe-window")
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
	if plan.Kind == rejectsKind {
		if err := r.guardOrigins(plan); err != nil {
			return err
		}
	}
	before, twins, err := r.pastOf(plan.Sources, func(checkpoint.Import) bool { return true })
	if err != nil {
		return err
	}
	var anew []string
	for i, src := range plan.Sources {
		if was, ok := twins[i]; ok && was.atMost() > 0 {
			anew = append(anew, fmt.Sprintf("warning: %s holds what %s held in import %s: with the uid rule row it is other usage, and billed as such",
				visible(src.Path), visible(was.source().Path), was.Plan.ID))
		}
	}
	if err := r.tooLate(plan.Sources, before); err != nil {
		return err
	}
	past, err := r.pastRuns(plan)
	if err != nil {
		return err
	}
	var changes []change
	var again int64
	for i, src := range plan.Sources {
		if c, changed := r.changeOf(src, past); changed {
			changes = append(changes, c)
		} else if was, known := before[i]; known {
			again += was.most
		}
	}
	if err := r.guardUIDs(changes); err != nil {
		return err
	}
	torn, err := r.tornBefore(plan)
	if err != nil {
		return err
	}
	r.app.warnAll(torn)
	r.app.warnAll(anew)
	r.app.warnAll(changeNotes(changes))
	if again > 0 {
		r.app.say("up to %s sent before: sent again under the same uids, which the platform ignores and counts against your allowance", rowsText(again))
	}
	return nil
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
func (r *runner) guardRest(plan checkpoint.Plan, mark checkpoint.Mark) error {
	rest := plan.Sources[min(mark.Position.Source, len(plan.Sources)):]
	before, _, err := r.pastOf(rest, func(im checkpoint.Import) bool {
		return im.Plan.ID != plan.ID && plan.Started.Sub(im.Plan.Started) < safeWindow
	})
	if err != nil {
		return err
	}
	return r.tooLate(rest, before)
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
			late = append(late, fmt.Sprintf("%s was first imported %s, on %s (up to %s then)",
				src.Path, agoText(age), was.first.Plan.Started.Format("2006-01-02"), rowsText(was.most)))
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
			"put the new rows into a file of their own; or add --allow-beyond-dedupe-window to send all the same")
}

// atStake says what imports came to, line by line.
func atStake(of []checkpoint.Import) (text string) {
	const imports, totals = 3, 5
	for i, im := range of {
		if i == imports {
			return text + fmt.Sprintf("and %s more\n", plural(int64(len(of)-i), "import"))
		}
		if len(im.Mark.Totals) == 0 {
			continue
		}
		var sums []string
		for _, t := range im.Mark.Totals[:min(totals, len(im.Mark.Totals))] {
			sums = append(sums, fmt.Sprintf("%s %s.%s %s", t.Meter, t.Category, t.Field, t.Sum))
		}
		if n := len(im.Mark.Totals) - totals; n > 0 {
			sums = append(sums, plural(int64(n), "more total"))
		}
		text += fmt.Sprintf("import %s came to, with all its sources: %s\n", im.Plan.ID, strings.Join(sums, ", "))
	}
	return text
}

// past is what is known of the earlier imports of a source.
type past struct {
	first sourceOf // that may have sent some of it
	most  int64    // rows that one of them may have sent, at the most
}

// pastOf finds for each source, by its path or its content, the imports that may
// have sent it, among those that count: finished or not, a replay or not, in this
// state directory or another of the user's. Where the name of a source is a part
// of uids, twins are those with the same content under another name, for sources
// that nothing else is known of. What standard input held earlier nobody knows.
func (r *runner) pastOf(sources []checkpoint.Source, counts func(checkpoint.Import) bool) (before map[int]past, twins map[int]sourceOf, err error) {
	all, err := r.knownImports()
	if err != nil {
		return nil, nil, err
	}
	byPath, byContent := newPathed[past](), make(map[string]past)
	for _, im := range all {
		for i, src := range im.Plan.Sources {
			if !im.reached(i) || !counts(im.Import) {
				break
			}
			s := sourceOf{im, i}
			add := func(was past, known bool) past {
				if !known || s.Plan.Started.Before(was.first.Plan.Started) {
					was.first = s
				}
				was.most = max(was.most, s.atMost())
				return was
			}
			byPath.note(src.Path, add)
			for _, key := range []string{contentKey(src.Print), rowsKey(src.Print)} {
				was, known := byContent[key]
				byContent[key] = add(was, known)
			}
		}
	}
	before, twins = make(map[int]past), make(map[int]sourceOf)
	for i, src := range sources {
		if src.Path == "-" {
			continue
		}
		was, known := byContent[rowsKey(src.Print)]
		if twin, ok := byContent[contentKey(src.Print)]; ok && !known {
			twins[i] = twin.first
		}
		if p, ok := byPath.of(src.Path); ok {
			if !known || p.first.Plan.Started.Before(was.first.Plan.Started) {
				was.first = p.first
			}
			was.most, known = max(was.most, p.most), true
		}
		if known {
			before[i] = was
		}
	}
	return before, twins, nil
}

// pathKey is the path of what a file holds: without the suffix of a compression,
// as it is packed and unpacked in its place.
func pathKey(path string) string {
	switch ext := filepath.Ext(path); strings.ToLower(ext) {
	case ".gz", ".zst", ".zstd":
		return strings.TrimSuffix(path, ext)
	}
	return path
}

// guardOrigins looks at the rows that a replay of rejects is to send: another
// import may have sent them since, from a source that was mended.
func (r *runner) guardOrigins(plan checkpoint.Plan) error {
	all, err := r.knownImports()
	if err != nil {
		return err
	}
	readers := make(map[string][]known) // by pathKey
	for _, im := range all {
		for i, src := range im.Plan.Sources {
			if !im.reached(i) {
				break
			}
			if key := pathKey(src.Path); src.Path != "-" && im.Plan.Kind != rejectsKind && im.Plan.ID != plan.ID {
				readers[key] = append(readers[key], im)
			}
		}
	}
	began := make(map[string]time.Time)
	for _, im := range all {
		began[im.Plan.ID] = im.Plan.Started
	}
	late, rows := make(map[string]checkpoint.Import), int64(0) // by the path of the origin
	since, again := make(map[pipeline.Origin]bool), int64(0)   // rows, and those of them that may be in
	for _, src := range plan.Sources {
		own := importOf(src.Path)
		err := eachReject(src.Path, func(_ pipeline.Stage, at pipeline.Origin) error {
			if at.Path == "" || at.Path == "-" {
				return nil // where it stood does not tell it from others
			}
			found, later := false, since[at]
			since[at] = true
			for _, im := range readers[pathKey(at.Path)] {
				if im.Plan.ID == own {
					continue // of it the row is not in
				}
				if r.age(im.Plan.Started) >= safeWindow {
					late[at.Path], found = im.Import, true
				}
				later = later || im.Mark.Counts.Accepted > 0 && im.Plan.Started.After(began[own])
			}
			if later {
				again++
			}
			if found {
				rows++
			}
			return nil
		})
		if err != nil {
			return coded(exitUsage, err, "")
		}
	}
	if again > 0 {
		what := "of a uid the platform keeps what came first"
		if r.job.mapping != nil && r.job.mapping.UsesRule(mapper.RuleContent, mapper.RuleRow) {
			what = "with the uid rule of the mapping they are billed beside it where they differ"
		}
		text := fmt.Sprintf("may be in already: %s, whose row stands in another reject file, too, or in a source that was imported since; %s", plural(again, "reject"), what)
		if !r.f.force && strings.HasPrefix(what, "with") {
			return coded(exitUsage, errors.New(text), "delete the lines of those that are in; then add --force")
		}
		r.app.warn("warning: %s", text)
	}
	if rows == 0 || r.f.allowBeyond {
		return nil
	}
	var texts []string
	for _, path := range slices.Sorted(maps.Keys(late)) {
		im := late[path]
		texts = append(texts, fmt.Sprintf("%s was read by import %s, on %s", visible(path), im.Plan.ID, im.Plan.Started.Format("2006-01-02")))
	}
	return coded(exitUsage, fmt.Errorf("%w: %s stood in sources that were imported more than 34 days ago, and may have arrived then: %s",
		errBeyondWindow, plural(rows, "reject"), firstFewOf(texts, 5, "other source")),
		"m3ter knows a uid for 35 days: what arrived then would be billed twice\n"+
			"delete the lines of rows that are in (the data explorer shows them); then add --allow-beyond-dedupe-window")
}
