package mapper

import "github.com/m3import/m3import/internal/decimal"

// Output collects the measurements of many records, so that a whole chunk
// costs a handful of allocations. The zero value is ready. Not safe for
// concurrent use: one encoder, one Output.
type Output struct {
	// JSON holds the measurements, each with a comma behind it, so that a
	// stretch of them is a stretch of a JSON array. Each starts with
	// `{"uid":"…",`.
	JSON []byte
	// Items has one entry for each measurement, in order.
	Items []Item
	// Amounts are the numbers of the measurements, for exact totals.
	Amounts []Amount
	// Keys are what Amount.Key points at.
	Keys []Key

	keyIndex map[string]uint32
	owner    *Mapper
	known    knownKeys
	native   []nativeField
	scratch  []byte
	hash     []byte // what the uid at hand is made of
}

// knownKeys finds the keys of a mapper's numeric fields without making their
// names: by the meter, once for a row, and by the field's place in the mapping.
type knownKeys struct {
	fields int            // of the mapper
	meters map[string]int // where the keys of a meter start in keys
	keys   []uint32       // noKey: not known yet
	row    []uint32       // of keys: those of the meter at hand; nil until it is asked for
	// recent are meters that were looked for not long ago, by their ends: most
	// inputs have a handful, and a look here costs a fifth of one into the map.
	recent [32]struct {
		meter string
		start int
	}
}

// Item is one measurement of an Output.
type Item struct {
	End        uint32 // in Output.JSON: the comma behind it
	UIDEnd     uint32 // in Output.JSON: the closing quote of the uid, which starts 8 bytes into the measurement
	AmountsEnd uint32 // in Output.Amounts
	Flags      Flags
	Make       uint16 // which of the mapping's measurements made it, see Mapper.Made
}

// Flags tell what was worth counting about a measurement.
type Flags uint8

const (
	TimeTruncated Flags = 1 << iota // digits of a time past the precision were cut
	NumberInexact                   // a number has digits that a double cannot hold
	TimeAncient                     // ts before the year 2000: perhaps a relative time
	NoAmount                        // nothing in measure, cost and income
	TimeFuture                      // ts after the moment that Mapper.Flagging was given
)

// Key names a total: one numeric field of one meter.
type Key struct{ Meter, Category, Field string }

// Amount is one number of one measurement.
type Amount struct {
	Key   uint32
	Value decimal.Decimal
}

// maxKeys is how many Keys an Output keeps over a Reset. A mapping has a
// handful; an input that names a new meter in every row would otherwise fill
// the memory with them.
const maxKeys = 4096

// noKey is an entry of knownKeys that says nothing.
const noKey = ^uint32(0)

// Reset empties o and keeps its memory, Keys excepted, which stay valid unless
// there are more than 4096 of them: then they are dropped too.
func (o *Output) Reset() {
	o.JSON, o.Items, o.Amounts = o.JSON[:0], o.Items[:0], o.Amounts[:0]
	if len(o.Keys) > maxKeys {
		o.Keys = nil // not o.Keys[:0]: whoever still holds the old keys keeps them
		o.keyIndex = nil
		o.forget()
	}
}

// outputSize is how much an Output holds.
type outputSize struct{ json, items, amounts, keys int }

func (o *Output) size() outputSize {
	return outputSize{len(o.JSON), len(o.Items), len(o.Amounts), len(o.Keys)}
}

// cut takes o back to an earlier size.
func (o *Output) cut(s outputSize) {
	o.JSON, o.Items, o.Amounts = o.JSON[:s.json], o.Items[:s.items], o.Amounts[:s.amounts]
	if len(o.Keys) > s.keys {
		for _, k := range o.Keys[s.keys:] {
			delete(o.keyIndex, string(appendKey(nil, []byte(k.Meter), Category(k.Category), []byte(k.Field))))
		}
		o.Keys = o.Keys[:s.keys]
		o.forget()
	}
}

// Measurement is the i-th measurement, counted from 0: a view of JSON.
func (o *Output) Measurement(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = o.Items[i-1].End + uint32(len(","))
	}
	return o.JSON[start:o.Items[i].End:o.Items[i].End]
}

// usedBy makes known good for m.
func (o *Output) usedBy(m *Mapper) {
	if o.owner != m {
		o.owner = m
		o.forget()
	}
}

func (o *Output) forget() {
	o.known = knownKeys{meters: o.known.meters, keys: o.known.keys[:0]}
	clear(o.known.meters)
	if o.owner != nil {
		o.known.fields = o.owner.numbers
	}
}

// amount adds one number. slot is the place of its field in the mapping, or -1.
func (o *Output) amount(slot int, meter []byte, cat Category, code []byte, d decimal.Decimal) {
	if slot < 0 {
		o.Amounts = append(o.Amounts, Amount{o.key(meter, cat, code), d})
		return
	}
	if o.known.row == nil {
		o.known.find(meter)
	}
	k := &o.known.row[slot]
	if *k == noKey {
		*k = o.key(meter, cat, code)
	}
	o.Amounts = append(o.Amounts, Amount{*k, d})
}

// find makes row that of the meter.
func (k *knownKeys) find(meter []byte) {
	recent := &k.recent[recentAt(meter)]
	if recent.meter != string(meter) || len(meter) == 0 {
		start, ok := k.meters[string(meter)]
		if !ok {
			if k.meters == nil {
				k.meters = make(map[string]int)
			}
			start = len(k.keys)
			k.meters[string(meter)] = start
			for range k.fields {
				k.keys = append(k.keys, noKey)
			}
		}
		recent.meter, recent.start = string(meter), start
	}
	k.row = k.keys[recent.start : recent.start+k.fields]
}

// recentAt is the place of a meter in knownKeys.recent.
func recentAt(meter []byte) int {
	if len(meter) == 0 {
		return 0
	}
	return (len(meter)*7 + int(meter[0])*3 + int(meter[len(meter)-1])) % 32
}

// key returns the index of a key in Keys, which it adds when it is new.
func (o *Output) key(meter []byte, cat Category, code []byte) uint32 {
	start := len(o.scratch)
	o.scratch = appendKey(o.scratch, meter, cat, code)
	text := o.scratch[start:]
	o.scratch = o.scratch[:start]
	if k, ok := o.keyIndex[string(text)]; ok {
		return k
	}
	if o.keyIndex == nil {
		o.keyIndex = map[string]uint32{}
	}
	k := uint32(len(o.Keys))
	o.Keys = append(o.Keys, Key{string(meter), string(cat), string(code)})
	o.keyIndex[string(text)] = k
	return k
}

// appendKey appends the name of a key in keyIndex. Neither a category nor a
// field code has a NUL in it, so the meter can be anything.
func appendKey(dst, meter []byte, cat Category, code []byte) []byte {
	dst = append(append(dst, cat...), 0)
	dst = append(append(dst, code...), 0)
	return append(dst, meter...)
}
