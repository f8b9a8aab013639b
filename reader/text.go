package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"unicode/utf8"
)

// maxRaw bounds RowError.Raw, maxValue RowError.Value.
const (
	maxRaw   = 64 << 10
	maxValue = 120
	maxFound = 60 // of what was found where something else belongs
)

// textSource is the formatReader of text: it owns the buffers and the
// positions, and asks a textFormat where records end.
type textSource struct {
	in     *input
	format textFormat
	names  []string
	nl     byte // what ends a line
	size   int  // of a buffer, in the usual case
	max    int  // longest record
	first  Pos

	buf     []byte // text not handed out yet, buf[:n], and room for more
	room    *room  // that buf is in, when it holds the whole text
	n       int
	ahead   []byte // what was read already and follows buf[:n]: the end of held
	held    []byte // in home
	home    []byte // a buffer that was used to look far ahead
	spare   []byte // another one, that nobody uses
	looking bool   // buf has grown to find the end of its first record, see farSighted
	pos     Pos    // of buf[0]
	stored  int64  // Chunk.Consumed of the last chunk
	err     error  // from reading: what follows ahead
	pool    sync.Pool
}

func newTextSource(in *input, format textFormat, names []string, nl byte, first Pos, opt Options) *textSource {
	size := opt.ChunkBytes
	if in.file != nil && in.compression == None && in.size < int64(size) {
		size = int(in.size) + 1 // ten thousand small files make as much garbage as they hold
	}
	t := &textSource{
		in: in, format: format, names: names, nl: nl,
		size: size, max: opt.MaxRecordBytes, first: first, pos: first,
	}
	if in.file != nil && in.text.err == io.EOF && len(in.text.head) <= size {
		t.whole()
	}
	return t
}

// whole takes what was looked at for the text that is left: it is all of it. Of
// many small files, packed ones too, each would else have a buffer of the usual size.
func (t *textSource) whole() {
	t.err = io.EOF
	if text := t.in.text.head; len(text) > 0 {
		t.buf, t.n, t.in.text.head = text, len(text), nil
		t.in.last = text[len(text)-1]
		if t.in.compression == None {
			t.room, t.in.room = t.in.room, nil
		}
	}
}

// ended reports whether all was handed out, up to the end of the text.
func (t *textSource) ended() bool { return t.buf == nil && len(t.ahead) == 0 && t.err == io.EOF }

func (t *textSource) columns() []string { return t.names }
func (t *textSource) start() Pos        { return t.first }

func (t *textSource) close() error {
	t.room.free()
	t.room = nil
	return t.in.close()
}

// next implements formatReader. What a failing read left behind is cut as if
// more were to come, so that an incomplete last record is never taken for a
// whole one.
func (t *textSource) next() (*Chunk, error) {
	if t.buf == nil {
		if len(t.ahead) == 0 && t.err != nil {
			return nil, t.err
		}
		t.buf = t.take()
	}
	for {
		t.fill()
		ended := len(t.ahead) == 0 && t.err != nil
		final := ended && t.err == io.EOF
		if t.looking {
			if n := t.format.(farSighted).first(t.buf[:t.n], final); n > 0 {
				return t.found(n), nil
			}
		} else if n := t.format.cut(t.buf[:t.n], final); n > 0 {
			return t.emit(n), nil
		}
		limit := t.limit()
		switch {
		case final && t.n > 0:
			panic("reader: internal error: a text format left bytes at the end of the text")
		case ended:
			return nil, t.err
		case len(t.buf) > limit:
			return t.skipLine()
		}
		t.looking = limit > t.max
		t.grow(limit + 1) // a record of exactly the limit needs one more byte to be known for whole
	}
}

// grow doubles the buffer, up to most bytes. To look far it takes the memory at
// once: what is not used of it yet costs nothing, and copying would.
func (t *textSource) grow(most int) {
	n := min(2*len(t.buf), most)
	if n > cap(t.buf) {
		room := n
		var grown []byte
		if t.looking {
			room = most
			grown, t.spare = t.spare, nil
		}
		if cap(grown) < room {
			grown = make([]byte, room)
		}
		copy(grown[:room], t.buf[:t.n])
		t.buf = grown
	}
	t.buf = t.buf[:n]
}

