package reader

import (
	"io"
	"os"
	"testing"

	"github.com/m3import/m3import/internal/decimal"
)

// openData opens a file of the public data set, which is not part of the
// repository.
func openData(t testing.TB, name string, columns ...string) *Source {
	t.Helper()
	path := "../../shared/data/open/" + name
	if _, err := os.Stat(path); err != nil {
		t.Skipf("public data set not there: %v", err)
	}
	opt := Options{}
	for _, c := range columns {
		opt.Columns = append(opt.Columns, Column{Name: c})
	}
	s, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// sumColumn adds up a column of numbers.
func sumColumn(t *testing.T, s *Source, column int) (rows, values int, sum decimal.Sum) {
	t.Helper()
	for {
		c, err := s.Next()
		if err == io.EOF {
			return rows, values, sum
		}
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range c.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if rows++; rec.Pos.Line != int64(rows) {
				t.Fatalf("row %d is at %v", rows, rec.Pos)
			}
			v := rec.Values[column]
			if v.Kind == Null {
				continue
			}
			d, ok := decimal.Parse(v.Text)
			if v.Kind != Number || !ok {
				t.Fatalf("row %d: %v %q", rows, v.Kind, v.Text)
			}
			values++
			sum.Add(d)
		}
		c.Release()
	}
}

func TestParquetRealFiles(t *testing.T) {
	for _, test := range []struct {
		file, column string
		leaves       int
		rows, values int
		sum          string
	}{
		{"ga4_events.snappy.parquet", "ecommerce.total_item_quantity", 94, 24219, 998, "4156"},
		{"focus_1.0_sample.derived.zstd.parquet", "ConsumedQuantity", 0, 1000, 999, "13438.712904456820057"},
	} {
		t.Run(test.file, func(t *testing.T) {
			s := openData(t, test.file, test.column)
			if n := len(s.Columns()); test.leaves > 0 && n != test.leaves {
				t.Errorf("%d columns, want %d", n, test.leaves)
			}
			rows, values, sum := sumColumn(t, s, 0)
			if rows != test.rows || values != test.values || sum.String() != test.sum {
				t.Errorf("%d rows, %d values, sum %v, want %d, %d, %s", rows, values, &sum, test.rows, test.values, test.sum)
			}
		})
	}
}
