package pipeline

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/uploader"
)

// Audit takes the place of the platform: it sends nothing, and finds uids that
// repeat over the whole input. The platform would take one measurement of each
// uid and ignore the rest without a word, whether they say the same or not.
//
// What is seen goes into 256 parts by the uid's hash, which spill to temporary
// files, and each part is looked at alone: memory is 64 bytes for each entry of
// the largest part. That is little as long as uids differ; where a few uids are
// on most of the input, which is what an audit is to find out, their part holds
// most of it. The zero value is ready. Close removes the files.
type Audit struct {
	seed  [3]maphash.Seed
	parts [auditParts]auditPart
	held  int // entries in memory
	seen  int64

	Requests int64 // that sending would take
	Bytes    int64 // of their bodies
}

const (
	auditParts = 256
	auditHeld  = 1 << 20 // entries in memory before they spill: 32 MiB
	entrySize  = 32
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

// Repeats is what an audit found.
type Repeats struct {
	// Same counts measurements that repeat an earlier one exactly, Other those
	// that carry its uid and differ from the first. The platform would ignore both.
	Same, Other int64
	// First are the first few pairs.
	First []Repeat
}

// Repeat is a measurement with the uid of an earlier one; both are named by
// their number among the measurements of the input, from 1.
type Repeat struct {
	Measurement, Earlier int64
	Same                 bool
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
		e := auditEntry{
			uid:     [2]uint64{maphash.Bytes(a.seed[0], uid), maphash.Bytes(a.seed[1], uid)},
			content: maphash.Bytes(a.seed[2], content),
			at:      a.seen,
		}
		p := &a.parts[e.uid[0]>>56]
		p.entries = append(p.entries, e)
	}
	a.Requests++
	a.Bytes += int64(len(b.Body()))
	if a.held += b.Len(); a.held >= auditHeld {
		return nil, a.spill()
	}
	return nil, nil
}

// uidStart is where the uid starts in a measurement: after `{"uid":"`.
const uidStart = 8

// splitUID cuts a measurement's uid from the rest of it.
func splitUID(item []byte) (uid, rest []byte) {
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
			for _, e := range p.entries[:n] {
				buf = binary.LittleEndian.AppendUint64(buf, e.uid[0])
				buf = binary.LittleEndian.AppendUint64(buf, e.uid[1])
				buf = binary.LittleEndian.AppendUint64(buf, e.content)
				buf = binary.LittleEndian.AppendUint64(buf, uint64(e.at))
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

// load gives back all entries of a part.
func (p *auditPart) load() ([]auditEntry, error) {
	if p.spilled == 0 {
		return p.entries, nil
	}
	buf := make([]byte, p.spilled*entrySize)
	if _, err := p.spill.ReadAt(buf, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("check: temporary file: %w", err)
	}
	all := make([]auditEntry, 0, p.spilled+int64(len(p.entries)))
	for b := buf; len(b) > 0; b = b[entrySize:] {
		all = append(all, auditEntry{
			uid:     [2]uint64{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])},
			content: binary.LittleEndian.Uint64(b[16:]),
			at:      int64(binary.LittleEndian.Uint64(b[24:])),
		})
	}
	return append(all, p.entries...), nil
}

// Repeats looks for repeated uids in all that was submitted; at most show of
// them are listed.
func (a *Audit) Repeats(show int) (Repeats, error) {
	var r Repeats
	for i := range a.parts {
		entries, err := a.parts[i].load()
		if err != nil {
			return r, err
		}
		slices.SortFunc(entries, func(x, y auditEntry) int {
			return cmp.Or(cmp.Compare(x.uid[0], y.uid[0]), cmp.Compare(x.uid[1], y.uid[1]), cmp.Compare(x.at, y.at))
		})
		first := 0
		for k := 1; k < len(entries); k++ {
			if entries[k].uid != entries[first].uid {
				first = k
				continue
			}
			same := entries[k].content == entries[first].content
			if same {
				r.Same++
			} else {
				r.Other++
			}
			r.First = append(r.First, Repeat{Measurement: entries[k].at, Earlier: entries[first].at, Same: same})
			if len(r.First) > 2*show+64 {
				r.keep(show)
			}
		}
		r.keep(show)
	}
	return r, nil
}

// keep keeps the first few of First.
func (r *Repeats) keep(n int) {
	slices.SortFunc(r.First, func(x, y Repeat) int { return cmp.Compare(x.Measurement, y.Measurement) })
	r.First = r.First[:min(len(r.First), n)]
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