// limit is how large the buffer may get for the record that it starts with.
func (t *textSource) limit() int {
	if f, ok := t.format.(farSighted); ok && len(t.buf) > t.max {
		return f.far()
	}
	return t.max
}

// fill reads until the buffer is full or nothing more comes.
func (t *textSource) fill() {
	for t.n < len(t.buf) {
		var k int
		switch {
		case len(t.ahead) > 0:
			k = copy(t.buf[t.n:], t.ahead)
			t.ahead = t.ahead[k:]
		case t.err == nil:
			k, t.err = t.in.Read(t.buf[t.n:])
		default:
			return
		}
		t.n += k
	}
}

// found makes a chunk of the first record of a buffer that has grown to find
// where it ends, at n, and goes on in a buffer of the usual size.
func (t *textSource) found(n int) *Chunk {
	big := t.buf[:n]
	t.shrink(n)
	lines := int64(countLines(big, t.nl))
	if n > t.max {
		return t.tooLarge(bytes.Clone(big[:min(n, maxRaw+2)]), int64(n), lines)
	}
	text := bytes.Clone(big)
	return t.chunk(&textChunk{source: t, text: text, buf: text}, int64(n), lines)
}

// shrink goes back to a buffer of the usual size, with what follows buf[:n]. The
// buffer that had grown is kept: in a file of many stray quotes the next one would
// need another, before the collector has found this one. Two of them are enough.
func (t *textSource) shrink(n int) {
	if rest := t.buf[n:t.n]; len(t.ahead) > 0 {
		// It was read out of held, in front of what is still ahead there.
		t.ahead = t.held[len(t.held)-len(t.ahead)-len(rest):]
		t.keep(t.buf)
	} else {
		t.keep(t.home)
		t.ahead, t.held, t.home = rest, rest, t.buf
	}
	t.buf, t.n, t.looking = t.take(), 0, false
}

// keep makes a buffer the spare one, if it is larger than that.
func (t *textSource) keep(b []byte) {
	if cap(b) > cap(t.spare) {
		t.spare = b[:cap(b)]
	}
}

// emit hands out the first n bytes of the buffer as a chunk and goes on with
// the rest in another one.
func (t *textSource) emit(n int) *Chunk {
	text := t.buf[:n]
	rest := t.buf[n:t.n]
	c := &textChunk{source: t, text: text, buf: t.buf, room: t.room}
	t.room = nil
	if len(rest) == 0 && len(t.ahead) == 0 && t.err != nil {
		t.buf, t.n = nil, 0 // of many sources, most are read in one go
		return t.chunk(c, int64(n), int64(countLines(text, t.nl)))
	}
	t.buf = t.take()
	if len(rest) > len(t.buf) {
		t.buf = make([]byte, len(rest))
	}
	t.n = copy(t.buf, rest)
	return t.chunk(c, int64(n), int64(countLines(text, t.nl)))
}

// chunk makes a chunk of the next n bytes.
func (t *textSource) chunk(p chunkParser, n, lines int64) *Chunk {
	start, begun := t.pos, t.stored
	t.pos = Pos{start.Offset + n, start.Line + lines}
	if t.stored = t.pos.Offset; t.in.compression != None {
		t.stored = t.in.consumed()
	}
	return &Chunk{Start: start, End: t.pos, Begun: begun, Consumed: t.stored, parse: p}
}

// skipLine passes over a line that is longer than any record may be, in
// constant memory, and makes a chunk of its rejection.
func (t *textSource) skipLine() (*Chunk, error) {
	raw := bytes.Clone(t.buf[:min(t.n, maxRaw+2)])
	length := int64(t.n)
	for t.n = 0; ; {
		t.fill()
		k := bytes.IndexByte(t.buf[:t.n], t.nl) + 1
		n := k
		if k == 0 {
			n = t.n
		}
		raw = append(raw, t.buf[:min(n, maxRaw+2-len(raw))]...)
		length += int64(n)
		if k > 0 {
			t.shrink(n)
			break
		}
		t.n = 0
		if len(t.ahead) == 0 && t.err == io.EOF {
			break
		}
		if len(t.ahead) == 0 && t.err != nil {
			return nil, t.err
		}
	}
	return t.tooLarge(raw, length, 1), nil
}

