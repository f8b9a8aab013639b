package reader

import (
	"errors"
	"fmt"
	"sync"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/file"
)

// windowRows is how many rows a cursor decodes at a time.
const windowRows = 1024

// parquetCursor is the place of a column in a row group. It decodes a window
// of rows, all of one page, from which rows are then taken in step with the
// other columns.
type parquetCursor struct {
	col    *parquetColumn
	pages  parquetPages
	values file.ColumnChunkReader
	left   int // rows of the page after the window

	rows, at      int // rows in the window; those taken
	present, used int // values in the window, which are not null; those taken
	bytes         int // of the values not taken, of columns that are not fixed
	levels        []int16

	// The values of the window: one of these.
	bools  []bool
	int32s []int32
	int64s []int64
	float  []float32
	double []float64
	int96s []parquet.Int96
	texts  []parquet.ByteArray
	fixed  []parquet.FixedLenByteArray
}

func newParquetCursor(col *parquetColumn, store *pageStore) *parquetCursor {
	c := &parquetCursor{col: col}
	c.pages = parquetPages{store: store, col: col, stream: make([]byte, streamBytes), entries: -1}
	if col.maxDef > 0 {
		c.levels = make([]int16, windowRows)
	}
	switch col.physical {
	case parquet.Types.Boolean:
		c.bools = make([]bool, windowRows)
	case parquet.Types.Int32:
		c.int32s = make([]int32, windowRows)
	case parquet.Types.Int64:
		c.int64s = make([]int64, windowRows)
	case parquet.Types.Float:
		c.float = make([]float32, windowRows)
	case parquet.Types.Double:
		c.double = make([]float64, windowRows)
	case parquet.Types.Int96:
		c.int96s = make([]parquet.Int96, windowRows)
	case parquet.Types.ByteArray:
		c.texts = make([]parquet.ByteArray, windowRows)
	case parquet.Types.FixedLenByteArray:
		c.fixed = make([]parquet.FixedLenByteArray, windowRows)
	}
	return c
}

// scratch is what Arrow's readers take temporary memory from when they skip,
// which they are never asked to do.
var scratch = &sync.Pool{New: func() any { return memory.NewResizableBuffer(memory.DefaultAllocator) }}

// open goes to the first row of a column chunk.
func (c *parquetCursor) open(chunk columnChunk, end, rows int64) {
	c.pages.open(compress.Compression(chunk.codec), chunk.off, end, rows)
	c.values = file.NewColumnReader(c.col.descr, &c.pages, memory.DefaultAllocator, scratch)
	c.left, c.rows, c.at, c.present, c.used, c.bytes = 0, 0, 0, 0, 0, 0
}

// fill makes sure that there is a row in the window. There must be one in the
// row group.
func (c *parquetCursor) fill() error {
	if c.at < c.rows {
		return nil
	}
	for c.left == 0 { // pages may be empty
		if _, err := c.nextPage(0); err != nil {
			return err
		}
	}
	return c.decode()
}

// nextPage goes to the next page that does not lie in the next skip rows, and
// returns how many rows that passed over.
func (c *parquetCursor) nextPage(skip int64) (passed int64, err error) {
	rows, passed, err := c.pages.load(skip)
	if err != nil || rows == 0 {
		if err == nil && passed == 0 {
			err = errors.New("column that ends before the row group does")
		}
		return passed, err
	}
	if !c.values.HasNext() {
		if err := c.values.Err(); err != nil {
			return passed, err
		}
		return passed, errors.New("page that cannot be read")
	}
	c.left = rows
	return passed, nil
}

// skip passes over n rows, which there must be. Whole pages are not unpacked.
func (c *parquetCursor) skip(n int64) error {
	for n > 0 {
		if c.at == c.rows && c.left == 0 {
			passed, err := c.nextPage(n)
			if err != nil {
				return err
			}
			n -= passed
			continue
		}
		if err := c.fill(); err != nil {
			return err
		}
		k := int(min(n, int64(c.rows-c.at)))
		c.take(nil, k)
		n -= int64(k)
	}
	return nil
}

// decode reads the next window.
func (c *parquetCursor) decode() error {
	n := min(c.left, windowRows)
	rows, present, err := c.read(int64(n))
	switch {
	case err != nil:
		return err
	case rows != int64(n):
		return fmt.Errorf("%d rows decoded, where the page has %d", rows, n)
	}
	want := n
	if c.levels != nil {
		want = c.count(c.levels[:n])
	}
	if present != want {
		return fmt.Errorf("%d values decoded, where the page has %d", present, want)
	}
	c.left -= n
	c.rows, c.at, c.present, c.used, c.bytes = n, 0, present, 0, 0
	switch c.col.physical {
	case parquet.Types.ByteArray:
		for _, v := range c.texts[:present] {
			c.bytes += len(v)
		}
	default:
		c.bytes = present * c.width()
	}
	return nil
}

