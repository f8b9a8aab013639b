package main

import (
	"errors"
	"fmt"
	"path/filepath"
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
	if err := r.guardRest(plan, mark); err != nil {
		return err
	}
	if mark.FirstSent.IsZero() || mark.Position.Source >= len(plan.Sources) {
		return nil // nothing after the mark was ever sent
	}
	age, most := r.app.now().Sub(mark.FirstSent), "up to "+plural(mark.MaxUncertain, "measurement")
	if unknown := mark.MaxUncertain > checkpoint.AnyNumber/2; unknown {
		most = "any number of measurements"
		r.app.say("the position of import %s was lost once: what arrived before is sent again under the same uids, and the platform counts it against your allowance", plan.ID)
	}
	if age < safeWindow || r.f.allowBeyond {
		return nil
	}
	return coded(exitUsage, fmt.Errorf("%w: import %s ended without a clean stop %s ago, and %s after %s may have arrived then",
		errBeyondWindow, plan.ID, durationText(age), most, place(plan, mark)),
		"m3ter knows a uid for 35 days: what arrived then would be billed twice now\n"+
			"find out what arrived (the data explorer shows it), or add --allow-beyond-dedupe-window to send all the same")
}

// guardNew looks at each source that is about to be imported for rows that an
// earlier import sent: because it is forced, or because the file has changed and
// its old rows come along.
func (r *runner) guardNew(plan checkpoint.Plan) error {
	earliest, twins, err := r.firstImports(plan.Sources, func(checkpoint.Import) bool { return true })
	if err != nil {
		return err
	}
	var anew []string
	for i, src := range plan.Sources {
		if was, ok := twins[i]; ok && was.accepted() > 0 {
			anew = append(anew, fmt.Sprintf("warning: %s holds what %s held in import %s: with the uid rule row it is other usage, and billed as such",
				visible(src.Path), visible(was.source().Path), was.Plan.ID))
		}
	}
	if err := r.tooLate(plan.Sources, earliest); err != nil {
		return err
	}
	last, err := r.lastRuns(plan)
	if err != nil {
		return err
	}
	var changes []change
	var again int64
	for i, src := range plan.Sources {
		if c, changed := r.changeOf(src, last, plan); changed {
			changes = append(changes, c)
		} else if was, known := earliest[i]; known {
			again += was.accepted()
			if was, known := last[src.Path]; known {
				again += max(0, was.accepted()-earliest[i].accepted())
			}
		}
	}
	if err := r.guardUIDs(changes); err != nil {
		return err
	}
	torn, err := r.tornBefore(plan)
	if err != nil {
		return err
	}
	r.app.sayAll(torn)
	r.app.sayAll(anew)
	r.app.sayAll(r.changeNotes(changes))
	if again > 0 {
		r.app.say("up to %s accepted before: sent again under the same uids, which the platform ignores and counts against your allowance", plural(again, "row"))
	}
	return nil
}

// warnOfMapping says which sources were imported before under another mapping:
// then nothing of them counts as done.
func (r *runner) warnOfMapping(plan checkpoint.Plan, imports []checkpoint.Import) {
	was := make(map[string]checkpoint.Plan) // the last one of each path
	for _, im := range imports {
		if im.Plan.Kind == "" && im.Plan.OrgID == plan.OrgID && im.Plan.ID != plan.ID {
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
	earliest, _, err := r.firstImports(rest, func(im checkpoint.Import) bool {
		return im.Plan.ID != plan.ID && plan.Started.Sub(im.Plan.Started) < safeWindow
	})
	if err != nil {
		return err
	}
	return r.tooLate(rest, earliest)
}

// tooLate refuses sources that were first sent too long ago.
func (r *runner) tooLate(sources []checkpoint.Source, earliest map[int]sourceOf) error {
	now := r.app.now()
	var late []string
	for i, src := range sources {
		was, known := earliest[i]
		if !known {
			continue
		}
		if age := now.Sub(was.Plan.Started); age >= safeWindow {
			late = append(late, fmt.Sprintf("%s was first imported %s ago, on %s (%s accepted then)",
				src.Path, durationText(age), was.Plan.Started.Format("2006-01-02"), plural(was.accepted(), "row")))
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
			"put the new rows into a file of their own; or add --allow-beyond-dedupe-window to send all the same")
}

// firstImports finds for each source, by its path or its content, the first
// import that may have sent it, among those that count: finished or not, a
// replay or not, in this state directory or another of the user's. Where the
// name of a source is a part of uids, twins are those with the same content under
// another name, for sources that nothing else is known of. What standard input
// held earlier nobody knows.
func (r *runner) firstImports(sources []checkpoint.Source, counts func(checkpoint.Import) bool) (earliest, twins map[int]sourceOf, err error) {
	all, err := r.knownImports()
	if err != nil {
		return nil, nil, err
	}
	byPath, byContent := make(map[string]sourceOf), make(map[string]sourceOf)
	note := func(m map[string]sourceOf, key string, s sourceOf) {
		if was, ok := m[key]; !ok || s.Plan.Started.Before(was.Plan.Started) {
			m[key] = s
		}
	}
	for _, im := range all {
		for i, src := range im.Plan.Sources {
			if i > im.Mark.Position.Source || !counts(im.Import) {
				break
			}
			note(byPath, src.Path, sourceOf{im, i})
			note(byContent, contentKey(src.Print), sourceOf{im, i})
			note(byContent, rowsKey(src.Print), sourceOf{im, i})
		}
	}
	earliest, twins = make(map[int]sourceOf), make(map[int]sourceOf)
	for i, src := range sources {
		if src.Path == "-" {
			continue
		}
		was, known := byContent[rowsKey(src.Print)]
		if twin, ok := byContent[contentKey(src.Print)]; ok && !known {
			twins[i] = twin
		}
		if p, ok := byPath[src.Path]; ok && (!known || p.Plan.Started.Before(was.Plan.Started)) {
			was, known = p, true
		}
		if known {
			earliest[i] = was
		}
	}
	return earliest, twins, nil
}
