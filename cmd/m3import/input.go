package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// sourceSuffixes are the names that a directory's files must end in to be
// taken as sources.
var sourceSuffixes = []string{".csv", ".tsv", ".ndjson", ".jsonl", ".parquet"}

// findSources turns arguments into paths: files as they are, directories and
// globs (with **) by name. "-" is standard input, and stands alone. A path
// that two arguments name is taken once, where it came first: the same file
// twice in one import is always a slip.
func findSources(args []string) ([]string, error) {
	if slices.Contains(args, "-") {
		if len(args) > 1 {
			return nil, coded(exitUsage, errors.New(`"-" (standard input) stands alone: it cannot be one of several sources`), "")
		}
		return args, nil
	}
	var paths []string
	seen := make(map[string]bool)
	for _, arg := range args {
		found, err := expand(arg)
		if err != nil {
			return nil, coded(exitUsage, err, "")
		}
		for _, path := range found {
			if err := regular(path); err != nil {
				return nil, coded(exitUsage, err, "")
			}
			if path, err = filepath.Abs(path); err != nil {
				return nil, err
			}
			if !seen[path] {
				seen[path] = true
				paths = append(paths, path)
			}
		}
	}
	if len(paths) == 0 {
		return nil, coded(exitNoInput, fmt.Errorf("no source matched %s", strings.Join(args, " ")),
			"put globs in quotes, so that m3import expands them: 'usage/**/*.csv'\n"+
				"when nothing to import is fine, say --if-no-input ok")
	}
	return paths, nil
}

// regular reports what is wrong with a path that is no regular file. Looking
// into a pipe waits for a writer, perhaps for ever, and takes what it looks at
// away from whoever reads it next.
func regular(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file: pipe it into standard input instead (m3import … - < %s)", path, shellQuote(path))
	}
	return err
}

// expand turns one argument into the files that it names, in their order.
func expand(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		return directory(arg)
	case err == nil:
		return []string{arg}, nil
	case !strings.ContainsAny(arg, "*?[{"):
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: there is no such file", arg)
		}
		return nil, err
	}
	found, err := doublestar.FilepathGlob(arg, doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the folder before the first star does not exist: nothing matched
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	slices.Sort(found)
	return found, nil
}

// directory lists the sources in a folder, not in the folders below it.
func directory(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries { // by name
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && isSourceName(e.Name()) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

func isSourceName(name string) bool {
	name = strings.ToLower(name)
	for _, packed := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, packed)
	}
	return slices.ContainsFunc(sourceSuffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}
