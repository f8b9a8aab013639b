package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
)

// change is a source of a new import that was imported before, and is not any
// more what it was but for what was added at its end, or is mapped in another
// way. What the platform makes of its rows then depends on the uid rule, and on
// things that only a person can know: whether it was corrected, or holds other
// usage under an old name.
type change struct {
	source  checkpoint.Source
	was     sourceOf
	rows    int64 // that the platform may hold of it
	mapped  bool  // the mapping is another
	packed  bool  // it was packed or unpacked since
	touched bool  // its size and its ends are as they were
	fate    fateOfChanged
}

// fateOfChanged is what comes of the rows that are not as they were.
type fateOfChanged uint8

const (
	ignored fateOfChanged = iota // they have the uids of old: the platform keeps what came first
	beside                       // they get uids of their own, and are billed beside what they were
	anew                         // rows that are as they were may get other uids, too: they are billed again
)

// changeOf says what has changed since a source was read by the imports that
// count, if anything has and rows of it were accepted then: the worst of what is
// so at its place and of what is so with its content. It looks back to the last
// run that had some accepted: what it did not refuse then was decided. A slice in
// between, or a run of which nothing is known to have arrived, decides nothing.
func (r *runner) changeOf(src checkpoint.Source, before *sent, counts func(checkpoint.Import) bool) (worst change, changed bool) {
	named, others := before.holding(src)
	if !r.job.namesCount() { // else another name is other usage, which is told
		named = append(named, others...)
		slices.SortStableFunc(named, func(a, b sourceOf) int { return b.Plan.Started.Compare(a.Plan.Started) })
	}
	for _, list := range [][]sourceOf{before.at(src.Path), named} {
		for _, was := range list {
			if !counts(was.Import) || before.held(was) == 0 {
				continue
			}
			c, is := r.since(was, src)
			c.rows = before.held(was)
			if is && (!changed || c.fate > worst.fate) {
				worst, changed = c, true
			}
			if was.Plan.Kind == "" && (was.accepted() > 0 || before.taken(was.Plan.ID) > 0) {
				break
			}
		}
	}
	return worst, changed
}

// changesOf are those of all sources.
func (r *runner) changesOf(sources []checkpoint.Source, before *sent, counts func(checkpoint.Import) bool) (changes []change) {
	for _, src := range sources {
		if c, changed := r.changeOf(src, before, counts); changed {
			changes = append(changes, c)
		}
	}
	return changes
}

// since says what has changed since a source was read by one import.
func (r *runner) since(was sourceOf, src checkpoint.Source) (c change, changed bool) {
	old := was.source()
	c = change{source: src, was: was, packed: pathKey(old.Path) == pathKey(src.Path) && old.Path != src.Path}
	same, kept := r.job.compareMapping(was.Plan)
	diff := old.Diff(src.Print)
	c.mapped, c.touched = !same, diff != "" && onlyTime(old.Print, src.Print)
	switch {
	case !kept:
		c.fate = anew
	case c.mapped:
		c.fate = ignored
	case diff == "" || c.touched && r.job.same || continues(old, src):
		return c, false
	case r.job.namesCount() && !c.rejects(): // a reject says itself where it stood
		c.fate = anew // rows behind the first change may stand elsewhere now
	case r.job.mapping != nil && r.job.mapping.UsesRule(mapper.RuleContent):
		c.fate = beside
	}
	return c, true
}

// compareMapping reports whether the job's mapping is that of an earlier import,
// and whether it is sure to give rows the uids that they had then.
func (j *job) compareMapping(plan checkpoint.Plan) (same, kept bool) {
	if withoutRows(plan.MappingHash) == withoutRows(j.mappingHash) {
		return true, true
	}
	if plan.Mapping == "" || j.mapping == nil {
		same = plan.Mapping == "" && j.mapping == nil && plan.MappingFile == ""
		return same, same
	}
	old, err := mapper.ReadText([]byte(plan.Mapping))
	if err != nil {
		return false, false
	}
	// What flags say of the reading does not change what a row is, once it is one.
	return old.Hash() == j.mapping.Hash(), j.mapping.KeepsUIDs(old)
}

// mappingDiff says how the job's mapping differs from that of a plan.
func (j *job) mappingDiff(plan checkpoint.Plan) string {
	text := fmt.Sprintf("the mapping, or how the sources are read, is another (%s was %s, %s is %s)",
		orNone(plan.MappingFile), shortHash(plan.MappingHash), orNone(j.mappingFile), shortHash(j.mappingHash))
	if j.mapping == nil || plan.Mapping == "" {
		return text
	}
	old, err := mapper.ReadText([]byte(plan.Mapping))
	if err != nil {
		return text
	}
	parts := j.mapping.Differences(old)
	if len(parts) == 0 {
		return text
	}
	return "the mapping is another: " + firstFewOf(parts, 3, "other difference")
}

