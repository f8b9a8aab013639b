package mapper

import "github.com/m3import/m3import/internal/decimal"

// Output collects the measurements of many records, so that a whole chunk
// costs a handful of allocations. The zero value is ready. Not safe for
// concurrent use: one encoder, one Output.
type Output struct {
	// JSON holds the measurements back to back, with nothing between them.
	// Each starts with `{"uid":"…",`.
	JSON []byte
	// Items has one entry for each measurement, in order.
	Items []Item
	// Amounts are the numbers of the measurements, for exact totals.
	Amounts []Amount
	// Keys are what Amount.Key points at.
	Keys []Key

	keyIndex map[string]uint32
	scratch  []byte
}

// Item is one measurement of an Output; it ends where it says and starts
// where the one before it ends.
type Item struct {
	End        uint32 // in Output.JSON
	UIDEnd     uint32 // in Output.JSON: the closing quote of the uid, which starts 8 bytes into the measurement
	AmountsEnd uint32 // in Output.Amounts
	Flags      Flags
}

// Flags tell what was worth counting about a measurement.
type Flags uint8

const (
	TimeTruncated Flags = 1 << iota // digits of a time past the precision were cut
	NumberInexact                   // a number has digits that a double cannot hold
	TimeAncient                     // ts before the year 2000: perhaps a relative time
)

// Key names a total: one numeric field of one meter.
type Key struct{ Meter, Category, Field string }

// Amount is one number of one measurement.
type Amount struct {
	Key   uint32
	Value decimal.Decimal
}

// Reset empties o and keeps its memory, Keys excepted, which stay valid.
func (o *Output) Reset() {
	o.JSON, o.Items, o.Amounts = o.JSON[:0], o.Items[:0], o.Amounts[:0]
}
