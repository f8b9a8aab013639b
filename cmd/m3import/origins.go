package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/pipeline"
)

// guardOrigins looks at the rows that a replay of rejects is to send: another
// import may have sent them since, from a source that was mended.
func (r *runner) guardOrigins(plan checkpoint.Plan, from checkpoint.Position, before *sent) error {
	others, err := r.otherRejects(plan, before)
	if err != nil {
		return err
	}
	late, rows := make(map[string]checkpoint.Import), int64(0) // by the path of the origin
	since, again := make(map[pipeline.Origin]bool), int64(0)   // rows, and those of them that may be in
	for i, src := range plan.Sources[min(from.Source, len(plan.Sources)):] {
		own := importOf(src.Path)
		forebears, n := before.forebears(own), int64(0)
		read := make(map[string][]sourceOf) // by the path of the origin
		err := eachReject(src.Path, func(_ pipeline.Stage, at pipeline.Origin) error {
			if n++; i == 0 && n <= from.Record || at.Path == "" || at.Path == "-" {
				return nil // it is settled; or where it stood does not tell it from others
			}
			if _, known := read[at.Path]; !known {
				read[at.Path] = before.of(before.origin(at.Path, forebears))
			}
			found, later := false, since[at]
			since[at] = true
			for _, was := range slices.Concat(read[at.Path], others[before.row(at)]) {
				if forebears[was.Plan.ID] || was.Plan.ID == plan.ID {
					continue // of them the row is not in
				}
				if r.age(was.Plan.Started) >= safeWindow {
					late[at.Path], found = was.Import, true
				}
				_, taken := rejectsOf(was.source().Path)
				later = later || before.held(was) > 0 && (taken || was.Plan.Started.After(before.imports[own].Plan.Started))
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

// origin is the source at path as one of the imports of these ids read it.
func (s *sent) origin(path string, ids map[string]bool) checkpoint.Source {
	for id := range ids {
		for _, src := range s.imports[id].Plan.Sources {
			if src.Path == path {
				return src
			}
		}
	}
	return checkpoint.Source{Path: path}
}

// row tells a row of a source from all others, wherever its reject stands.
func (s *sent) row(at pipeline.Origin) string { return fmt.Sprint(at.Offset, " ", s.place(at.Path)) }

// otherRejects finds, by row, who has taken rows from reject files that are not
// those of plan: they may be the same rows, rejected twice. What was rejected again
// then is in by nobody.
func (r *runner) otherRejects(plan checkpoint.Plan, before *sent) (map[string][]sourceOf, error) {
	own := make(map[string]bool)
	for _, src := range plan.Sources {
		own[importOf(src.Path)] = true
	}
	in := make(map[string][]sourceOf)
	for of, by := range before.takers {
		for _, was := range by {
			if own[of] || own[was.Plan.ID] || was.Plan.ID == plan.ID || was.atMost() == 0 {
				continue
			}
			still := make(map[string]bool)
			err := eachReject(was.Rejects, func(_ pipeline.Stage, at pipeline.Origin) error {
				still[before.row(at)] = true
				return nil
			})
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				err = eachReject(was.source().Path, func(_ pipeline.Stage, at pipeline.Origin) error {
					if row := before.row(at); at.Path != "" && at.Path != "-" && !still[row] {
						in[row] = append(in[row], was)
					}
					return nil
				})
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, coded(exitUsage, fmt.Errorf("which rejects are in already is not known: %w", err), "")
			}
		}
	}
	return in, nil
}
