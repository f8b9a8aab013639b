package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
)

// Which rows an import did not deliver is told by where they first stood, and
// not by their uids: of rows that share a uid, the platform may have taken one
// and refused another.

// refusedRows are the origins that a reject file has of rows that the platform
// refused, each once.
func refusedRows(path string) (rows []pipeline.Origin, err error) {
	seen := make(map[pipeline.Origin]bool)
	err = eachReject(path, func(stage pipeline.Stage, at pipeline.Origin) error {
		if stage != pipeline.StageSend || at.Path == "" || seen[at] {
			return nil
		}
		if strings.ContainsRune(at.Path, utf8.RuneError) {
			// JSON has no words for such a name, so that no row would be found there.
			return fmt.Errorf("the path %q is not what the source is called", at.Path)
		}
		seen[at] = true
		rows = append(rows, at)
		return nil
	})
	return rows, err
}

// onceEach refuses rows whose origin stands in the sources more than once, so
// that it does not tell which was refused: rows of two texts that were piped in,
// say, or of a source that was imported twice, when their reject files are
// replayed together.
func onceEach(rows []pipeline.Origin, sources []checkpoint.Source) error {
	own := func(at pipeline.Origin) bool {
		return slices.ContainsFunc(sources, func(s checkpoint.Source) bool { return s.Path == at.Path })
	}
	times := make(map[pipeline.Origin]int)
	for _, at := range rows {
		if !own(at) { // it was read from a reject file
			times[at] = 0
		}
	}
	for _, src := range sources {
		if ext := filepath.Ext(src.Path); len(times) == 0 || ext != ".ndjson" && ext != ".jsonl" {
			continue
		}
		err := eachReject(src.Path, func(_ pipeline.Stage, at pipeline.Origin) error {
			n, refused := times[at]
			if n > 0 {
				return fmt.Errorf("it is one of two rows that were read from byte %d of %s", at.Offset, visible(at.Path))
			}
			if refused {
				times[at]++
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachReject gives the papers of each line of a reject file to do. An error
// names the line.
func eachReject(path string, do func(pipeline.Stage, pipeline.Origin) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	for n := 1; ; n++ {
		var line struct {
			Papers struct {
				Stage pipeline.Stage `json:"stage"`
				pipeline.Origin
			} `json:"_reject"`
		}
		err := dec.Decode(&line)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = do(line.Papers.Stage, line.Papers.Origin)
		}
		if err != nil {
			return fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
}