// firstFewOf lists sentences, and says how many there are more of what they are.
func firstFewOf(texts []string, n int, noun string) string {
	if len(texts) <= n {
		return strings.Join(texts, ", and ")
	}
	return fmt.Sprintf("%s, and %s", strings.Join(texts[:n], ", and "), plural(int64(len(texts)-n), noun))
}

// guardUIDs refuses sources of which rows that were accepted before may get
// other uids now, and so be billed a second time: whether that is right only a
// person can know.
func (r *runner) guardUIDs(changes []change) error {
	twice := slices.DeleteFunc(slices.Clone(changes), func(c change) bool { return c.fate != anew && !(c.fate == beside && c.rejects()) })
	if len(twice) == 0 || r.f.force {
		return nil
	}
	var texts []string
	for _, c := range twice {
		texts = append(texts, c.text())
	}
	if i := slices.IndexFunc(twice, func(c change) bool { return c.rejects() }); i >= 0 {
		return coded(exitUsage, fmt.Errorf("rejects that are in already may get other uids, and be billed a second time: %s", firstFewOf(texts, 5, "other source")),
			"put back what import "+twice[i].was.Plan.ID+" sent; or delete the lines of those that are in, and add --force")
	}
	packed := ""
	if slices.ContainsFunc(twice, func(c change) bool { return c.packed && !c.mapped }) {
		packed = "it was packed or unpacked, and nothing else: its rows keep their uids, so add --force\n"
	}
	return coded(exitUsage, fmt.Errorf("rows that were accepted before may get other uids, and be billed a second time: %s", firstFewOf(texts, 5, "other source")),
		packed+"rows were only added: put them behind the old ones, or into a file of their own\n"+
			r.rejectsThen(twice)+
			"it is other usage, or should be billed so: "+r.forced(twice)+" (docs/uid.md, \"When a file changes\")")
}

// forced says how the changed sources are sent with --force, and no others with
// them: of those that were sent too long ago it would be refused.
func (r *runner) forced(changes []change) string {
	words := r.app.command
	if len(changes) == len(r.job.paths) || r.job.kind != "" || len(words) < len(r.job.args) || len(changes) > maxListed {
		return "add --force"
	}
	words = append(slices.Clone(words[:len(words)-len(r.job.args)]), "--force")
	for _, c := range changes {
		words = append(words, c.source.Path)
	}
	return "send it alone, with  " + resumeCommand(words) + " "
}

// rejectsThen is the way in for rows that were rejected then.
func (r *runner) rejectsThen(changes []change) string {
	for _, c := range changes {
		if rows, err := countRows(c.was.Rejects); err == nil && rows > 0 {
			return "rows that were rejected then can go in now:  m3import replay rejects " + shellQuote(c.was.dir) + "\n"
		}
	}
	return ""
}

// rejects reports whether the source is a reject file.
func (c change) rejects() bool {
	_, is := rejectsOf(c.source.Path)
	return is
}

// text says what changed, and how many rows that is about.
func (c change) text() string {
	what := "changed, and not only at its end, since"
	switch {
	case c.mapped:
		what = "comes under another mapping than in"
	case c.touched:
		what = "may have changed between its first and its last 64 KiB since"
	case c.packed:
		what = "is " + visible(filepath.Base(c.was.source().Path)) + " in another form, or changed, since"
	}
	return fmt.Sprintf("%s %s import %s (up to %s accepted then)", visible(filepath.Base(c.source.Path)), what, c.was.Plan.ID, rowsText(c.rows))
}

// changeNotes says what comes of the rows of changed sources.
func changeNotes(changes []change) (notes []string) {
	for _, c := range changes {
		switch c.fate {
		case ignored:
			notes = append(notes, "warning: "+c.text()+": rows with an old uid are sent again and count against your allowance, and the platform keeps what came first of them, so that nothing which was corrected counts (docs/uid.md)")
		case beside:
			notes = append(notes, "warning: "+c.text()+": rows that are as they were are ignored, and those that were changed get new uids, and are billed beside what they were (docs/uid.md)")
		case anew:
			notes = append(notes, "warning: "+c.text()+": its rows may get new uids, and are billed as other usage then")
		}
	}
	return notes
}
