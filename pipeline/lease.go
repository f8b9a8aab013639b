package pipeline

import (
	"sync"
	"sync/atomic"

	"github.com/m3import/m3import/reader"
)

// lease keeps a chunk's memory until nobody needs its rows any more: the
// packer, and each parcel that took a row of it, since a row that the platform
// refuses goes into the reject file as it was read.
type lease struct {
	*reader.Chunk
	holders atomic.Int32
	again   sync.Mutex // held while the records are read once more: a chunk has one reader at a time
}

// newLease makes a lease with one holder.
func newLease(c *reader.Chunk) *lease {
	l := &lease{Chunk: c}
	l.holders.Store(1)
	return l
}

func (l *lease) hold() { l.holders.Add(1) }

// free ends the hold of one holder; the last one gives the memory back.
func (l *lease) free() {
	switch n := l.holders.Add(-1); {
	case n == 0:
		l.Release()
	case n < 0:
		panic("pipeline: a chunk was given back twice")
	}
}
