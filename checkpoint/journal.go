package checkpoint

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Options of Open. The zero value is what a program wants.
type Options struct {
	// Command is what Holder tells others. Default: os.Args.
	Command []string
	// Buffer is how many bytes of rejects are kept in memory between commits.
	// What is more is written ahead. Default: 1 MiB.
	Buffer int
	// FS is the file system. Default: OS.
	FS FS
}

// Journal is an open, locked state directory. It is for one goroutine at a
// time.
type Journal struct {
	dir   string
	fsys  FS
	spill int // Options.Buffer
	lock  io.Closer
	err   error // the first error; nothing is written after it

	state
	last    []byte // the frame of the mark that was committed last
	next    []byte // that of the mark that is being committed
	text    []byte // its content
	rejects tail
	sources tail
	history tail
	index   *index // of the history, from the first use on
	edited  bool   // the rejects were, by somebody
}

// Open makes the state directory (0700) when it is missing, locks it, and reads
// where its import is. Files that grow are cut to what the mark vouches for,
// unless the import is finished: then they are the user's. Rejects that were
// edited are kept (RejectsEdited) or refused, never cut.
//
// The error is a *LockedError when another run has the directory, a
// *DamagedError or a *VersionError when a state file is not as it was written,
// and one of the file system otherwise. None of them costs any state.
func Open(dir string, opt Options) (_ *Journal, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	j := &Journal{dir: dir, fsys: opt.FS, spill: cmp.Or(opt.Buffer, 1<<20)}
	if j.fsys == nil {
		j.fsys = OS
	}
	if err := mkdirAll(j.fsys, dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if j.lock, err = lockDir(j.fsys, dir, me(opt.Command)); err != nil {
		return nil, err
	}
	if err := j.open(); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (j *Journal) open() (err error) {
	if j.state, err = load(j.fsys, j.dir); err != nil || !j.begun {
		return err
	}
	// A former process may have been killed between a rename and the sync of
	// the directory. What the caller is about to build on must not be undone.
	for _, d := range []string{j.home(""), j.dir} {
		if err := j.fsys.SyncDir(d); err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
	}
	j.last = appendFrame(nil, kindMark, j.mark.appendJSON(nil))
	if j.historyLen > 0 {
		if j.history, err = openTail(j.fsys, j.path(historyName), j.historyLen, j.spill); err != nil {
			return err
		}
	}
	if j.mark.Finished {
		return nil
	}
	return j.openTails()
}

func (j *Journal) openTails() (err error) {
	if j.rejects, err = j.openRejects(); err != nil {
		return err
	}
	j.sources, err = openTail(j.fsys, j.home(sourcesName), j.mark.SourcesLen, j.spill)
	return err
}

// path is the name of a file of the state directory, home of the import.
func (j *Journal) path(name string) string { return filepath.Join(j.dir, name) }
func (j *Journal) home(name string) string {
	return filepath.Join(j.dir, importsName, j.plan.ID, name)
}

// Dir returns the absolute path of the state directory.
func (j *Journal) Dir() string { return j.dir }

// RejectsPath returns where the rejects of the import are, and "" before there
// is one.
func (j *Journal) RejectsPath() string {
	if !j.begun {
		return ""
	}
	return j.home(rejectsName)
}

// Plan returns the plan of the import that the directory is about, and false
// before any has begun.
func (j *Journal) Plan() (Plan, bool) { return j.plan, j.begun }

// Mark returns the mark that was committed last, and false when none was since
// the import began: then the mark is at the start, with nothing counted. The
// caller owns what it gets.
func (j *Journal) Mark() (Mark, bool) {
	if !j.begun {
		return Mark{}, false
	}
	var m Mark
	if err := parseFrame(j.home(markName), kindMark, j.last, &m); err != nil {
		panic("checkpoint: a mark does not survive its own encoding: " + err.Error())
	}
	return m, m.Begun()
}

// NewID makes the name of an import that starts at t: names sort by it, to the
// second.
func NewID(t time.Time) string {
	var unique [3]byte
	rand.Read(unique[:])
	return t.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(unique[:])
}

// Begin starts an import, in the place of the one that the directory was about,
// finished or not. That one keeps its files. After a crash the directory is
// about the old import or the new one, whole.
//
// An empty ID and a zero start are filled in; Plan returns them.
func (j *Journal) Begin(p Plan) error {
	if j.err != nil {
		return j.err
	}
	p.Version = Version
	if p.Started.IsZero() {
		p.Started = now()
	}
	if p.ID == "" {
		p.ID = NewID(p.Started)
	}
	if err := checkID(p.ID); err != nil {
		return err
	}
	if err := j.begin(p); err != nil {
		return j.fail("begin", err)
	}
	return nil
}

func (j *Journal) begin(p Plan) error {
	mark := Mark{Version: Version, Plan: p.ID}
	home := filepath.Join(j.dir, importsName, p.ID)
	if err := mkdirAll(j.fsys, filepath.Dir(home), 0o700); err != nil {
		return err
	}
	if err := j.fsys.Mkdir(home, 0o700); err != nil {
		return err // ErrExist too: an id is for one import
	}
	plan, err := planFrame(&p)
	if err != nil {
		return err
	}
	first := appendFrame(nil, kindMark, mark.appendJSON(nil))
	for _, f := range []struct {
		name    string
		content []byte
	}{{planName, plan}, {markName, first}, {rejectsName, nil}, {sourcesName, nil}} {
		if err := create(j.fsys, filepath.Join(home, f.name), f.content); err != nil {
			return err
		}
	}
	// All of the new import is on the disk before current names it.
	for _, d := range []string{home, filepath.Dir(home)} {
		if err := j.fsys.SyncDir(d); err != nil {
			return err
		}
	}
	cur, err := frameOf(kindCurrent, current{Import: p.ID, HistoryLen: j.historyLen})
	if err != nil {
		return err
	}
	if err := replace(j.fsys, j.path(currentName), cur); err != nil {
		return err
	}
	j.rejects.close()
	j.sources.close()
	j.edited = false
	p.Sources = slices.Clone(p.Sources)
	j.state = state{plan: p, mark: mark, historyLen: j.historyLen, begun: true}
	j.last = first
	return j.openTails()
}

// Reject adds a line, without its newline, to the rejects of the import. It is
// durable with the next Commit, and gone if there is none. The line is copied.
func (j *Journal) Reject(line []byte) { j.rejects.add(line) }

// SourceDone adds a line, without its newline, to the counts of the finished
// sources. It is durable with the next Commit. The line is copied.
func (j *Journal) SourceDone(line []byte) { j.sources.add(line) }

// Commit makes durable, as one, the rejects and sources added since the last
// commit and the mark. The journal sets Version, Plan, the lengths, Updated
// and Finished; the rest is the caller's, and is not kept.
//
// After an error the directory still holds the former mark or this one, and the
// journal takes no more: close it and open the directory again.
func (j *Journal) Commit(m Mark) error {
	m.Finished = false
	return j.commit(m, "commit")
}

// Finish is the last commit of an import: it marks it as finished and, as one
// with that, adds its sources to the history.
func (j *Journal) Finish(m Mark) error {
	if err := j.appendHistory(); err != nil {
		return err
	}
	m.Finished = true
	return j.commit(m, "finish")
}

func (j *Journal) commit(m Mark, op string) error {
	switch {
	case j.err != nil:
		return j.err
	case !j.begun:
		return errors.New("checkpoint: commit before an import has begun")
	case j.mark.Finished:
		return fmt.Errorf("checkpoint: commit to the import %s, which is finished", j.plan.ID)
	}
	for _, t := range []*tail{&j.rejects, &j.sources, &j.history} {
		if err := t.sync(); err != nil {
			return j.fail(op, err)
		}
	}
	m.Version, m.Plan, m.Updated = Version, j.plan.ID, now()
	m.RejectsLen, m.SourcesLen, m.HistoryLen = j.rejects.size, j.sources.size, j.history.size
	m.RejectsSum = sumText(j.rejects.sum)
	if err := m.check(&j.plan); err != nil {
		return j.fail(op, fmt.Errorf("mark refused: %w", err))
	}
	if m.Position.Before(j.mark.Position) {
		return j.fail(op, fmt.Errorf("mark refused: its position %s is before the last one's, %s", m.Position, j.mark.Position))
	}
	j.text = m.appendJSON(j.text[:0])
	j.next = appendFrame(j.next[:0], kindMark, j.text)
	if err := replace(j.fsys, j.home(markName), j.next); err != nil {
		return j.fail(op, err)
	}
	j.last, j.next = j.next, j.last
	j.mark = m
	j.mark.Totals, j.mark.RejectCodes = nil, nil // the caller's
	if m.Finished {
		j.historyLen = m.HistoryLen
		j.rejects.close() // the user's from now on
		j.sources.close()
	}
	return nil
}

// fail makes err the last word of the journal.
func (j *Journal) fail(op string, err error) error {
	j.err = fmt.Errorf("state in %s: %s: %w; what was saved before stands", j.dir, op, err)
	return j.err
}

// WriteReport replaces the report of the import. It works in a journal that an
// error has ended, too: the report has nothing to do with the mark.
func (j *Journal) WriteReport(b []byte) error {
	if !j.begun {
		return errors.New("checkpoint: report before an import has begun")
	}
	if err := replace(j.fsys, j.home(reportName), b); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// Close gives the directory back. What was added since the last commit is
// dropped. Closing again does nothing.
func (j *Journal) Close() error {
	if j.lock == nil {
		return nil
	}
	j.rejects.close()
	j.sources.close()
	j.history.close()
	// Gone before the lock is free, so that nobody removes a successor's. If it
	// stays, it names a process that is no more.
	err := j.fsys.Remove(j.path(holderName))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	err = errors.Join(err, j.lock.Close())
	j.lock = nil
	if j.err == nil {
		j.err = fmt.Errorf("state in %s: %w", j.dir, os.ErrClosed)
	}
	return err
}

// now is for state files: people read them, and no two hosts agree on less.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
