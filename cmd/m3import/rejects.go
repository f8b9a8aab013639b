package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/m3import/m3import/checkpoint"
)

// A rejected row is open until a replay has taken the file that it stands in:
// then it is in, or a reject of that replay. Who does not want it at all deletes
// its line.

// rejectFile is the reject file of a finished import with its open rows.
type rejectFile struct {
	checkpoint.Import
	rows int64
	gone bool // the file is not there, and the rows are those that were written to it
}

// openRejects are the reject files of a state directory that have open rows,
// oldest first.
func openRejects(imports []checkpoint.Import) ([]rejectFile, error) {
	taken := takenBy(imports)
	var open []rejectFile
	for _, im := range imports {
		if _, ok := taken[im.Plan.ID]; ok || !im.Mark.Finished || im.Mark.Counts.Rejected == 0 {
			continue
		}
		rows, err := countRows(im.Rejects)
		if gone := errors.Is(err, fs.ErrNotExist); gone {
			// Who wants none of them leaves an empty file; a file that is gone
			// is perhaps somewhere else, packed or moved, with its rows.
			open = append(open, rejectFile{im, im.Mark.Counts.Rejected, true})
			continue
		}
		if err != nil {
			return nil, err
		}
		if rows == 0 {
			continue
		}
		copied, err := takenElsewhere(im, imports)
		if err != nil {
			return nil, err
		}
		if !copied {
			open = append(open, rejectFile{im, rows, false})
		}
	}
	return open, nil
}

// takenElsewhere reports whether a replay has taken the reject file of another
// import that holds the same as that of im, byte for byte: rows of the same origin,
// which were rejected twice. Those that im read itself do not count, as it can have
// rejected all of them.
func takenElsewhere(im checkpoint.Import, imports []checkpoint.Import) (bool, error) {
	info, err := os.Stat(im.Rejects)
	if err != nil {
		return false, err
	}
	own := forebears(im.Plan.ID, func(id string) checkpoint.Plan {
		for _, other := range imports {
			if other.Plan.ID == id {
				return other.Plan
			}
		}
		return checkpoint.Plan{}
	})
	for _, by := range imports {
		if by.Plan.Kind != rejectsKind || !by.Mark.Finished {
			continue
		}
		for _, src := range by.Plan.Sources {
			if src.Size != info.Size() || own[importOf(src.Path)] {
				continue
			}
			now, err := new(job).fingerprint(im.Rejects)
			if err != nil {
				return false, err
			}
			if contentKey(now.Print) != contentKey(src.Print) {
				continue
			}
			same, err := sameContent(src, now)
			if err != nil && !errors.Is(err, fs.ErrNotExist) || same {
				return same, err
			}
		}
	}
	return false, nil
}

// openRows is how many rows they are altogether.
func openRows(files []rejectFile) (n int64) {
	for _, f := range files {
		n += f.rows
	}
	return n
}

// takenBy says which replay took the reject file of an import, by its id.
func takenBy(imports []checkpoint.Import) map[string]checkpoint.Import {
	taken := make(map[string]checkpoint.Import)
	for _, im := range imports {
		if im.Plan.Kind != rejectsKind || !im.Mark.Finished {
			continue
		}
		for _, src := range im.Plan.Sources {
			taken[importOf(src.Path)] = im
		}
	}
	return taken
}

// importOf is the import that a reject file belongs to, wherever its state
// directory is by now.
func importOf(rejects string) string { return filepath.Base(filepath.Dir(rejects)) }

// countRows counts the lines of a reject file that are not empty, or the objects
// where somebody has put one on several lines.
func countRows(path string) (rows int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 256<<10)
	begun, odd := false, false
	for {
		part, err := in.ReadSlice('\n')
		if text := bytes.TrimSpace(part); !begun && len(text) > 0 {
			begun, odd = true, odd || text[0] != '{' || text[len(text)-1] == '{'
			rows++
		}
		switch {
		case err == nil:
			begun = false
		case err == io.EOF && odd:
			if objects, err := countObjects(path); err == nil {
				rows = objects
			}
			return rows, nil
		case err == io.EOF:
			return rows, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return 0, fmt.Errorf("%s: %w", path, err)
		}
	}
}

// together is what the current import came to together with those whose rejects
// it replays: rows as they were read first, and as they ended. It is false when
// it replays nothing.
func together(imports []checkpoint.Import) (n checkpoint.Counts, ok bool) {
	byID := make(map[string]checkpoint.Import)
	var todo []string
	for _, im := range imports {
		byID[im.Plan.ID] = im
		if im.Current && im.Plan.Kind == rejectsKind {
			todo = append(todo, im.Plan.ID)
		}
	}
	ok = len(todo) > 0
	for ; len(todo) > 0; todo = todo[1:] {
		im, known := byID[todo[0]]
		if !known {
			continue
		}
		delete(byID, todo[0])
		came := im.Mark.Counts
		if im.Plan.Kind == rejectsKind {
			came.Read = 0 // its rows were read before
		}
		n.Add(came)
		if im.Plan.Kind != rejectsKind {
			continue
		}
		for _, src := range im.Plan.Sources {
			todo = append(todo, importOf(src.Path))
		}
	}
	n.Rejected = n.Read - n.Accepted - n.Filtered
	return n, ok
}

// changedTooLate looks for reject files that somebody changed although a replay
// had taken them, and says for one where its rows are now.
func changedTooLate(imports []checkpoint.Import, j *job) (hint string) {
	taken := takenBy(imports)
	for i := len(imports) - 1; i >= 0; i-- {
		im := imports[i]
		if im.Plan.Kind != rejectsKind || !im.Mark.Finished {
			continue
		}
		for _, src := range im.Plan.Sources {
			now, err := j.fingerprintLike(src)
			if err != nil || src.Diff(now.Print) == "" {
				continue
			}
			last := im
			for next, ok := taken[last.Plan.ID]; ok; next, ok = taken[last.Plan.ID] {
				last = next
			}
			return fmt.Sprintf("you changed %s, but its rows were replayed since: those that are still bad are in %s, mend them there", src.Path, last.Rejects)
		}
	}
	return ""
}
