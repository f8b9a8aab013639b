package reader

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
)

// Limits of what a Parquet file may ask for, whatever it says about itself.
// Writers aim at pages of 8 KiB to 1 MiB.
const (
	// maxPageBytes is the largest page, unpacked.
	maxPageBytes = 64 << 20
	// maxPagesBytes is the most that the current pages and dictionaries of all
	// mapped columns may take together.
	maxPagesBytes = 128 << 20
	// maxPageHeader is the largest page header; only the bounds of long texts
	// make one longer than some dozen bytes.
	maxPageHeader = 4 << 20
	// streamBytes is how much of a column chunk is read at a time.
	streamBytes = 64 << 10
)

// Encodings of parquet.thrift, by their numbers there.
const (
	encPlain       = 0
	encPlainDict   = 2
	encRLE         = 3
	encDeltaPacked = 5
	encDeltaLength = 6
	encDeltaBytes  = 7
	encRLEDict     = 8
	encStreamSplit = 9
)

// parquetPages reads the pages of one column chunk after the other. It is the
// [file.PageReader] that Arrow's column reader asks for pages, and nothing
// reaches Arrow that was not checked here: sizes against limits, checksums,
// and every level and dictionary index against its range. Arrow v17 trusts all
// of them: it allocates what a page claims, takes missing levels for zeros,
// and never returns from a dictionary index that is too large.
//
// Arrow is given pages one at a time, when load has one ready, and sees the
// end of the column otherwise. So it never goes on to a page by itself, and
// the memory of a page can be used again for the next.
type parquetPages struct {
	store *pageStore
	col   *parquetColumn
	codec compress.Compression

	off, end int64  // of the file: what follows buffered, end of the column chunk
	stream   []byte // of streamBytes
	buffered []byte // the part of stream not yet used
	rows     int64  // rows of the row group that no page has covered yet

	page, dict, plain []byte // memory of the current page, dictionary, and page rewritten as PLAIN
	dictCost          int
	entries           int // in the dictionary; -1 without one

	ready   []file.Page
	current file.Page
}

// pageStore is what the columns of a source share: the file, the codecs, and
// the limit on memory. One caller at a time.
type pageStore struct {
	f      io.ReaderAt
	packed []byte // the last page as stored, when it did not fit into a stream
	used   int    // bytes of pages and dictionaries, of maxPagesBytes
	pageUnpacker
}

// room returns a slice of n bytes, in the memory of buf when it is large enough.
func (s *pageStore) room(buf []byte, n int) ([]byte, error) {
	if n <= cap(buf) {
		return buf[:n], nil
	}
	if n > maxPageBytes {
		return nil, unsupported("page of %d bytes; the limit is %d: write the file again with smaller pages", n, maxPageBytes)
	}
	size := max(n, min(2*cap(buf), maxPageBytes))
	if err := s.claim(size - cap(buf)); err != nil {
		return nil, err
	}
	return make([]byte, n, size), nil
}

// claim takes n bytes out of the limit, or gives them back when n is negative.
func (s *pageStore) claim(n int) error {
	if s.used+n > maxPagesBytes {
		return unsupported("current pages of the mapped columns that take more than %d bytes together: write the file again with smaller pages", maxPagesBytes)
	}
	s.used += n
	return nil
}

// open goes to the column chunk at off.
func (p *parquetPages) open(codec compress.Compression, off, end, rows int64) {
	p.codec, p.off, p.end, p.rows = codec, off, end, rows
	p.buffered, p.entries = nil, -1
	p.ready, p.current = p.ready[:0], nil
	p.store.used -= p.dictCost
	p.dictCost = 0
}

