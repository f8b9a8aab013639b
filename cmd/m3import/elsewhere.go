package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/m3import/m3import/checkpoint"
)

// known is an import that a state directory of the user's remembers.
type known struct {
	checkpoint.Import
	dir  string
	done func() map[string]int64 // by path: the rows accepted of the sources that it is through with
}

// newKnown is an import of a state directory. What its sources came to is read
// when it is asked for, once for all of them: they can be many.
func newKnown(im checkpoint.Import, dir string) known {
	return known{im, dir, sync.OnceValue(func() map[string]int64 {
		accepted := make(map[string]int64, len(im.Plan.Sources))
		for line, err := range checkpoint.SourceLines(dir, im.Plan.ID) {
			if err == nil {
				accepted[line.Path] += line.Accepted
			}
		}
		return accepted
	})}
}

// knownImports are the imports to the job's organization that sent something:
// finished or not, replays too, of all state directories of the user's and the
// one in use. What other directories say is read once; the one in use changes.
func (r *runner) knownImports() ([]known, error) {
	own := r.dir()
	if r.others == nil {
		dirs, err := r.otherDirs(own)
		if err != nil {
			return nil, err
		}
		r.others = []known{}
		for _, dir := range dirs {
			list, err := r.importsOf(dir)
			switch {
			case err != nil && !r.f.allowBeyond:
				return nil, coded(exitUsage, fmt.Errorf("%s cannot be read, so it is not known whether rows were sent from there before: %w", dir, err),
					cmp.Or(stateHint(err), repairHint(dir))+"\n"+
						"or import all the same: add --allow-beyond-dedupe-window, and what was sent from there more than 34 days ago may be billed twice")
			case err != nil:
				r.app.warn("warning: %s cannot be read, so it is not known whether rows were sent from there before: %v", dir, err)
			}
			r.others = append(r.others, list...)
		}
	}
	imports, err := r.imports()
	return slices.Concat(r.others, r.ofTheJob(imports, own)), err
}

// otherDirs are the state directories of the user's but for the own.
func (r *runner) otherDirs(own string) ([]string, error) {
	if _, err := checkpoint.DefaultRoot(r.app.getenv); err != nil {
		r.app.warn("warning: what other state directories know is not looked up: %v", err)
		return nil, nil
	}
	dirs, err := r.app.stateDirs("")
	if err != nil {
		const unknown = "the user's state directory cannot be read, so it is not known what was sent before"
		if !r.f.allowBeyond {
			return nil, coded(exitUsage, fmt.Errorf("%s: %w", unknown, err),
				"to import all the same: add --allow-beyond-dedupe-window, and what was sent more than 34 days ago may be billed twice")
		}
		r.app.warn("warning: %s: %v", unknown, err)
	}
	return slices.DeleteFunc(dirs, func(dir string) bool { return sameDir(dir, own) }), nil
}

// sameDir reports whether two paths are of one directory.
func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// imports are those of the own directory: the journal need not read again what it
// has written.
func (r *runner) imports() ([]checkpoint.Import, error) {
	if r.journal == nil {
		return checkpoint.Imports(r.home)
	}
	return r.journal.Imports()
}

func (r *runner) importsOf(dir string) ([]known, error) {
	imports, err := checkpoint.Imports(dir)
	return r.ofTheJob(imports, dir), err
}

// ofTheJob are those imports of a directory that go where the job goes.
func (r *runner) ofTheJob(imports []checkpoint.Import, dir string) (list []known) {
	for _, im := range imports {
		if strings.EqualFold(im.Plan.OrgID, r.job.orgID) && im.Plan.Endpoint == r.job.endpoint && im.Mark.Begun() {
			list = append(list, newKnown(im, dir))
		}
	}
	return list
}

// contentKey is the same for the same content, and rarely for another.
func contentKey(p checkpoint.Print) string { return strconv.FormatInt(p.Size, 10) + p.Head + p.Tail }

// rowsKey is the same where the rows are: the name counts where it is a part of
// their uids.
func rowsKey(p checkpoint.Print) string { return contentKey(p) + p.Name }

// doneElsewhere finds sources that another state directory of the user's has
// finished, by their contentKey: the state directory goes by the arguments, and
// the same files can be named in many ways. It is empty where only the own
// directory counts: it was chosen with --state, or the sources are to be sent
// again.
func (r *runner) doneElsewhere() (map[string][]sourceOf, error) {
	if r.f.state != "" || r.f.restart || r.job.force || r.job.kind != "" {
		return nil, nil
	}
	return r.doneIn(func(dir string) bool { return dir != r.dir() && !wasReset.MatchString(dir) })
}

// doneIn are the sources that imports under the job's mapping have finished, by
// their contentKey, in the state directories that count.
func (r *runner) doneIn(counts func(dir string) bool) (map[string][]sourceOf, error) {
	all, err := r.knownImports()
	if err != nil {
		return nil, err
	}
	done := make(map[string][]sourceOf)
	for n := range all {
		im := &all[n]
		if !counts(im.dir) || !im.Mark.Finished || im.Plan.MappingHash != r.job.mappingHash {
			continue
		}
		for i, src := range im.Plan.Sources {
			if src.Head != "" {
				key := contentKey(src.Print)
				done[key] = append(done[key], sourceOf{im, i})
			}
		}
	}
	return done, nil
}

