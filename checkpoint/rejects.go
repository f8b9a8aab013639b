package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// survey is what a reject file looks like beside what a mark vouches for.
type survey struct {
	vouched uint32 // CRC-32C of the bytes that the mark vouches for, or of all when there are fewer
	all     uint32 // of all bytes
	size    int64
	lines   int64
	whole   bool // it ends with a line end, and holds no zeros
}

// surveyRejects reads a reject file from end to end.
func surveyRejects(fsys FS, path string, vouched int64) (s survey, err error) {
	info, err := fsys.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, &DamagedError{Path: path, Reason: "it is missing"}
	}
	if err != nil {
		return s, err
	}
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return s, err
	}
	defer f.Close()
	w := lineCounter{sum: crc32.New(castagnoli), last: '\n'}
	s.size = info.Size()
	at := min(vouched, s.size)
	if _, err := io.Copy(&w, io.NewSectionReader(f, 0, at)); err != nil {
		return s, err
	}
	s.vouched = w.sum.Sum32()
	if _, err := io.Copy(&w, io.NewSectionReader(f, at, s.size-at)); err != nil {
		return s, err
	}
	s.all, s.lines, s.whole = w.sum.Sum32(), w.lines, w.last == '\n' && !w.zeros
	return s, nil
}

// lineCounter takes note of what is written to it.
type lineCounter struct {
	sum   hash.Hash32
	lines int64
	last  byte
	zeros bool
}

func (w *lineCounter) Write(b []byte) (int, error) {
	w.sum.Write(b)
	w.lines += int64(bytes.Count(b, []byte("\n")))
	w.zeros = w.zeros || bytes.IndexByte(b, 0) >= 0
	if len(b) > 0 {
		w.last = b[len(b)-1]
	}
	return len(b), nil
}

// rejectsState is what has become of a reject file.
type rejectsState int

const (
	asWritten rejectsState = iota // it begins with what the mark vouches for
	edited                        // it is another, with a line for each reject
	unfit                         // it is another, and has more lines or fewer
)

// compare says what has become of the rejects that the mark vouches for. Marks
// that say nothing of their bytes only know the length.
func (s *survey) compare(m *Mark) rejectsState {
	switch {
	case m.RejectsSum == "" && s.size >= m.RejectsLen, s.size >= m.RejectsLen && m.RejectsSum == sumText(s.vouched):
		return asWritten
	case m.RejectsSum != "" && s.whole && s.lines == m.rejects():
		return edited
	}
	return unfit
}

// wrong says what is wrong with rejects that are unfit.
func (s *survey) wrong(m *Mark) string {
	if m.RejectsSum == "" || s.size < m.RejectsLen && s.lines <= m.rejects() {
		return fmt.Sprintf("it has %d bytes, and %d were written", s.size, m.RejectsLen)
	}
	torn := ""
	if !s.whole {
		torn = ", the last one torn"
	}
	return fmt.Sprintf("it was edited while its import is not finished (rejects written: %d, lines now: %d%s)", m.rejects(), s.lines, torn)
}

// rejects is how many lines the reject file has, by the reasons counted.
func (m *Mark) rejects() (n int64) {
	for _, count := range m.RejectCodes {
		n += count
	}
	return n
}

func sumText(sum uint32) string { return fmt.Sprintf("%08x", sum) }

// openRejects opens the rejects of an unfinished import. What follows the bytes
// that the mark vouches for is cut off, as in any file that grows. When these
// bytes are others, somebody has edited them: the file stays as it is if it has
// a line for each reject still, and the next mark vouches for that. Else a cut
// could fall anywhere, and lose somebody's work.
func (j *Journal) openRejects() (t tail, err error) {
	path := j.home(rejectsName)
	s, err := surveyRejects(j.fsys, path, j.mark.RejectsLen)
	if err != nil {
		return tail{}, err
	}
	vouched, sum := j.mark.RejectsLen, s.vouched
	switch s.compare(&j.mark) {
	case edited:
		vouched, sum, j.edited = s.size, s.all, true
	case unfit:
		return tail{}, &DamagedError{Path: path, Reason: s.wrong(&j.mark)}
	}
	t, err = openTail(j.fsys, path, vouched, j.spill)
	t.sum, t.watch = sum, j.watchRejects
	return t, err
}

// watchRejects is a *ChangedError when the rejects are not, by their name and
// their size, the file that the journal writes: somebody has edited, cut, replaced
// or removed it. To go on would be to write lines where nobody finds them, or
// behind a gap.
func (j *Journal) watchRejects(t *tail) error {
	path := j.home(rejectsName)
	ours, err := t.file.Stat()
	if err != nil {
		return err
	}
	now, err := j.fsys.Stat(path)
	gone := errors.Is(err, fs.ErrNotExist)
	what := ""
	switch {
	case gone:
		what = "it was removed"
	case err != nil:
		return err
	case !j.fsys.SameFile(ours, now):
		what = "another file was put in its place"
	case now.Size() != t.size:
		what = fmt.Sprintf("it has %d bytes, and %d were written", now.Size(), t.size)
	default:
		return nil
	}
	saved, _ := j.Mark()
	e := &ChangedError{Path: path, What: what, Rejects: saved.rejects()}
	// What was written to a file that has lost its name is there as long as it is
	// open.
	if gone || !j.fsys.SameFile(ours, now) {
		if err := j.keepWritten(t, path+writtenSuffix); err == nil {
			e.Written = path + writtenSuffix
		}
	}
	return e
}

// keepWritten puts what was written to the rejects under a name of its own.
func (j *Journal) keepWritten(t *tail, path string) error {
	f, err := j.fsys.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	buf := make([]byte, 256<<10)
	for at := int64(0); at < t.size && err == nil; {
		part := buf[:min(int64(len(buf)), t.size-at)]
		if _, err = io.ReadFull(io.NewSectionReader(t.file, at, int64(len(part))), part); err == nil {
			_, err = f.WriteAt(part, at)
		}
		at += int64(len(part))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return j.fsys.SyncDir(filepath.Dir(path))
}

// RejectsEdited reports whether somebody has edited the rejects of the
// unfinished import since they were written. They are kept as they are now.
func (j *Journal) RejectsEdited() bool { return j.edited }