// load makes the next page with rows ready for Arrow and returns their number.
// It passes over whole pages unread as long as they lie in the next skip rows,
// and returns how many rows it passed over. It returns 0 rows when skip
// reaches the end of the column chunk.
func (p *parquetPages) load(skip int64) (rows int, passed int64, err error) {
	for p.rows > 0 {
		h, err := p.header()
		if err != nil {
			return 0, passed, err
		}
		isData := h.typ == pageData || h.typ == pageDataV2
		values := int64(h.values)
		switch {
		case isData && values > p.rows:
			return 0, passed, fmt.Errorf("page of %d values, where the row group has only %d rows left", values, p.rows)
		case isData && values <= skip-passed, !isData && h.typ != pageDictionary:
			if err := p.pass(int64(h.packed)); err != nil {
				return 0, passed, err
			}
			if isData {
				p.rows -= values
				passed += values
			}
			continue
		}
		stored, err := p.body(int(h.packed))
		if err != nil {
			return 0, passed, err
		}
		if h.hasCRC && crc32.ChecksumIEEE(stored) != h.crc {
			return 0, passed, fmt.Errorf("page whose checksum is %08x, where its header says %08x", crc32.ChecksumIEEE(stored), h.crc)
		}
		if h.typ == pageDictionary {
			if err := p.loadDictionary(h, stored); err != nil {
				return 0, passed, fmt.Errorf("dictionary: %w", err)
			}
			continue
		}
		if err := p.loadData(h, stored); err != nil {
			return 0, passed, err
		}
		p.rows -= values
		return int(values), passed, nil
	}
	return 0, passed, nil
}

// peek returns n bytes at the place of reading, fewer only at the end of the
// column chunk.
func (p *parquetPages) peek(n int) ([]byte, error) {
	n = int(min(int64(n), p.end-p.off+int64(len(p.buffered))))
	if n <= len(p.buffered) {
		return p.buffered[:n], nil
	}
	if n > len(p.stream) { // a header longer than the buffer
		p.stream = append(make([]byte, 0, n), p.stream...)[:n]
	}
	have := copy(p.stream, p.buffered)
	want := p.stream[have:min(int64(len(p.stream)), int64(have)+p.end-p.off)]
	if err := p.readAt(want, p.off); err != nil {
		return nil, err
	}
	p.off += int64(len(want))
	p.buffered = p.stream[:have+len(want)]
	return p.buffered[:n], nil
}

func (p *parquetPages) readAt(b []byte, off int64) error {
	n, err := p.store.f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || err == io.EOF {
		return fmt.Errorf("%d bytes at offset %d: %w", len(b), off, io.ErrUnexpectedEOF)
	}
	return unsupported("reading %d bytes at offset %d: %w", len(b), off, err)
}

func (p *parquetPages) header() (pageHeader, error) {
	for n := 256; ; n *= 4 {
		b, err := p.peek(n)
		if err != nil {
			return pageHeader{}, err
		}
		h, err := parsePageHeader(b)
		if err == nil {
			p.buffered = p.buffered[h.size:]
			return h, nil
		}
		if errors.Is(err, errThriftShort) && len(b) == n && n < maxPageHeader {
			continue
		}
		at := p.off - int64(len(p.buffered))
		if len(b) == 0 {
			return h, fmt.Errorf("column that ends %d rows before the row group does, at offset %d: %w", p.rows, at, io.ErrUnexpectedEOF)
		}
		return h, fmt.Errorf("page header at offset %d: %w", at, err)
	}
}

// pass moves on by n bytes without reading them.
func (p *parquetPages) pass(n int64) error {
	if n > int64(len(p.buffered))+p.end-p.off {
		return fmt.Errorf("page of %d bytes that ends after the column does: %w", n, io.ErrUnexpectedEOF)
	}
	k := min(n, int64(len(p.buffered)))
	p.buffered = p.buffered[k:]
	p.off += n - k
	return nil
}

// body returns the next n bytes, the stored form of a page. They are good
// until the next page of any column is read.
func (p *parquetPages) body(n int) ([]byte, error) {
	if n <= len(p.buffered) {
		b := p.buffered[:n]
		p.buffered = p.buffered[n:]
		return b, nil
	}
	rest := int64(n - len(p.buffered))
	if rest > p.end-p.off {
		return nil, fmt.Errorf("page of %d bytes that ends after the column does: %w", n, io.ErrUnexpectedEOF)
	}
	b, err := p.store.room(p.store.packed, n)
	if err != nil {
		return nil, err
	}
	p.store.packed = b
	k := copy(b, p.buffered)
	if err := p.readAt(b[k:], p.off); err != nil {
		return nil, err
	}
	p.buffered, p.off = nil, p.off+rest
	return b, nil
}

