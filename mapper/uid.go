package mapper

import (
	"strconv"

	"github.com/m3import/m3import/internal/uuidv5"
	"github.com/m3import/m3import/reader"
)

// UIDVersion is the version of the algorithm for derived uids. It goes into
// every one of them: a change that gave an old row a new uid under the same
// version would bill everything twice.
const UIDVersion = 1

// uidNamespace is the name space of the derived uids (RFC 9562 section 5.5),
// a random UUID that never changes: 714591f1-e156-47dc-b0b3-badbef053032.
var uidNamespace = [16]byte{
	0x71, 0x45, 0x91, 0xf1, 0xe1, 0x56, 0x47, 0xdc,
	0xb0, 0xb3, 0xba, 0xdb, 0xef, 0x05, 0x30, 0x32,
}

// uuidLen is the length of a UUID as text.
const uuidLen = uuidv5.Len

// The columns of a reject file that take the place of what the rule row reads
// off the record, so that a row that comes back keeps its uid.
const (
	rejectSource = "_reject.source"
	rejectOffset = "_reject.offset"
)

// rejectLanded is the column of a reject file with the names of the measurements
// of a row that the platform took before it refused another. They are not made
// again: mended, they could get other uids, and be billed beside what they were.
const rejectLanded = "_reject.landed"

// identity is a uid rule, ready to use.
type identity struct {
	rule   string
	parts  []text // the columns of the rules column and key
	direct bool   // the rule column without hash: the id is the uid
	// space is what every derived uid of this measurement hashes first: the name
	// space of its rule and its name.
	space []byte
	// source and offset are the indexes of rejectSource and rejectOffset.
	source, offset int
}

// uidSpace is the name space of one rule of one measurement: the UUIDv5 of both
// in uidNamespace. A space for each keeps what a row hashes short: an id of up
// to 36 characters, which is a UUID, fits into one block of SHA-1.
func uidSpace(rule, name string) []byte {
	space := uuidv5.Sum(append(uidNamespace[:], "m3import:"+strconv.Itoa(UIDVersion)+":"+rule+":"+name...))
	return space[:]
}

// appendPart appends text with its length in bytes and a colon before it. Parts
// one after the other can be read in one way only, so that two different lists
// of parts never make the same text.
func appendPart[T string | []byte](dst []byte, text T) []byte {
	if n := len(text); n < 100 {
		if n >= 10 {
			dst = append(dst, byte('0'+n/10))
		}
		dst = append(dst, byte('0'+n%10), ':')
	} else {
		dst = append(strconv.AppendInt(dst, int64(n), 10), ':')
	}
	return append(dst, text...)
}

// early takes what of the uid can be known before the measurement is written. A
// direct one it returns. Of all others it makes the text that is hashed, in
// out.hash: for the rules column and key all of it, for the rules content and
// row the start.
func (id *identity) early(out *Output, rec *reader.Record) (direct []byte, fe *FieldError) {
	if id.direct {
		return id.column(rec)
	}
	if out.hash == nil {
		// Memory of this size starts at a line of the cache, and blocks that lie
		// across two cost a twentieth of the whole row.
		out.hash = make([]byte, 0, 512)
	}
	text := append(out.hash[:0], id.space...)
	switch id.rule {
	case RuleColumn, RuleKey:
		for i := range id.parts {
			part, fe := id.parts[i].one(rec, id.parts[i].cols[0])
			if fe != nil {
				return nil, uidFault(fe)
			}
			text = appendPart(text, part)
		}
	case RuleRow:
		if text, fe = id.place(text, rec); fe != nil {
			return nil, fe
		}
	}
	out.hash = text
	return nil, nil
}

// late reports whether the uid needs the whole measurement.
func (id *identity) late() bool { return id.rule == RuleContent || id.rule == RuleRow }

// column returns the source's own id, when m3ter can take it as it is.
func (id *identity) column(rec *reader.Record) ([]byte, *FieldError) {
	part, fe := id.parts[0].one(rec, id.parts[0].cols[0])
	if fe != nil {
		return nil, uidFault(fe)
	}
	if longer(part, maxUID) {
		return nil, &FieldError{Field: "uid", Column: id.parts[0].column, Value: shown(part), Code: CodeUID,
			Reason: "the id has " + strconv.Itoa(units(part)) + " characters and m3ter takes 50; `uid: {column: " +
				id.parts[0].column + ", hash: true}` makes a UUID of it"}
	}
	return part, nil
}

// uidFault turns the error of a part into one of the identity.
func uidFault(fe *FieldError) *FieldError {
	if fe.Code == CodeRequired {
		fe.Code = CodeUID
		fe.Reason = "a part of the row's identity is empty, so it could not be told from others; choose another uid rule if that is right"
	}
	return fe
}

// place appends where the record stands: the base name of its source and its
// offset, or what a reject file says that they were.
func (id *identity) place(dst []byte, rec *reader.Record) ([]byte, *FieldError) {
	source, offset := rec.Values[id.source], rec.Values[id.offset]
	if source.Empty() && offset.Empty() {
		if rec.Source == "-" {
			return dst, &FieldError{Field: "uid", Code: CodeUID,
				Reason: "the rule row needs the name of the source, and standard input has none; import from a file, or choose another uid rule"}
		}
		var digits [20]byte
		return appendPart(appendPart(dst, rec.Source), strconv.AppendInt(digits[:0], rec.Pos.Offset, 10)), nil
	}
	if source.Kind != reader.String || source.Empty() {
		return dst, &FieldError{Field: "uid", Column: rejectSource, Value: shown(source.Text), Code: CodeUID,
			Reason: "a row from a reject file needs the name of its source, as it was written there"}
	}
	if !wholeNumber(offset) {
		return dst, &FieldError{Field: "uid", Column: rejectOffset, Value: shown(offset.Text), Code: CodeUID,
			Reason: "a row from a reject file needs its offset in the source, a whole number, as it was written there"}
	}
	return appendPart(appendPart(dst, source.Text), offset.Text), nil
}

// wholeNumber reports whether v is the text that strconv.AppendInt gives a
// number that is not negative: any other spelling would be another uid.
func wholeNumber(v reader.Value) bool {
	n, err := strconv.ParseInt(string(v.Text), 10, 64)
	return v.Kind != reader.Bool && err == nil && n >= 0 && strconv.FormatInt(n, 10) == string(v.Text)
}

// finish writes a derived uid over the uuidLen bytes of m, a whole measurement,
// that stand after `{"uid":"`. Where the rule needs the whole measurement, what
// is hashed is m without the uid member, behind what early began.
//
// The uid comes last under every rule: what was written a moment ago, in pieces,
// is slow to read as a whole.
func (id *identity) finish(out *Output, m []byte) {
	if id.direct {
		return
	}
	if id.late() {
		rest := m[uidStart+uuidLen+len(`",`):]
		text := strconv.AppendInt(out.hash, int64(len(rest)+1), 10)
		out.hash = append(append(text, ':', '{'), rest...)
	}
	out.hash = uuidv5.Pad(out.hash)
	uuidv5.Write((*[uuidLen]byte)(m[uidStart:]), out.hash)
}
