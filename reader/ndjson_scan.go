package reader

// ndjsonMaxDepth is how deep objects and arrays may be nested, the object of
// the line counted. It bounds the recursion along the paths and the memory of
// skip; real usage data stays below ten.
const ndjsonMaxDepth = 1000

// ndjsonScan reads the lines of one chunk: it checks every byte of a line and
// picks out the values that the paths ask for, in one pass.
//
// What stands between two values, `,"key":`, is mostly what stood there in the
// lines before. The scanner remembers these runs. One that is byte for byte a
// run that was checked before needs no second check and no look-up of its key:
// that is half of the speed, and it can change nothing else, because the same
// bytes in the same state of the grammar mean the same.
type ndjsonScan struct {
	paths  *pathSet
	rules  textRules                     // how text values are understood
	b      []byte                        // the text of the chunk
	values []Value                       // of the line at hand
	arena  []byte                        // the unescaped strings of the line at hand
	row    uint32                        // numbers the lines
	seen   []uint32                      // by edge: the last line that had it
	runs   []runs                        // by tree
	arrays [ndjsonMaxDepth/64 + 1]uint64 // for skip: by depth, whether it is an array
	fault  ndjsonFault
}

// closed is the edge of the end of an object.
var closed = new(pathEdge)

func newNDJSONScan(paths *pathSet, rules textRules, b []byte, columns int) *ndjsonScan {
	return &ndjsonScan{
		paths: paths, rules: rules, b: b,
		values: make([]Value, columns),
		seen:   make([]uint32, paths.edges),
		runs:   make([]runs, paths.trees),
	}
}

// line reads the line whose first byte other than white space stands at i. It
// returns where the object ends and where the line does, without its line
// feed; a negative end says that s.fault tells why not.
func (s *ndjsonScan) line(i int) (object, end int) {
	s.row++
	s.arena = s.arena[:0]
	clear(s.values)
	if s.b[i] != '{' {
		return 0, s.failLine(i)
	}
	if object = s.object(s.paths.root, i, 1); object < 0 {
		return 0, object
	}
	if end = skipSpace(s.b, object); end < len(s.b) && s.b[end] != '\n' {
		return 0, s.failAfter(end)
	}
	for _, c := range s.paths.copies {
		s.values[c[0]] = s.values[c[1]]
	}
	return object, end
}

// object reads the object at i, the depth-th around its members.
func (s *ndjsonScan) object(t *pathTree, i, depth int) int {
	if depth > ndjsonMaxDepth {
		return s.failDepth(i)
	}
	b, known := s.b, &s.runs[t.id]
	i++
	for k, next := 0, 0; ; k++ { // known.at[next] is the run to expect
		var edge *pathEdge
		at := next
		if at >= known.n || !known.at[at].in(b, i) {
			at = known.find(b, i, next)
		}
		if at >= 0 {
			edge = known.at[at].edge
			i += int(known.at[at].n)
			if i < len(b) && b[i] <= ' ' {
				i = skipSpace(b, i) // the line that the run is from had less of it
			}
			next = at + 1
		} else {
			from := i
			if i, edge = s.member(t, i, k); i < 0 || edge == closed {
				return i
			}
			known.insert(next, run{int32(from), int32(i - from), edge})
			next++
		}
		if edge == nil {
			i = s.skip(i, depth)
		} else {
			i = s.take(edge, i, depth)
		}
		if i < 0 {
			return i
		}
		if i < len(b) && b[i] == '}' {
			return i + 1
		}
	}
}

// member reads what stands between the values k-1 and k of an object: to the
// first byte of the value, or behind the end of the object.
func (s *ndjsonScan) member(t *pathTree, i, k int) (int, *pathEdge) {
	b := s.b
	i = skipSpace(b, i)
	if i < len(b) && b[i] == '}' {
		return i + 1, closed
	}
	if k > 0 {
		if i >= len(b) || b[i] != ',' {
			return s.failNext(i, '}'), nil
		}
		i++
	}
	start, end, escaped := s.key(i)
	if start < 0 {
		return start, nil
	}
	key := b[start:end]
	if escaped {
		// The arena's end serves as scratch: nothing is kept of it.
		key = appendUnescaped(s.arena, key)[len(s.arena):]
	}
	return skipSpace(b, skipSpace(b, end+1)+1), t.member(key)
}

// key reads a key and the colon behind it, and returns where the inside of its
// quotes starts and ends.
func (s *ndjsonScan) key(i int) (start, end int, escaped bool) {
	b := s.b
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != '"' {
		return s.failKey(i), 0, false
	}
	next, escaped := scanString(b, i+1)
	if next < 0 {
		return s.failString(i), 0, false
	}
	if colon := skipSpace(b, next); colon >= len(b) || b[colon] != ':' {
		return s.failColon(colon), 0, false
	}
	return i + 1, next - 1, escaped
}

