package mapper

import (
	"slices"

	"github.com/m3import/m3import/reader"
)

// input checks what the mapping says about the source, so that a slip there
// has a line and a column too.
func (c *compiler) input(in *reader.Options) {
	oneOf(c, "input.format", in.Format, reader.CSV, reader.NDJSON, reader.Parquet)
	oneOf(c, "input.compression", in.Compression, reader.None, reader.Gzip, reader.Zstd)
	oneOf(c, "input.csv.newline", in.CSV.Newline, "lf", "cr")
	c.oneByte("input.csv.delimiter", in.CSV.Delimiter)
	if in.CSV.Quote != "none" {
		c.oneByte("input.csv.quote", in.CSV.Quote)
	}
	c.oneByte("input.csv.comment", in.CSV.Comment)
}

// oneOf checks a word that has few values, and "" for the default.
func oneOf[T ~string](c *compiler, path string, word T, words ...T) {
	if word != "" && !slices.Contains(words, word) {
		c.fail(path, "%s is not possible; it can be %s", quoted(string(word)), listed(words))
	}
}

// oneByte checks a text that is one byte, or "" for the default.
func (c *compiler) oneByte(path, text string) {
	switch {
	case text == `\t`:
		c.fail(path, `YAML knows \t for a tab in double quotes only: write "\t"`)
	case len(text) > 1:
		c.fail(path, "%s is not one ASCII character", quoted(text))
	}
}