// wasReset finds the directories that `state reset` moved aside: what they
// remember is to be forgotten.
var wasReset = regexp.MustCompile(`\.reset-\d{8}T\d{6}Z$`)

// sourceOf is a source of a known import.
type sourceOf struct {
	*known
	at int
}

func (s sourceOf) source() checkpoint.Source { return s.Plan.Sources[s.at] }

// reached reports whether the import may have sent something of the nth source.
func (im known) reached(nth int) bool {
	// Behind a mark that is not that of a clean stop, any source may be in the air.
	return nth <= im.Mark.Position.Source || !im.Mark.FirstSent.IsZero()
}

// atMost is how many rows of the source may have been accepted.
func (s sourceOf) atMost() int64 {
	if s.at < s.Mark.Position.Source || s.Mark.FirstSent.IsZero() {
		return s.accepted()
	}
	return s.accepted() + s.Mark.MaxUncertain
}

// accepted is how many rows of the source were accepted, as far as that is
// known still.
func (s sourceOf) accepted() int64 {
	if s.at == s.Mark.Position.Source {
		return s.Mark.Current.Accepted
	}
	if s.at > s.Mark.Position.Source {
		return 0
	}
	n, known := s.done()[s.source().Path]
	if !known {
		return s.Mark.Counts.Accepted // of all its sources: what is not known was not less
	}
	return n
}

// skipDoneElsewhere takes the sources out of a plan that another state directory
// has finished, and says so.
func (r *runner) skipDoneElsewhere(plan *checkpoint.Plan) error {
	done, err := r.doneElsewhere()
	if err != nil || len(done) == 0 {
		return err
	}
	var left []checkpoint.Source
	skipped := make(map[string]int64) // by the import
	var order []string
	for _, src := range plan.Sources {
		was, found, err := r.job.among(done[contentKey(src.Print)], &src)
		if err != nil {
			return err
		}
		if !found {
			left = append(left, src)
			continue
		}
		text := fmt.Sprintf("import %s in %s", was.Plan.ID, was.dir)
		if skipped[text]++; skipped[text] == 1 {
			order = append(order, text)
		}
	}
	for i, text := range order {
		if i == maxListed {
			r.app.say("and by %s more", plural(int64(len(order)-i), "import"))
			break
		}
		r.app.say("%s imported before, by %s: not sent again", plural(skipped[text], "source"), text)
	}
	plan.Skipped += len(plan.Sources) - len(left)
	plan.Sources = left
	return nil
}

// among looks for a source among those that have its contentKey. Where it takes
// every byte to tell, src has the print of them then.
func (j *job) among(done []sourceOf, src *checkpoint.Source) (was sourceOf, found bool, err error) {
	doubt, full := "", false
	for _, d := range done {
		p := d.source().Print
		if p.Name != src.Name || p.Full != "" && src.Full != "" && p.Full != src.Full {
			continue
		}
		full = full || p.Full != "" && src.Full == ""
		if diff := p.Diff(src.Print); !found || diff == "" {
			was, found, doubt = d, true, diff
		}
		if doubt == "" {
			break
		}
	}
	if doubt != "" && full {
		if *src, err = j.inFull(*src); err != nil {
			return was, false, err
		}
		return j.among(done, src)
	}
	if doubt != "" && !j.same {
		return was, false, inDoubt(src.Path, was.Plan.ID, was.Mark.Updated, doubt)
	}
	return was, found, nil
}

// tellUnfinished says which sources of a new import another state directory is
// half through with, and how to go on there instead.
func (r *runner) tellUnfinished(plan checkpoint.Plan) error {
	if r.job.kind != "" {
		return nil // a replay sends again what was sent
	}
	all, err := r.knownImports()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(im known) bool {
		return im.dir == r.dir() || im.Mark.Finished || !im.Current || im.Plan.Kind != ""
	})
	if len(all) == 0 {
		return nil
	}
	paths, contents := make(map[string]bool), make(map[string]bool)
	for _, src := range plan.Sources {
		paths[src.Path] = src.Path != "-"
		contents[rowsKey(src.Print)] = src.Head != ""
	}
	for _, im := range all {
		var shared []string
		for _, src := range im.Plan.Sources {
			if paths[src.Path] || contents[rowsKey(src.Print)] {
				shared = append(shared, filepath.Base(src.Path))
			}
		}
		if len(shared) == 0 {
			continue
		}
		again := "under the same uids"
		if _, kept := r.job.compareMapping(im.Plan); !kept {
			again = "perhaps under others"
		}
		r.app.say("this import shares %s (%s) with import %s, which is not finished (%s): what that one has sent is sent again, %s",
			plural(int64(len(shared)), "source"), firstFew(shared, 5), im.Plan.ID, place(im.Plan, im.Mark), again)
		if st, err := checkpoint.Peek(im.dir); err == nil && st.Holder != nil {
			r.app.sayHint("process %d is at it now (%s)", st.Holder.PID, im.dir)
			continue
		}
		r.app.sayHint("to finish that one instead: stop this one, then  %s", resumeCommand(im.Plan.Command))
	}
	return nil
}

// firstFew lists names, and says how many there are more.
func firstFew(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %s more", strings.Join(names[:n], ", "), grouped(int64(len(names)-n)))
}
