package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/m3import/m3import/checkpoint"
)

// sourceSuffixes are the names that a directory's files must end in to be
// taken as sources.
var sourceSuffixes = []string{".csv", ".tsv", ".ndjson", ".jsonl", ".parquet"}

// finder turns arguments into sources.
type finder struct {
	state string // the state directory that was named, absolute; "" for none

	paths []string
	files identities
	real  map[string]string // folder → the same without symbolic links
	own   map[string]int    // state directory → files of its own that were left out
	notes []string          // about links, and files that a directory's sources lie beside
}

// findSources turns arguments into paths: files as they are, directories and
// globs (with **) by name. "-" is standard input, and stands alone. A file that
// is named twice, by two arguments or by a link, is taken once, where it came
// first: the same file twice in one import is always a slip. state is the state
// directory that was named, or "". The notes say what was left out.
func findSources(args []string, state string, emptyOK bool) (paths, notes []string, err error) {
	if slices.Contains(args, "-") {
		if len(args) > 1 {
			return nil, nil, coded(exitUsage, errors.New(`"-" (standard input) stands alone: it cannot be one of several sources`), "")
		}
		return args, nil, nil
	}
	f := &finder{files: identities{last: map[fileKey]int{}}, real: map[string]string{}, own: map[string]int{}}
	if state != "" {
		if f.state, err = filepath.Abs(state); err != nil {
			return nil, nil, err
		}
	}
	var nothing []string
	for _, arg := range args {
		n, err := f.add(arg)
		if err != nil {
			return nil, nil, coded(exitUsage, err, "")
		}
		if n == 0 {
			nothing = append(nothing, arg)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(f.own)) {
		notes = append(notes, fmt.Sprintf("left out: %s of m3import's own, in the state directory %s", plural(int64(f.own[dir]), "file"), dir))
	}
	notes = append(notes, f.notes...)
	switch {
	case len(f.paths) == 0:
		return nil, notes, coded(exitNoInput, fmt.Errorf("no source matched %s", strings.Join(args, " ")),
			"put globs in quotes, so that m3import expands them: 'usage/**/*.csv'\n"+
				"when nothing to import is fine, say --if-no-input ok")
	case len(nothing) > 0 && !emptyOK:
		return nil, notes, coded(exitUsage, fmt.Errorf("no source matched %s, and others are there: nothing was imported", strings.Join(nothing, " ")),
			"take it out of the command, or say --if-no-input ok when it may match nothing")
	}
	return f.paths, notes, nil
}

// add adds the files that one argument names, and returns how many it named.
func (f *finder) add(arg string) (int, error) {
	found, note, err := f.expand(arg)
	if err != nil {
		return 0, err
	}
	if note != "" {
		f.notes = append(f.notes, note)
	}
	n := 0
	infos := lstatAll(found)
	for i, path := range found {
		if path, err = filepath.Abs(path); err != nil {
			return 0, err
		}
		// A link may lead into a state directory.
		info, target, err := f.follow(path, infos[i])
		if err != nil {
			return 0, err
		}
		if dir := checkpoint.OwnFile(target, f.state); dir != "" {
			switch byName := filepath.Base(path) == filepath.Base(arg); {
			case byName && !checkpoint.IsRejects(target):
				return 0, fmt.Errorf("%s: a file of m3import's own, in the state directory %s: there is no usage in it", path, dir)
			case !byName:
				f.own[dir]++
				continue
			}
		}
		if !utf8.ValidString(path) {
			return 0, fmt.Errorf("%q: the name is not UTF-8, and what is remembered of a source needs it: give the file another name", path)
		}
		n++
		f.take(path, info)
	}
	return n, nil
}

// lstatAll looks at files on all cores, and not behind links. It gives nil where
// that fails.
func lstatAll(paths []string) []fs.FileInfo {
	infos := make([]fs.FileInfo, len(paths))
	const few = 256 // are not worth a goroutine
	share := max(len(paths)/runtime.GOMAXPROCS(0)+1, few)
	var group sync.WaitGroup
	for from := 0; from < len(paths); from += share {
		group.Go(func() {
			for i := from; i < min(from+share, len(paths)); i++ {
				if info, err := os.Lstat(paths[i]); err == nil {
					infos[i] = info
				}
			}
		})
	}
	group.Wait()
	return infos
}

// follow looks at what is to be a regular file, and finds it without symbolic
// links. Most are none, and their folders are few. seen is what is there, nil
// when that is not known.
func (f *finder) follow(path string, seen fs.FileInfo) (info fs.FileInfo, target string, err error) {
	if seen == nil || !seen.Mode().IsRegular() {
		if info, err = regular(path); err == nil {
			target, err = filepath.EvalSymlinks(path)
		}
		return info, target, err
	}
	folder := filepath.Dir(path)
	real, known := f.real[folder]
	if !known {
		if real, err = filepath.EvalSymlinks(folder); err != nil {
			return nil, "", err
		}
		f.real[folder] = real
	}
	return seen, filepath.Join(real, filepath.Base(path)), nil
}

// take adds a file unless it is there already. Of a file and links to it the
// file's own name counts, as a name may be part of uids.
func (f *finder) take(path string, info fs.FileInfo) {
	at, seen := f.files.find(info, len(f.paths))
	if !seen {
		f.paths = append(f.paths, path)
		return
	}
	was := f.paths[at]
	if was == path {
		return
	}
	if isLink(was) && !isLink(path) {
		f.paths[at], path = path, was
	}
	f.notes = append(f.notes, fmt.Sprintf("%s is the same file as %[2]s, by a link: only %[2]s is read", visible(path), visible(f.paths[at])))
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// identities finds files again, whatever they are called.
type identities struct {
	all  []identity
	last map[fileKey]int // of each key the last one in all, counted from 1
}

// fileKey is what the same file surely has in common.
type fileKey struct{ size, modified int64 }

type identity struct {
	info   fs.FileInfo
	at     int
	before int // the one before it that has the same key, 0 for none
}

// find returns where a file was entered, or enters it at.
func (m *identities) find(info fs.FileInfo, at int) (was int, seen bool) {
	key := fileKey{info.Size(), info.ModTime().UnixNano()}
	for i := m.last[key]; i > 0; i = m.all[i-1].before {
		if id := m.all[i-1]; os.SameFile(id.info, info) {
			return id.at, true
		}
	}
	m.all = append(m.all, identity{info, at, m.last[key]})
	m.last[key] = len(m.all)
	return at, false
}

// regular reports what is wrong with a path that is no regular file. Looking
// into a pipe waits for a writer, perhaps for ever, and takes what it looks at
// away from whoever reads it next.
func regular(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file: pipe it into standard input instead (m3import … - < %s)", path, shellQuote(path))
	}
	return info, err
}

// expand turns one argument into the files that it names, in their order. The note
// says what else lies in a directory.
func (f *finder) expand(arg string) (found []string, note string, err error) {
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return f.directory(arg)
	case err == nil:
		return []string{arg}, "", nil
	case !strings.ContainsAny(arg, "*?[{"):
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: there is no such file", arg)
		}
		return nil, "", err
	}
	found, err = glob(arg)
	return found, "", err
}

