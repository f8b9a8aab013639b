package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/m3import/m3import/checkpoint"
)

// tellGivenUp says what --restart leaves behind: how far the import had come,
// and the rejects that are open still.
func (r *runner) tellGivenUp(plan checkpoint.Plan, mark checkpoint.Mark) error {
	n := mark.Counts
	r.app.say("gives import %s up (%s, stopped at %s): %s settled, %s accepted, %s rejected",
		plan.ID, kindOf(plan), place(plan, mark), plural(n.Read, "row"), grouped(n.Accepted), grouped(n.Rejected))
	switch {
	case plan.Kind == rejectsKind && r.job.kind == rejectsKind:
		return nil // they are what is sent now
	case plan.Kind == rejectsKind:
		var all int64
		var files []string
		for _, src := range plan.Sources {
			rows, err := countRows(src.Path)
			if err != nil {
				return coded(exitUsage, fmt.Errorf("the rejects that import %s was to send again cannot be counted: %w", plan.ID, err), "")
			}
			all += rows
			files = append(files, src.Path)
		}
		if left := all - n.Accepted - n.Filtered; left > 0 {
			r.app.say("%s of the %s that it was to send are not sent; they are in %s", grouped(left), plural(all, "reject"), strings.Join(files, " and "))
			r.app.sayHint("to send them:  m3import replay rejects %s", shellQuote(r.journal.Dir()))
		}
	case n.Rejected > 0:
		r.app.say("its %s: %s", plural(n.Rejected, "reject"), r.journal.RejectsPath())
	}
	return nil
}

// giveUp ends an unfinished import when there is nothing to begin in its place:
// what was imported before it is what the state directory is about again.
func (r *runner) giveUp(plan checkpoint.Plan, mark checkpoint.Mark, skipped int) error {
	if err := r.tellGivenUp(plan, mark); err != nil {
		return err
	}
	if err := r.journal.GiveUp(); err != nil {
		return err
	}
	r.app.say("nothing else to do: %s, imported before (to send again under the same uids: --force)", plural(int64(skipped), "source"))
	return nil
}

// sentAgain is what it means to begin anew.
const sentAgain = `   (old rows come again: under the uids that they had, which the platform ignores
   for 35 days and counts against your allowance; where they would get others,
   you are asked first)`

// wayOn says how to go on when an unfinished import cannot be resumed.
func (r *runner) wayOn(plan checkpoint.Plan) string {
	first := "to finish it as it was: put back what changed, then  "
	if r.job.touched {
		first = "where only the time is another, and the content the same: add --same\n" + first
	}
	if plan.Kind != r.job.kind {
		first = "to finish it first:  "
	}
	text := first + resumeCommand(plan.Command) + `
to give it up and begin anew with what is there now: add --restart
` + sentAgain
	if r.job.kind == rejectsKind || r.f.original != nil {
		return text // where --state says what is replayed
	}
	return text + `
to leave it alone and import beside it: add --state DIR`
}

// afterEdit says how to go on when somebody has changed the reject file while it
// was written: without the loss of a reject, or of what was mended.
func (r *runner) afterEdit(plan checkpoint.Plan, e *checkpoint.ChangedError) string {
	text := fmt.Sprintf("what is there now is left as it is; go on with  %s\n"+
		"   (it keeps what was mended where the file has one line for each of the %s, and else goes no further;\n"+
		"   lines that were only added at its end are cut off: keep a copy of them)\n", resumeCommand(plan.Command), plural(e.Rejects, "reject"))
	mends := "m3import state repair " + shellQuote(r.journal.Dir())
	if e.Written != "" {
		return text + fmt.Sprintf("where it goes no further:  %s --yes  puts back what was written (%s)", mends, e.Written)
	}
	return text + fmt.Sprintf("where it goes no further:  %s  says how every row is read again, under the same uids", mends)
}

// wayBack says how to go on when a source changed while it was read: the same
// command goes on only when the source is what it was, or more.
func (r *runner) wayBack(plan checkpoint.Plan) string {
	command := resumeCommand(plan.Command)
	gone := slices.DeleteFunc(slices.Clone(plan.Sources), func(s checkpoint.Source) bool {
		_, err := os.Stat(s.Path)
		return !errors.Is(err, fs.ErrNotExist)
	})
	text := "put back what it was, or wait until nobody writes to it (text may have grown), then  " + command
	if len(gone) > 0 {
		text = "put it back, then  " + command
	}
	named := func(s checkpoint.Source) bool { return slices.Contains(r.job.args, s.Path) }
	if r.f.original != nil || slices.ContainsFunc(gone, named) {
		return text // what is there now is not what was asked for
	}
	return text + "\nor begin anew with what is there now:  " + command + " --restart\n" + sentAgain
}
