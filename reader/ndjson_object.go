package reader

import (
	"bytes"
	"iter"
)

// Members yields the members of a JSON object in their order: each key,
// unescaped, and its value as a Record would carry it, without
// [Options.Null] and [Options.Trim], which are about columns. object is the
// text of a [Value] of Kind [Object]; the values of Kind Object among the
// members can be walked in the same way.
//
// No key comes twice out of the Text of a Value in a [Record]: a row where it
// would is a [*RowError] with [CodeDuplicate]. That is so for the object's own
// members, not for those of objects inside it.
//
// Keys and values are views of object and good as long as it is, but where
// something had to be unescaped they are in a buffer of the loop and good
// until its next step. Only such a buffer is ever allocated.
//
// Members trusts that object was checked by this package. For any other text
// it yields what it can make sense of and ends, and never panics.
func Members(object []byte) iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) { eachMember(object, yield) }
}

func eachMember(object []byte, yield func([]byte, Value) bool) {
	var key, text []byte // buffers
	for m, ok := firstMember(object); ok; m, ok = m.next(object) {
		k, v := m.key(object), m.value(object)
		if m.keyEscaped {
			key = appendUnescaped(key[:0], k)
			k = key
		}
		if m.valueEscaped {
			text = appendUnescaped(text[:0], v.Text)
			v.Text = text
		}
		if !yield(k, v) {
			return
		}
	}
}

// member is where one member stands in the text of an object. The key and a
// string are between keyStart and keyEnd, start and end with their quotes.
type member struct {
	keyStart, keyEnd         int
	start, end               int
	kind                     Kind
	keyEscaped, valueEscaped bool
}

func (m *member) key(object []byte) []byte { return object[m.keyStart+1 : m.keyEnd-1] }

func (m *member) value(object []byte) Value {
	switch m.kind {
	case Null:
		return Value{Kind: Null}
	case String:
		return Value{String, object[m.start+1 : m.end-1 : m.end-1]}
	}
	return Value{m.kind, object[m.start:m.end:m.end]}
}

// firstMember finds the first member of an object; it reports false when there
// is none.
func firstMember(object []byte) (member, bool) {
	if len(object) == 0 || object[0] != '{' {
		return member{}, false
	}
	return memberAt(object, 1)
}

// next finds the member behind m.
func (m *member) next(object []byte) (member, bool) {
	i := skipSpace(object, m.end)
	if i >= len(object) || object[i] != ',' {
		return member{}, false
	}
	return memberAt(object, i+1)
}

// memberAt finds the member that starts, but for white space, at i.
func memberAt(object []byte, i int) (m member, ok bool) {
	m.keyStart = skipSpace(object, i)
	if m.keyStart >= len(object) || object[m.keyStart] != '"' {
		return m, false
	}
	if m.keyEnd, m.keyEscaped = scanString(object, m.keyStart+1); m.keyEnd < 0 {
		return m, false
	}
	i = skipSpace(object, m.keyEnd)
	if i >= len(object) || object[i] != ':' {
		return m, false
	}
	m.start = skipSpace(object, i+1)
	m.end, m.kind, m.valueEscaped = scanScalar(object, m.start)
	if m.end < 0 {
		m.end, m.kind = skipNested(object, m.start)
	}
	return m, m.end >= 0
}

// skipNested passes over an object or array that was checked before, so that
// only brackets outside of strings count.
func skipNested(b []byte, i int) (int, Kind) {
	if i >= len(b) || b[i] != '{' && b[i] != '[' {
		return -1, Missing
	}
	kind := Object
	if b[i] == '[' {
		kind = Array
	}
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			next, _ := scanString(b, i+1)
			if next < 0 {
				return -1, Missing
			}
			i = next - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1, kind
			}
		}
	}
	return -1, Missing
}

// manyMembers is when repeatedMember turns from comparing to a map.
const manyMembers = 24

// repeatedMember looks for a key that an object has twice, and returns it with
// the index of the value that follows its second place; -1 when there is none.
func repeatedMember(object []byte) ([]byte, int) {
	var buf [manyMembers]member
	known := buf[:0]
	for m, ok := firstMember(object); ok; m, ok = m.next(object) {
		if m.keyEscaped || len(known) == manyMembers {
			return repeatedAmongMany(object)
		}
		key := m.key(object)
		for i := range known {
			if bytes.Equal(known[i].key(object), key) {
				return key, m.start
			}
		}
		known = append(known, m)
	}
	return nil, -1
}

// repeatedAmongMany is repeatedMember for any number of keys and for escaped
// ones: a file must not make the work grow with the square of its keys.
func repeatedAmongMany(object []byte) ([]byte, int) {
	known := make(map[string]struct{})
	for m, ok := firstMember(object); ok; m, ok = m.next(object) {
		key := m.key(object)
		if m.keyEscaped {
			key = appendUnescaped(nil, key)
		}
		if _, ok := known[string(key)]; ok {
			return key, m.start
		}
		known[string(key)] = struct{}{}
	}
	return nil, -1
}

// appendWithout appends an object without the members of the name, and leaves
// every other byte as it is: with a member goes the comma before it, or, for
// the first one, the comma and the white space behind it.
func appendWithout(dst, object []byte, name string) []byte {
	done, kept := 0, false // object[:done] is dealt with; a member was kept
	end := 1               // of the member before
	for m, ok := firstMember(object); ok; m, ok = m.next(object) {
		key := m.key(object)
		if m.keyEscaped {
			key = appendUnescaped(nil, key)
		}
		switch {
		case string(key) != name:
			kept = true
		case kept: // from behind the value before
			dst = append(dst, object[done:end]...)
			done = m.end
		default:
			dst = append(dst, object[done:m.keyStart]...)
			if done = skipSpace(object, m.end); done < len(object) && object[done] == ',' {
				done = skipSpace(object, done+1)
			}
		}
		end = m.end
	}
	return append(dst, object[done:]...)
}
