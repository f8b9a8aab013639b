// Package uuidv5 makes the text of UUIDs of names, version 5 of RFC 9562
// (section 5.5): the first 16 bytes of the SHA-1 sum of a name space and a
// name, six bits of it replaced.
//
// It exists for speed: an import makes one of each row, and it was the largest
// single part of what a row cost. Package crypto/sha1 takes a text in pieces and
// can be asked for its sum in between, which on a hundred bytes costs more than
// the sum itself. Here whole blocks go through the processor's instructions for
// SHA-1, and the sum leaves its registers as text (uuidv5_amd64.s). Where there
// are none, crypto/sha1 makes the sum.
package uuidv5

import (
	"crypto/sha1"
	"encoding/binary"
)

// Len is the length of a UUID as text.
const Len = 36

// padding is what may follow a text: a bit that is set and zeros.
var padding = [sha1.BlockSize]byte{0x80}

// Pad appends to text, which is the 16 bytes of a name space and a name, what
// makes whole blocks of it (RFC 3174 section 4), as Write takes it.
func Pad(text []byte) []byte {
	const length = 8 // bytes, for the number of bits
	n := len(text)
	text = append(text, padding[:sha1.BlockSize-(n+length)%sha1.BlockSize]...)
	return binary.BigEndian.AppendUint64(text, uint64(n)*8)
}

// unpadded is the text that Pad was given.
func unpadded(padded []byte) []byte {
	return padded[:binary.BigEndian.Uint64(padded[len(padded)-8:])/8]
}

// Write writes to to the UUID of a text that Pad has padded.
func Write(to *[Len]byte, padded []byte) {
	if fast {
		sum(to, &padded[0], len(padded)/sha1.BlockSize)
	} else {
		write(to, padded)
	}
}

// Sum is the UUID of text, the 16 bytes of a name space and a name, as bytes.
func Sum(text []byte) (uuid [16]byte) {
	sum := sha1.Sum(text)
	sum[6] = sum[6]&0x0F | 0x50 // version 5
	sum[8] = sum[8]&0x3F | 0x80 // the variant of RFC 9562
	return [16]byte(sum[:])
}

// write is Write by way of Sum.
func write(to *[Len]byte, padded []byte) {
	const digits = "0123456789abcdef"
	uuid := Sum(unpadded(padded))
	to[8], to[13], to[18], to[23] = '-', '-', '-', '-'
	for i, at := range places {
		to[at] = digits[uuid[i]>>4]
		to[at+1] = digits[uuid[i]&15]
	}
}

// places is where the two digits of each byte of a UUID stand in its text.
var places = [16]uint8{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}
