package reader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/parquet"
)

const (
	// maxFooterBytes and maxFooterItems bound what a footer may cost; a file
	// of 1,000 columns and 500 row groups needs about half of them.
	maxFooterBytes = 64 << 20
	maxFooterItems = 16 << 20
)

// The footer is parsed here and not by Arrow, whose parser believes the
// lengths in it, recurses as deep as they say, and gives up on a whole file
// for one column of a logical type that is younger than it.

// columnChunk is what reading needs of a ColumnChunk of parquet.thrift.
type columnChunk struct {
	off, size int64 // of the first page; of all pages
	values    int64
	codec     int64
	physical  int64
	elsewhere bool // the pages are in another file
	encrypted bool
}

// rowGroup is a RowGroup of parquet.thrift.
type rowGroup struct {
	rows   int64
	chunks []columnChunk // of the wanted leaves
}

// readFooter returns the bytes of the FileMetaData at the end of a file.
func readFooter(f io.ReaderAt, size int64) ([]byte, error) {
	if size < 12 {
		return nil, fmt.Errorf("parquet file of %d bytes, which is too short to be one: the file is cut off: %w", size, io.ErrUnexpectedEOF)
	}
	var head [4]byte
	var tail [8]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	if _, err := f.ReadAt(tail[:], size-8); err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case string(tail[4:]) == "PARE" || string(head[:]) == "PARE":
		return nil, errEncrypted
	case string(head[:]) != "PAR1":
		return nil, errors.New("not a Parquet file: it does not start with PAR1")
	case string(tail[4:]) != "PAR1":
		return nil, fmt.Errorf("parquet file without a footer at its end, which is where its directory is: the file is cut off: %w", io.ErrUnexpectedEOF)
	}
	n := int64(binary.LittleEndian.Uint32(tail[:4]))
	if n > size-12 {
		return nil, fmt.Errorf("parquet footer of %d bytes in a file of %d: the file is cut off or damaged: %w", n, size, io.ErrUnexpectedEOF)
	}
	if n > maxFooterBytes {
		return nil, fmt.Errorf("parquet footer of %d bytes; the limit is %d", n, maxFooterBytes)
	}
	b := make([]byte, n)
	if got, err := f.ReadAt(b, size-8-n); got < len(b) {
		return nil, fmt.Errorf("parquet footer: %w", err)
	}
	return b, nil
}

var errEncrypted = errors.New("encrypted parquet file, which cannot be read here: decrypt it first")

// parseSchema reads the schema out of a footer, walks all the rest of it, and
// returns the number of rows of the file.
func parseSchema(footer []byte) (nodes []schemaNode, rows int64, err error) {
	r := thriftReader{b: footer}
	encrypted := false
	var seen [5]bool
	for id, typ := r.field(0); typ != thriftStop; id, typ = r.field(id) {
		if 0 < id && id < int64(len(seen)) {
			seen[id] = true
		}
		switch {
		case id == 2 && typ == thriftList && nodes == nil:
			n, elem := r.list()
			if elem != thriftStruct || n == 0 || n > maxFooterItems/64 {
				r.fail(errThriftBad)
				break
			}
			for ; n > 0 && r.err == nil; n-- {
				nodes = append(nodes, parseNode(&r))
			}
		case id == 3 && typ == thriftI64:
			rows = r.int()
		default:
			encrypted = encrypted || id == 8
			r.skip(typ)
		}
	}
	switch {
	case r.err != nil:
		return nil, 0, fmt.Errorf("parquet footer: %w; the file is damaged", r.err)
	case r.items > maxFooterItems:
		return nil, 0, fmt.Errorf("parquet footer of %d parts; the limit is %d", r.items, maxFooterItems)
	case encrypted:
		return nil, 0, errEncrypted
	case seen != [...]bool{1: true, 2: true, 3: true, 4: true}:
		// Thrift leaves out what is optional, and these are not: a footer of
		// which a damaged length swallowed the rest reads as a file of no rows.
		return nil, 0, errors.New("parquet footer without its version, schema, number of rows or row groups; the file is damaged")
	case r.pos < len(footer):
		return nil, 0, fmt.Errorf("parquet footer that ends %d bytes early; the file is damaged", len(footer)-r.pos)
	}
	if err := buildTree(nodes); err != nil {
		return nil, 0, fmt.Errorf("parquet schema: %w; the file is damaged", err)
	}
	return nodes, rows, nil
}

