package sandbox

import (
	"hash/maphash"
	"math/bits"
	"unicode/utf8"

	"github.com/m3import/m3import/internal/decimal"
)

// The limits of a measurement, in characters: the MeasurementRequest of the
// API. That of metadata values stands in its prose only; whether the platform
// refuses longer ones at once is not said, so the sandbox does.
const (
	maxCode     = 80 // of meter and account
	maxUID      = 50
	maxMetadata = 256 // of each value
)

// member is one member of a measurement.
type member uint8

const (
	mUID member = iota
	mMeter
	mAccount
	mTS
	mETS
	mWho
	mWhat
	mWhere
	mOther
	mMetadata
	mMeasure
	mCost
	mIncome
	mUnknown
)

var memberNames = [...]string{"uid", "meter", "account", "ts", "ets",
	"who", "what", "where", "other", "metadata", "measure", "cost", "income"}

func memberOf(name []byte) member {
	for m, known := range memberNames {
		if string(name) == known {
			return member(m)
		}
	}
	return mUnknown
}

// measurement is one measurement of a request. The slices are views of the
// request's memory.
type measurement struct {
	raw     []byte // as it was sent
	uid     []byte
	meter   []byte
	account []byte
	has     uint16 // the members present, a bit each
	content uint64 // a hash of what it says, whatever the order and spelling
	numbers int    // how many of batch.numbers are its own
	fields  int    // how many of batch.refs
}

func (m *measurement) hasUID() bool { return m.has&(1<<mUID) != 0 }

// number is one value of measure, cost or income.
type number struct {
	member member
	code   []byte
	value  decimal.Decimal
}

// batch is a parsed request. It is used again, so that taking a request
// allocates nothing in the steady state.
type batch struct {
	scanner
	body    []byte // the memory of the request
	items   []measurement
	numbers []number
	refs    []fieldRef
	// failures are the measurements that were accepted and then not ingested.
	failures []failure
	current  measurement // not yet in items
	names    nameSet     // of the map being read
	seed     maphash.Seed
	digits   []byte
}

// parse reads body, which must be one SubmitMeasurementsRequest. Members that
// the schema does not know are allowed by it and passed over.
func (b *batch) parse(body []byte, seed maphash.Seed) error {
	b.scanner = scanner{text: body, unescaped: b.unescaped[:0], where: place{item: -1, member: "body"}}
	b.items, b.numbers, b.refs, b.failures, b.seed = b.items[:0], b.numbers[:0], b.refs[:0], b.failures[:0], seed
	if !utf8.Valid(body) {
		return b.fail("must be UTF-8")
	}
	var names nameSet
	found := false
	err := b.object(func(name []byte) error {
		if !names.add(name) {
			return b.fail("member %q stands twice", shorten(name))
		}
		if string(name) != "measurements" {
			_, err := b.skip()
			return err
		}
		found = true
		return b.measurements()
	})
	switch {
	case err != nil:
		return err
	case b.peek() != 0 || b.pos < len(b.text):
		return b.syntax("the end of the body")
	case !found:
		return b.fail("measurements is required")
	}
	return nil
}

// measurements reads the array.
func (b *batch) measurements() error {
	b.where.member = "measurements"
	if !b.take('[') {
		return b.fail("must be an array, not %s", b.kind())
	}
	for !b.take(']') {
		b.where = place{item: -1, member: "measurements"}
		if len(b.items) > 0 && !b.take(',') {
			return b.syntax("a comma or the end of the array")
		}
		if len(b.items) == MaxItems {
			return b.fail("must hold at most %d measurements", MaxItems)
		}
		if err := b.measurement(); err != nil {
			return err
		}
	}
	b.where = place{item: -1, member: "measurements"}
	if len(b.items) == 0 {
		return b.fail("must hold at least 1 measurement")
	}
	b.where.member = "body"
	return nil
}

