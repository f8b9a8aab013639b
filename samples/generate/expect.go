package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/m3import/m3import/samples"
)

func generate(dir string) error {
	var expected []samples.File
	for d := 1; d <= 3; d++ {
		date := time.Date(2026, 1, d, 0, 0, 0, 0, time.UTC)
		rnd := rand.New(rand.NewPCG(2026, uint64(d)))
		good := day(date, rnd)

		text := append(badEverywhere(date), badText(date)...)
		asCSV := withBad(good, append(slices.Clone(text), badCSV()...), rnd)
		asNDJSON := withBad(good, append(slices.Clone(text), badNDJSON()...), rnd)
		asParquet := withBad(good, badEverywhere(date), rnd)
		packed, err := parquetFile(asParquet)
		if err != nil {
			return err
		}
		for _, f := range []struct {
			suffix string
			rows   []row
			bytes  []byte
		}{{".csv", asCSV, csvFile(asCSV)}, {".ndjson", asNDJSON, ndjsonFile(asNDJSON)}, {".parquet", asParquet, packed}} {
			name := "usage-" + date.Format("2006-01-02") + f.suffix
			if err := os.WriteFile(filepath.Join(dir, name), f.bytes, 0o644); err != nil {
				return err
			}
			expected = append(expected, expect(name, f.rows))
		}
	}
	out, err := json.MarshalIndent(expected, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "expected.json"), append(out, '\n'), 0o644)
}

// expect says what a right import of rows comes to.
func expect(name string, rows []row) samples.File {
	f := samples.File{Name: name, Rejected: map[string]int64{}, Totals: map[string]string{}}
	sums := map[string]*big.Rat{}
	hash := sha256.New()
	for _, r := range rows {
		f.Rows++
		if r.bad != "" {
			f.Rejected[r.bad]++
			continue
		}
		f.Good++
		m := measurement(r)
		fmt.Fprintln(hash, m)
		if len(f.First) < 10 {
			f.First = append(f.First, m)
		}
		add(sums, r.meter+" measure.gb", r.gb)
		add(sums, r.meter+" measure.requests", r.requests)
	}
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		text := sums[key].FloatString(4)
		f.Totals[key] = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	f.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return f
}

func add(sums map[string]*big.Rat, key, text string) {
	if sums[key] == nil {
		sums[key] = new(big.Rat)
	}
	v, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("not a number: " + text)
	}
	sums[key].Add(sums[key], v)
}

// measurement writes what the platform must get for a row, without any of the
// importer's code.
func measurement(r row) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"uid":%q,"meter":%s,"account":%s,"ts":"%s"`, keyUID(r.id), quoted(r.meter), quoted(r.account), r.ts)
	if r.region != "" {
		fmt.Fprintf(&b, `,"where":{"region":%s}`, quoted(r.region))
	}
	b.WriteString(`,"other":{`)
	if r.note != "" {
		fmt.Fprintf(&b, `"note":%s,`, quoted(r.note))
	}
	fmt.Fprintf(&b, `"origin":"sample"},"measure":{"gb":%s,"requests":%s}}`, r.gb, r.requests)
	return b.String()
}

// namespace is the name space of m3import's uids (docs/uid.md).
var namespace = uuid.MustParse("714591f1-e156-47dc-b0b3-badbef053032")

// keyUID recomputes the uid of a key of one column, as docs/uid.md describes it.
func keyUID(key string) string {
	space := uuid.NewSHA1(namespace, []byte("m3import:1:key:"))
	return uuid.NewSHA1(space, fmt.Appendf(nil, "%d:%s", len(key), key)).String()
}
