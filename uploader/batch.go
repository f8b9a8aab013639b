package uploader

import (
	"errors"
	"fmt"
)

// What the platform takes in one request. More than a thousand measurements
// break the schema (SubmitMeasurementsRequest); its firewall blocks a body of
// 512,000 bytes with a 403 that looks like any other.
const (
	MaxItems = 1000
	MaxBytes = 511_999 // of the whole body, envelope included
)

const (
	head = `{"measurements":[`
	tail = `]}`
)

// The two ways in which measurements may not go into a batch.
var (
	// ErrFull says that the measurements do not fit any more: submit the
	// batch, then add them to the next one.
	ErrFull = errors.New("batch full")
	// ErrTooLarge says that the measurements do not fit into an empty batch
	// either. [Batch.Add] wraps it in words that give the sizes.
	ErrTooLarge = errors.New("measurement too large for a request")
)

// Limits bound a batch. Zero, or more than the platform takes, means what the
// platform takes.
type Limits struct {
	Items int `json:"items,omitempty"` // measurements. Default: MaxItems
	Bytes int `json:"bytes,omitempty"` // of the body, envelope included. Default: MaxBytes
}

func (l Limits) withDefaults() Limits {
	if l.Items <= 0 || l.Items > MaxItems {
		l.Items = MaxItems
	}
	if l.Bytes <= 0 || l.Bytes > MaxBytes {
		l.Bytes = MaxBytes
	}
	return l
}

// Check reports whether measurements that must go into one request can: items
// of them, bytes long together without the commas between. The error wraps
// ErrTooLarge.
func (l Limits) Check(items, bytes int) error {
	l = l.withDefaults()
	alone := len(head) + bytes + max(items-1, 0) + len(tail)
	switch {
	case items <= l.Items && alone <= l.Bytes:
		return nil
	case items == 1:
		return fmt.Errorf("%w: %d bytes with the envelope, at most %d", ErrTooLarge, alone, l.Bytes)
	}
	return fmt.Errorf("%w: %d measurements that belong together are %d bytes with the envelope, at most %d measurements and %d bytes",
		ErrTooLarge, items, alone, l.Items, l.Bytes)
}

// A Batch is one request body in the making: the measurements and the envelope
// around them. Its memory grows to its limit and no further, and is kept by
// Reset.
//
// The zero value is an empty batch with the platform's limits. A Batch is for
// one goroutine at a time; the methods that change nothing may run side by
// side.
type Batch struct {
	limits Limits
	// body is a whole request body at all times (or empty, when nothing was
	// ever added), so that reading a batch does not change it.
	body []byte
	ends []int // where each measurement ends in body
	// lent says that a transport may still be reading body, after a submission
	// that ended before the request was written. Writing into it would change
	// what is on the wire, so the next change takes new memory.
	lent bool
}

// Reset empties b, and sets the limits of what comes next.
func (b *Batch) Reset(l Limits) {
	b.limits = l.withDefaults()
	if b.lent {
		b.body, b.lent = nil, false
	}
	b.body = b.body[:0]
	b.ends = b.ends[:0]
}

// Add copies measurements, each a JSON object as text, to the end of b: all
// of them, or none when it returns an error. The error is ErrFull or wraps
// ErrTooLarge. That an item is valid JSON is the caller's word.
func (b *Batch) Add(items ...[]byte) error {
	if len(items) == 0 {
		return nil
	}
	if b.limits == (Limits{}) {
		b.limits = b.limits.withDefaults()
	}
	text := 0
	for _, item := range items {
		if len(item) == 0 {
			panic("uploader: Batch.Add of a measurement without bytes")
		}
		text += len(item)
	}
	commas := len(items) - 1
	if len(b.ends) > 0 {
		commas++
	}
	size := max(len(b.body), len(head)+len(tail)) + text + commas
	if len(b.ends)+len(items) > b.limits.Items || size > b.limits.Bytes {
		if err := b.limits.Check(len(items), text); err != nil {
			return err
		}
		return ErrFull
	}

	b.open(size)
	for i, item := range items {
		if i > 0 {
			b.body = append(b.body, ',')
		}
		b.body = append(b.body, item...)
		b.ends = append(b.ends, len(b.body))
	}
	b.body = append(b.body, tail...)
	return nil
}

// Room is how much may still be added: measurements, and bytes of them with the
// commas between them.
func (b *Batch) Room() (items, bytes int) {
	limits := b.limits.withDefaults()
	used := len(head) + len(tail)
	if len(b.ends) > 0 {
		used = len(b.body) + len(",")
	}
	return limits.Items - len(b.ends), limits.Bytes - used
}

// AddJoined is Add for measurements that stand one after the other in text with
// a comma between them, which costs one copy for all; ends says where in text
// each of them ends. It returns ErrFull, and changes nothing, when they are
// more than Room.
func (b *Batch) AddJoined(text []byte, ends []int) error {
	if len(ends) == 0 {
		return nil
	}
	if items, bytes := b.Room(); len(ends) > items || len(text) > bytes {
		return ErrFull
	}
	if b.limits == (Limits{}) {
		b.limits = b.limits.withDefaults()
	}
	size := len(head) + len(tail) + len(text)
	if len(b.ends) > 0 {
		size = len(b.body) + len(",") + len(text)
	}
	b.open(size)
	start := len(b.body)
	b.body = append(b.body, text...)
	for _, end := range ends {
		b.ends = append(b.ends, start+end)
	}
	b.body = append(b.body, tail...)
	return nil
}

// open makes room for a body of size bytes, and leaves b.body where the next
// measurement goes.
func (b *Batch) open(size int) {
	b.grow(size)
	if len(b.ends) == 0 {
		b.body = append(b.body[:0], head...)
	} else {
		b.body = append(b.body[:len(b.body)-len(tail)], ',')
	}
}

// grow makes room for a body of size bytes. It doubles like append, but stops
// at the limit: append would round the last step up to past a megabyte.
func (b *Batch) grow(size int) {
	if size <= cap(b.body) && !b.lent {
		return
	}
	room := max(min(max(2*cap(b.body), 4<<10), b.limits.Bytes), size)
	grown := make([]byte, len(b.body), room)
	copy(grown, b.body)
	b.body, b.lent = grown, false
}

// Len is the number of measurements in b.
func (b *Batch) Len() int { return len(b.ends) }

// Body is the request body, a view that the next Add or Reset makes invalid.
func (b *Batch) Body() []byte {
	if len(b.ends) == 0 {
		return []byte(head + tail)
	}
	return b.body[:len(b.body):len(b.body)]
}

// Item is the i-th measurement, counted from 0, a view that the next Reset or
// Add makes invalid. It panics when there is no such measurement.
func (b *Batch) Item(i int) []byte {
	start := len(head)
	if i > 0 {
		start = b.ends[i-1] + len(",")
	}
	return b.body[start:b.ends[i]:b.ends[i]]
}
