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
	source checkpoint.Source
	was    sourceOf
	mapped bool // the mapping is another
	packed bool // it was packed or unpacked since
	fate   fateOfChanged
}

// fateOfChanged is what comes of the rows that are not as they were.
type fateOfChanged uint8

const (
	ignored fateOfChanged = iota // they have the uids of old: the platform keeps what came first
	beside                       // they get uids of their own, and are billed beside what they were
	anew                         // rows that are as they were may get other uids, too: they are billed again
)

// lastRuns finds the last run that read each source, by its path. What is read by
// a replay gets the uids that it had, and standard input is never the same.
func (r *runner) lastRuns(plan checkpoint.Plan) (map[string]sourceOf, error) {
	last := make(map[string]sourceOf)
	if plan.Kind != "" {
		return last, nil
	}
	all, err := r.knownImports()
	if err != nil {
		return nil, err
	}
	for _, im := range all {
		if im.Plan.Kind != "" || im.Plan.ID == plan.ID {
			continue
		}
		for i, src := range im.Plan.Sources {
			if !im.reached(i) {
				break
			}
			key := pathKey(src.Path)
			if was, ok := last[key]; src.Path != "-" && (!ok || was.Plan.Started.Before(im.Plan.Started)) {
				last[key] = sourceOf{im, i}
			}
		}
	}
	return last, nil
}

// changeOf says what has changed since a source was read last, if anything has
// and rows of it were accepted then.
func (r *runner) changeOf(src checkpoint.Source, last map[string]sourceOf, plan checkpoint.Plan) (c change, changed bool) {
	was, ok := last[pathKey(src.Path)]
	if !ok || was.atMost() == 0 {
		return c, false
	}
	old := was.source()
	c = change{source: src, was: was, mapped: was.Plan.MappingHash != plan.MappingHash, packed: old.Path != src.Path}
	switch {
	case c.mapped && !r.job.keepsUIDs(was.Plan):
		c.fate = anew
	case c.mapped:
		c.fate = ignored
	case contentKey(old.Print) == contentKey(src.Print) || continues(old, src):
		return c, false
	case r.job.namesCount():
		c.fate = anew // rows behind the first change may stand elsewhere now
	case r.job.mapping != nil && r.job.mapping.UsesRule(mapper.RuleContent):
		c.fate = beside
	}
	return c, true
}

// keepsUIDs reports whether the job's mapping is sure to give rows the uids that
// they had in an earlier import.
func (j *job) keepsUIDs(plan checkpoint.Plan) bool {
	if plan.Mapping == "" || j.mapping == nil {
		return plan.Mapping == "" && j.mapping == nil && plan.MappingFile == ""
	}
	old, err := mapper.ReadText([]byte(plan.Mapping))
	return err == nil && j.mapping.KeepsUIDs(old)
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
	return "the mapping is another: " + firstFewOf(parts, 3)
}

// firstFewOf lists sentences, and says how many there are more.
func firstFewOf(texts []string, n int) string {
	if len(texts) <= n {
		return strings.Join(texts, ", and ")
	}
	return fmt.Sprintf("%s, and %s", strings.Join(texts[:n], ", and "), plural(int64(len(texts)-n), "other difference"))
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
	return coded(exitUsage, fmt.Errorf("rows that were accepted before may get other uids, and be billed a second time: %s", firstFewOf(texts, 5)),
		"rows were only added: put them behind the old ones, or into a file of their own\n"+
			"rows that were rejected then can go in now:  m3import replay rejects "+shellQuote(r.journal.Dir())+"\n"+
			"it is other usage, or should be billed so: add --force (docs/uid.md, \"When a file changes\")")
}

// text says what changed, and how many rows that is about.
func (c change) text() string {
	what := "changed, and not only at its end, since"
	switch {
	case c.mapped:
		what = "comes under another mapping than in"
	case c.packed:
		what = "is " + visible(filepath.Base(c.was.source().Path)) + " in another form, or changed, since"
	}
	return fmt.Sprintf("%s %s import %s (up to %s accepted then)", visible(filepath.Base(c.source.Path)), what, c.was.Plan.ID, rowsText(c.was.atMost()))
}

// changeNotes says what comes of the rows of changed sources.
func changeNotes(changes []change) (notes []string) {
	for _, c := range changes {
		switch c.fate {
		case ignored:
			notes = append(notes, c.text()+": rows with an old uid are sent again and count against your allowance, and the platform keeps what came first of them, so that nothing which was corrected counts (docs/uid.md)")
		case beside:
			notes = append(notes, "warning: "+c.text()+": rows that are as they were are ignored, and those that were changed get new uids, and are billed beside what they were (docs/uid.md)")
		case anew:
			notes = append(notes, "warning: "+c.text()+": its rows may get new uids, and are billed as other usage then")
		}
	}
	return notes
}
