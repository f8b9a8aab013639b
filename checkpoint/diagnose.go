package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// diagnose finds what is wrong, from the outside in: what names a file before
// the file. What a damaged file hides is found when that is mended.
func (r *repair) diagnose() ([]Fault, error) {
	faults, err := r.leftovers(r.dir)
	if err != nil {
		return nil, err
	}
	holder := filepath.Join(r.dir, holderName)
	if has, err := r.has(holder); err != nil {
		return nil, err
	} else if has { // and we have the lock
		faults = append(faults, r.remove(holder, "it names a run that is no more"))
	}
	cur, fault, err := r.current()
	if err != nil || fault != nil {
		return appendFault(faults, fault), err
	}
	if cur.Import == "" {
		return faults, nil // nothing has begun here
	}
	more, err := r.theImport(&cur)
	if err == nil && len(more) == 0 {
		more, err = r.former()
	}
	return append(faults, more...), err
}

// former finds imports of earlier that cannot be read any more. What they have
// sent is not known then, and nothing stands in for it.
func (r *repair) former() (faults []Fault, err error) {
	_, err = imports(r.fsys, r.dir)
	for _, err := range errorsIn(err) {
		damaged, ok := errors.AsType[*DamagedError](err)
		if !ok {
			return faults, err
		}
		faults = append(faults, Fault{Path: damaged.Path, What: damaged.Reason})
	}
	return faults, nil
}

// errorsIn takes apart what errors.Join has joined, and joined again.
func errorsIn(err error) []error {
	many, ok := err.(interface{ Unwrap() []error })
	switch {
	case err == nil:
		return nil
	case !ok:
		return []error{err}
	}
	var all []error
	for _, one := range many.Unwrap() {
		all = append(all, errorsIn(one)...)
	}
	return all
}

func appendFault(faults []Fault, f *Fault) []Fault {
	if f == nil {
		return faults
	}
	return append(faults, *f)
}

// leftovers are files that were being written when a crash came.
func (r *repair) leftovers(dir string) ([]Fault, error) {
	entries, err := r.fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var faults []Fault
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), tempSuffix) {
			faults = append(faults, r.remove(filepath.Join(dir, e.Name()), "a run has ended while it was writing it"))
		}
	}
	return faults, nil
}

// frame reads a state file that should be there. It returns what is wrong with
// it in words, and an error where looking on is of no use.
func (r *repair) frame(path, kind string, v any) (wrong string, err error) {
	err = loadFrame(r.fsys, path, kind, v)
	if damaged, ok := errors.AsType[*DamagedError](err); ok {
		return damaged.Reason, nil
	}
	return "", err
}

// current reads the file of that name. With a fault it is not known.
func (r *repair) current() (cur current, _ *Fault, err error) {
	path := filepath.Join(r.dir, currentName)
	wrong, err := r.frame(path, kindCurrent, &cur)
	switch {
	case err != nil:
		return cur, nil, err
	case wrong == "" && (checkID(cur.Import) != nil || cur.HistoryLen < 0):
		wrong = fmt.Sprintf("it names the import %q and %d bytes of history", cur.Import, cur.HistoryLen)
	case wrong == "":
		return cur, nil, nil
	}
	if has, err := r.has(path); err != nil {
		return current{}, nil, err
	} else if !has {
		if err := checkUnbegun(r.fsys, r.dir); err == nil {
			return current{}, nil, nil
		} else if damaged, ok := errors.AsType[*DamagedError](err); ok {
			wrong = damaged.Reason
		} else {
			return current{}, nil, err
		}
	}
	f := &Fault{Path: path, What: wrong}
	was, why, err := r.deduce()
	if err != nil || why != "" {
		f.What += "; and what was in it cannot be found out: " + why
		return current{}, f, err
	}
	f.Mend = fmt.Sprintf("it can only have named the import %s, the last one that has sent anything; it is written again", was.Import)
	f.mend = func() error {
		text, err := frameOf(kindCurrent, was)
		if err != nil {
			return err
		}
		return replace(r.fsys, path, text)
	}
	return current{}, f, nil
}

