// Package samples holds made usage of a made company: three days of it, each
// day as CSV, NDJSON and Parquet with the same good rows, and among them bad
// rows of every kind that the format can have. The generator beside it makes
// the files and, by other means than the importer's, says what is right.
package samples

import "embed"

//go:generate go run ./generate

// Demo are the files that the demo imports: one day of each format, and the
// mapping for them all.
//
//go:embed mapping.yaml usage-2026-01-01.csv usage-2026-01-02.ndjson usage-2026-01-03.parquet
var Demo embed.FS

// Expected says what a right import of each file comes to: see [File].
//
//go:embed expected.json
var Expected []byte

// File is what expected.json says of one sample.
type File struct {
	Name     string            `json:"name"`
	Rows     int64             `json:"rows"`
	Good     int64             `json:"good"`
	Rejected map[string]int64  `json:"rejected"` // by code
	Totals   map[string]string `json:"totals"`   // "meter measure.field": exact sum
	// SHA256 is of the good rows' measurements in order, each followed by a
	// line feed; the same for all formats of a day.
	SHA256 string `json:"sha256"`
	// First are the first measurements, byte for byte.
	First []string `json:"first"`
}