// tooLarge makes a chunk of the rejection of a record of which raw is the start.
func (t *textSource) tooLarge(raw []byte, length, lines int64) *Chunk {
	raw = raw[:trimLineEnd(raw, 0, len(raw), t.nl)]
	fault := &RowError{Code: CodeTooLarge, Reason: tooLarge(t.max, int(lines)), Raw: raw[:min(len(raw), maxRaw)]}
	c := t.chunk(rejectChunk{fault}, length, lines)
	fault.Pos, fault.End = c.Start, c.End
	return c
}

// tooLarge gives the reason for a record that is too large, so many lines of it.
func tooLarge(max, lines int) string {
	text := fmt.Sprintf("a record longer than %d bytes, the limit; raise it if such records are right", max)
	if lines > 1 {
		text += fmt.Sprintf("; it is %d lines up to the quote that closes, so mend the quote that opens if that is a stray one", lines)
	}
	return text
}

// seek implements formatReader.
func (t *textSource) seek(p Pos) error {
	if p.Offset == 0 || p == t.first {
		p = t.first
	}
	if p.Offset < t.first.Offset || p.Line < t.first.Line {
		return t.in.named(fmt.Errorf("position %v is before the first record, %v", p, t.first))
	}
	if p == t.pos && (t.err == nil || t.err == io.EOF) {
		return nil // it is there, also when it is a stream that cannot go back
	}
	t.n, t.err, t.looking = 0, nil, false
	t.ahead, t.held = nil, nil
	t.room.free()
	if t.room = nil; len(t.buf) != t.size {
		t.buf = nil // it is as long as what was in it
	}
	if err := t.in.seek(p.Offset, p.Offset > t.first.Offset, t.nl); err != nil {
		t.err = err
		return err
	}
	t.pos = p
	if t.stored = p.Offset; t.in.compression != None {
		t.stored = t.in.consumed()
	}
	return nil
}

// take returns a buffer of the usual size.
func (t *textSource) take() []byte {
	if b, ok := t.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, t.size)
}

// put gives a buffer of the usual size back.
func (t *textSource) put(b []byte) {
	if len(b) == t.size {
		t.pool.Put(&b)
	}
}

// textChunk is a chunk of text that a textFormat can parse.
type textChunk struct {
	source *textSource
	text   []byte
	buf    []byte // text's buffer
	room   *room  // that buf is in, nil when it is one of the source's
}

func (p *textChunk) records(c *Chunk) iter.Seq2[*Record, error] {
	return p.source.format.records(c, p.text)
}

func (p *textChunk) release() {
	if p.buf != nil {
		if p.room != nil {
			p.room.free()
		} else {
			p.source.put(p.buf)
		}
		p.buf, p.text = nil, nil
	}
}

// rejectChunk is a chunk of one record, which is a reject.
type rejectChunk struct{ fault *RowError }

func (p rejectChunk) records(*Chunk) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) { yield(nil, p.fault) }
}

func (rejectChunk) release() {}

// countLines counts the lines of text, an unfinished last one too.
func countLines(text []byte, nl byte) int {
	n := bytes.Count(text, []byte{nl})
	if len(text) > 0 && text[len(text)-1] != nl {
		n++
	}
	return n
}

// trimLineEnd returns where the line text[s:stop] ends without its ending: nl,
// and a CR before it or before the end of the text when nl is LF.
func trimLineEnd(text []byte, s, stop int, nl byte) int {
	if stop > s && text[stop-1] == nl {
		stop--
	}
	if stop > s && text[stop-1] == '\r' && nl == '\n' {
		stop--
	}
	return stop
}

// shorten makes text fit for a message: at most maxValue bytes, whole
// characters.
func shorten(text []byte) string { return shortenTo(maxValue, text) }

// shortenTo is shorten to at most so many bytes.
func shortenTo(most int, text []byte) string {
	// What is not UTF-8 gets longer by being made so, hence first.
	valid := bytes.ToValidUTF8(text[:min(len(text), most+utf8.UTFMax)], []byte("\uFFFD"))
	if len(text) <= most && len(valid) <= most {
		return string(valid)
	}
	n := min(most-len("…"), len(valid)) // a run of such bytes becomes one character
	for n > 0 && n < len(valid) && !utf8.RuneStart(valid[n]) {
		n--
	}
	return string(valid[:n]) + "…"
}

// errNoRecord is what seeking into the middle of a line gives.
var errNoRecord = errors.New("no record starts there: the file is not the one that the position was taken from")
