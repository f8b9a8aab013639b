package mapper

import (
	"crypto/sha1"
	"testing"

	"pgregory.net/rapid"
)

// TestShortHash: whichever way a sum is made, it is SHA-1's.
func TestShortHash(t *testing.T) {
	if !stateIsSum() {
		t.Error("the state of this Go's SHA-1 is not understood: uids are right, and made more slowly")
	}
	var fast, plain shortHash
	plain.begin()
	plain.from = nil
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.Byte(), 0, 1000).Draw(t, "text")
		want := sha1.Sum(text)
		for _, h := range []*shortHash{&fast, &plain} {
			h.text = append(h.text[:0], text...)
			if got := h.sum(); got != [16]byte(want[:]) {
				t.Fatalf("the sum of %d bytes is %x, want %x", len(text), got, want[:16])
			}
		}
	})
}
