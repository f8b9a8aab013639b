package checkpoint

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"unicode/utf8"

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

// parse reads a line, with its newline, as Append writes it when there is nothing
// to escape; false when it is another.
func (s *SourceCounts) parse(line []byte) bool {
	line, ok := bytes.CutPrefix(line, []byte(`{"source":"`))
	path, line, found := bytes.Cut(line, []byte{'"'})
	if !ok || !found || !utf8.Valid(path) {
		return false
	}
	for _, b := range path {
		if b < ' ' || b == '\\' {
			return false
		}
	}
	s.Path = string(path)
	for _, m := range [...]struct {
		key string
		n   *int64
	}{{`,"read":`, &s.Read}, {`,"accepted":`, &s.Accepted}, {`,"rejected":`, &s.Rejected}, {`,"filtered":`, &s.Filtered}, {`,"measurements":`, &s.Measurements}} {
		if line, ok = bytes.CutPrefix(line, []byte(m.key)); !ok {
			return false
		}
		digits := 0
		for digits < len(line) && digits < 19 && line[digits] >= '0' && line[digits] <= '9' {
			*m.n = *m.n*10 + int64(line[digits]-'0')
			digits++
		}
		if digits == 0 || digits == 19 || digits > 1 && line[0] == '0' {
			return false
		}
		line = line[digits:]
	}
	return string(line) == "}\n"
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
		in := bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 64<<10)
		n, line := 1, []byte(nil)
		for ; ; n++ {
			if line, err = in.ReadSlice('\n'); err != nil && err != io.EOF && err != bufio.ErrBufferFull {
				yield(SourceCounts{}, fmt.Errorf("%s, line %d: %w", filepath.Join(home, sourcesName), n, err))
				return
			}
			var s SourceCounts
			if !s.parse(line) {
				break // the end, or not as Append writes it
			}
			if !yield(s, nil) {
				return
			}
		}
		dec := json.NewDecoder(io.MultiReader(bytes.NewReader(bytes.Clone(line)), in))
		for ; ; n++ {
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
