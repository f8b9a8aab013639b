package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
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

// rejectPapers are what a line of a reject file says of its row.
type rejectPapers struct {
	Stage pipeline.Stage `json:"stage"`
	pipeline.Origin
	Sent time.Time `json:"sent"` // the platform may have taken it since then; zero: it has not
}

// eachReject gives the stage and the origin of each line of a reject file to do. An
// error names the line.
func eachReject(path string, do func(pipeline.Stage, pipeline.Origin) error) error {
	return eachPapers(path, func(p rejectPapers) error { return do(p.Stage, p.Origin) })
}

// eachPapers is eachReject with all that the line says.
func eachPapers(path string, do func(rejectPapers) error) error {
	return eachRejectLine(path, func(text []byte) error {
		var line struct {
			Papers rejectPapers `json:"_reject"`
		}
		if err := json.Unmarshal(text, &line); err != nil {
			return err
		}
		return do(line.Papers)
	})
}

// wholeLines refuses a reject file that an editor or a program has put into
// another form: each piece of a row would become a reject, and the row be gone.
func wholeLines(path string) error {
	return eachRejectLine(path, func([]byte) error { return nil })
}

// eachRejectLine gives each line of a reject file that is not empty to do, and
// holds it to be one object.
func eachRejectLine(path string, do func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 256<<10)
	for n := 1; ; n++ {
		text, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", path, err)
		}
		last := err == io.EOF
		if n == 1 {
			text = bytes.TrimPrefix(text, byteOrderMark)
		}
		text = bytes.TrimSpace(text)
		switch {
		case len(text) == 0:
		case text[0] != '{' || !json.Valid(text):
			return fmt.Errorf("%s: line %d is no JSON object: a reject file has one object a line, with its numbers as they were written", path, n)
		default:
			if err := do(text); err != nil {
				return fmt.Errorf("%s, line %d: %w", path, n, err)
			}
		}
		if last {
			return nil
		}
	}
}

// byteOrderMark is what some editors put before a text.
var byteOrderMark = []byte("\ufeff")

// countObjects counts the objects of a reject file whose lines are not one each.
func countObjects(path string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 256<<10)
	if mark, _ := in.Peek(len(byteOrderMark)); bytes.Equal(mark, byteOrderMark) {
		in.Discard(len(byteOrderMark))
	}
	for dec := json.NewDecoder(in); ; n++ {
		var object map[string]json.RawMessage
		if err := dec.Decode(&object); err == io.EOF {
			return n, nil
		} else if err != nil {
			return 0, err
		}
	}
}
