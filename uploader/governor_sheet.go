package uploader

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A sheet is a file with a ledger in it, and in the first one of an endpoint
// the book, too. Little-endian, numbers of 8 bytes:
//
//	   0  two heads of 4096 bytes each: "m3i-gov2", a sequence number,
//	      the CRC-32C of what follows up to the head's end (in 8 bytes),
//	      then the book's and the ledger's numbers in the order of their
//	      code methods, then zeros
//	8192  the ledger's entries, 16 bytes each: when the request was over, how
//	      many before it were accepted
//
// The sound head with the higher number counts, and the other one is written
// next, so that a process that dies while it writes leaves the last state. An
// entry is written before the head that counts it; one that no head counts
// takes the place of the oldest with a later time, which errs on the safe
// side. Nothing is synced: it is for the processes of this machine, and after a
// crash of the machine an unsound file is found out.
type sheet struct {
	ledger
	file file
	seq  uint64
	head [headSize]byte // for reading and writing
	was  [headSize]byte // as last read or written
	last instant        // the book's; no entry is later
	err  error          // the first of reading or writing entries
}

const (
	magic     = "m3i-gov2"
	headSize  = 4096
	prefix    = len(magic) + 8 + 8
	entrySize = 16
	// leastKept is how many entries a ledger keeps at least, so that a later
	// process with a higher limit finds what it needs.
	leastKept = 8192
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errEmptySheet   = errors.New("empty")
	errDamagedSheet = errors.New("the record of earlier requests is damaged")
)

// read reads the sheet, and the book when there is one in it.
func (s *sheet) read(b *book) error {
	s.cells, s.err = s, nil
	var best uint64
	found, empty := false, true
	for slot := range int64(2) {
		n, err := s.file.ReadAt(s.head[:], slot*headSize)
		if err != nil && err != io.EOF {
			return err
		}
		empty = empty && n == 0
		if n < headSize || !intact(s.head[:]) {
			continue
		}
		if seq := binary.LittleEndian.Uint64(s.head[len(magic):]); !found || seq > best {
			found, best, s.was = true, seq, s.head
		}
	}
	switch {
	case empty:
		return errEmptySheet
	case !found:
		return errDamagedSheet
	}
	s.seq = best
	c := s.code(b, s.was[prefix:], false)
	last := s.last
	if b != nil {
		last = b.last
	}
	if !c.ok() || b != nil && !b.sound() || !s.sound(last) {
		return errDamagedSheet
	}
	return nil
}

func (s *sheet) code(b *book, buf []byte, writing bool) *codec {
	c := &codec{buf: buf, writing: writing}
	if b != nil {
		b.code(c)
	}
	s.ledger.code(c)
	return c
}

func intact(head []byte) bool {
	return string(head[:len(magic)]) == magic &&
		binary.LittleEndian.Uint64(head[len(magic)+8:]) == checksum(head)
}

func checksum(head []byte) uint64 {
	sum := crc32.Update(0, castagnoli, head[len(magic):len(magic)+8])
	return uint64(crc32.Update(sum, castagnoli, head[prefix:]))
}

// write writes the sheet when it has changed.
func (s *sheet) write(b *book) error {
	if s.err != nil {
		return s.err
	}
	clear(s.head[prefix:])
	if c := s.code(b, s.head[prefix:], true); !c.ok() {
		panic(fmt.Sprintf("uploader: a sheet's head needs %d bytes", c.at))
	}
	if bytes.Equal(s.head[prefix:], s.was[prefix:]) {
		return nil
	}
	s.seq++
	copy(s.head[:], magic)
	binary.LittleEndian.PutUint64(s.head[len(magic):], s.seq)
	binary.LittleEndian.PutUint64(s.head[len(magic)+8:], checksum(s.head[:]))
	s.was = s.head
	_, err := s.file.WriteAt(s.head[:], int64(s.seq%2)*headSize)
	return err
}

// format makes the file one with room for size entries. All of its length is
// written now, so that a disk that fills up later does not matter.
func (s *sheet) format(size int) error {
	size = max(size, leastKept)
	zeros := make([]byte, 2*headSize+size*entrySize)
	if _, err := s.file.WriteAt(zeros, 0); err != nil {
		return err
	}
	s.ledger = ledger{size: uint64(size), cells: s}
	s.was, s.err = [headSize]byte{}, nil
	return nil
}

// grow gives the ledger room for size entries. What was forgotten for want of
// room stays so: nobody had a limit that it would have counted for.
func (s *sheet) grow(size int) error {
	old := s.resized(size, 0)
	if s.err != nil {
		return s.err
	}
	if err := s.format(size); err != nil {
		return err
	}
	s.findings, s.accepted = old.findings, old.accepted
	for n := old.kept(); n > 0; n-- {
		s.store(s.total, old.at(n))
		s.total++
	}
	return s.err
}

// check looks at all entries that count: after a crash of the machine the
// heads can be there without them.
func (s *sheet) check() error {
	all := make([]byte, s.size*entrySize)
	if n, err := s.file.ReadAt(all, 2*headSize); n < len(all) {
		if err == io.EOF {
			return errDamagedSheet
		}
		return err
	}
	before := entry{at: 1}
	for n := s.kept(); n > 0; n-- {
		e := entryOf(all[(s.total-uint64(n))%s.size*entrySize:])
		if e.at < before.at || e.at > s.last || e.accepted < before.accepted || e.accepted > s.accepted {
			return errDamagedSheet
		}
		before = e
	}
	return nil
}

// load reads an entry. What has become unsound since check is taken for the
// latest, once: the pacer then goes on alone.
func (s *sheet) load(cell uint64) entry {
	var buf [entrySize]byte
	_, err := s.file.ReadAt(buf[:], 2*headSize+int64(cell)*entrySize)
	e := entryOf(buf[:])
	if err == nil && e.at > 0 && e.at <= s.last && e.accepted <= s.accepted {
		return e
	}
	if s.err == nil {
		s.err = cmp.Or(err, errDamagedSheet)
	}
	return entry{s.last, s.accepted}
}

func entryOf(buf []byte) entry {
	return entry{
		instant(binary.LittleEndian.Uint64(buf[:8])),
		binary.LittleEndian.Uint64(buf[8:entrySize]),
	}
}

func (s *sheet) store(cell uint64, e entry) {
	var buf [entrySize]byte
	binary.LittleEndian.PutUint64(buf[:8], uint64(e.at))
	binary.LittleEndian.PutUint64(buf[8:], e.accepted)
	if _, err := s.file.WriteAt(buf[:], 2*headSize+int64(cell)*entrySize); err != nil && s.err == nil {
		s.err = err
	}
}
