package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// edge is how much of each end of a source its print digests.
const edge = 64 << 10

// Fingerprint takes the print of a file: its size, its modification time and
// the digests of its ends and, when full is set, of all of it. It reads at most
// 128 KiB otherwise. A file that is shorter than info says is an error.
func Fingerprint(f io.ReaderAt, info fs.FileInfo, full bool) (Print, error) {
	size := info.Size()
	p := Print{Size: size, Modified: info.ModTime().UTC()}
	var err error
	if p.Head, err = digest(f, 0, min(edge, size)); err != nil {
		return Print{}, err
	}
	if p.Tail = p.Head; size > edge {
		if p.Tail, err = digest(f, size-edge, size); err != nil {
			return Print{}, err
		}
	}
	if full {
		if p.Full, err = digest(f, 0, size); err != nil {
			return Print{}, err
		}
	}
	return p, nil
}

// digestBuffers are for reading what is digested: of ten thousand small sources
// each would need one of its own.
var digestBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// digest is of the bytes from..to.
func digest(f io.ReaderAt, from, to int64) (string, error) {
	h := sha256.New()
	buf := digestBuffers.Get().(*[]byte)
	defer digestBuffers.Put(buf)
	n, err := io.CopyBuffer(h, io.NewSectionReader(f, from, to-from), *buf)
	if err != nil {
		return "", err
	}
	if n != to-from {
		return "", fmt.Errorf("source shrank while its fingerprint was taken: it ends at byte %d, expect %d: %w", from+n, to, io.ErrUnexpectedEOF)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Beginnings are the digests of the first so many bytes of a file, for sizes that
// rise and are of at most 64 KiB: what Print.Head is of a file of that size. It
// leaves out those that the file has not.
func Beginnings(f io.ReaderAt, sizes []int64) ([]string, error) {
	h := sha256.New()
	buf := digestBuffers.Get().(*[]byte)
	defer digestBuffers.Put(buf)
	n, err := f.ReadAt(*buf, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	var all []string
	at := int64(0)
	for _, size := range sizes {
		if size < at || size > int64(n) {
			break
		}
		h.Write((*buf)[at:size])
		at = size
		all = append(all, hex.EncodeToString(h.Sum(nil)))
	}
	return all, nil
}

// Covered reports whether the digests of the ends cover every byte.
func (p Print) Covered() bool { return p.Head != "" && p.Size <= 2*edge }

// Diff says in plain words what tells q from p, where p is what a source was
// and q what it is: "size 100 → 120 bytes, modified …". It is empty when they
// are prints of the same content.
//
// A modification time alone counts only as long as nothing better is known: the
// middle of a file can be changed in place, with its size and its ends kept,
// and then the time is all that tells. It does not count when the digests cover
// every byte, because the file is at most 128 KiB or because both prints are
// full: a copy, a download or a touch changes the time and nothing else.
func (p Print) Diff(q Print) string {
	var diff []string
	if p.Size != q.Size {
		diff = append(diff, fmt.Sprintf("size %d → %d bytes", p.Size, q.Size))
	}
	// Digests of other stretches of a file say nothing: the last 64 KiB of one
	// that has grown are not the last of what it was.
	sameSize := p.Size == q.Size
	whole := sameSize && p.Size <= edge
	switch {
	case whole && (p.Head != q.Head || p.Tail != q.Tail):
		diff = append(diff, "content differs")
	case !whole && (sameSize || min(p.Size, q.Size) >= edge) && p.Head != q.Head:
		diff = append(diff, "first 64 KiB differ")
	}
	if sameSize && !whole && p.Tail != q.Tail {
		diff = append(diff, "last 64 KiB differ")
	}
	bothFull := p.Full != "" && q.Full != ""
	if bothFull && p.Full != q.Full && len(diff) == 0 {
		diff = append(diff, "content differs between its first and last 64 KiB")
	}
	if !p.Modified.Equal(q.Modified) && (len(diff) > 0 || !bothFull && !p.Covered()) {
		diff = append(diff, fmt.Sprintf("modified %s → %s", stamp(p.Modified), stamp(q.Modified)))
	}
	return strings.Join(diff, ", ")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("2006-01-02T15:04:05.999999999Z")
}
