package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/uploader"
)

func (a *app) replayRun(ctx context.Context, f *runFlags, id, org string, same bool) error {
	im, err := a.findImport(f.state, id)
	if err != nil {
		return err
	}
	if org == "" && !same {
		return coded(exitUsage, errors.New("no organization to send to"), "--org says which; --same-organization sends to the one that has the rows already, where they are ignored and counted against your allowance")
	}
	if org == "" {
		org = im.Plan.OrgID
	}
	if sameOrganization(org, im.Plan.OrgID) && !same {
		return coded(exitUsage, fmt.Errorf("organization %s has the rows of import %s already", im.Plan.OrgID, id), "if that is meant, add --same-organization")
	}
	if err := f.takeAs(im); err != nil {
		return err
	}
	f.org, f.state = org, "" // a state directory of its own
	f.original = &im
	var paths []string
	for _, s := range im.Plan.Sources {
		if s.Path == "-" {
			return coded(exitUsage, fmt.Errorf("import %s read standard input, which cannot be read again", id), "")
		}
		paths = append(paths, s.Path)
	}
	return a.importAs(ctx, f, paths, "replay run "+id+" to "+filepath.Base(org))
}

// sameOrganization reports whether what names an organization, its id or an address
// that holds it, may mean the one with that id. Whether the platform tells upper
// from lower case is not known, so that a question is asked where it may not.
func sameOrganization(named, id string) bool {
	if parsed, err := uploader.ParseOrgID(named); err == nil {
		named = parsed
	}
	return strings.EqualFold(named, id)
}

// findImport looks for an import by its id.
func (a *app) findImport(named, id string) (checkpoint.Import, error) {
	dirs, err := a.stateDirs(named)
	if err != nil {
		return checkpoint.Import{}, err
	}
	for _, dir := range dirs {
		imports, err := checkpoint.Imports(dir)
		for _, im := range imports {
			if im.Plan.ID == id {
				return im, nil
			}
		}
		if err != nil {
			a.log.Warn("state directory not read", "state", dir, "error", err)
		}
	}
	return checkpoint.Import{}, coded(exitUsage, fmt.Errorf("no import %s is known", id), "m3import history lists them")
}

// takeAs makes a run read as the import did, and take the rows that it
// delivered. What was said on the command line stays: job.like finds out
// whether it is the same.
func (f *runFlags) takeAs(im checkpoint.Import) (err error) {
	if !im.Mark.Finished {
		err := fmt.Errorf("import %s is not finished, so what it delivers is not known", im.Plan.ID)
		if im.Current {
			return coded(exitUsage, err, "first  "+resumeCommand(im.Plan.Command))
		}
		return coded(exitUsage, err, "it was given up: m3import history shows the one that took its place")
	}
	if f.mapping == "" {
		f.mapping = im.Plan.MappingFile
	}
	format, compression, maxRecord := readingOf(im.Plan.MappingHash)
	if f.format == "" {
		f.format = format
	}
	if f.compression == "" {
		f.compression = compression
	}
	if f.maxRecord == 0 {
		f.maxRecord = maxRecord
	}
	f.selection, err = selectionOf(im)
	return err
}

// selectionOf is the part of its sources' rows that an import delivered, nil
// for all that could be mapped.
func selectionOf(im checkpoint.Import) (*pipeline.Selection, error) {
	unknown := func(format string, args ...any) error {
		return coded(exitUsage, fmt.Errorf("which rows import %s delivered is not known: %w", im.Plan.ID, fmt.Errorf(format, args...)),
			"to send rows of your choice:  m3import replay slice\nto send all of them:  m3import run, with M3TER_ORG_ID set to the organization")
	}
	var sel pipeline.Selection
	switch {
	case im.Plan.Selection != "":
		if err := json.Unmarshal([]byte(im.Plan.Selection), &sel); err != nil {
			return nil, unknown("%w", err)
		}
	case strings.HasPrefix(im.Plan.Kind, sliceKind):
		return nil, unknown("it was a slice, and its plan does not say of what")
	}
	if want := im.Mark.RejectCodes[pipeline.CodeRefused]; want > 0 {
		rows, err := refusedRows(im.Rejects)
		if err == nil && int64(len(rows)) == want {
			err = onceEach(rows, im.Plan.Sources)
		}
		switch {
		case err != nil:
			return nil, unknown("the platform refused some, and %w", err)
		case int64(len(rows)) != want:
			return nil, unknown("the platform refused %d, and %s names %d of them", want, im.Rejects, len(rows))
		}
		sel.Without = append(sel.Without, rows...)
	}
	if sel.IsZero() {
		return nil, nil
	}
	return &sel, nil
}

// The reading flags are a part of what a mapping hash is of: they decide what
// the rows are, as the mapping does.
func appendReading(hash string, f *inputFlags) string {
	for _, o := range []struct{ flag, value string }{{"format", f.format}, {"compression", f.compression}, {"max-record-bytes", fmt.Sprint(f.maxRecord)}} {
		if o.value != "" && o.value != "0" {
			hash += fmt.Sprintf(", --%s %s", o.flag, o.value)
		}
	}
	return hash
}

// readingOf is what appendReading added to a hash.
func readingOf(hash string) (format, compression string, maxRecord int) {
	for part := range strings.SplitSeq(hash, ", ") {
		switch flag, value, _ := strings.Cut(part, " "); flag {
		case "--format":
			format = value
		case "--compression":
			compression = value
		case "--max-record-bytes":
			maxRecord, _ = strconv.Atoi(value)
		}
	}
	return format, compression, maxRecord
}

// rowsMark stands in a mapping hash before the digest of a selection.
const rowsMark = ", rows "

// withoutRows is a mapping hash without the selection.
func withoutRows(hash string) string {
	hash, _, _ = strings.Cut(hash, rowsMark)
	return hash
}
