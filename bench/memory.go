package main

import (
	"fmt"
	"time"
)

// silence is how long the sink says nothing: time enough for an import to fill
// all the memory that it ever will.
const silence = 2 * time.Second

// The limits, in MiB.
const (
	textMust, textGoal       = 64, 40
	parquetMust, parquetGoal = 128, 96
)

// memory is how much an import takes at its peak, of small and large inputs,
// of wide rows, and when nothing gets away.
func memory(b *bench, format, name string, must, goal float64) contest {
	rows, wide, long := int64(1_000_000), int64(200_000), int64(8_000)
	if b.quick {
		rows, wide, long = 400_000, 50_000, 4_000
	}
	type memoryLoad struct {
		name string
		load
	}
	loads := []memoryLoad{
		{fmt.Sprintf("%s rows", grouped(rows)), load{in: input{format: format, rows: rows}}},
		{fmt.Sprintf("%s rows", grouped(5*rows)), load{in: input{format: format, rows: 5 * rows}}},
		{"no answers for a while", load{in: input{format: format, rows: rows}, manner: manner{hold: silence}}},
		{"200 columns, 8 mapped, no answers", load{in: input{format: format, rows: wide, extra: 188}, manner: manner{hold: silence}}},
		{"rows of 50 KiB, no answers", load{in: input{format: format, rows: long, text: 50 << 10}, manner: manner{hold: silence}}},
	}
	if format == "parquet" {
		loads = append(loads, memoryLoad{"one row group, " + grouped(4*rows) + " rows", load{in: input{format: format, rows: 4 * rows, group: 8 * rows}}})
	}
	c := contest{name: name + " memory", cold: true}
	for _, l := range loads {
		l.peak = true
		run := fmt.Sprintf("%s import, %s", name, l.name)
		c.runs = append(c.runs, b.importing(run, l.load))
		c.lines = append(c.lines, line{name: fmt.Sprintf("%s: peak memory, %s", name, l.name), of: []string{run},
			value: peak, must: must, goal: goal, worst: true, unit: "MiB"})
	}
	c.lines = append(c.lines, line{name: fmt.Sprintf("%s: peak memory, %s / %s rows", name, grouped(5*rows), grouped(rows)),
		of: []string{c.runs[1].name, c.runs[0].name}, value: peakRatio, must: 1.3, goal: 1.1, unit: "x"})
	return c
}
