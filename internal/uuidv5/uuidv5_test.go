package uuidv5

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"
)

// reference is a UUID as RFC 9562 section 5.5 describes it, made with the
// standard library alone.
func reference(text []byte) string {
	sum := sha1.Sum(text)
	sum[6] = sum[6]&0x0f | 5<<4
	sum[8] = sum[8]&0x3f | 2<<6
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// TestRFC is the example of RFC 9562, appendix A.4: www.example.com in the name
// space of DNS names.
func TestRFC(t *testing.T) {
	dns := []byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	var got [Len]byte
	Write(&got, Pad(append(dns, "www.example.com"...)))
	if want := "2ed6657d-e927-568b-95e1-2665a8aea6a2"; string(got[:]) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// made is a text of n bytes, other bytes for another seed.
func made(n, seed int) []byte {
	text := make([]byte, n)
	x := uint32(seed)*2654435761 + 1
	for i := range text {
		x = x*1664525 + 1013904223
		text[i] = byte(x >> 24)
	}
	return text
}

// TestLengths: all lengths of up to five blocks.
func TestLengths(t *testing.T) {
	for n := range 5*sha1.BlockSize + 1 {
		check(t, made(n, n))
	}
}

// TestDigits: a set of UUIDs has each digit in each place but the fixed
// ones, so none is lost on the way from the sum to its text.
func TestDigits(t *testing.T) {
	var seen [Len]map[byte]bool
	for i := range seen {
		seen[i] = map[byte]bool{}
	}
	for n := range 1000 {
		var uuid [Len]byte
		Write(&uuid, Pad(made(40, n)))
		for i, c := range uuid {
			seen[i][c] = true
		}
	}
	for i, digits := range seen {
		want := 16
		switch i {
		case 8, 13, 18, 23, 14: // hyphens, the version
			want = 1
		case 19: // the variant and two bits
			want = 4
		}
		if len(digits) != want {
			t.Errorf("%d different characters in place %d, want %d", len(digits), i, want)
		}
	}
}

func FuzzWrite(f *testing.F) {
	f.Add([]byte("a name space is 16 and a name"))
	for _, n := range []int{0, 55, 56, 64, 119, 120} {
		f.Add(made(n, n))
	}
	f.Fuzz(func(t *testing.T, text []byte) { check(t, text) })
}

// check compares either way to make the UUID of text with the reference, and
// looks whether anything beside it was written.
func check(t *testing.T, text []byte) {
	t.Helper()
	want := reference(text)
	padded := Pad(bytes.Clone(text))
	if len(padded)%sha1.BlockSize != 0 || !bytes.Equal(unpadded(padded), text) {
		t.Fatalf("%d bytes are padded to %d, of which %d are taken back", len(text), len(padded), len(unpadded(padded)))
	}
	const room = 8
	beside := strings.Repeat("#", room)
	for _, write := range []func(*[Len]byte, []byte){Write, write} {
		memory := []byte(beside + strings.Repeat("#", Len) + beside)
		write((*[Len]byte)(memory[room:]), padded)
		if string(memory) != beside+want+beside {
			t.Fatalf("a text of %d bytes: got %s, want %s", len(text), memory, want)
		}
	}
}

// TestFast tells when crypto/sha1 is all that was tested.
func TestFast(t *testing.T) {
	if !fast {
		t.Skip("this processor, or this build, has no instructions for SHA-1")
	}
}

func BenchmarkWrite(b *testing.B) {
	text := Pad(made(96, 1))
	var to [Len]byte
	for name, write := range map[string]func(*[Len]byte, []byte){"as it is": Write, "crypto-sha1": write} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				write(&to, text)
			}
		})
	}
}
