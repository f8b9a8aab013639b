package pipeline

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/m3import/m3import/internal/jsonx"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/reader"
	"github.com/m3import/m3import/uploader"
)

// Stage says how far a rejected row had come.
type Stage string

const (
	StageRead Stage = "read" // it is no record of its format
	StageMap  Stage = "map"  // it is a record, and no measurement could be made of it
	StageSend Stage = "send" // the platform refused it
)

// Reject is a row that will not be sent, and why. Its JSON form is the member
// "_reject" of a line of the reject file.
type Reject struct {
	Source string // the base name of the source, without a compression suffix: part of a uid of the rule row
	Path   string // the source as it was opened
	Line   int64  // where the row starts, for people: counted from 1
	Offset int64  // where the row starts, as the reader counts
	Record int64  // the number of the record in its source, counted from 1
	Stage  Stage
	Code   string // the rule that was broken, one word
	Field  string // m3ter's word for what could not be made: "account", "measure.gb"
	Column string // the column at fault
	Value  string // what stood there, shortened
	Reason string // in plain words
	UID    string // what the row's uid would have been, when that can be told
	// Landed are the names of the row's measurements that the platform took,
	// of those that the mapping names.
	Landed []string
	// Sent is since when measurements of the row that the platform refused may
	// have been taken all the same, by an earlier try that was not answered; zero
	// when there was none. No earlier than that.
	Sent time.Time
}

// rejectKey is the member of a reject line that holds its papers.
const rejectKey = "_reject"

// The members of a reject line that hold the text of a row that was no record.
const (
	rawKey       = "_raw"
	rawBase64Key = "_raw_base64"
)

// codeRaw is the code of a row that came from a reject file as such a text, and
// was not mended.
const codeRaw = "raw"

// rejectDraft is a reject that lacks the number of its record, which only the
// ordered side of the pipeline knows.
type rejectDraft struct {
	Reject
	row    []byte // the row as a JSON object
	source int    // where it stands among the rejects of a parcel
	record int64
}

// place says where the row stands in the input. A row that came from a reject
// file keeps the number that it had where it first stood.
func (d *rejectDraft) place(source int, record int64) {
	d.source, d.record = source, record
	if d.Record == 0 {
		d.Record = record
	}
}

func draftFromRead(source, path string, e *reader.RowError) rejectDraft {
	d := rejectDraft{Reject: Reject{
		Source: source, Path: path, Line: e.Pos.Line, Offset: e.Pos.Offset, Stage: StageRead,
		Code: e.Code, Column: e.Column, Value: e.Value, Reason: e.Reason,
	}}
	if utf8.Valid(e.Raw) {
		d.row = append(d.row, `{"`+rawKey+`":`...)
		d.row = append(jsonx.AppendString(d.row, e.Raw), '}')
	} else {
		d.row = append(d.row, `{"`+rawBase64Key+`":"`...)
		d.row = append(base64.StdEncoding.AppendEncode(d.row, e.Raw), `"}`...)
	}
	return d
}

// originColumns are where a row from a reject file says that it first stood.
// A row that is rejected once more keeps them, so that the uid rule row, and a
// person, find the place that it came from and not the file it passed through.
var originColumns = []string{rejectKey + ".source", rejectKey + ".path", rejectKey + ".line", rejectKey + ".offset", rejectKey + ".record", rejectKey + ".landed", rejectKey + ".sent"}

// withOrigin adds the origin columns behind the columns that the mapping asks
// for, which keep their places.
func withOrigin(columns []reader.Column) []reader.Column {
	all := slices.Clone(columns)
	for _, name := range originColumns {
		all = append(all, reader.Column{Name: name, Optional: true})
	}
	return all
}

