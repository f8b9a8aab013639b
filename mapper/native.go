package mapper

import "github.com/m3import/m3import/reader"

// nativeColumns are the keys of a measurement.
var nativeColumns = []reader.Column{
	{Name: "uid"}, {Name: "meter"}, {Name: "account"}, {Name: "ts"}, {Name: "ets", Optional: true},
	{Name: "who", Optional: true}, {Name: "what", Optional: true}, {Name: "where", Optional: true}, {Name: "other", Optional: true},
	{Name: "metadata", Optional: true}, {Name: "measure", Optional: true}, {Name: "cost", Optional: true}, {Name: "income", Optional: true},
}

// Native is the mapping of rows that are measurements already.
func Native() *Mapping { return &Mapping{Native: true} }

type nativeEncoder struct{}

func newNativeEncoder() *nativeEncoder { return &nativeEncoder{} }

func (n *nativeEncoder) append(out *Output, rec *reader.Record) *FieldError {
	return &FieldError{Field: "uid", Code: CodeUnknown, Reason: "native rows are not supported yet"}
}

func (n *nativeEncoder) uidOf(out *Output, rec *reader.Record) (string, bool) { return "", false }
