package reader

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/schema"
	"pgregory.net/rapid"
)

// fuzzFile is a small file of every physical type, half of them optional.
func fuzzFile(t testing.TB, codec compress.Compression, version parquet.DataPageVersion, dictionary bool) []byte {
	fields := schema.FieldList{
		node("i", required, nil, i32, 0),
		node("l", optional, schema.NewTimestampLogicalType(true, millis), i64, 0),
		node("s", optional, text, bin, 0),
		group("g", optional, node("d", optional, nil, dbl, 0), list("tags", node("element", optional, text, bin, 0))),
		node("f", required, schema.NewDecimalLogicalType(20, 2), flba, 9),
		node("b", optional, nil, parquet.Types.Boolean, 0),
		node("old", required, nil, i96, 0),
		node("r", required, nil, flt, 0),
	}
	leaves := []leafData{
		{[]int32{1, 2, 3, 4, 5, 6}, nil, nil},
		{[]int64{7, 7, 8}, []int16{1, 0, 0, 1, 1, 0}, nil},
		{texts("abc", "abcd", "x", "abc"), []int16{1, 1, 0, 1, 0, 1}, nil},
		{[]float64{1, 2}, []int16{0, 1, 2, 2, 1, 0}, nil},
		{texts("p"), []int16{0, 1, 1, 4, 1, 0}, []int16{0, 0, 0, 0, 0, 0}},
		{fixeds("123456789", "123456789", "abcdefghi", "123456789", "\xff23456789", "123456789"), nil, nil},
		{[]bool{true, false, true}, []int16{0, 0, 0, 1, 1, 1}, nil},
		{[]parquet.Int96{{1}, {2}, {3}, {1}, {2}, {3}}, nil, nil},
		{[]float32{1, 2, 3, 1, 2, 3}, nil, nil},
	}
	props := []parquet.WriterProperty{parquet.WithCompression(codec), parquet.WithDataPageVersion(version), parquet.WithDictionaryDefault(dictionary)}
	if !dictionary {
		props = append(props, parquet.WithEncodingFor("i", parquet.Encodings.DeltaBinaryPacked), parquet.WithEncodingFor("s", parquet.Encodings.DeltaByteArray), parquet.WithEncodingFor("b", parquet.Encodings.RLE))
	}
	return writeParquet(t, fields, [][]leafData{leaves, leaves}, props...)
}

// FuzzParquetMutate damages good files: each four bytes of script are an
// operation, a place and a value. Whatever comes of it must be rows or an
// error, in bounded memory.
func FuzzParquetMutate(f *testing.F) {
	files := fuzzFiles(f)
	for i := range files {
		f.Add(byte(i), []byte(nil))
		f.Add(byte(i), []byte{0, 0, 40, 0xff})
		f.Add(byte(i), []byte{1, 1, 0, 0})
		f.Add(byte(i), []byte{2, 0, 90, 7, 3, 0, 60, 1})
		f.Add(byte(i), []byte{4, 0, 20, 0xff, 5, 0, 30, 0x80})
	}
	f.Fuzz(func(t *testing.T, which byte, script []byte) {
		checkMutation(t, files[int(which)%len(files)], script)
	})
}

// TestParquetMutate does the same without the fuzzer, whose other process is
// slow; -rapid.checks makes it long.
func TestParquetMutate(t *testing.T) {
	files := fuzzFiles(t)
	rapid.Check(t, func(t *rapid.T) {
		file := rapid.SampledFrom(files).Draw(t, "file")
		checkMutation(t, file, rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "script"))
	})
}

func fuzzFiles(t testing.TB) [][]byte {
	c := compress.Codecs
	return [][]byte{
		fuzzFile(t, c.Uncompressed, parquet.DataPageV1, true), fuzzFile(t, c.Uncompressed, parquet.DataPageV2, false),
		fuzzFile(t, c.Snappy, parquet.DataPageV2, true), fuzzFile(t, c.Zstd, parquet.DataPageV1, false), fuzzFile(t, c.Gzip, parquet.DataPageV1, true),
	}
}

// failer is what a test and a rapid property have in common.
type failer interface{ Errorf(string, ...any) }