// measurement reads one.
func (b *batch) measurement() error {
	m := &b.current
	*m = measurement{}
	b.where = place{item: len(b.items)}
	b.peek()
	start, numbers, refs := b.pos, len(b.numbers), len(b.refs)
	var unknown nameSet
	err := b.object(func(name []byte) error {
		b.where.member, b.where.code = "", nil
		known := memberOf(name)
		if known == mUnknown {
			if !unknown.add(name) {
				return b.fail("member %q stands twice", shorten(name))
			}
			value, err := b.skip()
			m.content += b.hash(known, name, value)
			return err
		}
		b.where.member = memberNames[known]
		if m.has&(1<<known) != 0 {
			return b.fail("stands twice")
		}
		m.has |= 1 << known
		return b.value(known)
	})
	if err != nil {
		return err
	}
	b.where.code = nil
	for _, required := range [...]member{mMeter, mAccount, mTS} {
		if b.where.member = ""; m.has&(1<<required) == 0 {
			b.where.member = memberNames[required]
			return b.fail("is required")
		}
	}
	m.raw, m.numbers, m.fields = b.text[start:b.pos], len(b.numbers)-numbers, len(b.refs)-refs
	b.items = append(b.items, *m)
	return nil
}

// value reads the value of a known member.
func (b *batch) value(known member) (err error) {
	m := &b.current
	switch known {
	case mUID:
		m.uid, err = b.limited(maxUID)
		return err // not content: it is what content belongs to
	case mMeter:
		m.meter, err = b.code()
		m.content += b.hash(known, nil, m.meter)
	case mAccount:
		m.account, err = b.code()
		m.content += b.hash(known, nil, m.account)
	case mTS, mETS:
		var t instant
		t, err = b.dateTime()
		m.content += mix(b.hash(known, nil, t.fraction), uint64(t.seconds))
	case mMeasure, mCost, mIncome:
		return b.fields(known, b.numberField)
	default:
		return b.fields(known, b.textField)
	}
	return err
}

// fields reads a map from field codes to values.
func (b *batch) fields(known member, field func(member, []byte) error) error {
	b.names.reset()
	return b.object(func(code []byte) error {
		b.where.code = code
		if !b.names.add(code) {
			return b.fail("stands twice")
		}
		b.refs = append(b.refs, fieldRef{known, code})
		return field(known, code)
	})
}

func (b *batch) textField(known member, code []byte) (err error) {
	var text []byte
	if known == mMetadata {
		text, err = b.limited(maxMetadata)
	} else {
		text, err = b.string()
	}
	b.current.content += b.hash(known, code, text)
	return err
}

func (b *batch) numberField(known member, code []byte) error {
	text, err := b.number()
	if err != nil {
		return err
	}
	value, ok := decimal.Parse(text)
	if !ok {
		return b.fail("%s is not a number that a double can hold", shorten(text))
	}
	b.digits = value.AppendText(b.digits[:0])
	b.current.content += b.hash(known, code, b.digits)
	b.numbers = append(b.numbers, number{known, code, value})
	return nil
}

// limited reads a string of at most n characters: code points, which is what
// JSON Schema counts.
func (b *batch) limited(n int) ([]byte, error) {
	text, err := b.string()
	if err == nil && len(text) > n && utf8.RuneCount(text) > n {
		return nil, b.fail("must be at most %d characters, has %d", n, utf8.RuneCount(text))
	}
	return text, err
}

// code reads the code of a meter or an account.
func (b *batch) code() ([]byte, error) {
	text, err := b.limited(maxCode)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, b.fail("must not be empty")
	}
	if !validCode(text) {
		return nil, b.fail("%q must have no control characters, and no space at either end", text)
	}
	return text, nil
}

// validCode holds m3ter's pattern for codes, a Java regular expression whose
// portable form is ^[^\x00-\x20\x7F](?:[^\x00-\x1F\x7F]*[^\x00-\x20\x7F])?$.
func validCode[T ~string | ~[]byte](text T) bool {
	if len(text) == 0 || text[0] == ' ' || text[len(text)-1] == ' ' {
		return false
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7F {
			return false
		}
	}
	return true
}

func (b *batch) dateTime() (instant, error) {
	text, err := b.string()
	if err != nil {
		return instant{}, err
	}
	t, ok := parseDateTime(text)
	if !ok {
		return instant{}, b.fail("%q is not an RFC 3339 date-time such as 2022-08-24T14:15:22.123Z", shorten(text))
	}
	return t, nil
}

// hash digests one member; the sum over the members is the hash of a
// measurement, because a sum does not mind their order.
func (b *batch) hash(m member, name, value []byte) uint64 {
	return mix(maphash.Bytes(b.seed, name)+uint64(m), maphash.Bytes(b.seed, value))
}

func mix(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x^0x9E3779B97F4A7C15, y^0xD1B54A32D192ED03)
	return hi ^ lo
}
