package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// maxRejectsShown is how many rejects are shown while an import runs; all are
// in the reject file.
const maxRejectsShown = 5

// runner carries one command through the imports that it takes: the one that
// was left unfinished, and the one that is new.
type runner struct {
	app     *app
	f       *runFlags
	job     *job
	client  *uploader.Client    // counts what the platform took
	submit  uploader.Submitter  // the client
	journal *checkpoint.Journal // nil when nothing is done
	home    string              // the state directory then
	others  []known             // what other state directories know; nil: not read yet
	shown   int                 // rejects of the import at hand
	ran     []string            // the imports of this command
	inSlice int64               // rows of the slice that the import finished first had
}

// dir is the state directory.
func (r *runner) dir() string {
	if r.journal == nil {
		return r.home
	}
	return r.journal.Dir()
}

// all brings the state up to the input as it is now.
func (r *runner) all(ctx context.Context) error {
	var result error
	old, mark, unfinished := r.unfinished()
	if r.job.paths[0] == "-" || unfinished && old.Sources[0].Path == "-" {
		if err := r.guardStdin(); err != nil {
			return err
		}
	}
	if unfinished && old.Sources[0].Path == "-" {
		if mark.Counts.Read > 0 {
			r.app.say("the last import of standard input was not finished; %s of it are settled, and this one begins at its own start", plural(mark.Counts.Read, "row"))
		}
		unfinished = false // it cannot be read again
	}
	if unfinished && !r.f.restart {
		result = r.resume(ctx, old, mark)
		if result != nil && !errors.Is(result, errRejects) && !errors.Is(result, errNotInSlice) {
			return result
		}
		if r.job.kind == rejectsKind {
			return result // its files are those that it began with
		}
		// What came since is still to be sent, and only that: what was just sent
		// is not to be sent again, whatever else is.
		r.job.finished = old.ID
		done, _ := r.journal.Mark()
		r.inSlice = done.Counts.Read - done.Counts.Filtered
	}
	plan, err := r.job.newPlan(r.app, r.journal, r.f.reader())
	if err == nil {
		err = r.skipDoneElsewhere(&plan)
	}
	if err != nil {
		if _, ok := errors.AsType[*codedError](err); ok {
			return err
		}
		return coded(exitUsage, err, "")
	}
	switch givesUp := unfinished && r.f.restart; {
	case givesUp && len(plan.Sources) == 0:
		return r.giveUp(old, mark, plan.Skipped)
	case len(plan.Sources) == 0 && r.job.kind == rejectsKind:
		return r.noneMended()
	case len(plan.Sources) == 0:
		if result == nil && !unfinished {
			r.app.say("nothing to do: %s, imported before (to send again under the same uids: --force)", plural(int64(plan.Skipped), "source"))
		}
		return result
	}
	giveUp := func() error { return nil }
	if unfinished && r.f.restart {
		giveUp = func() error { return r.tellGivenUp(old, mark) }
	}
	if second := r.begin(ctx, plan, giveUp); second != nil || errors.Is(result, errNotInSlice) {
		// The second import's end is the command's; that the first had rejects
		// was told when it ended, and what was not in it is in this one.
		return second
	}
	return result
}

// resume goes on with an unfinished import to its end.
func (r *runner) resume(ctx context.Context, plan checkpoint.Plan, mark checkpoint.Mark) error {
	now, grown, err := r.job.resumable(plan, mark)
	r.job.prints = nil // they get old while this import runs
	if err != nil {
		return coded(exitUsage, err, r.wayOn(plan))
	}
	if grown {
		if r.f.verify == "full" {
			r.app.say("a source is longer than it was and begins as it did: going on into what is new")
		} else {
			r.app.say("a source is longer than it was, and the first and last 64 KiB of then are as they were: going on into what is new (with --verify full from the start, every byte is compared)")
		}
		r.app.warnAll(r.job.torn)
	}
	if now != nil {
		if err := r.journal.Amend(now); err != nil {
			return err
		}
		plan.Sources = now
	}
	if err := r.guardResume(plan, mark); err != nil {
		return err
	}
	if r.journal.RejectsEdited() {
		r.app.say("the reject file was edited since it was written: it is kept as it is, and what was mended goes in once the import is finished, with  m3import replay rejects %s",
			shellQuote(r.journal.Dir()))
	}
	r.app.say("resuming import %s at %s", plan.ID, place(plan, mark))
	return r.one(ctx, plan, mark)
}