func parseNode(r *thriftReader) schemaNode {
	n := schemaNode{converted: -1, physical: -1}
	ints := [...]*int64{1: &n.physical, 2: &n.length, 3: &n.repetition, 5: &n.children, 6: &n.converted, 7: &n.scale, 8: &n.precision}
	for id, typ := r.field(0); typ != thriftStop; id, typ = r.field(id) {
		switch {
		case typ == thriftI32 && id > 0 && id < int64(len(ints)) && ints[id] != nil:
			*ints[id] = int64(r.int32())
		case id == 4 && typ == thriftBinary:
			n.name = r.text()
		case id == 10 && typ == thriftStruct:
			n.logical = parseLogical(r)
		default:
			r.skip(typ)
		}
	}
	return n
}

func parseLogical(r *thriftReader) (l logicalType) {
	for id, typ := r.field(0); typ != thriftStop; id, typ = r.field(id) {
		if typ != thriftStruct {
			r.skip(typ)
			continue
		}
		l.id = id
		for f, t := r.field(0); t != thriftStop; f, t = r.field(f) {
			isBool := t == thriftTrue || t == thriftFalse
			switch {
			case id == logicalDecimal && f == 1 && t == thriftI32:
				l.scale = r.int()
			case id == logicalDecimal && f == 2 && t == thriftI32:
				l.prec = r.int()
			case (id == logicalTime || id == logicalTimestamp) && f == 1 && isBool:
				l.utc = t == thriftTrue
			case (id == logicalTime || id == logicalTimestamp) && f == 2 && t == thriftStruct:
				for u, ut := r.field(0); ut != thriftStop; u, ut = r.field(u) {
					l.unit = u
					r.skip(ut)
				}
			case id == logicalInteger && f == 1 && t == thriftByte:
				l.bits = int64(r.byte())
			case id == logicalInteger && f == 2 && isBool:
				l.signed = t == thriftTrue
			default:
				r.skip(t)
			}
		}
	}
	return l
}

// parseGroups reads the row groups out of a footer that parseSchema has seen,
// with the chunks of the wanted leaves, of which there are leaves in all.
func parseGroups(footer []byte, leaves int, wanted []int) ([]rowGroup, error) {
	var groups []rowGroup
	r := thriftReader{b: footer}
	for id, typ := r.field(0); typ != thriftStop; id, typ = r.field(id) {
		if id != 4 || typ != thriftList || groups != nil {
			r.skip(typ)
			continue
		}
		n, elem := r.list()
		if elem != thriftStruct && n > 0 {
			r.fail(errThriftBad)
		}
		for ; n > 0 && r.err == nil; n-- {
			g, err := parseGroup(&r, leaves, wanted)
			if err != nil {
				return nil, fmt.Errorf("row group %d: %w; the file is damaged", len(groups), err)
			}
			groups = append(groups, g)
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("parquet footer: %w; the file is damaged", r.err)
	}
	return groups, nil
}

func parseGroup(r *thriftReader, leaves int, wanted []int) (g rowGroup, err error) {
	var all []columnChunk
	for id, typ := r.field(0); typ != thriftStop; id, typ = r.field(id) {
		switch {
		case id == 1 && typ == thriftList && all == nil:
			n, elem := r.list()
			if elem != thriftStruct || n != leaves {
				r.fail(errThriftBad)
				return g, fmt.Errorf("%d columns, where the schema has %d", n, leaves)
			}
			for ; n > 0 && r.err == nil; n-- {
				all = append(all, parseChunk(r))
			}
		case id == 3 && typ == thriftI64:
			g.rows = r.int()
		default:
			r.skip(typ)
		}
	}
	if g.rows < 0 || r.err == nil && len(all) != leaves {
		return g, fmt.Errorf("%d rows in %d columns, where the schema has %d columns", g.rows, len(all), leaves)
	}
	for _, leaf := range wanted {
		if r.err == nil {
			g.chunks = append(g.chunks, all[leaf])
		}
	}
	return g, nil
}

func parseChunk(r *thriftReader) (c columnChunk) {
	c.physical = int64(parquet.Types.Undefined)
	dictionary := int64(0)
	for id, typ := r.field(0); typ != thriftStop; id, typ = r.field(id) {
		switch {
		case id == 3 && typ == thriftStruct:
			ints := [...]*int64{1: &c.physical, 4: &c.codec, 5: &c.values, 7: &c.size, 9: &c.off, 11: &dictionary}
			for id, typ := r.field(0); typ != thriftStop; id, typ = r.field(id) {
				if (typ == thriftI32 || typ == thriftI64) && id > 0 && id < int64(len(ints)) && ints[id] != nil {
					*ints[id] = r.int()
				} else {
					r.skip(typ)
				}
			}
		default:
			c.elsewhere = c.elsewhere || id == 1
			c.encrypted = c.encrypted || id == 8 || id == 9
			r.skip(typ)
		}
	}
	// Some writers set the offset of a dictionary that they did not write, to 0.
	if dictionary > 0 && dictionary < c.off {
		c.off = dictionary
	}
	return c
}
