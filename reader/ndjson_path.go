package reader

import (
	"slices"
	"strconv"
	"strings"
)

// A column name is read as a path by this grammar:
//
//	path  = key { "." key | "[" index "]" }
//	key   = one or more characters other than "." "[" "]"
//	index = "0" | digit of 1-9 { digit }        counted from 0
//
// A name that does not follow it ("price [USD]", "a..b") is a key and nothing
// else. There is no quoting: a nested key that holds a point cannot be asked
// for by a path, while a top-level one can, because the whole name is always
// tried as a key as well.

// pathStep is one step of a path: a key of an object or an index of an array.
type pathStep struct {
	array bool
	key   string
	index int
}

// appendTo writes the step at the end of the path so far.
func (s pathStep) appendTo(path string) string {
	switch {
	case s.array:
		return path + "[" + strconv.Itoa(s.index) + "]"
	case path == "":
		return s.key
	}
	return path + "." + s.key
}

// parsePath splits a column name into its steps. It reports false for a name
// that is not a path. A single key is a path of one step.
func parsePath(name string) ([]pathStep, bool) {
	var steps []pathStep
	for rest := name; ; {
		n := strings.IndexAny(rest, ".[]")
		if n < 0 {
			n = len(rest)
		}
		if n == 0 {
			return nil, false
		}
		steps = append(steps, pathStep{key: rest[:n]})
		rest = rest[n:]
		for strings.HasPrefix(rest, "[") {
			digits, after, ok := strings.Cut(rest[1:], "]")
			index, err := strconv.ParseUint(digits, 10, 31)
			if !ok || err != nil || strconv.FormatUint(index, 10) != digits {
				return nil, false
			}
			steps = append(steps, pathStep{array: true, index: int(index)})
			rest = after
		}
		if rest == "" {
			return steps, true
		}
		if rest[0] != '.' {
			return nil, false
		}
		rest = rest[1:]
	}
}

// pathTree says what to look for inside one value: members when it turns out
// to be an object, elements when it is an array. Trees are built once and then
// only read.
type pathTree struct {
	id       int
	members  [][]*pathEdge // by the length of the key
	elements []*pathEdge   // by growing index
}

// pathEdge is a member or an element that columns are interested in.
type pathEdge struct {
	id    int
	name  string // the path from the top, for messages
	key   string // of a member
	index int    // of an element
	slot  int    // the place in Record.Values, or -1 when only something inside is asked for
	inner *pathTree
}

// pathSet holds the paths of all columns, merged into one tree, so that a
// value on the way to several columns is walked once.
type pathSet struct {
	root         *pathTree
	trees, edges int      // ids are below these
	copies       [][2]int // Values[c[0]] is the same column as Values[c[1]]
}

// compilePaths merges the paths of columns. The whole name of a column is an
// edge of the top object too, into the same slot.
func compilePaths(columns []Column) *pathSet {
	p := &pathSet{}
	p.root = p.tree()
	first := make(map[string]int, len(columns))
	for slot, column := range columns {
		if other, ok := first[column.Name]; ok {
			p.copies = append(p.copies, [2]int{slot, other})
			continue
		}
		first[column.Name] = slot
		p.edge(p.root, pathStep{key: column.Name}, column.Name).slot = slot
		steps, ok := parsePath(column.Name)
		if !ok || len(steps) == 1 {
			continue
		}
		tree, name := p.root, ""
		for i, step := range steps {
			name = step.appendTo(name)
			edge := p.edge(tree, step, name)
			if i == len(steps)-1 {
				edge.slot = slot
				break
			}
			if edge.inner == nil {
				edge.inner = p.tree()
			}
			tree = edge.inner
		}
	}
	return p
}

func (p *pathSet) tree() *pathTree {
	p.trees++
	return &pathTree{id: p.trees - 1}
}

// edge returns the edge of t at step, which it adds when there is none.
func (p *pathSet) edge(t *pathTree, step pathStep, name string) *pathEdge {
	fresh := &pathEdge{id: p.edges, name: name, key: step.key, index: step.index, slot: -1}
	if step.array {
		at, found := slices.BinarySearchFunc(t.elements, step.index, func(e *pathEdge, index int) int { return e.index - index })
		if found {
			return t.elements[at]
		}
		t.elements = slices.Insert(t.elements, at, fresh)
	} else {
		if e := t.member([]byte(step.key)); e != nil {
			return e
		}
		for len(t.members) <= len(step.key) {
			t.members = append(t.members, nil)
		}
		t.members[len(step.key)] = append(t.members[len(step.key)], fresh)
	}
	p.edges++
	return fresh
}

// member returns the edge for an unescaped key, or nil. The length alone
// sends most of the keys that nobody asked for away.
func (t *pathTree) member(key []byte) *pathEdge {
	if len(key) >= len(t.members) {
		return nil
	}
	for _, e := range t.members[len(key)] {
		if e.key == string(key) {
			return e
		}
	}
	return nil
}
