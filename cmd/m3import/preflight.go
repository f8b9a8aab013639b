package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/reader"
)

// preflight opens every source with its mapping, so that a missing column in
// the last of them is found before the first row of the first is sent. What it
// can learn of a source's print on the way, the job keeps.
func (a *app) preflight(ctx context.Context, f *runFlags, j *job) error {
	im := &pipeline.Import{Mapping: j.mapping, Reader: f.reader()}
	tried := j.tryAll(ctx, im)
	if j.kind != "" {
		j.prints = nil // of files that perhaps another run writes, until the state is locked
	}
	for i, path := range j.paths {
		if path == "-" {
			continue
		}
		if ctx.Err() != nil {
			return pipeline.ErrStopped
		}
		if tried[i] {
			continue
		}
		if err := im.Try(path); err != nil {
			return withColumnHint(err, j.mapping, "nothing was sent")
		}
	}
	return nil
}

// heldBytes is how large a file may be to be read into memory whole.
const heldBytes = 64 << 10

// tryAll tries the sources on all cores, up to the first one that is not fine,
// and perhaps a few behind it. It says which are fine; what is wrong with the
// others is told by whoever tries them alone.
func (j *job) tryAll(ctx context.Context, im *pipeline.Import) (fine []bool) {
	fine = make([]bool, len(j.paths))
	prints := make([]checkpoint.Print, len(j.paths))
	var next atomic.Int64
	var stop atomic.Bool
	var large sync.Mutex
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(j.paths)) {
		group.Go(func() {
			buf := make([]byte, heldBytes+1)
			for ctx.Err() == nil && !stop.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(j.paths) {
					return
				}
				if j.paths[i] == "-" {
					continue
				}
				var err error
				if prints[i], err = j.try(j.paths[i], im, buf, &large); err != nil {
					stop.Store(true)
					return
				}
				fine[i] = true
			}
		})
	}
	group.Wait()
	j.prints = make(map[string]checkpoint.Print, len(prints))
	for i, p := range prints {
		if fine[i] && p.Head != "" {
			j.prints[j.paths[i]] = p
		}
	}
	return fine
}

var errNotFine = errors.New("to be tried alone")

// try tries a source, and takes its print in the same opening, a small one's of
// the same bytes. It takes none when all of a large file would have to be read.
// Of those only one is tried at a time: to unpack one, or to read its directory,
// can take memory.
func (j *job) try(path string, im *pipeline.Import, buf []byte, large *sync.Mutex) (p checkpoint.Print, err error) {
	f, err := reader.OpenRegular(path)
	if err != nil {
		return p, err
	}
	var source reader.File = f
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errNotFine
	case info.Size() < int64(len(buf)):
		var n int
		n, err = f.Read(buf[:info.Size()+1]) // one byte more than there should be
		if int64(n) != info.Size() {
			err = errNotFine
		}
		if err != nil && err != io.EOF {
			break
		}
		h := &heldFile{bytes.NewReader(buf[:n]), f, info}
		p, err = checkpoint.Fingerprint(h, info, j.verifyFull)
		source = h
	case !j.verifyFull:
		p, err = checkpoint.Fingerprint(f, info, false)
	}
	if err != nil {
		f.Close()
		return p, err
	}
	if source == f {
		large.Lock()
		defer large.Unlock()
	}
	return p, im.TryFile(path, source)
}

// heldFile is an open file that was read whole. It does not tell when the file
// changes: whoever reads it in earnest compares it with its print.
type heldFile struct {
	*bytes.Reader
	file *os.File
	info fs.FileInfo // as it was when it was opened
}

func (h *heldFile) Stat() (fs.FileInfo, error) { return h.info, nil }
func (h *heldFile) Close() error               { return h.file.Close() }
