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

// pasts finds the earlier imports of a source that may have had rows of it
// accepted, newest first.
type pasts struct {
	byPath    *pathed[[]sourceOf]
	byContent map[string][]sourceOf
	replayed  map[string]int64 // by import: rows of its reject file that were accepted since
}

// pastRuns are the runs and slices that read sources. What a replay of rejects had
// accepted counts for the import whose rows they were; standard input is never the
// same.
func (r *runner) pastRuns(plan checkpoint.Plan) (*pasts, error) {
	p := &pasts{newPathed[[]sourceOf](), make(map[string][]sourceOf), make(map[string]int64)}
	if plan.Kind == rejectsKind || r.f.original != nil {
		return p, nil // each row gets the uid that it had
	}
	all, err := r.knownImports()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b known) int { return b.Plan.Started.Compare(a.Plan.Started) })
	for _, im := range all {
		for _, src := range im.Plan.Sources {
			if im.Plan.Kind == rejectsKind {
				p.replayed[importOf(src.Path)] += im.Mark.Counts.Accepted + im.Mark.MaxUncertain
			}
		}
	}
	for _, im := range all {
		if im.Plan.Kind == rejectsKind || im.Plan.ID == plan.ID || im.Plan.Started.After(plan.Started) {
			continue
		}
		for i, src := range im.Plan.Sources {
			if !im.reached(i) {
				break
			}
			s := sourceOf{im, i}
			if src.Path == "-" || p.held(s) == 0 {
				continue
			}
			p.byPath.note(src.Path, func(was []sourceOf, _ bool) []sourceOf { return append(was, s) })
			p.byContent[contentKey(src.Print)] = append(p.byContent[contentKey(src.Print)], s)
		}
	}
	return p, nil
}

// held is how many rows of a source the platform may hold from that import on.
func (p *pasts) held(s sourceOf) int64 {
	n := s.atMost() + p.replayed[s.Plan.ID]
	if c := s.Mark.Counts; n == 0 && c.Measurements > 0 {
		return c.Rejected // of some a part
	}
	return n
}

// pathed holds something for each path. A file that was packed or unpacked since
// is found by the path that it had.
type pathed[T any] struct{ exact, packed map[string]T }

func newPathed[T any]() *pathed[T] { return &pathed[T]{make(map[string]T), make(map[string]T)} }

func (p *pathed[T]) note(path string, merge func(was T, known bool) T) {
	was, known := p.exact[path]
	p.exact[path] = merge(was, known)
	key := pathKey(path)
	was, known = p.packed[key]
	p.packed[key] = merge(was, known)
}

func (p *pathed[T]) of(path string) (T, bool) {
	if v, known := p.exact[path]; known {
		return v, true
	}
	v, known := p.packed[pathKey(path)]
	return v, known
}

// changeOf says what has changed since a source was read, if anything has and
// rows of it were accepted then. It looks back to the last run that had some
// accepted: what it did not refuse then was decided. A slice in between, or a run
// of which nothing is known to have arrived, decides nothing.
func (r *runner) changeOf(src checkpoint.Source, past *pasts) (worst change, changed bool) {
	list, ok := past.byPath.of(src.Path)
	if !ok && !r.job.namesCount() { // else another name is other usage, which is told
		list = past.byContent[contentKey(src.Print)]
	}
	for _, was := range list {
		c, is := r.since(was, src)
		c.rows = past.held(was)
		if is && (!changed || c.fate > worst.fate) {
			worst, changed = c, true
		}
		if was.Plan.Kind == "" && (was.accepted() > 0 || past.replayed[was.Plan.ID] > 0) {
			break
		}
	}
	return worst, changed
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
	case r.job.namesCount():
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
	twice := slices.DeleteFunc(slices.Clone(changes), func(c change) bool { return c.fate != anew })
	if len(twice) == 0 || r.f.force {
		return nil
	}
	var texts []string
	for _, c := range twice {
		texts = append(texts, c.text())
	}
	packed := ""
	if slices.ContainsFunc(twice, func(c change) bool { return c.packed && !c.mapped }) {
		packed = "it was packed or unpacked, and nothing else: its rows keep their uids, so add --force\n"
	}
	return coded(exitUsage, fmt.Errorf("rows that were accepted before may get other uids, and be billed a second time: %s", firstFewOf(texts, 5, "other source")),
		packed+"rows were only added: put them behind the old ones, or into a file of their own\n"+
			"rows that were rejected then can go in now:  m3import replay rejects "+shellQuote(r.journal.Dir())+"\n"+
			"it is other usage, or should be billed so: add --force (docs/uid.md, \"When a file changes\")")
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
