// Package usage makes the rows that everything is measured with: usage events
// of twelve columns, or more, the same ones on every machine and in every
// format.
//
// It knows what a row holds and how it is written as text. It does not know
// files, and nothing of the product.
package usage

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Columns are the names of a row's own columns, in order.
var Columns = []string{
	"event_id", "account", "meter", "ts", "duration", "bytes", "amount",
	"region", "service", "description", "status", "tags",
}

// Mapped are the columns that Mapping uses.
var Mapped = []string{"event_id", "account", "meter", "ts", "duration", "bytes", "amount", "region"}

// Mapping is how a row becomes a measurement: eight of the columns, and a uid
// of four of them.
const Mapping = `version: 1
meter:   meter
account: account
ts:      ts
uid:     {key: [event_id, account, meter, ts]}
measure: {duration: duration, bytes: bytes, amount: amount}
where:   {region: region}
`

// TimeLayout is how text formats write a row's time.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// Row is one usage event.
type Row struct {
	ID, Account, Meter string
	Time               time.Time // UTC, in whole microseconds
	Millis             int64     // the duration: thousandths
	Bytes              int64
	Amount             int64 // ten-thousandths
	Region, Service    string
	Description        string // one in twenty has a comma, a quote or a newline
	Status             int64
	Tags               string
}

var (
	meters   = []string{"api_calls", "disk_gb", "cpu_seconds", "bytes_out"}
	regions  = []string{"eu-west-1", "eu-north-1", "us-east-1", "sa-east-1", "ap-south-1"}
	services = []string{"queue", "blobs", "lambda", "edge", "tables"}
	awkward  = []string{"yearly plan, prepaid", `the "silver" plan, second year`, "first line\nsecond line, of two"}
)

// Maker makes rows one after the other. Two makers with the same Text make the
// same rows.
type Maker struct {
	// Text is how long descriptions are at least, in bytes: for wide rows.
	// Default: as long as they come, about 25.
	Text int

	rnd  *rand.Rand
	next int64
	id   []byte
}

// Make makes the next row. The row is the caller's to keep.
func (m *Maker) Make(row *Row) {
	if m.rnd == nil {
		m.rnd = rand.New(rand.NewPCG(7, 11))
	}
	i := m.next
	m.next++
	r := m.rnd
	*row = Row{
		ID:      m.text("ev-", 16, uint64(i+1)*0xD1342543DE82EF95, 16),
		Account: m.text("customer-", 5, uint64(r.IntN(5000)), 10),
		Meter:   meters[r.IntN(len(meters))],
		Time:    time.UnixMicro(1_780_000_000_000_000 + i*150_000 + r.Int64N(1000)).UTC(),
		Millis:  r.Int64N(10_000_000),
		Bytes:   r.Int64N(5_000_000),
		Amount:  r.Int64N(10_000_000),
		Region:  regions[r.IntN(len(regions))],
		Service: services[r.IntN(len(services))],
		Status:  200 + r.Int64N(3),
		Tags:    m.text("stage=live;zone=", 2, uint64(r.IntN(100)), 10),
	}
	if n := r.IntN(60); n < len(awkward) {
		row.Description = awkward[n]
	} else {
		row.Description = m.text("ordinary usage number ", 3, uint64(r.IntN(1000)), 10)
	}
	if short := m.Text - len(row.Description); short > 0 {
		row.Description += strings.Repeat(filler, short/len(filler)+1)[:short]
	}
}

const filler = " and a word more, of no use to anybody"

// text is a prefix and a number of at least width digits.
func (m *Maker) text(prefix string, width int, n uint64, base int) string {
	m.id = append(m.id[:0], prefix...)
	var digits [64]byte
	d := strconv.AppendUint(digits[:0], n, base)
	for range width - len(d) {
		m.id = append(m.id, '0')
	}
	return string(append(m.id, d...))
}

// appendFixed appends n with a decimal point before its last places digits.
func appendFixed(dst []byte, n int64, places int) []byte {
	start := len(dst)
	dst = strconv.AppendInt(dst, n, 10)
	for len(dst)-start <= places {
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '0'
	}
	dst = append(dst, 0)
	point := len(dst) - 1 - places
	copy(dst[point+1:], dst[point:])
	dst[point] = '.'
	return dst
}