func checkMutation(t failer, file, script []byte) {
	opt := Options{Columns: wantColumns("i", "l", "s", "g.d", "f", "b", "old", "r")}
	b := mutate(file, script)
	var rows int64
	var err error
	n := allocated(func() { rows, err = countRows(t, b, opt) })
	if n > 32<<20 {
		t.Errorf("%d bytes allocated for a file of %d", n, len(b))
	}
	switch {
	case err == nil && len(script) < 4 && rows != 12:
		t.Errorf("%d rows", rows)
	case err != nil && !strings.HasPrefix(err.Error(), "dir/test.parquet: "):
		t.Errorf("%v does not name the file", err)
	case err != nil && strings.Contains(err.Error(), "decoding stopped"):
		t.Errorf("Arrow was given a page that was not checked: %v", err)
	}
}

func mutate(good, script []byte) []byte {
	b := append([]byte(nil), good...)
	for ; len(script) >= 4 && len(b) > 0; script = script[4:] {
		at := int(binary.BigEndian.Uint16(script[1:])) % len(b)
		switch v := script[3]; script[0] % 6 {
		case 0:
			b[at] = v
		case 1:
			b = b[:at]
		case 2:
			b = append(b[:at], append([]byte{v}, b[at:]...)...)
		case 3:
			b = append(b[:at], b[min(len(b), at+1+int(v)):]...)
		case 4:
			b[at] ^= 1 << (v % 8)
		case 5:
			b[at] += v
		}
	}
	return b
}

// countRows reads a file to its end and back from its middle.
func countRows(t failer, b []byte, opt Options) (rows int64, err error) {
	r, err := openParquetBytes(b, opt)
	if err != nil {
		return 0, err
	}
	defer r.close()
	for {
		c, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return rows, err
		}
		for rec, err := range c.Records() {
			if err == nil && rec.Pos.Offset != rows {
				t.Errorf("row %d at %v", rows, rec.Pos)
			}
			rows++
		}
		c.Release()
		if rows > 1<<22 {
			return rows, errors.New("rows without end")
		}
	}
	if total := r.(*parquetReader).first; total[len(total)-1] != rows {
		t.Errorf("%d rows of %d, and no error", rows, total[len(total)-1])
	}
	if err := r.seek(rowPos(rows / 2)); err != nil {
		return rows, err
	}
	_, err = r.next()
	if err == io.EOF && rows == 0 {
		err = nil
	}
	return rows, err
}

// FuzzParquetHybrid holds scanHybrid to a decoder that does nothing clever.
func FuzzParquetHybrid(f *testing.F) {
	f.Add([]byte{4, 1, 3, 0x55}, byte(1), uint16(10), uint32(1))
	f.Add([]byte{3, 0xaa, 0xbb, 0xcc, 0xdd, 0xee}, byte(5), uint16(8), uint32(31))
	f.Add([]byte{6, 1, 2, 3, 4}, byte(32), uint16(3), uint32(0x04030201))
	f.Fuzz(func(t *testing.T, b []byte, width byte, n uint16, limit uint32) {
		w := int(width % 33)
		want, ok := naiveHybrid(b, w, int(n), limit)
		got, err := scanHybrid(b, w, int(n), limit)
		if (err == nil) != ok || ok && got != want {
			t.Errorf("%d, %v, want %d, %v", got, err, want, ok)
		}
	})
}

func naiveHybrid(b []byte, width, n int, limit uint32) (atLimit int, ok bool) {
	bit := func(i int) uint64 { return uint64(b[i/8]>>(i%8)) & 1 }
	for n > 0 {
		head, size := binary.Uvarint(b)
		if size <= 0 || head>>1 == 0 || head>>1 > (1<<31-1)/8 {
			return 0, false
		}
		b = b[size:]
		count, step := head>>1*8, width
		if head&1 == 0 {
			count, step = head>>1, 0
			if len(b) < (width+7)/8 {
				return 0, false
			}
		}
		at, bits := 0, width
		if head&1 == 0 {
			bits = (width + 7) / 8 * 8
		}
		for ; count > 0 && n > 0; count, n, at = count-1, n-1, at+step {
			v := uint64(0)
			for k := range bits {
				if (at+k)/8 >= len(b) {
					return 0, false
				}
				v |= bit(at+k) << k
			}
			if v > uint64(limit) {
				return 0, false
			}
			if v == uint64(limit) {
				atLimit++
			}
		}
		if head&1 == 0 {
			b = b[(width+7)/8:]
		} else {
			b = b[min(len(b), int(head>>1)*width):]
		}
	}
	return atLimit, true
}
