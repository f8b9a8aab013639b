package reader

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"

	"github.com/apache/arrow/go/v17/parquet/compress"
)

// batchRows is the most rows of a chunk.
const batchRows = 4096

// parquetReader is the formatReader of Parquet. It reads the mapped columns in
// step, a row group after the other, and holds of each one page and the
// dictionary, however large the row groups are.
type parquetReader struct {
	name   string
	size   int64
	all    []string // paths of all leaves
	shared parquetRows
	groups []rowGroup
	first  []int64 // for each row group the rows before it, and those of the file
	footer int64   // offset: pages end before it

	store   *pageStore
	cursors []*parquetCursor
	group   int   // the row group that is open, or the next one
	left    int64 // rows of the open row group not yet read
	row     int64 // rows of the file read
	rows    int   // of a chunk
	budget  int   // bytes of a chunk
	sizes   []int
	err     error // of what follows

	pool sync.Pool
}

// newParquet opens the Parquet file f, of which it reads the footer. Errors
// name the file. The caller closes f, after the reader.
func newParquet(name string, f io.ReaderAt, size int64, opt Options) (formatReader, error) {
	p := &parquetReader{name: name, size: size, store: &pageStore{f: f}}
	if err := p.guard(func() error { return p.open(opt) }); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func (p *parquetReader) open(opt Options) error {
	opt, err := opt.withDefaults()
	if err != nil {
		return err
	}
	footer, err := readFooter(p.store.f, p.size)
	if err != nil {
		return err
	}
	p.footer = p.size - 8 - int64(len(footer))
	nodes, rows, err := parseSchema(footer)
	if err != nil {
		return err
	}
	for i := range nodes[1:] {
		if n := &nodes[i+1]; n.leaf >= 0 {
			p.all = append(p.all, n.path)
		}
	}
	base, _, _ := splitName(p.name)
	p.shared = parquetRows{source: base, trim: opt.Trim, max: opt.MaxRecordBytes}
	for _, token := range opt.Null {
		p.shared.null = append(p.shared.null, []byte(token))
	}
	for _, c := range opt.Columns {
		p.shared.names = append(p.shared.names, c.Name)
	}
	if p.shared.columns, err = findParquetColumns(nodes, opt.Columns); err != nil {
		return err
	}
	leaves := make([]int, len(p.shared.columns))
	for i := range leaves {
		col := &p.shared.columns[i]
		leaves[i] = col.leaf
		p.cursors = append(p.cursors, newParquetCursor(col, p.store))
	}
	if p.groups, err = parseGroups(footer, len(p.all), leaves); err != nil {
		return err
	}
	p.budget = opt.ChunkBytes
	p.rows = min(batchRows, max(1, p.budget/(8*max(1, len(p.cursors)))))
	p.sizes = make([]int, windowRows)
	return p.checkGroups(rows)
}

// checkGroups makes sure that the row groups are what they can be, before a
// row of them is read.
func (p *parquetReader) checkGroups(rows int64) error {
	total := int64(0)
	for i, g := range p.groups {
		p.first = append(p.first, total)
		if g.rows > rows-total {
			return fmt.Errorf("parquet footer: more than the %d rows of the file in its row groups up to %d; the file is damaged", rows, i)
		}
		total += g.rows
		for k := range g.chunks {
			if err := p.checkChunk(&g, k); err != nil {
				return fmt.Errorf("row group %d, column %q: %w", i, p.shared.columns[k].name, err)
			}
		}
	}
	if total != rows {
		return fmt.Errorf("parquet footer: %d rows in the file, but %d in its row groups; the file is damaged", rows, total)
	}
	if total > 0 && len(p.cursors) == 0 {
		return errors.New("parquet file of lists and maps only, of which none can be mapped")
	}
	p.first = append(p.first, total)
	return nil
}

func (p *parquetReader) checkChunk(g *rowGroup, k int) error {
	c, col := &g.chunks[k], &p.shared.columns[k]
	codec := compress.Compression(c.codec)
	switch {
	case c.encrypted:
		return errEncrypted
	case c.elsewhere:
		return errors.New("its values are in another file, which is not supported")
	case !parquetCodecs[codec] && g.rows > 0:
		return fmt.Errorf("compression %v, which is not supported: write the file with snappy, zstd, gzip, brotli or none", codec)
	case c.physical != int64(col.physical):
		return fmt.Errorf("values of physical type %d, where the schema says %v; the file is damaged", c.physical, col.physical)
	case c.values != g.rows:
		return fmt.Errorf("%d values for %d rows; the file is damaged", c.values, g.rows)
	case g.rows == 0:
		return nil
	case c.off < 4 || c.size < 0 || c.off > p.footer || c.size > p.footer-c.off:
		return fmt.Errorf("pages at offset %d, %d bytes long, in a file whose data end at %d: the file is cut off or damaged: %w",
			c.off, c.size, p.footer, io.ErrUnexpectedEOF)
	}
	return nil
}

// columns implements formatReader.
func (p *parquetReader) columns() []string { return p.all }

// start implements formatReader.
func (p *parquetReader) start() Pos { return rowPos(0) }

// close implements formatReader.
func (p *parquetReader) close() error {
	p.store.close()
	p.err = fmt.Errorf("%s: closed", p.name)
	return nil
}

// seek implements formatReader. Row groups are skipped by the footer, pages by
// their headers; nothing before the row is decoded but the start of its page.
func (p *parquetReader) seek(at Pos) error {
	total := p.first[len(p.groups)]
	if at.Offset < 0 || at.Offset > total {
		return fmt.Errorf("%s: row %d: the file has %d rows", p.name, at.Offset+1, total)
	}
	p.err = p.locate(p.guard(func() error {
		// The last row group that starts at the row or before it.
		p.group = sort.Search(len(p.groups), func(i int) bool { return p.first[i+1] > at.Offset })
		p.left, p.row = 0, at.Offset
		if p.group == len(p.groups) {
			return nil
		}
		p.row = p.first[p.group]
		p.openGroup()
		skip := at.Offset - p.row
		for _, c := range p.cursors {
			if err := c.skip(skip); err != nil {
				return fmt.Errorf("column %q: %w", c.col.name, err)
			}
		}
		p.left -= skip
		p.row += skip
		return nil
	}))
	return p.err
}

// next implements formatReader. What was read before an error is handed out
// first.
func (p *parquetReader) next() (*Chunk, error) {
	if p.err != nil {
		return nil, p.err
	}
	b := p.batch()
	start, begun := rowPos(p.row), p.consumed()
	err := p.guard(func() error { return p.fill(b) })
	if p.err = p.locate(err); p.err == nil && b.rows == 0 {
		p.err = io.EOF
	}
	if b.rows == 0 {
		p.pool.Put(b)
		return nil, p.err
	}
	b.pool = &p.pool
	return &Chunk{Start: start, End: rowPos(p.row), Begun: begun, Consumed: p.consumed(), parse: b}, nil
}

// consumed is the share of the rows that was read, as bytes of the file.
func (p *parquetReader) consumed() int64 {
	if total := p.first[len(p.groups)]; p.row < total {
		return int64(float64(p.size) * (float64(p.row) / float64(total)))
	}
	return p.size
}

func (p *parquetReader) batch() *parquetBatch {
	if b, ok := p.pool.Get().(*parquetBatch); ok {
		b.reset()
		return b
	}
	return &parquetBatch{
		parquetRows: &p.shared,
		cols:        make([]parquetVector, len(p.cursors)),
		values:      make([]Value, len(p.shared.names)),
		at:          make([]int, len(p.cursors)),
	}
}

// openGroup opens the row group p.group and counts it as begun.
func (p *parquetReader) openGroup() {
	g := &p.groups[p.group]
	for i, c := range p.cursors {
		chunk := g.chunks[i]
		c.open(chunk, chunk.off+chunk.size, g.rows)
	}
	p.left = g.rows
	p.group++
}

// fill reads rows into b until it is full.
func (p *parquetReader) fill(b *parquetBatch) error {
	for b.rows < p.rows && b.bytes < p.budget {
		if p.left == 0 {
			if p.group == len(p.groups) {
				return nil
			}
			p.openGroup()
			continue
		}
		n := int(min(int64(p.rows-b.rows), p.left))
		for _, c := range p.cursors {
			if err := c.fill(); err != nil {
				return fmt.Errorf("column %q: %w", c.col.name, err)
			}
			n = min(n, c.rows-c.at)
		}
		n, big := p.fit(b, n)
		if big {
			b.big = append(b.big, b.rows)
		}
		for i, c := range p.cursors {
			if big {
				c.forget()
			}
			b.bytes += c.bytes
			c.take(&b.cols[i], n)
			b.bytes -= c.bytes
		}
		b.rows += n
		p.left -= int64(n)
		p.row += int64(n)
	}
	return nil
}

// fit returns how many of the next n rows go into b, at least one. big says
// that this is one row whose values are past the limit of a record: it becomes
// a reject, and its values are not copied.
func (p *parquetReader) fit(b *parquetBatch, n int) (rows int, big bool) {
	windows := 0
	for _, c := range p.cursors {
		windows += c.bytes
	}
	if windows <= p.shared.max && b.bytes+windows <= p.budget {
		return n, false
	}
	sizes := p.sizes[:n]
	clear(sizes)
	for _, c := range p.cursors {
		c.addSizes(sizes)
	}
	total := b.bytes
	for i, size := range sizes {
		if size > p.shared.max {
			return max(i, 1), i == 0
		}
		if total += size; total >= p.budget {
			return i + 1, false
		}
	}
	return n, false
}

// guard runs f and turns what Arrow throws at damaged data into an error.
func (p *parquetReader) guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decoding stopped (%v)", r)
		}
	}()
	return f()
}

// locate says where in the file an error was met.
func (p *parquetReader) locate(err error) error {
	if err == nil {
		return nil
	}
	damage := "; the file is damaged"
	if errors.As(err, new(soundFile)) {
		damage = ""
	}
	return fmt.Errorf("%s: row group %d, from row %d on: %w%s", p.name, max(0, p.group-1), p.row+1, err, damage)
}

// soundFile is an error that says nothing against the file.
type soundFile struct{ error }

func (e soundFile) Unwrap() error { return e.error }

// unsupported is the error of a sound file that cannot be read.
func unsupported(format string, args ...any) error {
	return soundFile{fmt.Errorf(format, args...)}
}