// origin takes the place of a row that came from a reject file.
func (r *Reject) origin(values []reader.Value) {
	values = values[len(values)-len(originColumns):]
	if values[0].Empty() || values[3].Empty() {
		return
	}
	r.Source, r.Path = string(values[0].Text), string(values[1].Text)
	for i, dst := range []*int64{&r.Line, &r.Offset, &r.Record} {
		*dst, _ = strconv.ParseInt(string(values[2+i].Text), 10, 64)
	}
	_ = json.Unmarshal(values[5].Text, &r.Landed) // what is no list was a fault of the mapper's
	r.Sent, _ = time.Parse(time.RFC3339, string(values[6].Text))
}

// maySent notes that a refused row may have been taken since a time.
func (d *rejectDraft) maySent(since time.Time) {
	if d.Sent.IsZero() || since.Before(d.Sent) {
		d.Sent = since
	}
	if !strings.HasSuffix(d.Reason, sentText) {
		d.Reason += sentText
	}
}

const sentText = "; an earlier try may have been taken"

func draftFromMap(path string, m *mapper.Mapper, rec *reader.Record, err error) rejectDraft {
	d := rejectDraft{Reject: Reject{
		Source: rec.Source, Path: path, Line: rec.Pos.Line, Offset: rec.Pos.Offset, Stage: StageMap,
	}}
	if err == nil {
		return d.of(rec)
	}
	d.Code, d.Reason = "mapping", err.Error()
	if errors.Is(err, uploader.ErrTooLarge) {
		d.Code = "too-large"
	}
	if fe, ok := errors.AsType[*mapper.FieldError](err); ok {
		d.Code, d.Field, d.Column, d.Value, d.Reason = fe.Code, fe.Field, fe.Column, fe.Value, fe.Reason
	}
	d.UID, _ = m.UID(rec)
	d = d.of(rec)
	if key, ok := stillRaw(d.row); ok && d.Record > 0 {
		d.Code, d.Field, d.Column, d.Value = codeRaw, "", "", ""
		d.Reason = "the row is still the text in " + key + ": write its members, by the names of the columns, in the place of that"
	}
	return d
}

// of fills in what the record itself says.
func (d rejectDraft) of(rec *reader.Record) rejectDraft {
	d.row = rec.AppendJSON(nil)
	d.origin(rec.Values)
	return d
}

// stillRaw reports whether a row is nothing but the text of one that was no
// record.
func stillRaw(row []byte) (key string, ok bool) {
	n := 0
	for k := range reader.Members(row) {
		key = string(k)
		n++
	}
	return key, n == 1 && (key == rawKey || key == rawBase64Key)
}

// appendLine appends the line of the reject file, without a line end: the
// row's own members, then its papers.
func (d *rejectDraft) appendLine(dst []byte) []byte {
	dst = append(dst, d.row[:len(d.row)-1]...) // all but the closing brace
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, `"`+rejectKey+`":`...)
	dst = d.Reject.AppendJSON(dst)
	return append(dst, '}')
}

// AppendJSON appends the reject as a JSON object; what is not known is left out.
func (r *Reject) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"source":`...)
	dst = jsonx.AppendStringS(dst, r.Source)
	dst = strconv.AppendInt(append(dst, `,"line":`...), r.Line, 10)
	dst = strconv.AppendInt(append(dst, `,"offset":`...), r.Offset, 10)
	dst = strconv.AppendInt(append(dst, `,"record":`...), r.Record, 10)
	for _, m := range [...]struct{ key, text string }{
		{"path", r.Path}, {"stage", string(r.Stage)}, {"code", r.Code}, {"field", r.Field}, {"column", r.Column},
		{"value", r.Value}, {"reason", r.Reason}, {"uid", r.UID},
	} {
		if m.text != "" {
			dst = append(append(append(dst, `,"`...), m.key...), `":`...)
			dst = jsonx.AppendStringS(dst, m.text)
		}
	}
	if !r.Sent.IsZero() {
		dst = append(r.Sent.UTC().AppendFormat(append(dst, `,"sent":"`...), time.RFC3339), '"')
	}
	before := `,"landed":[`
	for _, name := range r.Landed {
		dst = jsonx.AppendStringS(append(dst, before...), name)
		before = ","
	}
	if len(r.Landed) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}
