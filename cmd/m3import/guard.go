package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
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

// earlier is what is known of an earlier import of a source.
type earlier struct {
	when time.Time // the first one began
	id   string
	dir  string // its state directory
	path string // of the source then
}

// guardNew looks at each source that is about to be imported for rows that an
// earlier import of this state directory sent: because it is forced, or because
// the file has changed and its old rows come along.
func (r *runner) guardNew(plan checkpoint.Plan) error {
	byPath, byContent, err := r.firstImports(plan)
	if err != nil {
		return err
	}
	now := r.app.now()
	var late, anew []string
	var again int64
	for _, src := range plan.Sources {
		if src.Path == "-" {
			continue // what it held earlier nobody knows
		}
		was, known := byContent[contentKey(src.Print)+src.Name]
		if other, ok := byContent[contentKey(src.Print)]; ok && !known && acceptedRows(other, other.path) > 0 {
			anew = append(anew, fmt.Sprintf("warning: %s holds what %s held in import %s: with the uid rule row it is other usage, and billed as such",
				visible(src.Path), visible(other.path), other.id))
		}
		if p, ok := byPath[src.Path]; ok && (!known || p.when.Before(was.when)) {
			was, known = p, true
		}
		if !known {
			continue
		}
		rows := acceptedRows(was, src.Path)
		again += rows
		if age := now.Sub(was.when); age >= safeWindow {
			late = append(late, fmt.Sprintf("%s was first imported %s ago, on %s (%s accepted then)",
				src.Path, durationText(age), was.when.Format("2006-01-02"), plural(rows, "row")))
		}
	}
	if len(late) > 0 && !r.f.allowBeyond {
		more := ""
		if len(late) > 5 {
			late, more = late[:5], fmt.Sprintf("; and %d more sources", len(late)-5)
		}
		return coded(exitUsage, fmt.Errorf("%w: %s%s", errBeyondWindow, strings.Join(late, "; "), more),
			"m3ter knows a uid for 35 days: rows of then that are still in there would be billed twice\n"+
				"put the new rows into a file of their own; or add --allow-beyond-dedupe-window to send all the same")
	}
	r.app.sayAll(anew)
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
	r.app.say("the mapping is not the one under which %s came before (%s %s, now %s %s): every row comes again, and rows that were mended in a reject file are rejected again if this mapping cannot take them",
		name, orNone(first.MappingFile), shortHash(first.MappingHash), orNone(plan.MappingFile), shortHash(plan.MappingHash))
}

// firstImports finds, for each path and each content (and each content with its
// name, where that is a part of uids), the first import that may
// have sent it to the plan's organization: finished or not, a replay or not, in
// this state directory or another of the user's.
func (r *runner) firstImports(plan checkpoint.Plan) (byPath, byContent map[string]earlier, err error) {
	byPath, byContent = make(map[string]earlier), make(map[string]earlier)
	note := func(m map[string]earlier, key string, e earlier) {
		if was, ok := m[key]; !ok || e.when.Before(was.when) {
			m[key] = e
		}
	}
	dirs, err := r.app.stateDirs("")
	if err != nil || !slices.Contains(dirs, r.journal.Dir()) {
		dirs = append(dirs, r.journal.Dir())
	}
	for _, dir := range dirs {
		imports, err := checkpoint.Imports(dir)
		if err != nil && dir == r.journal.Dir() {
			return nil, nil, err
		}
		if err != nil {
			r.app.say("warning: %s cannot be read, so it is not known whether rows were sent from there before: %v", dir, err)
		}
		for _, im := range imports {
			if im.Plan.OrgID != plan.OrgID || im.Plan.Endpoint != plan.Endpoint || !im.Mark.Begun() {
				continue
			}
			for i, src := range im.Plan.Sources {
				if i > im.Mark.Position.Source {
					break
				}
				e := earlier{when: im.Plan.Started, id: im.Plan.ID, dir: dir, path: src.Path}
				note(byPath, src.Path, e)
				note(byContent, contentKey(src.Print), e)
				note(byContent, contentKey(src.Print)+src.Name, e)
			}
		}
	}
	return byPath, byContent, nil
}

func contentKey(p checkpoint.Print) string { return fmt.Sprint(p.Size, p.Head, p.Tail) }

// acceptedRows is how many rows of a source an earlier import had accepted; 0
// when its files are gone.
func acceptedRows(of earlier, path string) (n int64) {
	f, err := os.Open(filepath.Join(of.dir, "imports", of.id, "sources.ndjson"))
	if err != nil {
		return 0
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	for s := (sourceReport{}); dec.Decode(&s) == nil; s = (sourceReport{}) {
		if s.Path == path {
			n += s.Accepted
		}
	}
	return n
}
