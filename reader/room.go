package reader

import (
	"math/bits"
	"sync"
)

// room is memory that the beginning of a file is read into, and of a small file
// all of it. It is used again, for other sources too: ten thousand small files
// would make as much garbage as they hold.
type room struct {
	bytes []byte
	class int
}

// rooms are those that nobody uses, by the power of two that is their size.
var rooms [17]sync.Pool

// newRoom is room for n bytes, or more.
func newRoom(n int64) *room {
	class := max(bits.Len64(uint64(n-1)), 9)
	if r, ok := rooms[class].Get().(*room); ok {
		return r
	}
	return &room{make([]byte, 1<<class), class}
}

// free gives it back; whoever holds a part of it holds it no more.
func (r *room) free() {
	if r != nil {
		rooms[r.class].Put(r)
	}
}