// array reads the array at i, the depth-th around its elements.
func (s *ndjsonScan) array(t *pathTree, i, depth int) int {
	if depth > ndjsonMaxDepth {
		return s.failDepth(i)
	}
	b := s.b
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	wanted := t.elements
	for k := 0; ; k++ {
		i = skipSpace(b, i)
		if len(wanted) > 0 && wanted[0].index == k {
			i = s.take(wanted[0], i, depth)
			wanted = wanted[1:]
		} else {
			i = s.skip(i, depth)
		}
		if i < 0 {
			return i
		}
		i = skipSpace(b, i)
		switch {
		case i < len(b) && b[i] == ',':
			i++
		case i < len(b) && b[i] == ']':
			return i + 1
		default:
			return s.failNext(i, ']')
		}
	}
}

// take reads the value at i, to which edge leads.
func (s *ndjsonScan) take(edge *pathEdge, i, depth int) int {
	if s.seen[edge.id] == s.row {
		return s.failRepeated(edge, i)
	}
	s.seen[edge.id] = s.row
	b := s.b
	next, kind, escaped := scanScalar(b, i)
	if next < 0 {
		if next, kind = s.container(edge.inner, i, depth); next < 0 {
			return s.failIn(edge)
		}
	}
	if edge.slot < 0 {
		return next
	}
	v := &s.values[edge.slot]
	if v.Kind != Missing {
		return s.failTwoWays(edge, i)
	}
	switch kind {
	case Null:
		*v = Value{Kind: Null}
	case String:
		text := b[i+1 : next-1 : next-1]
		if escaped {
			text = s.unescape(text)
		}
		*v = s.rules.value(text)
	case Object:
		if key, at := repeatedMember(b[i:next]); at >= 0 {
			return s.failInside(edge, key, i+at)
		}
		fallthrough
	default:
		*v = Value{kind, b[i:next:next]}
	}
	return next
}

// container reads the object or array at i; with a tree it looks inside.
func (s *ndjsonScan) container(t *pathTree, i, depth int) (int, Kind) {
	if i >= len(s.b) {
		return s.failValue(i), Missing
	}
	switch s.b[i] {
	case '{':
		if t != nil && len(t.members) > 0 {
			return s.object(t, i, depth+1), Object
		}
		return s.skip(i, depth), Object
	case '[':
		if t != nil && len(t.elements) > 0 {
			return s.array(t, i, depth+1), Array
		}
		return s.skip(i, depth), Array
	}
	return s.failValue(i), Missing
}

// skip passes over the value at i, which stands in the outer-th object or
// array, and checks it as strictly as any other. It keeps a bit for each level
// in place of a stack frame.
func (s *ndjsonScan) skip(i, outer int) int {
	b := s.b
	depth, end := outer, byte(0) // end closes the depth-th object or array
	for {
		next, _, _ := scanScalar(b, i)
		if next < 0 {
			if i >= len(b) || b[i] != '{' && b[i] != '[' {
				return s.failValue(i)
			}
			if depth++; depth > ndjsonMaxDepth {
				return s.failDepth(i)
			}
			end = b[i] + 2 // '{' and '}', '[' and ']' are two apart
			s.push(depth, end)
			if next = skipSpace(b, i+1); next >= len(b) || b[next] != end {
				if i = s.element(next, end); i < 0 {
					return i
				}
				continue
			}
			next, depth = next+1, depth-1
			end = s.closer(depth)
		}
		// A value ended at next. Go up as far as more ends follow.
		for i = next; depth > outer; {
			i = skipSpace(b, i)
			if i < len(b) && b[i] == ',' {
				break
			}
			if i >= len(b) || b[i] != end {
				return s.failNext(i, end)
			}
			i++
			depth--
			end = s.closer(depth)
		}
		if depth == outer {
			return i
		}
		if i = s.element(i+1, end); i < 0 {
			return i
		}
	}
}

// element returns where the value of the next member, or element, starts in
// what end closes, for skip.
func (s *ndjsonScan) element(i int, end byte) int {
	if end == '}' {
		start, stop, _ := s.key(i)
		if start < 0 {
			return start
		}
		i = skipSpace(s.b, stop+1) + 1
	}
	return skipSpace(s.b, i)
}

// push notes what closes the depth-th level.
func (s *ndjsonScan) push(depth int, end byte) {
	s.arrays[depth/64] &^= 1 << (depth % 64)
	if end == ']' {
		s.arrays[depth/64] |= 1 << (depth % 64)
	}
}

// closer is what push noted for a level.
func (s *ndjsonScan) closer(depth int) byte {
	if s.arrays[depth/64]>>(depth%64)&1 != 0 {
		return ']'
	}
	return '}'
}

// unescape returns what text stands for, in the arena. The arena may move
// while it grows; what was handed out before stays where it was.
func (s *ndjsonScan) unescape(text []byte) []byte {
	start := len(s.arena)
	s.arena = appendUnescaped(s.arena, text)
	return s.arena[start:len(s.arena):len(s.arena)]
}
