package mapper

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// examples are the mappings in the pages about mappings: every block of YAML
// that has a version.
func examples(t testing.TB) []string {
	t.Helper()
	var list []string
	for _, page := range []string{"mapping.md", "uid.md"} {
		text, err := os.ReadFile(filepath.Join("..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		n := len(list)
		for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
			block, _, ended := strings.Cut(block, "```")
			if !ended {
				t.Fatalf("%s: a block of YAML does not end", page)
			}
			list = append(list, block)
		}
		if len(list) == n {
			t.Errorf("%s has no examples", page)
		}
	}
	return list
}

// TestExamples: the examples of the manual are mappings. A block without a
// version is a piece of one, to be put into a mapping that lacks just that.
func TestExamples(t *testing.T) {
	for _, text := range examples(t) {
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("example\n%s\n%v", text, err)
		}
	}
}

// TestManualIsComplete: every word of the language is explained.
func TestManualIsComplete(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "mapping.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{topWords, itemWords, inputWords, csvWords, conditionWords, textWords, numberWords, timeWords, dstWords, uidWords, keyWords, spellingWords} {
		for _, word := range words {
			if !strings.Contains(string(text), "`"+word+"`") && !strings.Contains(string(text), "`"+word+":") {
				t.Errorf("docs/mapping.md does not explain `%s`", word)
			}
		}
	}
	for _, code := range []string{CodeRequired, CodeNumber, CodeNumberRange, CodeTime, CodeTimeZone, CodeTimeGap, CodeTimeOverlap, CodeCode, CodeLength, CodeScalar, CodeUID, CodeDuplicate, CodeFields, CodeUnknown} {
		if !strings.Contains(string(text), "`"+code+"`") {
			t.Errorf("docs/mapping.md does not explain the code %s", code)
		}
	}
}
