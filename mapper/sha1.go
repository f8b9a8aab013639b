package mapper

import (
	"crypto/sha1"
	"encoding"
	"encoding/binary"
	"hash"
	"sync"
)

// shortHash makes SHA-1 sums of texts of some dozens of bytes, which is most of
// what a uid costs. A [hash.Hash] spends a third of its time on them in looking
// after the block at hand, which may come in pieces: so it is given whole
// blocks, padded here (RFC 3174 section 4), and asked for its state instead of
// its sum. The zero value is ready. Not safe for concurrent use.
type shortHash struct {
	text  []byte // what to hash, until sum has padded it
	hash  hash.Hash
	from  encoding.BinaryAppender // hash, when its state can be used
	state []byte
}

// begin gets h ready.
func (h *shortHash) begin() {
	h.hash = sha1.New()
	if stateIsSum() {
		h.from = h.hash.(encoding.BinaryAppender)
	}
	// Memory of this size starts at a line of the cache, and blocks that lie
	// across two cost a twentieth of the whole row.
	h.text = append(make([]byte, 0, 512), h.text...)
}

// stateIsSum says whether the state of this release's SHA-1 is what it is taken
// for: a header of four bytes, then the sum so far. It was from Go 1.10 on; what
// Go promises of it is only that it can be given back.
var stateIsSum = sync.OnceValue(func() bool {
	var ok bool
	h := shortHash{hash: sha1.New()}
	if h.from, ok = h.hash.(encoding.BinaryAppender); !ok {
		return false
	}
	text := make([]byte, 0, 3*sha1.BlockSize)
	for range cap(text) {
		text = append(text, byte(len(text)*37))
		h.text = append(h.text[:0], text...)
		if sum := sha1.Sum(text); h.blocks() != [16]byte(sum[:]) {
			return false
		}
	}
	return true
})

// sum is the first 16 bytes of the SHA-1 sum of h.text, which is used up by it.
func (h *shortHash) sum() [16]byte {
	if h.hash == nil {
		h.begin()
	}
	if h.from != nil {
		return h.blocks()
	}
	sum := sha1.Sum(h.text)
	return [16]byte(sum[:])
}

// padding is what may follow a text: a bit that is set and zeros.
var padding = [sha1.BlockSize]byte{0x80}

// blocks is sum by way of the state.
func (h *shortHash) blocks() (sum [16]byte) {
	const length = 8 // bytes, for the number of bits
	n := len(h.text)
	h.text = append(h.text, padding[:sha1.BlockSize-(n+length)%sha1.BlockSize]...)
	h.text = binary.BigEndian.AppendUint64(h.text, uint64(n)*8)
	h.hash.Reset()
	h.hash.Write(h.text) // never fails
	state, err := h.from.AppendBinary(h.state[:0])
	if err != nil || len(state) < 4+len(sum) {
		return sum // which stateIsSum finds out
	}
	h.state = state
	return [16]byte(state[4:])
}
