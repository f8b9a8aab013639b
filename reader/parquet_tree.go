package reader

import (
	"errors"
	"fmt"
)

// maxSchemaDepth bounds the nesting of groups.
const maxSchemaDepth = 100

// Repetition types of parquet.thrift.
const (
	repRequired = 0
	repOptional = 1
	repRepeated = 2
)

// schemaNode is a SchemaElement of parquet.thrift with its place in the tree.
type schemaNode struct {
	name       string
	physical   int64 // a parquet.Type; meaningless for groups
	length     int64 // of a FIXED_LEN_BYTE_ARRAY
	repetition int64
	children   int64
	converted  int64 // -1: none
	scale      int64
	precision  int64
	logical    logicalType

	path           string // names from below the root, joined by dots
	group          bool
	inner          string // what the nearest repeated node above or at this one is; "" when there is none
	maxDef, maxRep int
	leaf           int // number among the leaves, -1 for a group
}

// logicalType is the union LogicalType of parquet.thrift: which member is set,
// by its number there, and what stands in it.
type logicalType struct {
	id     int64
	scale  int64
	prec   int64
	bits   int64
	signed bool
	utc    bool
	unit   int64 // 1 ms, 2 us, 3 ns
}

// buildTree finds the place of every node, which stand in depth-first order.
func buildTree(nodes []schemaNode) error {
	if len(nodes) == 0 {
		return errors.New("there is none")
	}
	type open struct {
		node int
		left int64
	}
	stack := []open{{0, nodes[0].children}}
	nodes[0].group, nodes[0].leaf = true, -1
	leaves := 0
	for i := 1; i < len(nodes); i++ {
		for len(stack) > 0 && stack[len(stack)-1].left == 0 {
			stack = stack[:len(stack)-1]
		}
		if len(stack) == 0 || len(stack) > maxSchemaDepth {
			return fmt.Errorf("element %d (%q) fits nowhere", i, nodes[i].name)
		}
		top := &stack[len(stack)-1]
		top.left--
		n, parent := &nodes[i], &nodes[top.node]
		if n.children < 0 || n.children >= int64(len(nodes)) || n.repetition < repRequired || n.repetition > repRepeated {
			return fmt.Errorf("element %d (%q) is impossible", i, n.name)
		}
		n.place(parent, top.node == 0)
		if n.group {
			n.leaf = -1
			stack = append(stack, open{i, n.children})
		} else {
			n.leaf = leaves
			leaves++
		}
	}
	for _, o := range stack {
		if o.left != 0 {
			return fmt.Errorf("%q lacks %d of its elements", nodes[o.node].name, o.left)
		}
	}
	return nil
}

// place derives what a node inherits from the one that it stands in.
func (n *schemaNode) place(parent *schemaNode, top bool) {
	n.group = n.children > 0 || n.physical < 0 // a group of nothing has no type
	n.path = n.name
	if !top {
		n.path = parent.path + "." + n.name
	}
	n.maxDef, n.maxRep, n.inner = parent.maxDef, parent.maxRep, parent.inner
	switch n.repetition {
	case repRepeated:
		n.maxDef, n.maxRep = n.maxDef+1, n.maxRep+1
		n.inner = parent.path
		if top || parent.what() == "a group" {
			n.inner = n.path
		}
	case repOptional:
		n.maxDef++
	}
}

// what says what a node is that cannot be mapped; "" for a single value.
func (n *schemaNode) what() string {
	switch {
	case n.logical.id == logicalList || n.converted == convertedList:
		return "a list"
	case n.logical.id == logicalMap || n.converted == convertedMap:
		return "a map"
	case n.repetition == repRepeated:
		return "a list"
	case n.group:
		return "a group"
	}
	return ""
}
