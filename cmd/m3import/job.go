package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/reader"
)

// job is what an import is about: what must be the same when it goes on.
type job struct {
	kind        string   // Plan.Kind: "" is a run
	args        []string // as typed, made absolute
	paths       []string
	orgID       string
	endpoint    string
	mappingFile string
	mapping     *mapper.Mapping
	mappingHash string
	selection   string // Plan.Selection
	verifyFull  bool
	force       bool                        // send sources that were imported before, too
	finished    string                      // the unfinished import that this command has gone on with to its end
	same        bool                        // a source that looks like one imported before is it
	touched     bool                        // resumable found a source of which only the time is another
	torn        []string                    // what resumable found out about lines that were not whole
	prints      map[string]checkpoint.Print // of sources, by path: taken a moment ago
	copies      bool                        // sources of the same content are all sent: what an earlier import did
}

// stateDir is where the job's state is kept when nothing else was said: one
// directory for each set of sources, so that the same command finds it again
// and so does one with another mapping or organization, which must be told of
// the unfinished import and not silently begin beside it.
func (j *job) stateDir(root string) string {
	sum := sha256.Sum256([]byte(strings.Join(append(j.args, j.kind), "\x00")))
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return -1
	}, strings.TrimSuffix(filepath.Base(j.args[0]), filepath.Ext(j.args[0])))
	switch {
	case name == "":
		name = "import"
	case j.args[0] == "-":
		name = "stdin"
		// Earlier versions called it after the argument.
		if old := filepath.Join(root, "--"+hex.EncodeToString(sum[:4])); isDir(old) {
			return old
		}
	}
	return filepath.Join(root, fmt.Sprintf("%.40s-%s", name, hex.EncodeToString(sum[:4])))
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// absolute makes arguments mean the same from every working directory.
func absolute(args []string) ([]string, error) {
	out := make([]string, len(args))
	for i, arg := range args {
		if arg == "-" {
			out[i] = arg
			continue
		}
		abs, err := filepath.Abs(arg)
		if err != nil {
			return nil, err
		}
		out[i] = abs
	}
	return out, nil
}

