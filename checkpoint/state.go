package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// The names in a state directory.
const (
	lockName    = "lock"
	holderName  = "holder.json"
	currentName = "current"
	historyName = "history.ndjson"
	importsName = "imports"
	planName    = "plan.json"
	markName    = "mark.json"
	rejectsName = "rejects.ndjson"
	sourcesName = "sources.ndjson"
	reportName  = "report.json"
)

// The kinds of framed files.
const (
	kindCurrent = "current"
	kindPlan    = "plan"
	kindMark    = "mark"
)

// current is the content of the file of that name.
type current struct {
	Import string `json:"import"`
	// HistoryLen is the length of the history when that import began. It
	// counts until the import's mark says that it is finished.
	HistoryLen int64 `json:"history_len"`
}

// state is what the framed files of a state directory say.
type state struct {
	plan       Plan
	mark       Mark
	historyLen int64 // that is vouched for
	begun      bool  // false: no import has begun here, and nothing else is set
}

// load reads the framed files. They are replaced in one step each, so that it
// may run beside a journal.
func load(fsys FS, dir string) (s state, err error) {
	var cur current
	path := filepath.Join(dir, currentName)
	switch data, err := fsys.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		return state{}, checkUnbegun(fsys, dir)
	case err != nil:
		return state{}, err
	default:
		if err := parseFrame(path, kindCurrent, data, &cur); err != nil {
			return state{}, err
		}
	}
	if err := checkID(cur.Import); err != nil || cur.HistoryLen < 0 {
		return state{}, &DamagedError{Path: path, Reason: fmt.Sprintf("it names the import %q and %d bytes of history", cur.Import, cur.HistoryLen)}
	}
	home := filepath.Join(dir, importsName, cur.Import)
	if s.plan, err = loadPlan(fsys, filepath.Join(home, planName), cur.Import); err != nil {
		return state{}, err
	}
	if s.mark, err = loadMark(fsys, filepath.Join(home, markName), &s.plan); err != nil {
		return state{}, err
	}
	s.historyLen = cur.HistoryLen
	if s.mark.Finished {
		s.historyLen = s.mark.HistoryLen
	}
	s.begun = true
	return s, nil
}

// checkUnbegun tells a directory in which nothing has begun from one that has
// lost its file current: an import that was begun but never current has no
// history, and its mark is the one that it was begun with.
func checkUnbegun(fsys FS, dir string) error {
	lost := func(what string) error {
		return &DamagedError{Path: filepath.Join(dir, currentName), Reason: "it is missing, and there is " + what}
	}
	if _, err := fsys.Stat(filepath.Join(dir, historyName)); err == nil {
		return lost("a " + historyName)
	}
	imports, err := fsys.ReadDir(filepath.Join(dir, importsName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range imports {
		home := filepath.Join(dir, importsName, d.Name())
		plan, err := loadPlan(fsys, filepath.Join(home, planName), d.Name())
		if err != nil {
			continue // half begun
		}
		if mark, err := loadMark(fsys, filepath.Join(home, markName), &plan); err == nil && mark.Begun() {
			return lost("a mark of the import " + d.Name())
		}
	}
	return nil
}

func loadPlan(fsys FS, path, id string) (p Plan, err error) {
	if err := loadFrame(fsys, path, kindPlan, &p); err != nil {
		return Plan{}, err
	}
	if p.Version != Version || p.ID != id {
		return Plan{}, &DamagedError{Path: path, Reason: fmt.Sprintf("it is the plan of import %q, expect %q", p.ID, id)}
	}
	return p, nil
}

func loadMark(fsys FS, path string, p *Plan) (m Mark, err error) {
	if err := loadFrame(fsys, path, kindMark, &m); err != nil {
		return Mark{}, err
	}
	if err := m.check(p); err != nil {
		return Mark{}, &DamagedError{Path: path, Reason: err.Error()}
	}
	return m, nil
}

// loadFrame is for a file that must be there.
func loadFrame(fsys FS, path, kind string, v any) error {
	data, err := fsys.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &DamagedError{Path: path, Reason: "it is missing"}
	}
	if err != nil {
		return err
	}
	return parseFrame(path, kind, data, v)
}

// checkID holds import names to what is one path element on every system.
func checkID(id string) error {
	ok := id != "" && len(id) <= 100 && id[0] != '.' && id[0] != '-'
	for _, c := range []byte(id) {
		ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.')
	}
	if !ok {
		return fmt.Errorf("import id %q is not 1 to 100 letters, digits, dots, dashes and underscores", id)
	}
	return nil
}

// check holds a mark to what every mark of the plan is.
func (m *Mark) check(p *Plan) error {
	switch pos := m.Position; {
	case m.Version != Version:
		return fmt.Errorf("it has version %d, expect %d", m.Version, Version)
	case m.Plan != p.ID:
		return fmt.Errorf("it is a mark of import %q, expect %q", m.Plan, p.ID)
	case pos.Source < 0 || pos.Source > len(p.Sources) || pos.Offset < 0 || pos.Line < 0 || pos.Record < 0:
		return fmt.Errorf("its position %s is outside the %d sources", pos, len(p.Sources))
	case m.RejectsLen < 0 || m.SourcesLen < 0 || m.HistoryLen < 0:
		return errors.New("it has a negative length")
	case m.FirstSent.UTC().Year() < 1 || m.FirstSent.UTC().Year() > 9999:
		return fmt.Errorf("its first_sent is in the year %d, which JSON has no time for", m.FirstSent.UTC().Year())
	}
	return nil
}
