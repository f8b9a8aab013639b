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

// guardOrigins looks at the rows that a replay of rejects is to send, from a position
// on: another import may have sent them since, from a source that was mended; or the
// one that rejected them, when it had no answer to an earlier try.
func (r *runner) guardOrigins(plan checkpoint.Plan, from checkpoint.Position, before *sent) error {
	others, err := r.otherRejects(plan, before)
	if err != nil {
		return err
	}
	o := &origins{r: r, plan: plan, before: before, others: others, bad: make(map[string]map[string]bool), late: make(map[string]string), seen: make(map[pipeline.Origin]bool)}
	for i, src := range plan.Sources[min(from.Source, len(plan.Sources)):] {
		settled := int64(0)
		if i == 0 {
			settled = from.Record
		}
		if err := o.file(src, settled); err != nil {
			return coded(exitUsage, err, "")
		}
	}
	return o.verdict()
}

// origins are rejects, looked at one by one.
type origins struct {
	r      *runner
	plan   checkpoint.Plan
	before *sent
	others map[string][]sourceOf      // by row: who has taken it from another reject file
	bad    map[string]map[string]bool // by import: the rows in its reject file
	seen   map[pipeline.Origin]bool   // rows that stand before it
	again  int64                      // rows that may be in
	tooOld int64                      // rows that may have arrived too long ago
	late   map[string]string          // where those come from, in words
}

// file looks at a reject file, but for the rows that are settled.
func (o *origins) file(src checkpoint.Source, settled int64) error {
	own, n := importOf(src.Path), int64(0)
	forebears := o.before.forebears(own)
	read := make(map[string][]sourceOf) // by the path of the origin
	return eachPapers(src.Path, func(p rejectPapers) error {
		if n++; n <= settled {
			return nil
		}
		old, in := false, !p.Sent.IsZero()
		if in && o.r.age(p.Sent) >= safeWindow {
			o.late[p.Path+" "], old = fmt.Sprintf("of %s, an earlier try may have been taken on %s", visible(p.Path), p.Sent.Format("2006-01-02")), true
		}
		if p.Path != "" && p.Path != "-" { // else where it stood does not tell it from others
			origin := o.before.origin(p.Path, forebears)
			if _, known := read[p.Path]; !known {
				read[p.Path] = o.before.of(origin)
			}
			in = in || o.seen[p.Origin]
			o.seen[p.Origin] = true
			for _, was := range slices.Concat(read[p.Path], o.others[o.before.row(p.Origin)]) {
				if forebears[was.Plan.ID] || was.Plan.ID == o.plan.ID || o.rejectedBy(was, origin)[o.before.row(p.Origin)] {
					continue // of them the row is not in
				}
				if o.r.age(was.Plan.Started) >= safeWindow {
					o.late[p.Path], old = fmt.Sprintf("%s was read by import %s, on %s", visible(p.Path), was.Plan.ID, was.Plan.Started.Format("2006-01-02")), true
				}
				_, taken := rejectsOf(was.source().Path)
				in = in || o.before.held(was) > 0 && (taken || was.Plan.Started.After(o.before.imports[own].Plan.Started))
			}
		}
		if in {
			o.again++
		}
		if old {
			o.tooOld++
		}
		return nil
	})
}

// rejectedBy are the rows that an import rejected, as far as its file is there, and
// as it is sure that a place in what it read is the same row as in origin.
func (o *origins) rejectedBy(was sourceOf, origin checkpoint.Source) map[string]bool {
	key := fmt.Sprint(was.Plan.ID, " ", was.at, " ", contentKey(origin.Print))
	rows, known := o.bad[key]
	if !known {
		rows = make(map[string]bool)
		if o.beginAlike(was.source(), origin) {
			// What cannot be read says nothing: then the row is asked about.
			_ = eachReject(was.Rejects, func(_ pipeline.Stage, at pipeline.Origin) error {
				rows[o.before.row(at)] = true
				return nil
			})
		}
		o.bad[key] = rows
	}
	return rows
}

// beginAlike reports whether two sources were the same, or what is there now begins
// with both.
func (o *origins) beginAlike(a, b checkpoint.Source) bool {
	if a.Head == "" || b.Head == "" {
		return false
	}
	if a.Diff(b.Print) == "" {
		return true
	}
	now, err := o.r.job.fingerprint(b.Path)
	if err != nil {
		return false
	}
	begins := func(was checkpoint.Source) bool { return was.Diff(now.Print) == "" || continues(was, now) }
	return begins(a) && begins(b)
}

// verdict warns of rows that may be in, or refuses to send them.
func (o *origins) verdict() error {
	r := o.r
	if o.again > 0 {
		what := "of a uid the platform keeps what came first"
		if r.job.mapping != nil && r.job.mapping.UsesRule(mapper.RuleContent, mapper.RuleRow) {
			what = "with the uid rule of the mapping they are billed beside it where they differ"
		}
		text := fmt.Sprintf("may be in already: %s, whose row was sent with no answer, or stands in another reject file, too, or in a source that was imported since; %s", plural(o.again, "reject"), what)
		if !r.f.force && strings.HasPrefix(what, "with") {
			return coded(exitUsage, errors.New(text), "delete the lines of those that are in; then add --force")
		}
		r.app.warn("warning: %s", text)
	}
	if o.tooOld == 0 || r.f.allowBeyond {
		return nil
	}
	texts := slices.Sorted(maps.Values(o.late))
	return coded(exitUsage, fmt.Errorf("%w: %s may have arrived more than 34 days ago: %s", errBeyondWindow, plural(o.tooOld, "reject"), firstFewOf(texts, 5, "other source")),
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
