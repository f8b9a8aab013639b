package reader

import (
	"fmt"
	"io"
	"os"
)

// openParquet opens a Parquet source. Its directory stands at its end, so one
// that is packed or piped is first written to a temporary file. That file has
// no name where the system lets an open file be unlinked, and is gone with the
// process at the latest.
func openParquet(in *input, opt Options) (formatReader, error) {
	if in.compression == None && in.file != nil {
		return openSpooled(in, in.file, in.size, opt)
	}
	temp, err := os.CreateTemp("", "m3import-*.parquet")
	if err != nil {
		return nil, fmt.Errorf("temporary file for a Parquet source that cannot be sought: %w", err)
	}
	os.Remove(temp.Name())
	in.temp = temp
	size, err := io.Copy(temp, in)
	if err != nil {
		return nil, err
	}
	return openSpooled(in, temp, size, opt)
}

func openSpooled(in *input, f io.ReaderAt, size int64, opt Options) (formatReader, error) {
	r, err := newParquet(in.name, f, size, opt)
	if err != nil {
		return nil, namedError{err}
	}
	return parquetSource{r, in}, nil
}

// parquetSource closes the input with the format's reader.
type parquetSource struct {
	formatReader
	in *input
}

// next looks at the end whether the file is still the one that was opened.
func (s parquetSource) next() (*Chunk, error) {
	c, err := s.formatReader.next()
	if err == io.EOF && s.in.temp == nil {
		if changed := s.in.changed(s.in.size); changed != nil {
			return nil, s.in.wrap(changed)
		}
	}
	return c, err
}

func (s parquetSource) close() error {
	err := s.formatReader.close()
	if closed := s.in.close(); err == nil {
		err = closed
	}
	return err
}