// glob lists the files that a pattern matches.
func glob(arg string) ([]string, error) {
	found, err := doublestar.FilepathGlob(arg, doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors(), doublestar.WithNoHidden())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil // the folder before the first star does not exist: nothing matched
	case errors.Is(err, syscall.ELOOP):
		where := ""
		if bad, ok := errors.AsType[*fs.PathError](err); ok {
			where = " at " + filepath.Dir(bad.Path)
		}
		return nil, fmt.Errorf("%s: symbolic links lead in a circle%s: take the link away, or name the folders one by one", arg, where)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	slices.Sort(found)
	return found, nil
}

// directory lists the sources in a folder, not in the folders below it. What may be
// usage that somebody counts on is told of when it is passed by: a file that is
// called otherwise or packed in another way, and folders; not what is hidden, nor
// what begins with "_", as the marks of other tools do.
func (f *finder) directory(dir string) (paths []string, note string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, "", err
	}
	var others []string
	folders := 0
	for _, e := range entries { // by name
		switch name := e.Name(); {
		case strings.HasPrefix(name, "."):
		case !e.IsDir() && isSourceName(name):
			paths = append(paths, filepath.Join(dir, name))
		case strings.HasPrefix(name, "_"):
		case e.IsDir():
			if abs, err := filepath.Abs(filepath.Join(dir, name)); err != nil || abs != f.state {
				folders++
			}
		default:
			others = append(others, visible(name))
		}
	}
	return paths, passedBy(dir, others, folders), nil
}

// passedBy is the note about what lies beside a directory's sources.
func passedBy(dir string, files []string, folders int) string {
	var what []string
	if n := len(files); n > 0 {
		const most = 3
		names := strings.Join(files[:min(n, most)], ", ")
		if n > most {
			names += ", …"
		}
		what = append(what, fmt.Sprintf("%s not called as sources are (%s)", plural(int64(n), "file"), names))
	}
	if folders > 0 {
		what = append(what, fmt.Sprintf("%s (a glob such as %s finds what is below)", plural(int64(folders), "folder"), shellQuote(filepath.Join(dir, "**", "*.csv"))))
	}
	if len(what) == 0 {
		return ""
	}
	return fmt.Sprintf("left out of %s: %s", visible(dir), strings.Join(what, ", and "))
}

func isSourceName(name string) bool {
	name = strings.ToLower(name)
	for _, packed := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, packed)
	}
	return slices.ContainsFunc(sourceSuffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}