// deduce finds out what current said: the import that was begun last among
// those that have a mark of their own, since nothing of the others was sent;
// and as much history as their marks vouch for. why is the reason when that is
// not certain.
func (r *repair) deduce() (cur current, why string, err error) {
	entries, err := r.fsys.ReadDir(filepath.Join(r.dir, importsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cur, "", err
	}
	var last Import
	var broken string // the last import that cannot be read
	twice := false
	for _, e := range entries {
		var one Import
		home := filepath.Join(r.dir, importsName, e.Name())
		if one.Plan, err = loadPlan(r.fsys, filepath.Join(home, planName), e.Name()); err == nil {
			one.Mark, err = loadMark(r.fsys, filepath.Join(home, markName), &one.Plan)
		}
		switch {
		case err != nil:
			broken = max(broken, e.Name())
		case one.Mark.Begun():
			if one.Mark.Finished {
				cur.HistoryLen = max(cur.HistoryLen, one.Mark.HistoryLen)
			}
			switch one.Plan.Started.Compare(last.Plan.Started) {
			case 0:
				twice = true
			case +1:
				last, twice = one, false
			}
		}
	}
	cur.Import = last.Plan.ID
	switch {
	case cur.Import == "":
		return cur, "no import that is here has sent anything", nil
	case twice:
		return cur, "two imports began at the same time", nil
	case broken != "" && !orderly(broken, cur.Import):
		return cur, fmt.Sprintf("the import %s cannot be read, and may have begun later", broken), nil
	}
	why, err = r.strangers(&cur, last.Mark.Finished)
	return cur, why, err
}

// orderly reports whether the ids, which NewID makes, show that the first one
// is of an earlier time.
func orderly(first, second string) bool {
	const layout = "20060102T150405Z"
	a, b := first[:min(len(first), len(layout))], second[:min(len(second), len(layout))]
	_, errA := time.Parse(layout, a)
	_, errB := time.Parse(layout, b)
	return errA == nil && errB == nil && a < b
}

// strangers looks in the history for imports that are no more in the directory:
// then what the others vouch for is not all that was.
func (r *repair) strangers(cur *current, finished bool) (why string, err error) {
	data, err := r.fsys.ReadFile(filepath.Join(r.dir, historyName))
	if errors.Is(err, fs.ErrNotExist) && cur.HistoryLen == 0 {
		return "", nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if int64(len(data)) < cur.HistoryLen {
		return fmt.Sprintf("%s has %d bytes, and %d were written", historyName, len(data), cur.HistoryLen), nil
	}
	for line := range bytes.Lines(data[cur.HistoryLen:]) {
		var e entry
		if line, ok := bytes.CutSuffix(line, []byte("\n")); ok {
			if _, err := checkEntry(line); err == nil && json.Unmarshal(line, &e) == nil && (finished || e.Import != cur.Import) {
				return fmt.Sprintf("%s knows of the import %s, which is not here", historyName, e.Import), nil
			}
		}
	}
	return "", nil
}

// theImport finds what is wrong with the import that the directory is about,
// and with the history that is vouched for.
func (r *repair) theImport(cur *current) ([]Fault, error) {
	home := filepath.Join(r.dir, importsName, cur.Import)
	var plan Plan
	path := filepath.Join(home, planName)
	wrong, err := r.frame(path, kindPlan, &plan)
	if err == nil && wrong == "" && (plan.Version != Version || plan.ID != cur.Import) {
		wrong = fmt.Sprintf("it is the plan of import %q", plan.ID)
	}
	switch {
	case err != nil:
		return nil, err
	case wrong != "":
		return []Fault{{Path: path, What: wrong}}, nil
	}
	path = filepath.Join(home, markName)
	mark, wrong, err := r.mark(path, &plan)
	switch {
	case err != nil:
		return nil, err
	case wrong != "":
		return r.lostMark(&plan, home, wrong)
	}
	faults, err := r.leftovers(home)
	if err != nil {
		return nil, err
	}
	historyLen := cur.HistoryLen
	if mark.Finished {
		historyLen = mark.HistoryLen
	}
	history, err := r.history(historyLen)
	faults = append(faults, history...)
	if err != nil || mark.Finished {
		return faults, err // the rejects and sources of a finished import are the user's
	}
	tails, err := r.tails(&plan, mark, home)
	return append(faults, tails...), err
}

// lostMark finds what there is in the place of a mark that cannot be read.
func (r *repair) lostMark(p *Plan, home, wrong string) ([]Fault, error) {
	path := filepath.Join(home, markName)
	next, nextWrong, err := r.mark(path+tempSuffix, p)
	if err != nil {
		return nil, err
	}
	if nextWrong == "" {
		if ok, err := r.vouched(home, next); err != nil || ok {
			return []Fault{r.adopt(path, wrong, next)}, err
		}
	}
	return []Fault{r.restart(p, path, wrong)}, nil
}

// tails finds what is wrong with the files that grow with the mark.
func (r *repair) tails(p *Plan, mark *Mark, home string) (faults []Fault, err error) {
	for _, t := range []struct {
		name    string
		vouched int64
	}{{rejectsName, mark.RejectsLen}, {sourcesName, mark.SourcesLen}} {
		path := filepath.Join(home, t.name)
		info, err := r.fsys.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && t.vouched == 0:
			faults = append(faults, r.create(path))
		case errors.Is(err, fs.ErrNotExist):
			what := fmt.Sprintf("it is missing, and had %d bytes", t.vouched)
			if f, err := r.putBack(path, what, mark); f != nil || err != nil {
				return appendFault(faults, f), err
			}
			return append(faults, r.restart(p, path, what)), nil
		case err != nil:
			return nil, err
		case t.name == rejectsName && mark.RejectsSum != "":
			s, err := surveyRejects(r.fsys, path, t.vouched)
			if err != nil {
				return nil, err
			}
			switch state := s.compare(mark); {
			case state == unfit:
				if f, err := r.putBack(path, s.wrong(mark), mark); f != nil || err != nil {
					return appendFault(faults, f), err
				}
				return append(faults, r.restart(p, path, s.wrong(mark))), nil
			case state == asWritten && s.size > t.vouched:
				faults = append(faults, r.cut(path, s.size, t.vouched))
			}
		case info.Size() < t.vouched:
			return append(faults, r.restart(p, path, fmt.Sprintf("it has %d bytes, and %d were written", info.Size(), t.vouched))), nil
		case info.Size() > t.vouched:
			faults = append(faults, r.cut(path, info.Size(), t.vouched))
		}
	}
	return faults, nil
}

// putBack mends rejects by what a run had written, where one has kept that and it
// is what the mark vouches for. It is nil where there is no such thing.
func (r *repair) putBack(path, what string, mark *Mark) (*Fault, error) {
	written := path + writtenSuffix
	if has, err := r.has(written); err != nil || !has || filepath.Base(path) != rejectsName || mark.RejectsSum == "" {
		return nil, err
	}
	s, err := surveyRejects(r.fsys, written, mark.RejectsLen)
	if err != nil || s.compare(mark) != asWritten {
		return nil, err
	}
	return &Fault{
		Path: path, What: what,
		Mend: "what was written is kept as " + filepath.Base(written) + ", and takes its place; what is there is kept as " + filepath.Base(path) + asideSuffix,
		mend: func() error {
			if err := r.keep(path); err != nil {
				return err
			}
			if err := r.fsys.Rename(written, path); err != nil {
				return err
			}
			return r.fsys.SyncDir(filepath.Dir(path))
		},
	}, nil
}

func (r *repair) mark(path string, p *Plan) (m *Mark, wrong string, err error) {
	m = new(Mark)
	wrong, err = r.frame(path, kindMark, m)
	if err == nil && wrong == "" {
		if err := m.check(p); err != nil {
			wrong = err.Error()
		}
	}
	return m, wrong, err
}

// vouched reports whether all that a mark which never took its place counts is
// on the disk. When it was written, it was; since then a run may have gone on
// from the mark before, and have cut the files to that.
func (r *repair) vouched(home string, m *Mark) (bool, error) {
	if m.Finished {
		if faults, err := r.history(m.HistoryLen); err != nil || len(faults) > 0 {
			return false, err
		}
	}
	codes := 0
	for _, n := range m.RejectCodes {
		codes += int(n)
	}
	for _, t := range []struct {
		name    string
		vouched int64
		lines   int // -1: any number
	}{{rejectsName, m.RejectsLen, codes}, {sourcesName, m.SourcesLen, -1}} {
		data, err := r.fsys.ReadFile(filepath.Join(home, t.name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return false, nil
		case err != nil:
			return false, err // it may be there: to begin anew would be wrong
		case int64(len(data)) < t.vouched:
			return false, nil
		}
		data = data[:t.vouched]
		whole := len(data) == 0 || data[len(data)-1] == '\n' && bytes.IndexByte(data, 0) < 0
		if n := bytes.Count(data, []byte("\n")); !whole || t.lines >= 0 && n != t.lines {
			return false, nil
		}
	}
	return true, nil
}

// history finds what is wrong with the history up to a length.
func (r *repair) history(vouched int64) ([]Fault, error) {
	if vouched == 0 {
		return nil, nil
	}
	path := filepath.Join(r.dir, historyName)
	data, err := r.fsys.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Fault{{Path: path, What: fmt.Sprintf("it is missing, and had %d bytes", vouched)}}, nil
	case err != nil:
		return nil, err
	case int64(len(data)) < vouched:
		return []Fault{{Path: path, What: fmt.Sprintf("it has %d bytes, and %d were written", len(data), vouched)}}, nil
	}
	n := 0
	for line := range bytes.Lines(data[:vouched]) {
		n++
		line, whole := bytes.CutSuffix(line, []byte("\n"))
		_, err := checkEntry(line)
		if !whole {
			err = errors.New("its end is missing")
		}
		if err != nil {
			return []Fault{{Path: path, What: fmt.Sprintf("line %d: %v", n, err)}}, nil
		}
	}
	return nil, nil
}
