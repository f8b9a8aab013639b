package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"
	"os"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// Audit takes the place of the platform: it sends nothing, and finds uids that
// repeat over the whole input. The platform would take one measurement of each
// uid and ignore the rest without a word, whether they say the same or not.
//
// What is seen goes into 256 parts by the uid's hash, which spill to temporary
// files, and each part is looked at alone, in blocks: memory is at most 100 bytes
// for each uid of the parts that are looked at, one for each core, however often
// they repeat.
// The zero value is ready. Close removes the files.
type Audit struct {
	seed  [3]maphash.Seed
	parts [auditParts]auditPart
	held  int // entries in memory
	seen  int64

	im     *Import   // whose measurements they are, once one was seen
	places []landing // in order, so that a few measurements can be found again

	// For tests. Default: auditHeld and auditPlaces.
	maxHeld, maxPlaces int

	Requests int64 // that sending would take
	Bytes    int64 // of their bodies
}

const (
	auditParts  = 256
	auditHeld   = 1 << 20  // entries in memory before they spill: 32 MiB
	auditBlock  = 1 << 10  // entries that are read back at once
	auditPlaces = 32 << 10 // from how many on places are thinned out
	entrySize   = 32
)

type auditPart struct {
	entries []auditEntry
	spill   *os.File
	spilled int64
}

// auditEntry is one measurement. 128 bits tell uids apart: among 10^10 of them
// the odds that two collide are under 10^-18.
type auditEntry struct {
	uid     [2]uint64
	content uint64
	at      int64 // the measurement's number in the input, from 1
}

// landing is a place from which measurements can be found again: those from a
// number on were made of the rows from a position on.
type landing struct {
	at     int64
	source int
	row    reader.Pos
}

// Submit looks at a batch. Use it with Import.Uploads = 1: it numbers the
// measurements in the order that they come.
func (a *Audit) Submit(_ context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	if a.seen == 0 {
		a.seed = [3]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed(), maphash.MakeSeed()}
	}
	for i := range b.Len() {
		a.seen++
		uid, content := splitUID(b.Item(i))
		e := auditEntry{uid: a.hash(uid), content: maphash.Bytes(a.seed[2], content), at: a.seen}
		p := &a.parts[e.uid[0]>>56]
		p.entries = append(p.entries, e)
	}
	a.Requests++
	a.Bytes += int64(len(b.Body()))
	if a.held += b.Len(); a.held >= cmp.Or(a.maxHeld, auditHeld) {
		return nil, a.spill()
	}
	return nil, nil
}

// from says where the measurements of the batch that comes next come from.
func (a *Audit) from(im *Import, runs []stretch) {
	a.im = im
	first := 0
	for _, r := range runs {
		a.places = append(a.places, landing{a.seen + int64(first) + 1, r.source, r.start})
		first = r.end
	}
	if len(a.places) >= cmp.Or(a.maxPlaces, auditPlaces) {
		a.thin()
	}
}

// thin gives up every second place, but for the first of each source. What is
// looked for is then found a little later.
func (a *Audit) thin() {
	kept := a.places[:0]
	for i, p := range a.places {
		if i%2 == 0 || p.source != kept[len(kept)-1].source {
			kept = append(kept, p)
		}
	}
	a.places = kept
	// Where most of them are the first of their sources, nothing was gained.
	a.maxPlaces = max(cmp.Or(a.maxPlaces, auditPlaces), 2*len(kept))
}

func (a *Audit) hash(uid []byte) [2]uint64 {
	return [2]uint64{maphash.Bytes(a.seed[0], uid), maphash.Bytes(a.seed[1], uid)}
}

// uidStart is where the uid starts in a measurement: after `{"uid":"`.
const uidStart = 8

// splitUID cuts a measurement's uid from the rest of it.
func splitUID(item []byte) (uid, rest []byte) {
	if n := bytes.IndexByte(item[uidStart:], '"'); n > 0 && item[uidStart+n-1] != '\\' {
		return item[uidStart : uidStart+n], item[uidStart+n:] // a quote that nothing escapes
	}
	for i := uidStart; i < len(item); i++ {
		switch item[i] {
		case '\\':
			i++
		case '"':
			return item[uidStart:i], item[i:]
		}
	}
	panic("pipeline: a measurement does not start with its uid")
}

// spill moves all entries from memory to the files.
func (a *Audit) spill() error {
	buf := make([]byte, 0, 64<<10)
	for i := range a.parts {
		p := &a.parts[i]
		if p.spill == nil {
			f, err := os.CreateTemp("", "m3import-check-*")
			if err != nil {
				return fmt.Errorf("check: %w", err)
			}
			os.Remove(f.Name()) // gone when it is closed, whatever happens; where that cannot be, Close does it
			p.spill = f
		}
		for len(p.entries) > 0 {
			buf = buf[:0]
			n := min(len(p.entries), cap(buf)/entrySize)
			for i := range p.entries[:n] {
				buf = p.entries[i].append(buf)
			}
			if _, err := p.spill.Write(buf); err != nil {
				return fmt.Errorf("check: temporary file: %w", err)
			}
			p.spilled += int64(n)
			p.entries = p.entries[n:]
		}
		p.entries = nil
	}
	a.held = 0
	return nil
}

func (e *auditEntry) append(dst []byte) []byte {
	for _, n := range [...]uint64{e.uid[0], e.uid[1], e.content, uint64(e.at)} {
		dst = binary.LittleEndian.AppendUint64(dst, n)
	}
	return dst
}

// read takes an entry from what append made.
func (e *auditEntry) read(b []byte) {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	e.uid, e.content, e.at = [2]uint64{word(0), word(1)}, word(2), int64(word(3))
}

// blocks gives the entries of a part in the order of the input, some at a time.
// A block is good until the next one.
func (p *auditPart) blocks(yield func([]auditEntry)) error {
	buf := make([]byte, min(p.spilled, auditBlock)*entrySize)
	block := make([]auditEntry, 0, len(buf)/entrySize)
	for done := int64(0); done < p.spilled; done += int64(len(block)) {
		n := min(p.spilled-done, auditBlock)
		part := buf[:n*entrySize]
		if _, err := p.spill.ReadAt(part, done*entrySize); err != nil && err != io.EOF {
			return fmt.Errorf("check: temporary file: %w", err)
		}
		block = block[:n]
		for i := range block {
			block[i].read(part[i*entrySize:])
		}
		yield(block)
	}
	if len(p.entries) > 0 {
		yield(p.entries)
	}
	return nil
}

// Close frees what the audit holds.
func (a *Audit) Close() error {
	for i := range a.parts {
		if f := a.parts[i].spill; f != nil {
			f.Close()
			os.Remove(f.Name())
		}
		a.parts[i] = auditPart{}
	}
	return nil
}

// Forget is a Journal that remembers nothing: for a run that sends nothing.
type Forget struct{}

func (Forget) Reject([]byte)                {}
func (Forget) SourceDone([]byte)            {}
func (Forget) Commit(checkpoint.Mark) error { return nil }
