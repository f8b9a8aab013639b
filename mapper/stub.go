package mapper

import (
	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/reader"
)

// TimeSpec is how times are written.
type TimeSpec struct{ Format, Timezone, Precision, Epoch, Gap, Overlap string }

type timeParser struct{}

func (s TimeSpec) compile() (*timeParser, error) { return &timeParser{}, nil }

func (p *timeParser) append(dst []byte, v reader.Value) ([]byte, Flags, *FieldError) {
	if len(v.Text) < 20 {
		return dst, 0, &FieldError{Value: shown(v.Text), Code: CodeTime, Reason: "not a time"}
	}
	return append(dst, v.Text...), 0, nil
}

func (p *timeParser) appendDateTime(dst []byte, date, clock reader.Value) ([]byte, Flags, *FieldError) {
	return append(append(append(append(dst, date.Text...), 'T'), clock.Text...), 'Z'), 0, nil
}

// NumberSpec is how numbers are written.
type NumberSpec struct {
	Decimal, Group string
	Padding        bool
}

type numberParser struct{}

func (s NumberSpec) compile() (*numberParser, error) { return &numberParser{}, nil }

func (p *numberParser) append(dst []byte, v reader.Value) ([]byte, decimal.Decimal, Flags, *FieldError) {
	d, ok := decimal.Parse(v.Text)
	if !ok {
		return dst, d, 0, &FieldError{Value: shown(v.Text), Code: CodeNumber, Reason: "not a number"}
	}
	return append(dst, v.Text...), d, 0, nil
}
