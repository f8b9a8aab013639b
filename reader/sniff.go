package reader

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"path/filepath"
	"slices"
	"strings"
)

// sniffBytes is how much of a text is looked at to find out what it is.
const sniffBytes = 64 << 10

// compressionSuffixes are the file name suffixes of each compression.
var compressionSuffixes = map[string]Compression{".gz": Gzip, ".zst": Zstd, ".zstd": Zstd}

// splitName returns name's base name without a compression suffix, and the
// compression and the format that the name promises.
func splitName(name string) (base string, c Compression, f Format) {
	base = filepath.Base(name)
	if ext := filepath.Ext(base); compressionSuffixes[strings.ToLower(ext)] != "" {
		c = compressionSuffixes[strings.ToLower(ext)]
		base = base[:len(base)-len(ext)]
	}
	switch strings.ToLower(filepath.Ext(base)) {
	case ".csv", ".tsv", ".tab":
		f = CSV
	case ".ndjson", ".jsonl", ".json":
		f = NDJSON
	case ".parquet", ".pq":
		f = Parquet
	}
	return base, c, f
}

var (
	gzipMagic    = []byte{0x1f, 0x8b}
	zstdMagic    = []byte{0x28, 0xb5, 0x2f, 0xfd}
	parquetMagic = []byte("PAR1")
	utf8BOM      = []byte{0xef, 0xbb, 0xbf}
)

// sniffCompression tells from the first bytes of a file how it is packed.
func sniffCompression(head []byte) Compression {
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		return Gzip
	case bytes.HasPrefix(head, zstdMagic),
		len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}): // a skippable frame
		return Zstd
	}
	return None
}

// chooseCompression weighs content, name and option. The content decides; a
// file too short to have any, but a name that promises a packed one, is
// truncated, not plain.
func chooseCompression(head []byte, named, forced Compression) (Compression, error) {
	found := sniffCompression(head)
	if found == None && named != "" && len(head) < len(zstdMagic) {
		found = named
	}
	switch forced {
	case CompressionAuto, found:
		return found, nil
	case None:
		return "", fmt.Errorf("compression: none was asked for, but the file is %s; leave the setting out", found)
	case Gzip, Zstd:
		if found == None && len(head) < len(zstdMagic) {
			return forced, nil
		}
		return "", fmt.Errorf("compression: %s was asked for, but the file does not start like one; leave the setting out", forced)
	}
	return "", fmt.Errorf("compression %q: must be gzip, zstd or none", forced)
}

// sniffFormat weighs the content of an unpacked source, its name and the
// option. What no text format can read is refused by its name.
func sniffFormat(head []byte, named, forced Format) (Format, error) {
	if !slices.Contains([]Format{Auto, CSV, NDJSON, Parquet}, forced) {
		return "", fmt.Errorf("format %q: must be csv, ndjson or parquet", forced)
	}
	if bytes.HasPrefix(head, parquetMagic) {
		if forced != Auto && forced != Parquet {
			return "", fmt.Errorf("format: %s was asked for, but the file is Parquet; leave the setting out", forced)
		}
		return Parquet, nil
	}
	if forced == Parquet || forced == Auto && named == Parquet {
		return "", fmt.Errorf("not a Parquet file: it does not start with PAR1; is it complete, and is the format right?")
	}
	if what := binaryKind(head); what != "" {
		return "", fmt.Errorf("%s", what)
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, utf8BOM), " \t\r\n")
	switch {
	case forced != Auto:
		return forced, nil
	case bytes.HasPrefix(text, []byte("{")):
		return NDJSON, nil
	case named == NDJSON && bytes.HasPrefix(text, []byte("[")):
		return "", fmt.Errorf("a JSON array, not NDJSON: put each object on a line of its own (jq -c '.[]')")
	case named != Auto:
		return named, nil
	}
	return CSV, nil
}