// width is the size of the values in a batch, 0 when it varies or they are
// numbers.
func (c *parquetCursor) width() int {
	if c.col.fixed() {
		return 0
	}
	return plainSize(c.col.physical, c.col.length)
}

// count returns how many of the levels are those of a value.
func (c *parquetCursor) count(levels []int16) (n int) {
	for _, l := range levels {
		if l == c.col.maxDef {
			n++
		}
	}
	return n
}

// read has Arrow decode n rows, which must be on the current page.
func (c *parquetCursor) read(n int64) (rows int64, present int, err error) {
	switch r := c.values.(type) {
	case *file.BooleanColumnChunkReader:
		return r.ReadBatch(n, c.bools, c.levels, nil)
	case *file.Int32ColumnChunkReader:
		return r.ReadBatch(n, c.int32s, c.levels, nil)
	case *file.Int64ColumnChunkReader:
		return r.ReadBatch(n, c.int64s, c.levels, nil)
	case *file.Float32ColumnChunkReader:
		return r.ReadBatch(n, c.float, c.levels, nil)
	case *file.Float64ColumnChunkReader:
		return r.ReadBatch(n, c.double, c.levels, nil)
	case *file.Int96ColumnChunkReader:
		return r.ReadBatch(n, c.int96s, c.levels, nil)
	case *file.ByteArrayColumnChunkReader:
		return r.ReadBatch(n, c.texts, c.levels, nil)
	case *file.FixedLenByteArrayColumnChunkReader:
		return r.ReadBatch(n, c.fixed, c.levels, nil)
	}
	return 0, 0, fmt.Errorf("physical type %v, which cannot be read", c.col.physical)
}

// addSizes adds to sizes the bytes that the values of the next rows take.
func (c *parquetCursor) addSizes(sizes []int) {
	if c.col.fixed() {
		return
	}
	width, v := c.width(), c.used
	for i := range sizes {
		if c.levels != nil && c.levels[c.at+i] != c.col.maxDef {
			continue
		}
		if width > 0 {
			sizes[i] += width
		} else {
			sizes[i] += len(c.texts[v])
		}
		v++
	}
}

// forget empties the values of the next row.
func (c *parquetCursor) forget() {
	if c.levels != nil && c.levels[c.at] != c.col.maxDef {
		return
	}
	switch c.col.physical {
	case parquet.Types.ByteArray:
		c.bytes -= len(c.texts[c.used])
		c.texts[c.used] = nil
	case parquet.Types.FixedLenByteArray:
		c.fixed[c.used] = nil
	}
}

// take moves n rows out of the window, to the end of v when v is not nil.
func (c *parquetCursor) take(v *parquetVector, n int) {
	k := n
	if c.levels != nil {
		levels := c.levels[c.at : c.at+n]
		k = c.count(levels)
		if v != nil {
			v.addLevels(levels, c.col.maxDef)
		}
	}
	from, to := c.used, c.used+k
	c.at, c.used = c.at+n, to
	if c.col.physical == parquet.Types.ByteArray {
		for _, b := range c.texts[from:to] {
			c.bytes -= len(b)
		}
	} else {
		c.bytes -= k * c.width()
	}
	if v == nil {
		return
	}
	switch c.col.physical {
	case parquet.Types.Boolean:
		for _, b := range c.bools[from:to] {
			n := int64(0)
			if b {
				n = 1
			}
			v.ints = append(v.ints, n)
		}
	case parquet.Types.Int32:
		for _, n := range c.int32s[from:to] {
			v.ints = append(v.ints, int64(n))
		}
	case parquet.Types.Int64:
		v.ints = append(v.ints, c.int64s[from:to]...)
	case parquet.Types.Float:
		for _, f := range c.float[from:to] {
			v.floats = append(v.floats, float64(f))
		}
	case parquet.Types.Double:
		v.floats = append(v.floats, c.double[from:to]...)
	case parquet.Types.Int96:
		for i := range c.int96s[from:to] {
			v.addBytes(c.int96s[from+i][:])
		}
	case parquet.Types.ByteArray:
		for _, b := range c.texts[from:to] {
			v.addBytes(b)
		}
	case parquet.Types.FixedLenByteArray:
		for _, b := range c.fixed[from:to] {
			v.addBytes(b)
		}
	}
}
