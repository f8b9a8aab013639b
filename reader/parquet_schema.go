package reader

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

// Members of the union LogicalType of parquet.thrift.
const (
	logicalMap       = 2
	logicalList      = 3
	logicalDecimal   = 5
	logicalDate      = 6
	logicalTime      = 7
	logicalTimestamp = 8
	logicalInteger   = 10
	logicalBSON      = 13
	logicalUUID      = 14
	logicalFloat16   = 15
	logicalVariant   = 16
	logicalGeometry  = 17
	logicalGeography = 18
)

// ConvertedTypes of parquet.thrift, which LogicalType replaced.
const (
	convertedMap         = 1
	convertedList        = 3
	convertedDecimal     = 5
	convertedDate        = 6
	convertedTimeMillis  = 7
	convertedTimeMicros  = 8
	convertedStampMillis = 9
	convertedStampMicros = 10
	convertedUint8       = 11
	convertedUint64      = 14
	convertedBSON        = 20
	convertedInterval    = 21
)

// parquetColumn is a leaf of the schema that is read. It is immutable.
type parquetColumn struct {
	name     string
	slot     int // in Record.Values; -1 for a column that only proves the number of rows
	leaf     int
	physical parquet.Type
	length   int // of a FIXED_LEN_BYTE_ARRAY, in bytes
	maxDef   int16
	text     textForm
	descr    *schema.Column // what Arrow is told
}

// fixed reports whether all values take the same few bytes in a batch.
func (c *parquetColumn) fixed() bool {
	switch c.physical {
	case parquet.Types.ByteArray, parquet.Types.FixedLenByteArray, parquet.Types.Int96:
		return false
	}
	return true
}

// findParquetColumns finds the leaves that are wanted. A column is named by
// its path, so a leaf with dots in its own name is found by it as well.
func findParquetColumns(nodes []schemaNode, want []Column) ([]parquetColumn, error) {
	at := make(map[string]int, len(nodes)) // path to node; -1 when several have it
	var names []string
	for i := range nodes[1:] {
		n := &nodes[i+1]
		if n.leaf >= 0 && n.maxRep == 0 {
			names = append(names, n.path)
		}
		if _, twice := at[n.path]; twice {
			at[n.path] = -1
			continue
		}
		at[n.path] = i + 1
	}
	var cols []parquetColumn
	for slot, w := range want {
		i, ok := at[w.Name]
		if !ok {
			i, ok = listElement(at, w.Name)
		}
		if !ok {
			if w.Optional {
				continue
			}
			return nil, missingColumn(names, w.Name, "schema")
		}
		if i < 0 {
			return nil, fmt.Errorf("column %q: stands in the schema twice; rename one of them", w.Name)
		}
		col, err := newParquetColumn(&nodes[i], nodes)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", w.Name, err)
		}
		col.name, col.slot = w.Name, slot
		cols = append(cols, col)
	}
	if len(cols) == 0 {
		return rowWitness(nodes), nil
	}
	return cols, nil
}

// listElement finds the node that a path with an index ("tags[0]") is about.
func listElement(at map[string]int, name string) (int, bool) {
	k := strings.IndexByte(name, '[')
	if k < 0 {
		return 0, false
	}
	i, ok := at[name[:k]]
	return i, ok
}

// rowWitness picks a column to read when none is wanted, so that the number of
// rows is never a mere claim of the footer. A file of nothing but lists has none.
func rowWitness(nodes []schemaNode) []parquetColumn {
	for i := range nodes {
		if n := &nodes[i]; n.leaf >= 0 && n.maxRep == 0 {
			if col, err := newParquetColumn(n, nodes); err == nil {
				col.name, col.slot = n.path, -1
				return []parquetColumn{col}
			}
		}
	}
	return nil
}

// newParquetColumn makes a column of a leaf, or says why it cannot.
func newParquetColumn(n *schemaNode, nodes []schemaNode) (parquetColumn, error) {
	if what := n.what(); what != "" {
		if what == "a group" {
			return parquetColumn{}, fmt.Errorf("a group of columns, not one of them; it has %s", listNames(leavesBelow(n, nodes)))
		}
		return parquetColumn{}, fmt.Errorf("%s, which has any number of values in a row; only single values can be mapped", what)
	}
	if n.maxRep > 0 {
		return parquetColumn{}, fmt.Errorf("part of %q, which has any number of values in a row; only single values can be mapped", n.inner)
	}
	if n.physical < 0 || n.physical >= int64(parquet.Types.Undefined) {
		return parquetColumn{}, fmt.Errorf("physical type %d, which is unknown", n.physical)
	}
	c := parquetColumn{leaf: n.leaf, physical: parquet.Type(n.physical), maxDef: int16(n.maxDef)}
	if c.physical == parquet.Types.FixedLenByteArray {
		if n.length <= 0 || n.length > maxPageBytes {
			return parquetColumn{}, fmt.Errorf("FIXED_LEN_BYTE_ARRAY of %d bytes, which is impossible", n.length)
		}
		c.length = int(n.length)
	}
	var err error
	if c.text, err = textFormOf(n, c.physical, c.length); err != nil {
		return parquetColumn{}, err
	}
	repetition := parquet.Repetitions.Required
	if n.maxDef > 0 {
		repetition = parquet.Repetitions.Optional
	}
	node, err := schema.NewPrimitiveNode(n.name, repetition, c.physical, -1, int32(c.length))
	if err != nil {
		return parquetColumn{}, err
	}
	c.descr = schema.NewColumn(node, c.maxDef, 0)
	return c, nil
}

