package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// contests are everything that is measured, in the order of the table.
func contests(b *bench) []contest {
	rows, large := int64(1_000_000), int64(5<<30)
	if b.quick {
		rows, large = 500_000, 500<<20
	}
	csv, ndjson, parquet := input{format: "csv", rows: rows}, input{format: "ndjson", rows: rows}, input{format: "parquet", rows: rows}
	return []contest{
		speedCSV(b, csv),
		speed(b, "NDJSON", ndjson, "json.Unmarshal into a struct", 0.45, 0.27),
		speed(b, "Parquet", parquet, "pqarrow RecordReader", 4.5, 3),
		distant(b, csv),
		memory(b, "csv", "CSV", textMust, textGoal),
		memory(b, "ndjson", "NDJSON", textMust, textGoal),
		memory(b, "parquet", "Parquet", parquetMust, parquetGoal),
		// Rows with some text make large files of fewer rows.
		resuming(b, "CSV", input{format: "csv", rows: large / 164}),
		resuming(b, "NDJSON", input{format: "ndjson", rows: large / 294}),
		resuming(b, "Parquet", input{format: "parquet", rows: large / 460, text: 400, plain: true}),
		allocations(b, csv, ndjson, parquet),
		manyFiles(b),
		binarySize(b),
		cores(b, csv, ndjson, parquet),
		compressed(b, csv),
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
func speedCSV(b *bench, in input) contest {
	c := speed(b, "CSV", in, "encoding/csv read", 2.2, 1.5)
	c.runs = append([]entry{b.naive("CSV naive -w 8", in)}, c.runs...)
	of := []string{"CSV import", "CSV naive -w 8"}
	c.lines = append([]line{
		{name: "CSV: rows/s, import / naive -w 8", of: of, value: speedRatio, must: 5, goal: 8, higher: true, unit: "x"},
		{name: "CSV: CPU a row, import / naive -w 8", of: of, value: cpuRatio, must: 1. / 5, goal: 1. / 8, unit: "x"},
	}, c.lines...)
	return c
}

// distant is how much of the rate that is possible with eight requests in the
// air is reached when each takes 50 ms. The program's start and end count.
func distant(b *bench, in input) contest {
	const delay, workers = 50 * time.Millisecond, 8
	share := func(s ...sample) float64 {
		return s[0].Num / workers * delay.Seconds() / s[0].Wall.Seconds()
	}
	imp, blast := "import, answers take 50 ms", "blast, answers take 50 ms"
	return contest{
		name: "distant", cold: true,
		runs: []entry{b.importing(imp, load{in: in, manner: manner{delay: delay}}), b.blasting(blast, in, manner{delay: delay})},
		lines: []line{
			{name: "answers take 50 ms: share of the ideal rate, 8 uploads", of: []string{imp}, value: share, must: 0.95, goal: 0.99, higher: true, unit: "%"},
			{name: "answers take 50 ms: the same, sending bodies made before", of: []string{blast}, value: share, unit: "%"},
		},
	}
}

// allocations counts those of an import that runs evenly.
func allocations(b *bench, inputs ...input) contest {
	c := contest{name: "allocations", cold: true}
	for _, in := range inputs {
		for _, l := range []struct {
			name    string
			nothing bool
		}{{in.format + ", allocations", false}, {in.format + ", allocations without sending", true}} {
			c.runs = append(c.runs, b.steady(l.name, in, l.nothing))
			c.lines = append(c.lines, line{name: "allocations a row, " + in.format + map[bool]string{true: ", cut, encode and pack alone"}[l.nothing],
				of: []string{l.name}, value: value, must: 0.1, goal: 0.01})
		}
	}
	return c
}

// steady is an import in a process that counts.
func (b *bench) steady(name string, in input, nothing bool) entry {
	return entry{name: name, do: func(ctx context.Context) (sample, error) {
		path, err := b.make(ctx, in)
		if err != nil {
			return sample{}, err
		}
		if err := b.sink.set(manner{}); err != nil {
			return sample{}, err
		}
		args := []string{"-m", b.mapping(), "-rows", fmt.Sprint(in.rows), "-state", b.fresh()}
		if nothing {
			args = append(args, "-nothing")
		}
		s, out, err := program{path: filepath.Join(b.bin, "steady"), args: append(args, path), env: b.sink.env()}.run(ctx)
		if err != nil {
			return s, err
		}
		var told struct{ Rows, Objects int64 }
		err = json.Unmarshal(out, &told)
		s.Num = float64(told.Objects) / float64(told.Rows)
		return s, err
	}}
}

// manyFiles compares ten thousand files with one that holds the same rows: when
// answers come at once, and when they take as long as those of a platform far away.
func manyFiles(b *bench) contest {
	const files, each = 10_000, 50
	const delay = 50 * time.Millisecond
	c := contest{name: "10,000 files"}
	for _, with := range []struct {
		what   string
		manner manner
	}{{"", manner{}}, {", answers take 50 ms", manner{delay: delay}}} {
		many, one := "10,000 files"+with.what, "one file of the same rows"+with.what
		c.runs = append(c.runs,
			b.importing(many, load{in: input{format: "csv", rows: files * each, files: files}, manner: with.manner}),
			b.importing(one, load{in: input{format: "csv", rows: files * each}, manner: with.manner}))
		c.lines = append(c.lines,
			line{name: "10,000 files of 50 rows / one file: time" + with.what, of: []string{many, one}, value: wallRatio, must: 1.2, unit: "x"})
		if with.what == "" {
			c.lines = append(c.lines, line{name: "10,000 files of 50 rows / one file: requests", of: []string{many, one},
				value: func(s ...sample) float64 { return s[0].Num / s[1].Num }, must: 1, unit: "x"})
		}
	}
	return c
}

// cores tells what a second core brings.
func cores(b *bench, inputs ...input) contest {
	c := contest{name: "cores"}
	for _, in := range inputs {
		one, two := in.format+" import, GOMAXPROCS=1", in.format+" import, GOMAXPROCS=2"
		c.runs = append(c.runs, b.importing(one, load{in: in, env: []string{"GOMAXPROCS=1"}}), b.importing(two, load{in: in, env: []string{"GOMAXPROCS=2"}}))
		c.lines = append(c.lines,
			line{name: in.format + ": rows/s, GOMAXPROCS 2 / 1", of: []string{two, one}, value: speedRatio, higher: true, unit: "x"},
			line{name: in.format + ": CPU, GOMAXPROCS 2 / 1", of: []string{two, one}, value: cpuRatio, unit: "x"})
	}
	return c
}

// compressed tells what decompressing adds.
func compressed(b *bench, plain input) contest {
	c := contest{name: "compressed", runs: []entry{b.importing("CSV import, plain", load{in: plain})}}
	for _, pack := range []string{"gzip", "zstd"} {
		in := plain
		in.pack = pack
		run := "CSV import, " + pack
		of := []string{run, c.runs[0].name}
		c.runs = append(c.runs, b.importing(run, load{in: in}))
		c.lines = append(c.lines,
			line{name: "CSV: time, " + pack + " / plain", of: of, value: wallRatio, unit: "x"},
			line{name: "CSV: CPU, " + pack + " / plain", of: of, value: cpuRatio, unit: "x"})
	}
	return c
}
