package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/m3import/m3import/checkpoint"
)

// MinSample is how many rows must have been read before a share of them counts:
// one bad row among the first ten is ten per cent, and means nothing.
const MinSample = 1000

// Budget is how many rejects are too many: a number, or a share of the rows
// read. The zero value allows any number.
type Budget struct {
	Limited bool    `json:"limited,omitempty"`
	Rows    int64   `json:"rows,omitempty"`    // more than so many, when Percent is 0
	Percent float64 `json:"percent,omitempty"` // more than so many of a hundred rows read, once MinSample are
}

// ErrTooManyRejects is what Run returns when the rejects went past MaxRejects.
var ErrTooManyRejects = errors.New("more rejects than are allowed")

// ParseBudget reads a budget as people write it: "50" or "1.5%".
func ParseBudget(text string) (Budget, error) {
	if share, ok := strings.CutSuffix(text, "%"); ok {
		percent, err := strconv.ParseFloat(share, 64)
		if err != nil || !(percent > 0 && percent <= 100) {
			return Budget{}, fmt.Errorf("%q is not a share: more than 0%%, at most 100%%", text)
		}
		return Budget{Limited: true, Percent: percent}, nil
	}
	rows, err := strconv.ParseInt(text, 10, 64)
	if err != nil || rows < 0 {
		return Budget{}, fmt.Errorf("%q is neither a number of rows, such as 50, nor a share, such as 1%%", text)
	}
	return Budget{Limited: true, Rows: rows}, nil
}

// Exceeded reports whether n has more rejects than b allows.
func (b Budget) Exceeded(n checkpoint.Counts) bool {
	switch {
	case !b.Limited:
		return false
	case b.Percent > 0:
		return n.Read >= MinSample && float64(n.Rejected)*100 > b.Percent*float64(n.Read)
	}
	return n.Rejected > b.Rows
}

// String gives the budget in the form that ParseBudget reads.
func (b Budget) String() string {
	switch {
	case !b.Limited:
		return "any number"
	case b.Percent > 0:
		return strconv.FormatFloat(b.Percent, 'f', -1, 64) + "%"
	}
	return strconv.FormatInt(b.Rows, 10)
}
