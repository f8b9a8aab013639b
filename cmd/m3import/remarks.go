package main

import (
	"fmt"
	"path/filepath"
	"sync"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/reader"
)

// remarked gathers what there is to say of sources that were read to their end,
// by remark, so that ten thousand of them make one line.
type remarked struct {
	mu   sync.Mutex
	list map[reader.Remark][]string // base names, in the order of reading
}

func (m *remarked) add(path string, r reader.Remark) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.list == nil {
		m.list = make(map[reader.Remark][]string)
	}
	m.list[r] = append(m.list[r], filepath.Base(path))
}

// lines are the warnings, one for each remark.
func (m *remarked) lines() (lines []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, about := range []struct {
		remark reader.Remark
		text   string
	}{
		{reader.NoLineEnd, "no line end behind the last line of %s: it was taken as it is; if the file was still being written, its last row may be half a row"},
		{reader.ZeroPadding, "zeros behind the gzip data of %s, taken for padding; if the file was not written to its end, rows are missing"},
	} {
		if names := m.list[about.remark]; len(names) > 0 {
			lines = append(lines, fmt.Sprintf(about.text, firstOf(names)))
		}
	}
	return lines
}

// emptyNotes say which of the sources, which were read to their ends, hold
// nothing: perhaps whoever wrote them did not get to it. rows are those of all.
func emptyNotes(sources []checkpoint.Source, rows int64) (notes []string) {
	var names []string
	for _, s := range sources {
		switch {
		case s.Path == "-" && rows == 0:
			notes = append(notes, "no row came from standard input")
		case s.Size == 0:
			names = append(names, filepath.Base(s.Path))
		}
	}
	switch {
	case len(names) == 1:
		notes = append(notes, firstOf(names)+" is empty")
	case len(names) > 1:
		notes = append(notes, plural(int64(len(names)), "source")+" are empty: "+firstOf(names))
	}
	return notes
}

func (p *printer) notes(lines []string) {
	for _, text := range lines {
		p.linef("  note: %s", text)
	}
}

func (p *printer) warnings(lines []string) {
	for _, text := range lines {
		p.linef("  warning: %s", text)
	}
}