func (p *parquetPages) loadDictionary(h pageHeader, stored []byte) error {
	n := int(h.values)
	switch {
	case p.entries >= 0 || p.current != nil:
		return errors.New("it stands after other pages, or twice")
	case h.encoding != encPlain && h.encoding != encPlainDict:
		return fmt.Errorf("encoding %d, where only PLAIN is allowed", h.encoding)
	case p.col.physical == parquet.Types.Boolean:
		return errors.New("BOOLEAN columns have none")
	}
	var err error
	if p.dict, err = p.store.room(p.dict, int(h.plain)); err != nil {
		return err
	}
	if err := p.store.unpack(p.codec, p.dict, stored); err != nil {
		return err
	}
	if err := checkPlain(p.col, p.dict, n); err != nil {
		return err
	}
	// Arrow keeps a decoded copy: of texts, the 24 bytes of a slice.
	p.dictCost = n * max(plainSize(p.col.physical, 0), 24)
	if err := p.store.claim(p.dictCost); err != nil {
		p.dictCost = 0
		return err
	}
	p.entries = n
	p.ready = append(p.ready, file.NewDictionaryPage(memory.NewBufferBytes(p.dict), h.values, parquet.Encodings.Plain))
	return nil
}

// loadData unpacks a data page, checks it, and makes it ready.
func (p *parquetPages) loadData(h pageHeader, stored []byte) error {
	var err error
	if p.page, err = p.store.room(p.page, int(h.plain)); err != nil {
		return err
	}
	data, levels := p.page, 0 // bytes of levels before the values
	if h.typ == pageDataV2 {
		// The levels are never compressed, and the header gives their size.
		levels = int(h.repLen) + int(h.defLen)
		if levels > len(data) || levels > len(stored) {
			return errors.New("page shorter than its levels")
		}
		codec := p.codec
		if !h.valuesPacked {
			codec = compress.Codecs.Uncompressed
		}
		copy(data, stored[:levels])
		err = p.store.unpack(codec, data[levels:], stored[levels:])
	} else {
		err = p.store.unpack(p.codec, data, stored)
	}
	if err != nil {
		return err
	}
	n, levels, err := p.checkLevels(h, data, levels)
	if err != nil {
		return fmt.Errorf("definition levels: %w", err)
	}
	encoding, data, err := p.checkValues(h.encoding, data, levels, n)
	if err != nil {
		return err
	}
	buf := memory.NewBufferBytes(data)
	enc := parquet.Encoding(encoding)
	var page file.Page
	if h.typ == pageDataV2 {
		page = file.NewDataPageV2(buf, h.values, h.values-int32(n), h.values, enc, h.defLen, h.repLen, int32(len(data)), false)
	} else {
		page = file.NewDataPageV1(buf, h.values, enc, parquet.Encodings.RLE, parquet.Encodings.RLE, int32(len(data)))
	}
	p.ready = append(p.ready, page)
	return nil
}

// Next implements [file.PageReader].
func (p *parquetPages) Next() bool {
	if len(p.ready) == 0 {
		return false
	}
	p.current = p.ready[0]
	p.ready = append(p.ready[:0], p.ready[1:]...)
	return true
}

// Page implements [file.PageReader].
func (p *parquetPages) Page() file.Page { return p.current }

// Err implements [file.PageReader]. Errors are load's.
func (p *parquetPages) Err() error { return nil }

// SetMaxPageHeaderSize implements [file.PageReader]; the limit is fixed.
func (p *parquetPages) SetMaxPageHeaderSize(int) {}

// Reset implements [file.PageReader]; Arrow calls it only in readers of its own.
func (p *parquetPages) Reset(parquet.BufferedReader, int64, compress.Compression, *file.CryptoContext) {
	panic("reader: a page reader of Parquet cannot be reset")
}
