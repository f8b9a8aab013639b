package main

import (
	"errors"
	"io/fs"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

// foresee tells in a dry run what the command would come to besides its rows: that
// it goes on with an import, or that sources were imported before; and its error is
// what the command would be refused for.
func (a *app) foresee(f *runFlags, args []string, kind string) error {
	cfg, err := uploader.ConfigFromEnv(a.envFor(f))
	if err == nil {
		cfg, err = cfg.Resolve()
	}
	if err != nil {
		a.say("what was sent before was not looked up, as it is not known where this would go: %v", err)
		return nil
	}
	paths, _, err := findSources(args, f.state, f.ifNoInput == "ok") // its notes were told
	if err != nil || len(paths) == 0 {
		return err
	}
	mapping, err := f.load()
	if err != nil {
		return err
	}
	j, err := newJob(f, args, kind, paths, mapping, cfg)
	if err != nil {
		return err
	}
	r := &runner{app: a, f: f, job: j}
	if r.home, err = a.stateFor(f.state, j); err != nil {
		return err
	}
	if paths[0] == "-" {
		return r.guardStdin()
	}
	st, err := checkpoint.Peek(r.home)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return coded(exitUsage, err, "")
	case st.Begun && !st.Mark.Finished && !f.restart && st.Plan.Sources[0].Path != "-":
		return r.foreseeResume(st.Plan, st.Mark)
	}
	return r.foreseeNew()
}

func (r *runner) foreseeResume(plan checkpoint.Plan, mark checkpoint.Mark) error {
	now, _, err := r.job.resumable(plan, mark)
	if err != nil {
		return coded(exitUsage, err, r.wayOn(plan))
	}
	if now != nil {
		plan.Sources = now
	}
	r.app.say("import %s is not finished: without --dry-run this goes on with it at %s, and what is told here is of all rows", plan.ID, place(plan, mark))
	r.app.warnAll(r.job.torn)
	return r.guardResume(plan, mark)
}

func (r *runner) foreseeNew() error {
	plan := r.job.plan(r.app)
	done := map[string][]sourceOf{}
	var err error
	if !r.job.force {
		if done, err = r.doneIn(func(dir string) bool { return dir == r.dir() }); err != nil {
			return err
		}
	}
	for _, path := range r.job.paths {
		src, err := r.job.fingerprint(path)
		if err != nil {
			return coded(exitUsage, err, "")
		}
		_, is, err := r.job.among(done[contentKey(src.Print)], &src)
		if err != nil {
			return err
		}
		if is {
			plan.Skipped++
			continue
		}
		plan.Sources = append(plan.Sources, src)
	}
	here := plan.Skipped
	if err := r.skipDoneElsewhere(&plan); err != nil {
		return err
	}
	switch {
	case len(plan.Sources) == 0:
		r.app.say("without --dry-run nothing is sent: %s, imported before (to send again under the same uids: --force)", plural(int64(plan.Skipped), "source"))
		return nil
	case here > 0:
		r.app.say("without --dry-run %s imported before would be left out; what is told here is of all", plural(int64(here), "source"))
	}
	if err := r.tellUnfinished(plan); err != nil {
		return err
	}
	return r.guardNew(plan)
}