// begin carries out a new import. giveUp tells of the one whose place it takes, once
// it is sure to.
func (r *runner) begin(ctx context.Context, plan checkpoint.Plan, giveUp func() error) error {
	if imports, err := r.journal.Imports(); err == nil {
		r.warnOfMapping(plan, imports)
	}
	if err := r.tellUnfinished(plan); err != nil {
		return err
	}
	if err := r.guardNew(plan); err != nil {
		return err
	}
	if err := giveUp(); err != nil {
		return err
	}
	if err := r.journal.Begin(plan); err != nil {
		return err
	}
	plan, _ = r.journal.Plan()
	mark, _ := r.journal.Mark()
	err := r.one(ctx, plan, mark)
	if err == nil && plan.Skipped > 0 && r.job.kind == rejectsKind {
		return r.noneMended() // of the files that were skipped
	}
	return err
}

func (r *runner) unfinished() (checkpoint.Plan, checkpoint.Mark, bool) {
	plan, ok := r.journal.Plan()
	if !ok {
		return plan, checkpoint.Mark{}, false
	}
	mark, _ := r.journal.Mark()
	return plan, mark, !mark.Finished
}

// one runs one import to its end, a stop, or an error.
func (r *runner) one(ctx context.Context, plan checkpoint.Plan, mark checkpoint.Mark) error {
	before := mark.Counts
	r.shown, r.ran = 0, append(r.ran, plan.ID)
	remarks := new(remarked)
	im := &pipeline.Import{
		Sources: plan.Sources, Mapping: r.job.mapping, Reader: r.f.reader(), Stdin: standardInput(ctx, r.app.stdin), Select: r.f.selection,
		Submit: logged{r.submit, r.app}, Limits: uploader.Limits{Items: r.f.batchSize, Bytes: r.f.batchBytes},
		Journal: r.journal, Mark: mark, Uploads: r.f.uploads, Drain: r.f.drain,
		MaxRejects: r.f.budget, OnReject: r.showReject, OnStop: r.stopping, OnRemark: remarks.add, Now: r.app.now,
	}
	start := r.app.now()
	stats := r.client.Stats()
	r.app.log.Info("import runs", "import", plan.ID, "sources", len(plan.Sources), "state", r.journal.Dir(),
		"organization", plan.OrgID, "endpoint", plan.Endpoint, "from", place(plan, mark))
	endProgress := r.app.watch(r.f.progress, im, r.client)
	err := im.Run(ctx)
	endProgress()
	rep := newReport(plan, im.Mark, before, r.client.Stats().Since(stats), start, r.app.now(), r.journal)
	rep.Warnings = remarks.lines()
	rep.Notes = emptyNotes(plan.Sources[mark.Position.Source:im.Mark.Position.Source], rep.Rows.Read)
	err = r.judge(ctx, im, rep, before, err)
	done, _ := r.journal.Mark()
	rep.Finished, rep.Pacing = done.Finished, r.client.PacingNote()
	rep.ExitCode = exitCode(ctx, err)
	r.app.log.Info("import ran", "import", plan.ID, "finished", rep.Finished, "exit_code", rep.ExitCode,
		"rows", im.Mark.Counts, "requests", rep.Requests.Requests, "retries", rep.Requests.Retries, "took", rep.runTime)
	if err != nil {
		rep.Error = err.Error()
	}
	err = errors.Join(err, r.writeReport(rep))
	if r.app.quiet { // else they stand in the report
		for _, text := range rep.Warnings {
			r.app.warn("warning: %s", text)
		}
	}
	if r.f.warn.Exceeded(im.Mark.Counts) {
		r.app.warn("warning: %s of %s were rejected, more than --warn-errors %v", grouped(im.Mark.Counts.Rejected), plural(im.Mark.Counts.Read, "row"), r.f.warn)
	}
	if errors.Is(err, pipeline.ErrTooManyRejects) {
		again := "to go on all the same: raise --max-errors and run the same command"
		if plan.Sources[0].Path == "-" {
			again = "to have the rest all the same: raise --max-errors, and pipe all of it in again: the same rows get the same uids"
		}
		err = coded(rep.ExitCode, err, fmt.Sprintf("each with its reason: %s\n%s", r.journal.RejectsPath(), again))
	} else if errors.Is(err, errSums) {
		err = coded(rep.ExitCode, err, fmt.Sprintf("the import is not taken for finished, now or later; please report this with %s\nto send all of it again, under the same uids:  %s --restart",
			filepath.Join(filepath.Dir(r.journal.RejectsPath()), "report.json"), resumeCommand(plan.Command)))
	} else if err != nil && !rep.Finished {
		err = coded(rep.ExitCode, err, r.goOn(plan, im.Mark, err))
	}
	return err
}

