package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// parquetCodecs are the codecs of pages that pageUnpacker knows. LZO and both
// kinds of LZ4 are not among them: Arrow has none, and the older LZ4 exists in
// two framings that only trial and error tells apart.
var parquetCodecs = map[compress.Compression]bool{
	compress.Codecs.Uncompressed: true,
	compress.Codecs.Snappy:       true,
	compress.Codecs.Gzip:         true,
	compress.Codecs.Brotli:       true,
	compress.Codecs.Zstd:         true,
}

// pageUnpacker decompresses pages into memory that is given, never more. The zero
// value is ready. Arrow's own codecs allocate what the data asks for.
type pageUnpacker struct {
	zstd *zstd.Decoder
	gzip *gzip.Reader
	in   bytes.Reader
}

// unpack fills dst, which must be exactly what src unpacks to.
func (u *pageUnpacker) unpack(codec compress.Compression, dst, src []byte) error {
	if len(dst) == 0 {
		return nil // pages without values are written with and without a frame
	}
	if err := u.decode(codec, dst, src); err != nil {
		return fmt.Errorf("%v data that do not unpack: %w", codec, err)
	}
	return nil
}

func (u *pageUnpacker) decode(codec compress.Compression, dst, src []byte) error {
	switch codec {
	case compress.Codecs.Uncompressed:
		if len(src) != len(dst) {
			return fmt.Errorf("%d bytes, where the header says %d", len(src), len(dst))
		}
		copy(dst, src)
		return nil
	case compress.Codecs.Snappy:
		n, err := snappy.DecodedLen(src)
		if err != nil {
			return err
		}
		if n != len(dst) {
			return fmt.Errorf("it makes %d bytes, where the header says %d", n, len(dst))
		}
		_, err = snappy.Decode(dst, src)
		return err
	case compress.Codecs.Zstd:
		return u.unzstd(dst, src)
	case compress.Codecs.Gzip:
		u.in.Reset(src)
		if u.gzip == nil {
			u.gzip = new(gzip.Reader)
		}
		if err := u.gzip.Reset(&u.in); err != nil {
			return err
		}
		return readExactly(u.gzip, dst)
	case compress.Codecs.Brotli:
		u.in.Reset(src)
		c, err := compress.GetCodec(codec)
		if err != nil {
			return err
		}
		return readExactly(c.NewReader(&u.in), dst)
	}
	return fmt.Errorf("codec %v is not supported", codec)
}

func (u *pageUnpacker) unzstd(dst, src []byte) (err error) {
	if u.zstd == nil {
		// One block decoder, and output only into the capacity that is there:
		// the frame's own claim of its size allocates nothing.
		u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxPageBytes))
		if err != nil {
			return err
		}
	}
	out, err := u.zstd.DecodeAll(src, dst[:0:len(dst)])
	if err != nil {
		return err
	}
	if len(out) != len(dst) {
		return fmt.Errorf("it makes %d bytes, where the header says %d", len(out), len(dst))
	}
	return nil
}

func (u *pageUnpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
}

// readExactly fills dst and makes sure that nothing follows.
func readExactly(r io.Reader, dst []byte) error {
	n, err := io.ReadFull(r, dst)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends after %d of %d bytes", n, len(dst))
	}
	if err != nil {
		return err
	}
	var more [1]byte
	switch n, err := r.Read(more[:]); {
	case n > 0:
		return fmt.Errorf("it makes more than the %d bytes of the header", len(dst))
	case err != nil && err != io.EOF:
		return err
	}
	return nil
}
