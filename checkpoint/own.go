package checkpoint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// rateName is the file that a running import is given a new rate in. It is the
// program's, and nothing here reads it.
const rateName = "rate-limit"

// rootNames are the files right in a state directory.
var rootNames = []string{lockName, holderName, currentName, historyName, rateName}

// OwnFile tells a file that this package, or its caller, keeps in a state
// directory from one that is somebody's usage, so that an import that is
// pointed at a folder with state in it does not take its own books for usage.
// It returns the state directory, or "".
//
// A state directory is known by its layout, the lock and the imports; known are
// directories, absolute and clean as path is, that are state directories even
// when they do not look it. The files in one are told by their names, since a
// state directory may be where the usage is.
func OwnFile(path string, known ...string) (dir string) {
	name := ownName(filepath.Base(path))
	folder := filepath.Dir(path)
	if slices.Contains(rootNames, name) {
		if slices.Contains(known, folder) || looksLikeState(folder) {
			return folder
		}
	}
	imports := filepath.Dir(folder)
	if filepath.Base(imports) != importsName || !slices.Contains([]string{planName, markName, rejectsName, sourcesName, reportName}, name) {
		return ""
	}
	if dir := filepath.Dir(imports); slices.Contains(known, dir) || looksLikeState(dir) {
		return dir
	}
	return ""
}

// IsRejects reports whether path is named as a reject file, the one file of a
// state directory that is made to be imported.
func IsRejects(path string) bool { return ownName(filepath.Base(path)) == rejectsName }

// ownName is the name that a file had before it was written anew or kept aside.
func ownName(name string) string {
	name, _, _ = strings.Cut(strings.TrimSuffix(name, tempSuffix), asideSuffix)
	return strings.TrimSuffix(name, writtenSuffix)
}

func looksLikeState(dir string) bool {
	lock, err := os.Stat(filepath.Join(dir, lockName))
	if err != nil || !lock.Mode().IsRegular() {
		return false
	}
	imports, err := os.Stat(filepath.Join(dir, importsName))
	return err == nil && imports.IsDir()
}
