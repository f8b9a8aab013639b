package main

import "fmt"

// contests are everything that is measured, in the order of the table.
func contests(b *bench) []contest {
	rows := int64(1_000_000)
	if b.quick {
		rows = 500_000
	}
	return []contest{
		speedCSV(b, rows),
		speed(b, "NDJSON", input{format: "ndjson", rows: rows}, "json.Unmarshal into a struct", 0.45, 0.27),
		speed(b, "Parquet", input{format: "parquet", rows: rows}, "pqarrow RecordReader", 4.5, 3),
	}
}

// speed compares an import with its parts and with reading alone.
func speed(b *bench, name string, in input, library string, must, goal float64) contest {
	imp, check, bare, blast := name+" import", name+" check", name+" bare read", name+" blast"
	return contest{
		name: name,
		runs: []entry{
			b.importing(imp, load{in: in}), b.bareReading(bare, in), b.checking(check, in), b.blasting(blast, in, manner{}),
		},
		lines: []line{
			{name: fmt.Sprintf("%s: CPU, import / bare %s", name, library), of: []string{imp, bare}, value: cpuRatio, must: must, goal: goal, unit: "x"},
			{name: name + ": CPU, import / (check + sending bodies made before)", of: []string{imp, check, blast}, value: sumRatio, must: 1.25, goal: 1.08, unit: "x"},
			{name: name + ": time, check / import", of: []string{check, imp}, value: wallRatio, must: 1, unit: "x"},
		},
	}
}

// speedCSV is speed, and the plain importer.
func speedCSV(b *bench, rows int64) contest {
	in := input{format: "csv", rows: rows}
	c := speed(b, "CSV", in, "encoding/csv read", 2.2, 1.5)
	c.runs = append([]entry{b.naive("CSV naive -w 8", in)}, c.runs...)
	of := []string{"CSV import", "CSV naive -w 8"}
	c.lines = append([]line{
		{name: "CSV: rows/s, import / naive -w 8", of: of, value: speedRatio, must: 5, goal: 8, higher: true, unit: "x"},
		{name: "CSV: CPU a row, import / naive -w 8", of: of, value: cpuRatio, must: 1. / 5, goal: 1. / 8, unit: "x"},
	}, c.lines...)
	return c
}
