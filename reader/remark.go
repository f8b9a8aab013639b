package reader

// Remark is something that a person should know of a source that was read to
// its end without an error.
type Remark string

// The remarks.
const (
	// NoLineEnd: the last line has no line end, which is fine (RFC 4180 section
	// 2), unless somebody was still writing it. Compressed text is not asked:
	// who packs it has it all.
	NoLineEnd Remark = "no-line-end"
	// ZeroPadding: there are zeros behind gzip data. Tapes leave them; so does
	// a file system that lost what was written last.
	ZeroPadding Remark = "zero-padding"
)

// Remarks are those of a source of which Next has returned io.EOF.
func (s *Source) Remarks() (list []Remark) {
	in := s.in
	switch in.last {
	case 0, '\n', '\r', ' ', '\t': // nothing in it, an end, or behind one
	default:
		if in.compression == None && s.format != Parquet {
			list = append(list, NoLineEnd)
		}
	}
	if in.gzip != nil && in.gzip.padded {
		list = append(list, ZeroPadding)
	}
	return list
}