func leavesBelow(group *schemaNode, nodes []schemaNode) (names []string) {
	for i := range nodes {
		if n := &nodes[i]; n.leaf >= 0 && n.maxRep == 0 && strings.HasPrefix(n.path, group.path+".") {
			names = append(names, n.path)
		}
	}
	return names
}

// textFormOf decides how the values of a leaf are written as text.
func textFormOf(n *schemaNode, physical parquet.Type, length int) (textForm, error) {
	is32, is64 := physical == parquet.Types.Int32, physical == parquet.Types.Int64
	isBytes := physical == parquet.Types.ByteArray || physical == parquet.Types.FixedLenByteArray
	wrong := func(what string) (textForm, error) {
		return textForm{}, fmt.Errorf("%s in %v values, which is impossible", what, physical)
	}
	l := n.logical
	switch {
	case l.id == logicalDecimal || l.id == 0 && n.converted == convertedDecimal:
		scale, prec := n.scale, n.precision
		if l.id == logicalDecimal {
			scale, prec = l.scale, l.prec
		}
		if !is32 && !is64 && !isBytes {
			return wrong("DECIMAL")
		}
		if scale < 0 || prec < 1 || scale > prec || prec > maxDecimalDigits {
			return textForm{}, fmt.Errorf("DECIMAL(%d,%d), where a precision of 1 to %d and a scale up to it are possible", prec, scale, maxDecimalDigits)
		}
		if isBytes {
			return textForm{kind: formDecimalBytes, scale: int(scale)}, nil
		}
		return textForm{kind: formDecimal, scale: int(scale)}, nil
	case l.id == logicalDate || l.id == 0 && n.converted == convertedDate:
		if !is32 {
			return wrong("DATE")
		}
		return textForm{kind: formDate}, nil
	case l.id == logicalTime, l.id == logicalTimestamp:
		if l.unit < 1 || l.unit > 3 {
			return textForm{}, fmt.Errorf("time unit %d, which is unknown", l.unit)
		}
		if (l.id == logicalTimestamp || l.unit > 1) && !is64 || l.id == logicalTime && l.unit == 1 && !is32 {
			return wrong("TIME or TIMESTAMP")
		}
		form := textForm{kind: formTime, digits: int(3 * l.unit), utc: l.utc}
		if l.id == logicalTimestamp {
			form.kind = formTimestamp
		}
		return form, nil
	case l.id == logicalInteger:
		if !is32 && !is64 || l.bits == 64 && !is64 || l.bits != 8 && l.bits != 16 && l.bits != 32 && l.bits != 64 {
			return wrong(fmt.Sprintf("INTEGER of %d bits", l.bits))
		}
		return integerForm(!l.signed, is32), nil
	case l.id == logicalUUID:
		if length != 16 {
			return wrong("UUID")
		}
		return textForm{kind: formUUID}, nil
	case l.id == logicalFloat16:
		if length != 2 {
			return wrong("FLOAT16")
		}
		return textForm{kind: formFloat16}, nil
	case l.id == logicalBSON || n.converted == convertedBSON:
		return textForm{}, errorBinary("BSON")
	case n.converted == convertedInterval:
		return textForm{}, errorBinary("INTERVAL")
	case l.id >= logicalVariant && l.id <= logicalGeography:
		return textForm{}, errorBinary([...]string{"VARIANT", "GEOMETRY", "GEOGRAPHY"}[l.id-logicalVariant])
	case l.id == 0 && n.converted >= convertedTimeMillis && n.converted <= convertedStampMicros:
		// LogicalTypes.md: the converted times are UTC-adjusted.
		form := textForm{kind: formTime, digits: 3, utc: true}
		if n.converted == convertedTimeMicros || n.converted == convertedStampMicros {
			form.digits = 6
		}
		if n.converted >= convertedStampMillis {
			form.kind = formTimestamp
		}
		if n.converted == convertedTimeMillis && !is32 || n.converted != convertedTimeMillis && !is64 {
			return wrong("TIME or TIMESTAMP")
		}
		return form, nil
	}
	switch physical {
	case parquet.Types.Boolean:
		return textForm{kind: formBool}, nil
	case parquet.Types.Int32, parquet.Types.Int64:
		return integerForm(n.converted >= convertedUint8 && n.converted <= convertedUint64, is32), nil
	case parquet.Types.Int96:
		return textForm{kind: formInt96}, nil
	case parquet.Types.Float:
		return textForm{kind: formFloat32}, nil
	case parquet.Types.Double:
		return textForm{kind: formFloat64}, nil
	}
	return textForm{kind: formString}, nil
}

func integerForm(unsigned, is32 bool) textForm {
	switch {
	case unsigned && is32:
		return textForm{kind: formUint32}
	case unsigned:
		return textForm{kind: formUint64}
	}
	return textForm{kind: formInt}
}

func errorBinary(what string) error {
	return fmt.Errorf("%s, which is neither a text nor a number and cannot be mapped", what)
}
