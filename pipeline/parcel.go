package pipeline

import (
	"time"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// parcel is a batch with its papers. Its memory is used again: the batch when it
// has settled, the papers when that is committed.
type parcel struct {
	batch    *uploader.Batch     // nil once it has settled
	end      checkpoint.Position // everything before it is in this parcel or an earlier one
	consumed int64               // of the source at end, in bytes as stored
	stays    []stay              // the sources that its rows came from, in order
	totals   []total             // what its measurements sum to
	rejects  []rejectDraft
	held     int              // bytes in rejects
	runs     []stretch        // the rows in the batch, in order
	leases   []*lease         // chunks that runs point into, at most maxLeases
	mappers  []*mapper.Mapper // of each lease
	sent     int64            // the number of the flight; 0: the batch is empty
	began    time.Time        // of the flight
	begin    checkpoint.Position
	papers   papers
	err      error // ends the import here
	then     error // ends it behind what the parcel holds, which is not all that was sent
	kept     int   // measurements that are settled with it
}

// stretch is a run of rows of one chunk that went into a batch, with what it
// takes to find them again should the platform refuse one.
type stretch struct {
	end    int        // its measurements end here in the batch
	rows   int        // how many they are
	lease  int        // into parcel.leases; -1: they have to be read again from the source
	nth    int        // the first one in that chunk
	start  reader.Pos // of the first one
	source int
	record int64 // the number of the first one in the source, from 1
}

// maxLeases is how many chunks a parcel keeps. Rows that stand densely come
// from one or two; where few rows of a chunk are taken, or sources are small,
// keeping them all would hold a multiple of what is sent.
const maxLeases = 3

// stay is what a parcel holds of one source.
type stay struct {
	source int
	counts checkpoint.Counts
	done   bool // the source ends in this parcel
}

// newParcel takes a parcel that was used before, if there is one.
func (im *Import) newParcel() *parcel {
	p, ok := im.parcels.Get().(*parcel)
	if !ok {
		p = new(parcel)
	}
	if p.batch, ok = im.batches.Get().(*uploader.Batch); !ok {
		p.batch = new(uploader.Batch)
	}
	p.batch.Reset(im.Limits)
	return p
}

// unload gives back what a parcel is sent and refused from: of one that waits for
// its commit, only the papers stay.
func (im *Import) unload(p *parcel) {
	for _, l := range p.leases {
		l.free()
	}
	clear(p.leases)
	p.leases = p.leases[:0]
	im.batches.Put(p.batch)
	p.batch = nil
}

// unpack gives back a committed parcel.
func (im *Import) unpack(p *parcel) {
	if p.batch != nil {
		im.unload(p)
	}
	clear(p.rejects)
	*p = parcel{
		stays: p.stays[:0], totals: p.totals[:0], rejects: p.rejects[:0],
		runs: p.runs[:0], leases: p.leases, mappers: p.mappers[:0],
	}
	im.parcels.Put(p)
}

// hold makes the parcel hold the chunk until it is settled, if it may hold one
// more. It returns the place of the chunk among those that it holds, or -1.
func (p *parcel) hold(e *encoded) int {
	if n := len(p.leases); n == 0 || p.leases[n-1] != e.chunk {
		if n == maxLeases {
			return -1
		}
		e.chunk.hold()
		p.leases = append(p.leases, e.chunk)
		p.mappers = append(p.mappers, e.mapper)
	}
	return len(p.leases) - 1
}

// stay is the account of the source.
func (p *parcel) stay(source int) *stay {
	if n := len(p.stays); n == 0 || p.stays[n-1].source != source {
		p.stays = append(p.stays, stay{source: source})
	}
	return &p.stays[len(p.stays)-1]
}