// binaryKinds are the files that people take for usage files, by their first
// bytes, and what to do about them.
var binaryKinds = []struct{ magic, what string }{
	{"\xff\xfe\x00\x00", "text in UTF-32: convert it to UTF-8"},
	{"\x00\x00\xfe\xff", "text in UTF-32: convert it to UTF-8"},
	{"\xff\xfe", "text in UTF-16 (little endian): convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"},
	{"\xfe\xff", "text in UTF-16 (big endian): convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"},
	{"PK\x03\x04", "a ZIP archive or an Excel workbook: unpack it, or save the sheet as CSV"},
	{"\xd0\xcf\x11\xe0", "an old Excel workbook: save the sheet as CSV"},
	{"BZh", "packed with bzip2: unpack it first, or pack it with gzip or zstd"},
	{"\xfd7zXZ\x00", "packed with xz: unpack it first, or pack it with gzip or zstd"},
	{"\x04\x22\x4d\x18", "packed with lz4: unpack it first, or pack it with gzip or zstd"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"},
	{"\x1f\x8b", "packed twice: unpack it once first"},
	{"\x28\xb5\x2f\xfd", "packed twice: unpack it once first"},
	{"Obj\x01", "an Avro file: convert it to Parquet or CSV"},
	{"ORC", "an ORC file: convert it to Parquet or CSV"},
	{"ARROW1", "an Arrow file: convert it to Parquet or CSV"},
	{"%PDF-", "a PDF document: export the data as CSV"},
	{"SQLite format 3\x00", "an SQLite database: export the table as CSV"},
}

// binaryKind names what is certainly no text that this package reads, "" when
// nothing speaks against text.
func binaryKind(head []byte) string {
	for _, k := range binaryKinds {
		if bytes.HasPrefix(head, []byte(k.magic)) && (k.magic != "BZh" || bytes.HasPrefix(head[min(4, len(head)):], []byte("1AY&SY"))) &&
			(k.magic != "ORC" || len(head) > 3 && head[3] < ' ' && head[3] != '\n' && head[3] != '\r' && head[3] != '\t') {
			return k.what
		}
	}
	even, odd, control := countControls(head[:min(len(head), 4<<10)])
	// A stray control character in a field is that row's affair. A tenth of
	// all bytes is a file of another kind.
	switch n := min(len(head), 4<<10); {
	case even*5 > n*2 && odd*20 < n || odd*5 > n*2 && even*20 < n:
		return "text in UTF-16: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"
	case (even+odd+control)*10 > n:
		return "binary data, not text: only CSV, NDJSON and Parquet can be read, plain or in gzip or zstd"
	}
	return ""
}

// textControls are the control characters that texts have, a bit for each.
const textControls uint32 = 1<<'\t' | 1<<'\n' | 1<<'\v' | 1<<'\f' | 1<<'\r' | 0x1f<<'\x1b'

// countControls counts the zeros at even and at odd places, and the other
// control characters that texts do not have.
func countControls(head []byte) (even, odd, control int) {
	count := func(i int) {
		switch b := head[i]; {
		case b == 0 && i%2 == 0:
			even++
		case b == 0:
			odd++
		case b < ' ' && textControls>>b&1 == 0:
			control++
		}
	}
	i := 0
	for ; len(head)-i >= 8; i += 8 {
		// A byte below a space borrows, which sets its high bit and perhaps those
		// of bytes above it, too: what is hit is looked at again.
		w := binary.LittleEndian.Uint64(head[i:])
		for hits := (w - ' '*eachByte) &^ w & eachHigh; hits != 0; hits &= hits - 1 {
			count(i + bits.TrailingZeros64(hits)/8)
		}
	}
	for ; i < len(head); i++ {
		count(i)
	}
	return even, odd, control
}

// sniffNewline tells which byte ends the lines of a text that starts with
// head: CR only when there is no LF at all. complete says that the text ends
// with head; otherwise a CR that is its last byte may be half a CRLF.
func sniffNewline(head []byte, complete bool) byte {
	if bytes.IndexByte(head, '\n') >= 0 {
		return '\n'
	}
	if k := bytes.IndexByte(head, '\r'); k >= 0 && (k < len(head)-1 || complete) {
		return '\r'
	}
	return '\n'
}
