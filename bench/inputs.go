package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/m3import/m3import/bench/internal/usage"
)

const mapping = usage.Mapping

// version is of what generate makes: raise it when that changes, so that
// inputs of before are not taken for it.
const version = "1"

// input is a file, or a folder of files, to be made.
type input struct {
	format string
	rows   int64
	text   int    // bytes of a row's description at least
	extra  int    // columns beyond the twelve
	group  int64  // rows of a Parquet row group
	plain  bool   // Parquet without compression
	files  int    // many files in a folder
	pack   string // gzip or zstd
	big    bool   // removed when its contest is over
}

// name says all that decides what is in the file.
func (in input) name() string {
	name := fmt.Sprintf("v%s-%d", version, in.rows)
	for _, p := range []struct {
		what string
		n    int64
	}{{"text", int64(in.text)}, {"extra", int64(in.extra)}, {"group", in.group}, {"files", int64(in.files)}} {
		if p.n > 0 {
			name += fmt.Sprintf("-%s%d", p.what, p.n)
		}
	}
	if in.plain {
		name += "-plain"
	}
	name += "." + in.format
	if in.pack != "" {
		name += "." + in.pack
	}
	return name
}

// make makes an input, unless it is there already, and returns its path.
func (b *bench) make(ctx context.Context, in input) (string, error) {
	path := filepath.Join(b.dir, in.name())
	if in.big && !slices.Contains(b.big, path) {
		b.big = append(b.big, path)
	}
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	say("making %s", in.name())
	args := []string{"-format", in.format, "-rows", fmt.Sprint(in.rows), "-text", fmt.Sprint(in.text),
		"-extra", fmt.Sprint(in.extra), "-files", fmt.Sprint(in.files), "-pack", in.pack}
	if in.group > 0 {
		args = append(args, "-group", fmt.Sprint(in.group))
	}
	if in.plain {
		args = append(args, "-plain")
	}
	_, _, err := program{path: filepath.Join(b.bin, "generate"), args: append(args, path)}.run(ctx)
	return path, err
}

// checkout is the root of the checkout that the bench is in.
func checkout(ctx context.Context) (string, error) {
	_, out, err := program{path: "go", args: []string{"env", "GOMOD"}}.run(ctx)
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(strings.TrimSpace(string(out)))
	if filepath.Base(dir) != "bench" {
		return "", errors.New("not in the folder bench; run it there, or with go run -C bench")
	}
	return filepath.Dir(dir), nil
}
