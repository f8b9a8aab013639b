package checkpoint_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/checkpoint/crashfs"
)

const stateDir = "/home/state"

// truth is what a state directory says, without what the clock decides.
type truth struct {
	Import   string
	Mark     *checkpoint.Mark // nil before the first commit
	Rejects  string
	Sources  string
	Imported []string // heads of the sources in the history
}

func (w truth) String() string {
	text, err := json.Marshal(w)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// observe opens the directory and says what is there, by the journal's words
// and the bytes of its files. heads are the sources to ask the history for.
func observe(fsys checkpoint.FS, heads []string) (seen truth, err error) {
	j, err := checkpoint.Open(stateDir, checkpoint.Options{FS: fsys})
	if err != nil {
		return truth{}, err
	}
	defer j.Close()
	return observeOpen(j, fsys, heads)
}

func observeOpen(j *checkpoint.Journal, fsys checkpoint.FS, heads []string) (seen truth, err error) {
	p, ok := j.Plan()
	if !ok {
		return truth{}, nil
	}
	seen.Import = p.ID
	m, ok := j.Mark()
	var sources []byte
	rejects, err := fsys.ReadFile(j.RejectsPath())
	if err == nil {
		sources, err = fsys.ReadFile(filepath.Join(filepath.Dir(j.RejectsPath()), "sources.ndjson"))
	}
	if err != nil {
		return truth{}, err
	}
	if int64(len(rejects)) != m.RejectsLen || int64(len(sources)) != m.SourcesLen {
		return truth{}, fmt.Errorf("%d bytes of rejects and %d of sources, the mark says %d and %d", len(rejects), len(sources), m.RejectsLen, m.SourcesLen)
	}
	seen.Rejects, seen.Sources = string(rejects), string(sources)
	if ok {
		m.Updated, m.RejectsLen, m.RejectsSum, m.SourcesLen, m.HistoryLen = time.Time{}, 0, "", 0, 0
		seen.Mark = &m
	}
	for _, h := range heads {
		_, ok, err := j.Imported("org", "https://x", "map", checkpoint.Print{Size: 1, Head: h, Tail: h})
		if err != nil {
			return truth{}, err
		}
		if ok {
			seen.Imported = append(seen.Imported, h)
		}
	}
	return seen, nil
}

// world is a journal, and what is true of it.
type world struct {
	fsys  *crashfs.FS
	j     *checkpoint.Journal
	was   truth // what the last call that returned nil made durable
	will  truth // what the call under way will, else was
	added truth // rejects and sources since the last commit
	heads []string
	begun int
	done  *truth // when the last import was finished
}

func newWorld() *world { return &world{fsys: crashfs.New()} }

// call runs a step that makes will true.
func (w *world) call(will truth, fn func() error) error {
	w.will = will
	if err := fn(); err != nil {
		return err
	}
	w.was = will
	return nil
}

func (w *world) open() error {
	w.added = truth{}
	return w.call(w.was, func() (err error) {
		w.j, err = checkpoint.Open(stateDir, checkpoint.Options{FS: w.fsys, Buffer: 40})
		return err
	})
}

func (w *world) close() error {
	j := w.j
	w.j = nil
	return w.call(w.was, j.Close)
}

func (w *world) begin(sources int) error {
	w.begun++
	p := checkpoint.Plan{ID: fmt.Sprintf("import-%d", w.begun), Started: time.Unix(int64(w.begun), 0).UTC(), OrgID: "org", Endpoint: "https://x", MappingHash: "map"}
	for i := range sources {
		head := fmt.Sprintf("%d.%d", w.begun, i)
		w.heads = append(w.heads, head)
		p.Sources = append(p.Sources, checkpoint.Source{Path: "/in/" + head, Print: checkpoint.Print{Size: 1, Head: head, Tail: head}})
	}
	w.added = truth{}
	return w.call(truth{Import: p.ID, Imported: w.was.Imported}, func() error { return w.j.Begin(p) })
}

func (w *world) reject(line string) {
	w.j.Reject([]byte(line))
	w.added.Rejects += line + "\n"
}

func (w *world) sourceDone(line string) {
	w.j.SourceDone([]byte(line))
	w.added.Sources += line + "\n"
}

// commit moves the mark by one record.
func (w *world) commit(finish bool) error {
	var m checkpoint.Mark
	if w.was.Mark != nil {
		m = *w.was.Mark
	}
	m.Version, m.Plan, m.Finished = checkpoint.Version, w.was.Import, false
	m.Position.Offset += 10
	m.Position.Record++
	m.Counts.Add(checkpoint.Counts{Read: 1, Accepted: 1})
	m.Totals = []checkpoint.Total{{Meter: "m", Category: "measure", Field: "gb", Sum: fmt.Sprint(m.Counts.Read, ".5"), Count: m.Counts.Read}}
	m.RejectCodes = map[string]int64{"number": int64(strings.Count(w.was.Rejects+w.added.Rejects, "\n"))}
	will := w.was
	will.Rejects += w.added.Rejects
	will.Sources += w.added.Sources
	w.added = truth{}
	done := m
	done.Finished = finish
	will.Mark = &done
	if !finish {
		return w.call(will, func() error { return w.j.Commit(m) })
	}
	will.Imported = nil
	for _, h := range w.heads { // in the order in which they are asked for
		if strings.HasPrefix(h, strings.TrimPrefix(w.was.Import, "import-")+".") || slices.Contains(w.was.Imported, h) {
			will.Imported = append(will.Imported, h)
		}
	}
	if err := w.call(will, func() error { return w.j.Finish(m) }); err != nil {
		return err
	}
	w.done = &will
	return nil
}

// giveUp goes back to the import that was finished last.
func (w *world) giveUp() error {
	w.added = truth{}
	return w.call(*w.done, w.j.GiveUp)
}

func (w *world) report() error {
	return w.call(w.was, func() error { return w.j.WriteReport(bytes.Repeat([]byte("report "), 9)) })
}

// check says what is wrong with a disk that the world may have left behind.
func (w *world) check(disk checkpoint.FS) error {
	seen, err := observe(disk, w.heads)
	if err != nil {
		return err
	}
	if got := seen.String(); got != w.was.String() && got != w.will.String() {
		return fmt.Errorf("it says\n%s, which is neither the old state\n%s nor the new\n%s", got, w.was, w.will)
	}
	return nil
}

// goOn takes over a disk that check is content with.
func (w *world) goOn(disk *crashfs.FS) error {
	seen, err := observe(disk, w.heads)
	if err != nil {
		return err
	}
	w.fsys, w.j, w.was, w.will, w.added = disk, nil, seen, seen, truth{}
	if w.finished() {
		w.done = &seen
	}
	return nil
}

// finished reports whether the import takes no more commits.
func (w *world) finished() bool { return w.was.Mark != nil && w.was.Mark.Finished }

// listing is a disk, for the messages of a test that fails.
func listing(fsys checkpoint.FS, dir string) string {
	var b strings.Builder
	list, _ := fsys.ReadDir(dir)
	for _, d := range list {
		name := filepath.Join(dir, d.Name())
		if d.IsDir() {
			b.WriteString(listing(fsys, name))
			continue
		}
		data, err := fsys.ReadFile(name)
		fmt.Fprintf(&b, "%s: %q %v\n", name, data, err)
	}
	return b.String()
}
