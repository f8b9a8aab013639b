package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// row is one row of usage, as text; the writers give it its format's types.
type row struct {
	id, account, meter, ts, gb, requests, region, note string

	// bad is the code under which a right importer rejects the row; "" for a
	// good one. raw, when there is one, stands in the file instead of the row.
	bad string
	raw string
}

var (
	accounts = []string{"acme", "aurora-books", "Bäckerei Blum", "cobalt labs", "delta-9", "東京ストア"}
	meters   = []string{"storage", "egress", "api"}
	regions  = []string{"eu-west-1", "us-east-1", "ap-south-1", ""}
	notes    = []string{"", "", "", "monthly, prepaid", `the "gold" tier`, "two\nlines", "100 % café ☕", `back\slash`}
)

const rowsPerDay = 1400

// day makes the good rows of one day, in order.
func day(date time.Time, rnd *rand.Rand) []row {
	rows := make([]row, rowsPerDay)
	step := 24 * time.Hour / rowsPerDay
	for i := range rows {
		ts := date.Add(time.Duration(i) * step).Add(time.Duration(rnd.IntN(60_000)) * time.Millisecond).Truncate(time.Millisecond)
		layout := "2006-01-02T15:04:05.000Z"
		if ts.Nanosecond() == 0 {
			layout = "2006-01-02T15:04:05Z"
		}
		rows[i] = row{
			id:       fmt.Sprintf("evt-%s-%05d", date.Format("20060102"), i),
			account:  accounts[rnd.IntN(len(accounts))],
			meter:    meters[rnd.IntN(len(meters))],
			ts:       ts.Format(layout),
			gb:       fmt.Sprintf("%d.%04d", rnd.IntN(500), rnd.IntN(10_000)),
			requests: fmt.Sprint(rnd.IntN(90_000)),
			region:   regions[rnd.IntN(len(regions))],
			note:     notes[rnd.IntN(len(notes))],
		}
		switch rnd.IntN(400) {
		case 0:
			rows[i].requests = "9007199254740993" // 2^53 + 1: a double would lose the last digit
		case 1:
			rows[i].gb = "-" + rows[i].gb // a correction
		case 2:
			rows[i].gb = "0.0000"
		}
	}
	return rows
}

// withBad puts bad rows between the good ones, each broken in one way.
func withBad(rows []row, bad []row, rnd *rand.Rand) []row {
	out := make([]row, 0, len(rows)+len(bad))
	every := len(rows) / (len(bad) + 1)
	for i, r := range rows {
		if i > 0 && i%every == 0 && len(bad) > 0 {
			out = append(out, bad[0])
			bad = bad[1:]
		}
		out = append(out, r)
	}
	return append(out, bad...)
}

// like is a good row with an id of its own, to be broken.
func like(date time.Time, n int, change func(*row)) row {
	r := row{
		id: fmt.Sprintf("bad-%s-%02d", date.Format("20060102"), n), account: "acme", meter: "api",
		ts: date.Format("2006-01-02T15:04:05Z"), gb: "1.0000", requests: "1", region: "eu-west-1",
	}
	change(&r)
	return r
}

// badEverywhere are the bad rows that any format can hold.
func badEverywhere(date time.Time) []row {
	return []row{
		like(date, 1, func(r *row) { r.account, r.bad = "", "required" }),
		like(date, 2, func(r *row) { r.account, r.bad = " acme", "code" }),
		like(date, 3, func(r *row) { r.meter, r.bad = fmt.Sprintf("%081d", 7), "length" }),
		like(date, 4, func(r *row) { r.requests, r.bad = "", "required" }),
		like(date, 5, func(r *row) { r.id, r.bad = "", "uid" }),
	}
}

// badText are those that a format of text can hold besides.
func badText(date time.Time) []row {
	return []row{
		like(date, 11, func(r *row) { r.gb, r.bad = "n/a", "number" }),
		like(date, 12, func(r *row) { r.gb, r.bad = "1,5", "number" }),
		like(date, 13, func(r *row) { r.gb, r.bad = "NaN", "number" }),
		like(date, 14, func(r *row) { r.ts, r.bad = "2026-02-30T00:00:00Z", "time" }),
		like(date, 15, func(r *row) { r.ts, r.bad = "2026-01-01 00:00:00", "time-zone" }),
		like(date, 16, func(r *row) { r.ts, r.bad = "01/02/2026", "time" }),
		like(date, 17, func(r *row) { r.requests, r.bad = "1e999", "number-range" }),
	}
}

// badCSV are lines that are no CSV record of eight fields.
func badCSV() []row {
	return []row{
		{bad: "field-count", raw: "bad-short,acme,api,2026-01-01T00:00:00Z,1.0000,1,eu-west-1\n"},
		{bad: "field-count", raw: "bad-long,acme,api,2026-01-01T00:00:00Z,1.0000,1,eu-west-1,a note,with a comma\n"},
		{bad: "quote", raw: "bad-quote,acme,api,2026-01-01T00:00:00Z,1.0000,1,eu-west-1,a 5\" disk\n"},
		{bad: "utf-8", raw: "bad-utf8,acme,api,2026-01-01T00:00:00Z,1.0000,1,eu-west-1,caf\xe9\n"},
	}
}

// badNDJSON are lines that are no strict JSON object.
func badNDJSON() []row {
	return []row{
		{bad: "syntax", raw: `{"event_id":"bad-cut","account":"acme","me` + "\n"},
		{bad: "syntax", raw: `["not","an","object"]` + "\n"},
		{bad: "syntax", raw: `{"event_id":"bad-number","account":"acme","meter":"api","ts":"2026-01-01T00:00:00Z","gb":01,"requests":1}` + "\n"},
		{bad: "duplicate-key", raw: `{"event_id":"bad-twice","account":"acme","account":"other","meter":"api","ts":"2026-01-01T00:00:00Z","gb":1,"requests":1}` + "\n"},
	}
}
