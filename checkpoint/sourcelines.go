package checkpoint

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"

	"github.com/m3import/m3import/internal/jsonx"
)

// SourceCounts is what one source of an import came to: a line of the file of
// finished sources.
type SourceCounts struct {
	Path string `json:"source"`
	Counts
}

// Append appends the line, without its newline, for Journal.SourceDone.
func (s *SourceCounts) Append(dst []byte) []byte {
	dst = append(dst, `{"source":`...)
	dst = jsonx.AppendStringS(dst, s.Path)
	for _, m := range [...]struct {
		key string
		n   int64
	}{{"read", s.Read}, {"accepted", s.Accepted}, {"rejected", s.Rejected}, {"filtered", s.Filtered}, {"measurements", s.Measurements}} {
		dst = append(append(append(dst, `,"`...), m.key...), `":`...)
		dst = strconv.AppendInt(dst, m.n, 10)
	}
	return append(dst, '}')
}

// SourceLines yields what the finished sources of an import came to, in the
// order of the input, as far as its mark vouches for them. It may run beside a
// journal. An error ends it.
func SourceLines(dir, id string) iter.Seq2[SourceCounts, error] { return sourceLines(OS, dir, id) }

func sourceLines(fsys FS, dir, id string) iter.Seq2[SourceCounts, error] {
	return func(yield func(SourceCounts, error) bool) {
		home := filepath.Join(dir, importsName, id)
		var mark Mark
		plan, err := loadPlan(fsys, filepath.Join(home, planName), id)
		if err == nil {
			mark, err = loadMark(fsys, filepath.Join(home, markName), &plan)
		}
		if err != nil {
			yield(SourceCounts{}, err)
			return
		}
		linesUpTo(fsys, home, mark.SourcesLen)(yield)
	}
}

// SourceLines is the function of that name for the import of the journal, as far
// as its last commit vouches for them.
func (j *Journal) SourceLines() iter.Seq2[SourceCounts, error] {
	return linesUpTo(j.fsys, j.home(""), j.mark.SourcesLen)
}

// linesUpTo yields the lines within the first size bytes.
func linesUpTo(fsys FS, home string, size int64) iter.Seq2[SourceCounts, error] {
	return func(yield func(SourceCounts, error) bool) {
		f, err := fsys.OpenFile(filepath.Join(home, sourcesName), os.O_RDONLY, 0)
		if err != nil {
			yield(SourceCounts{}, err)
			return
		}
		defer f.Close()
		dec := json.NewDecoder(io.NewSectionReader(f, 0, size))
		for n := 1; ; n++ {
			var s SourceCounts
			err := dec.Decode(&s)
			if err == io.EOF {
				return
			}
			if err != nil {
				err = fmt.Errorf("%s, line %d: %w", filepath.Join(home, sourcesName), n, err)
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}