// stopping says what a stop waits for.
func (r *runner) stopping(inAir int) {
	if inAir == 0 {
		r.app.say("stopping: no request is in the air, and none leaves any more")
		return
	}
	r.app.say("stopping: %s in the air may land, for at most %v, and none leaves any more (again: leave at once)", plural(int64(inAir), "request"), r.f.drain)
}

// judge finishes an import that has come to its end, and turns the end of a run
// into what the command ends with: an import that cannot prove where every row
// went is neither finished nor a success, in this run and in any later one.
func (r *runner) judge(ctx context.Context, im *pipeline.Import, rep *report, before checkpoint.Counts, err error) error {
	n := im.Mark.Counts
	if why := rep.proof(before, err == nil); why != "" {
		im.Mark.Doubt = why
		return errors.Join(fmt.Errorf("%w: %s", errSums, why), err, r.journal.Commit(im.Mark))
	}
	if err == nil && rep.unread != nil {
		return fmt.Errorf("the rows cannot be proved against the sources: %w", rep.unread)
	}
	if err == nil {
		err = r.journal.Finish(im.Mark)
	}
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) && !errors.Is(err, pipeline.ErrStopped):
		return fmt.Errorf("%w: %w", pipeline.ErrStopped, err)
	case err == nil && n.Rejected > 0 && !r.f.allowRejects:
		return coded(exitRejects, fmt.Errorf("%w: %s of %s", errRejects, grouped(n.Rejected), grouped(n.Read)),
			r.mend())
	case err == nil && r.f.slice:
		return r.app.sliceEnd(&r.f.inputFlags, im, before.Read == 0 && r.job.finished == "", r.inSlice)
	}
	return err
}

// mend is the hint of an import that has rejects.
func (r *runner) mend() string {
	return fmt.Sprintf("each with its reason: %s\nmend them there, or the mapping, then  m3import replay rejects %s",
		r.journal.RejectsPath(), shellQuote(r.journal.Dir()))
}

// noneMended is what a replay ends with that skipped files because they are as
// they were when they were replayed last.
func (r *runner) noneMended() error {
	imports, err := r.journal.Imports()
	if err != nil {
		return err
	}
	open, err := openRejects(imports)
	if err != nil {
		return err
	}
	if len(open) == 0 {
		return nil
	}
	hint := changedTooLate(imports, r.job)
	if hint == "" {
		hint = "each with its reason:"
		for _, f := range open {
			hint += " " + f.Rejects
		}
	}
	return coded(exitRejects, fmt.Errorf("%w before, and none was mended since: %s", errRejects, plural(openRows(open), "row")),
		hint+"\nmend them there, or the mapping, then  m3import replay rejects "+shellQuote(r.journal.Dir()))
}

// remind tells of rejects of earlier imports that nobody has replayed: their
// own import told of them, and that was perhaps weeks ago.
func (r *runner) remind(err error) {
	if err != nil && !errors.Is(err, errRejects) || r.job.kind != "" {
		return
	}
	imports, e := r.journal.Imports()
	if e != nil {
		return // m3import status tells
	}
	open, e := openRejects(imports)
	// Of its own the command has told.
	n := openRows(slices.DeleteFunc(open, func(f rejectFile) bool { return slices.Contains(r.ran, f.Plan.ID) }))
	if e != nil || n == 0 {
		return
	}
	r.app.say("still open: %s of earlier imports; when they are mended,  m3import replay rejects %s", plural(n, "rejected row"), shellQuote(r.journal.Dir()))
}

