package checkpoint

import (
	"errors"
	"path/filepath"
	"runtime"
)

// DefaultRoot is the directory that holds the state directories of a user:
// m3import in $XDG_STATE_HOME, which is ~/.local/state when it is not set (XDG
// Base Directory Specification 0.8), in ~/Library/Application Support on macOS
// and in %LocalAppData% on Windows. getenv is os.Getenv, or what a test says.
func DefaultRoot(getenv func(string) string) (string, error) {
	return defaultRoot(runtime.GOOS, getenv)
}

func defaultRoot(goos string, getenv func(string) string) (string, error) {
	if goos == "windows" {
		if dir := getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "m3import"), nil
		}
		return "", errors.New("no place for state: %LocalAppData% is not set; name a state directory")
	}
	// A relative path in it is invalid, says the specification, and is ignored.
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "m3import"), nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("no place for state: neither $XDG_STATE_HOME nor $HOME is an absolute path; name a state directory")
	}
	if goos == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "m3import"), nil
	}
	return filepath.Join(home, ".local", "state", "m3import"), nil
}
