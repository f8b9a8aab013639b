package checkpoint

import (
	"errors"
	"fmt"
	"path/filepath"
)

// GiveUp leaves an unfinished import behind: the directory is about the last
// import that was finished again, as it was left then. What was given up keeps
// its files, and Imports still lists it. Without a finished import there is
// nothing to go back to, and that is an error that changes nothing: Begin is
// the way on then.
//
// After a crash the directory is about the one or the other.
func (j *Journal) GiveUp() error {
	switch {
	case j.err != nil:
		return j.err
	case !j.begun || j.mark.Finished:
		return errors.New("checkpoint: give up without an unfinished import")
	}
	last, err := j.lastFinished()
	if err == nil && last == "" {
		return fmt.Errorf("state in %s: no import was finished here, so there is none to go back to", j.dir)
	}
	if err == nil {
		err = j.turnTo(last)
	}
	if err != nil {
		return j.fail("give up", err)
	}
	return nil
}

// lastFinished is the id of the import that was finished last, "" for none: all
// of the history is vouched for by its mark.
func (j *Journal) lastFinished() (string, error) {
	entries, err := j.fsys.ReadDir(j.path(importsName))
	if err != nil {
		return "", err
	}
	var last Plan
	for _, e := range entries {
		home := filepath.Join(j.dir, importsName, e.Name())
		plan, err := loadPlan(j.fsys, filepath.Join(home, planName), e.Name())
		var mark Mark
		if err == nil {
			mark, err = loadMark(j.fsys, filepath.Join(home, markName), &plan)
		}
		if _, damaged := errors.AsType[*DamagedError](err); err != nil && !damaged {
			return "", err
		}
		if err == nil && mark.Finished && mark.HistoryLen == j.historyLen && (last.ID == "" || last.Started.Before(plan.Started)) {
			last = plan
		}
	}
	return last.ID, nil
}

// turnTo makes the directory be about another of its imports.
func (j *Journal) turnTo(id string) error {
	cur, err := frameOf(kindCurrent, current{Import: id, HistoryLen: j.historyLen})
	if err != nil {
		return err
	}
	if err := replace(j.fsys, j.path(currentName), cur); err != nil {
		return err
	}
	j.rejects.close()
	j.sources.close()
	j.history.close()
	j.index, j.edited = nil, false
	return j.open()
}