// goOn is the hint of an import that has more to do.
func (r *runner) goOn(plan checkpoint.Plan, mark checkpoint.Mark, err error) string {
	if errors.Is(err, reader.ErrDamaged) {
		return r.damaged(plan, mark)
	}
	if plan.Sources[0].Path == "-" {
		return fmt.Sprintf("settled so far: %s; to go on, pipe all of it in again: the same rows get the same uids", plural(mark.Counts.Read, "row"))
	}
	hint := ""
	if e, ok := errors.AsType[*uploader.Error](err); ok && e.Hint != "" {
		hint = e.Hint + "\n"
		if e.Kind == uploader.Refused {
			hint += "if these rows are to be rejected all the same: the same command with --max-errors, and how many may be\n"
		}
	}
	stopped := fmt.Sprintf("stopped at %s; everything before it is settled\n", place(plan, mark))
	if errors.Is(err, pipeline.ErrSourceChanged) {
		return stopped + r.wayBack(plan)
	}
	if changed, ok := errors.AsType[*checkpoint.ChangedError](err); ok {
		return stopped + r.afterEdit(plan, changed)
	}
	if diskFull(err) {
		hint = makeRoom(r.journal.Dir()) + "\n"
	}
	if errors.Is(err, reader.ErrIncomplete) {
		return stopped + "put the whole file in its place, then  " + resumeCommand(plan.Command)
	}
	return hint + stopped + "go on with  " + resumeCommand(plan.Command)
}

// place says where a mark is, for people.
func place(plan checkpoint.Plan, mark checkpoint.Mark) string {
	p := mark.Position
	if p.Source >= len(plan.Sources) {
		return "the end of the input"
	}
	where := visible(filepath.Base(plan.Sources[p.Source].Path))
	if len(plan.Sources) > 1 {
		where += fmt.Sprintf(" (source %d of %d)", p.Source+1, len(plan.Sources))
	}
	if p.Record == 0 {
		return where + ", at its start"
	}
	return fmt.Sprintf("%s, after row %s", where, grouped(p.Record))
}

// showReject prints the first few rejects as they become durable.
func (r *runner) showReject(rej pipeline.Reject) {
	r.shown++
	switch {
	case r.shown <= maxRejectsShown:
		r.app.say("rejected: %s", rejectText(rej))
	case r.shown == maxRejectsShown+1:
		r.app.say("rejected: more; all are in %s", r.journal.RejectsPath())
	}
}

// rejectText is a reject in one line.
func rejectText(rej pipeline.Reject) string {
	source := filepath.Base(cmp.Or(rej.Path, rej.Source)) // with the suffix of a compression, as people see the file
	if source == "-" {
		source = "standard input"
	}
	text := fmt.Sprintf("%s:%d (row %d)", source, rej.Line, rej.Record)
	if rej.Field != "" {
		text += " " + rej.Field
	}
	if rej.Column != "" && rej.Column != rej.Field {
		text += fmt.Sprintf(" from column %q", rej.Column)
	}
	if value := strconv.Quote(rej.Value); rej.Value != "" && !strings.Contains(rej.Reason, value) {
		text += " = " + value
	}
	return text + ": " + rej.Reason
}

func (r *runner) writeReport(rep *report) error {
	text, err := rep.JSON()
	if err != nil {
		return err
	}
	if err := r.journal.WriteReport(text); err != nil {
		return err
	}
	switch {
	case r.app.quiet:
		return nil
	case r.f.json:
		_, err = r.app.stdout.Write(text)
	default:
		err = rep.print(r.app.stdout)
	}
	if readerGone(r.app.stdout, err) {
		r.app.log.Info("nobody reads the report", "error", err)
		return nil
	}
	return err
}

// elapsed is never zero, so that rates can be told.
func elapsed(start, end time.Time) time.Duration { return max(end.Sub(start), time.Millisecond) }