// fingerprint takes the print of a source as it is now.
func (j *job) fingerprint(path string) (checkpoint.Source, error) {
	if path == "-" {
		return checkpoint.Source{Path: "-", Print: checkpoint.Print{Size: -1}}, nil
	}
	if p, ok := j.prints[path]; ok && (p.Full != "" || !j.verifyFull) {
		return j.source(path, p), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return checkpoint.Source{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return checkpoint.Source{}, err
	}
	if !info.Mode().IsRegular() {
		return checkpoint.Source{}, fmt.Errorf("%s: not a regular file: pipe it into standard input instead (m3import run … - < %s)", path, path)
	}
	p, err := checkpoint.Fingerprint(f, info, j.verifyFull)
	if err != nil {
		return checkpoint.Source{}, fmt.Errorf("%s: %w", path, err)
	}
	return j.source(path, p), nil
}

// source is the source of that path and print.
func (j *job) source(path string, p checkpoint.Print) checkpoint.Source {
	if j.namesCount() {
		p.Name = filepath.Base(path)
	}
	return checkpoint.Source{Path: path, Print: p}
}

// namesCount reports whether a source's name is a part of its rows' uids: then
// the same content under another name is other usage, and not a copy.
func (j *job) namesCount() bool {
	return j.mapping != nil && j.mapping.UsesRule(mapper.RuleRow)
}

// plan is the plan of a new import, less its sources.
func (j *job) plan(a *app) checkpoint.Plan {
	plan := checkpoint.Plan{
		Version: checkpoint.Version, Kind: j.kind, Started: a.now().UTC(), Command: a.command,
		OrgID: j.orgID, Endpoint: j.endpoint,
		MappingFile: j.mappingFile, MappingHash: j.mappingHash, UIDVersion: mapper.UIDVersion, Selection: j.selection,
	}
	if j.mapping != nil {
		plan.Mapping = string(j.mapping.Text())
	}
	return plan
}

// newPlan is the plan of a new import: the sources that no earlier import of
// this state directory has finished, without copies. It is empty when there is
// nothing new. read says how sources are read.
func (j *job) newPlan(a *app, journal *checkpoint.Journal, read reader.Options) (checkpoint.Plan, error) {
	plan := j.plan(a)
	list := make([]candidate, 0, len(j.paths))
	for _, path := range j.paths {
		src, err := j.fingerprint(path)
		if err != nil {
			return plan, err
		}
		src, done, err := j.done(journal, src)
		if err != nil {
			return plan, err
		}
		if done {
			plan.Skipped++
		}
		list = append(list, candidate{src, done})
	}
	j.prints = nil // they get old
	var notes []string
	var err error
	plan.Sources, notes, err = j.withoutCopies(list, &pipeline.Import{Mapping: j.mapping, Reader: read})
	a.sayAll(notes)
	return plan, err
}

// done reports whether an earlier import of this state directory has finished
// the source; where all are to be sent again, only the import counts that this
// command has just finished. When its print leaves a doubt, every byte is read if
// that import did, too: the print that is returned has them. Else a person must
// say: to send it again can bill it twice, and to skip it can lose a correction.
func (j *job) done(journal *checkpoint.Journal, src checkpoint.Source) (checkpoint.Source, bool, error) {
	if src.Path == "-" || j.force && j.finished == "" {
		return src, false, nil
	}
	was, found, err := journal.Imported(j.orgID, j.endpoint, j.mappingHash, src.Print)
	if err == nil && found && was.Doubt != "" && was.Full {
		if src, err = j.inFull(src); err == nil {
			was, found, err = journal.Imported(j.orgID, j.endpoint, j.mappingHash, src.Print)
		}
	}
	if err != nil || !found {
		return src, false, err
	}
	if j.force {
		return src, was.Import == j.finished && was.Doubt == "", nil
	}
	if was.Doubt != "" && !j.same {
		return src, false, inDoubt(src.Path, was.Import, was.When, was.Doubt)
	}
	return src, true, nil
}

// inFull is the source with a print of every byte.
func (j *job) inFull(src checkpoint.Source) (checkpoint.Source, error) {
	full := *j
	full.verifyFull = true
	return full.fingerprint(src.Path)
}

func inDoubt(path, id string, when time.Time, doubt string) error {
	return coded(exitUsage,
		fmt.Errorf("%s: it looks like a source that import %s finished on %s, but not surely: %s", path, id, when.Format("2006-01-02"), doubt),
		"it is the same: add --same, and it is not sent\nit was changed in the middle, or should be sent again: add --force (the same rows get the same uids)")
}

// errChanged is what differences wraps: an unfinished import may not go on as
// if nothing had changed.
var errChanged = errors.New("the unfinished import cannot go on")

// maxDiffs is how many differences are told of an import that cannot go on.
const maxDiffs = 10

// resumable checks that nothing changed under an unfinished import that would
// change what is sent, or to whom. A source that is longer now and begins as it
// did is fine: a download that was cut short, a log that goes on; so is one with
// the same content and another time. now are the plan's sources as they are then,
// nil when nothing is new about them; grown says that one is longer.
func (j *job) resumable(plan checkpoint.Plan, mark checkpoint.Mark) (now []checkpoint.Source, grown bool, err error) {
	var diffs []string
	differs := func(what, was, is string) {
		if was != is {
			diffs = append(diffs, fmt.Sprintf("%s was %s, now it is %s", what, was, is))
		}
	}
	if plan.Kind != j.kind {
		return nil, false, fmt.Errorf("%w: it is another one (%s)", errChanged, kindOf(plan))
	}
	differs("the organization", plan.OrgID, j.orgID)
	differs("the endpoint", plan.Endpoint, j.endpoint)
	differs("the uid version", fmt.Sprint(plan.UIDVersion), fmt.Sprint(mapper.UIDVersion))
	if plan.MappingHash != j.mappingHash {
		diffs = append(diffs, j.mappingDiff(plan))
	}
	for i, src := range plan.Sources {
		if i < mark.Position.Source {
			continue // settled to its last row: what became of the file since is no matter
		}
		if len(diffs) >= maxDiffs {
			break
		}
		if src.Path == "-" {
			return nil, false, fmt.Errorf("%w: it read standard input, which cannot be read again from row %d on", errChanged, mark.Position.Record+1)
		}
		is, err := j.fingerprintLike(src)
		if err != nil {
			diffs = append(diffs, err.Error())
			continue
		}
		d := src.Diff(is.Print)
		switch {
		case d == "" && is.Modified.Equal(src.Modified):
			continue
		case d == "":
		case onlyTime(src.Print, is.Print) && j.same:
		case continues(src, is):
			grown = true
			torn := wentOn(src, is)
			switch at := mark.Position; {
			case torn && i == at.Source && at.Offset >= src.Size:
				diffs = append(diffs, fmt.Sprintf("%s goes on in the middle of line %d, which was taken for the last one, as it stood", src.Path, at.Line))
			case torn && !mark.FirstSent.IsZero():
				j.torn = append(j.torn, j.tornText(src, plan.ID))
			}
		default:
			diffs = append(diffs, fmt.Sprintf("%s changed: %s", src.Path, d))
			j.touched = j.touched || onlyTime(src.Print, is.Print)
		}
		if now == nil {
			now = slices.Clone(plan.Sources)
		}
		now[i] = is
	}
	if len(diffs) == 0 {
		return now, grown, nil
	}
	return nil, false, fmt.Errorf("%w: %s", errChanged, strings.Join(diffs, "; "))
}

// onlyTime reports whether nothing tells one print from the other but the time.
func onlyTime(was, now checkpoint.Print) bool {
	now.Modified = was.Modified
	return was.Diff(now) == ""
}

// continues reports whether a source is longer than it was and begins with what
// it was. Parquet does not count: its rows may be others although its first
// bytes are not, as what they mean stands at its end.
func continues(was, now checkpoint.Source) bool {
	if now.Size <= was.Size {
		return false
	}
	f, err := os.Open(now.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil || string(magic) == "PAR1" {
		return false
	}
	ok, err := was.Continues(f, now.Size)
	return ok && err == nil
}

// like checks that the sources and the mapping are those of an earlier import.
func (j *job) like(plan checkpoint.Plan) error {
	if plan.UIDVersion != mapper.UIDVersion {
		return fmt.Errorf("import %s made its uids by version %d of the rules, and this program knows version %d", plan.ID, plan.UIDVersion, mapper.UIDVersion)
	}
	if was, is := withoutRows(plan.MappingHash), withoutRows(j.mappingHash); was != is {
		return fmt.Errorf("the mapping, or how the sources are read, is not what it was in import %s (then %s %s, now %s %s)", plan.ID,
			orNone(plan.MappingFile), shortHash(was), orNone(j.mappingFile), shortHash(is))
	}
	for _, src := range plan.Sources {
		now, err := j.fingerprintLike(src)
		if err != nil {
			return err
		}
		if d := src.Diff(now.Print); d != "" {
			return fmt.Errorf("%s has changed since import %s: %s", src.Path, plan.ID, d)
		}
	}
	return nil
}

// fingerprintLike takes the print of src with all that src's own print holds.
func (j *job) fingerprintLike(src checkpoint.Source) (checkpoint.Source, error) {
	full := *j
	full.verifyFull = j.verifyFull || src.Full != ""
	return full.fingerprint(src.Path)
}

// shortSum tells texts apart.
func shortSum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// shortHash is a mapping hash as people compare it, with what follows it.
func shortHash(hash string) string {
	if digest, rest, _ := strings.Cut(hash, ","); len(digest) == 64 {
		return strings.TrimSuffix(digest[:12]+","+rest, ",")
	}
	return hash
}

func orNone(path string) string {
	if path == "" {
		return "no mapping file"
	}
	return filepath.Base(path)
}

// resumeCommand is what to type to go on: the command as it was typed.
func resumeCommand(words []string) string {
	return strings.Join(slices.Collect(func(yield func(string) bool) {
		for _, w := range words {
			if !yield(shellQuote(w)) {
				return
			}
		}
	}), " ")
}

// shellQuote quotes a word for a POSIX shell when it needs it.
func shellQuote(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,@%+", r)
	}
	if w != "" && !strings.ContainsFunc(w, func(r rune) bool { return !plain(r) }) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
