package mapper

import (
	"slices"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// object is a YAML mapping whose keys are known. A nil object has no keys, so
// that reading goes on after a fault.
type object struct {
	d      *document
	path   string
	keys   []string
	values map[string]ast.Node
}

// object reads n as a mapping with some of the known keys; with no known keys
// any will do. what names it in messages.
func (d *document) object(path, what string, n ast.Node, known ...string) *object {
	n = d.plain(n)
	var pairs []*ast.MappingValueNode
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		d.failAt(d.startOf(n), "%s is written as `key: value` pairs, and this is %s", what, kindOf(n))
		return nil
	}
	o := &object{d: d, path: path, values: make(map[string]ast.Node, len(pairs))}
	for _, pair := range pairs {
		key, ok := d.key(pair.Key)
		if !ok {
			return nil
		}
		at := d.startOf(pair.Key)
		if len(known) > 0 && !slices.Contains(known, key) {
			d.failAt(at, "%s", unknownKey(what, key, known))
			return nil
		}
		if _, twice := o.values[key]; twice {
			d.failAt(at, "the key %s stands twice", quoted(key))
			return nil
		}
		// A fault of a nested block, or of a field code, is best shown at the key.
		if len(known) > 0 && !isBlock(pair.Value) && pair.Value != nil {
			at = d.startOf(pair.Value)
		}
		d.at[joinPath(path, key)] = at
		o.keys = append(o.keys, key)
		o.values[key] = pair.Value
	}
	return o
}

// get returns the value of a key and its path; nil when it is not there.
func (o *object) get(key string) (ast.Node, string) {
	if o == nil {
		return nil, key
	}
	return o.values[key], joinPath(o.path, key)
}

func (o *object) has(key string) bool {
	if o == nil {
		return false
	}
	_, ok := o.values[key]
	return ok
}

// text reads the scalar of key, "" when it is not there.
func (o *object) text(key string) string {
	if !o.has(key) {
		return ""
	}
	n, _ := o.get(key)
	return o.d.scalar(key, n)
}

// optional is text, with nil for a key that is not there.
func (o *object) optional(key string) *string {
	if !o.has(key) {
		return nil
	}
	text := o.text(key)
	return &text
}

// bool reads true or false, false when key is not there.
func (o *object) bool(key string) bool {
	if !o.has(key) {
		return false
	}
	n, _ := o.get(key)
	if b, ok := o.d.plain(n).(*ast.BoolNode); ok {
		return b.Value
	}
	o.d.failAt(o.d.startOf(n), "%s is true or false", key)
	return false
}

// count reads a whole number of at least 0, 0 when key is not there.
func (o *object) count(key string) int {
	if !o.has(key) {
		return 0
	}
	n, _ := o.get(key)
	if i, ok := o.d.plain(n).(*ast.IntegerNode); ok {
		if v, err := strconv.Atoi(i.Token.Value); err == nil && v >= 0 {
			return v
		}
	}
	o.d.failAt(o.d.startOf(n), "%s is a whole number of at least 0", key)
	return 0
}

// list reads a sequence of scalars, nil when key is not there.
func (o *object) list(key string) []string {
	out := []string{}
	for _, n := range o.items(key) {
		out = append(out, o.d.scalar(key, n))
	}
	if !o.has(key) {
		return nil
	}
	return out
}

// items returns the elements of a sequence and notes where they are.
func (o *object) items(key string) []ast.Node {
	if !o.has(key) {
		return nil
	}
	n, path := o.get(key)
	seq, ok := o.d.plain(n).(*ast.SequenceNode)
	if !ok {
		o.d.failAt(o.d.startOf(n), "%s is a list: write [A, B], or one line for each with a dash", key)
		return nil
	}
	for i, item := range seq.Values {
		o.d.at[indexPath(path, i)] = o.d.startOf(item)
	}
	return seq.Values
}

// scalar reads one text, number or truth value as it is written in the file:
// 007 is "007", and 1.50 is "1.50".
func (d *document) scalar(what string, n ast.Node) string {
	switch n := d.plain(n).(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode:
		return n.Token.Value
	case *ast.FloatNode:
		return n.Token.Value
	case *ast.BoolNode:
		return n.Token.Value
	case *ast.InfinityNode, *ast.NanNode:
		d.failAt(d.startOf(n), "%s is no number that can be sent; put it in quotes if it is a text", quoted(n.GetToken().Value))
	case *ast.NullNode:
		d.failAt(d.startOf(n), "%s has no value; the word null means so too, and stands for itself only in quotes", what)
	default:
		d.failAt(d.startOf(n), "%s is one text, and this is %s", what, kindOf(n))
	}
	return ""
}

// key reads the key of a pair as it is written.
func (d *document) key(n ast.MapKeyNode) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	case *ast.MergeKeyNode:
		d.failAt(d.startOf(n), "a mapping has no merge keys (<<): what is sent should be there to read; write the keys out")
	default:
		d.failAt(d.startOf(n), "a key is one word, and this is %s", kindOf(n))
	}
	return "", false
}

// plain returns n, after refusing what YAML has and a mapping does not.
func (d *document) plain(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		d.failAt(d.startOf(n), "a mapping has no anchors and aliases (&, *): what is sent should be there to read; write the value out, or put a text in quotes that starts with & or *")
		return nil
	case *ast.TagNode, *ast.DirectiveNode:
		d.failAt(d.startOf(n), "a mapping has no tags (!, %%): put a text in quotes that starts with one of these")
		return nil
	default:
		return n
	}
}

func unknownKey(what, key string, known []string) string {
	if word := near(key, known); word != "" {
		return "unknown key " + quoted(key) + " in " + what + "; did you mean " + quoted(word) + "?"
	}
	return "unknown key " + quoted(key) + " in " + what + "; it can have " + listed(known)
}

// kindOf names a node for people.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a set of `key: value` pairs"
	}
	return "something else"
}

// startOf is where n starts.
func (d *document) startOf(n ast.Node) place {
	var tk *token.Token
	switch n := n.(type) {
	case nil:
	case *ast.MappingNode:
		if tk = n.Start; !n.IsFlowStyle && len(n.Values) > 0 {
			return d.startOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return d.startOf(n.Key)
	default:
		tk = n.GetToken()
	}
	return d.placeOfToken(tk)
}

// placeOfToken is where a token starts. The column of the YAML library counts
// no tabs between tokens, but its offset, in characters of the file, does.
func (d *document) placeOfToken(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{1, 1}
	}
	if d.lines == nil {
		d.lines = lineStarts(d.text)
	}
	line, column := tk.Position.Line, tk.Position.Column
	if 1 <= line && line < len(d.lines) {
		if c := tk.Position.Offset - d.lines[line-1]; c >= 1 && c <= d.lines[line]-d.lines[line-1] {
			column = c
		}
	}
	return place{line, max(column, 1)}
}

// lineStarts is how many characters stand before each line, and before the end
// of the file.
func lineStarts(text []byte) []int {
	starts, n := []int{0}, 0
	for _, r := range string(text) {
		if n++; r == '\n' {
			starts = append(starts, n)
		}
	}
	return append(starts, n+1)
}

// isBlock reports whether n is a mapping that starts on a line of its own.
func isBlock(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.MappingNode:
		return !n.IsFlowStyle
	case *ast.MappingValueNode:
		return true
	}
	return false
}

func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func indexPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
