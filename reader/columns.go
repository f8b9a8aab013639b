package reader

import (
	"fmt"
	"slices"
	"strings"
)

// findColumns returns for each wanted column its index in names, -1 for an
// optional one that is absent. Names are compared exactly: a wrong guess about
// a column bills the wrong thing.
func findColumns(names []string, want []Column) ([]int, error) {
	index := make([]int, len(want))
	for i, col := range want {
		index[i] = slices.Index(names, col.Name)
		if index[i] < 0 {
			if col.Optional {
				continue
			}
			return nil, missingColumn(names, col.Name, "header")
		}
		if k := slices.Index(names[index[i]+1:], col.Name); k >= 0 {
			return nil, fmt.Errorf("column %q: stands in the header twice, as columns %d and %d; rename one of them",
				col.Name, index[i]+1, index[i]+k+2)
		}
	}
	return index, nil
}

// MissingColumnError says that a column is not among those of the source.
type MissingColumnError struct {
	Column string
	Names  []string // of the columns that are there
	Near   []string // quoted, those that were meant perhaps
	where  string
}

func missingColumn(names []string, name, where string) error {
	return &MissingColumnError{Column: name, Names: names, Near: nearNames(names, name), where: where}
}

func (e *MissingColumnError) Error() string {
	if len(e.Near) > 0 {
		return fmt.Sprintf("column %q: not in the %s; did you mean %s?", e.Column, e.where, strings.Join(e.Near, " or "))
	}
	return fmt.Sprintf("column %q: not in the %s, which has %s", e.Column, e.where, listNames(e.Names))
}

// listNames quotes names, the first few of them.
func listNames(names []string) string {
	const most = 12
	var b strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", name)
	}
	return b.String()
}

// nearNames returns, quoted, the at most three names that somebody who wrote
// name may have meant, the likeliest first.
func nearNames(names []string, name string) []string {
	type near struct {
		name string
		far  int
	}
	fold := foldName(name)
	var found []near
	for _, n := range names {
		f := foldName(n)
		far := distance(fold, f)
		if n != "" && (far == 0 || far <= 2 && far*3 <= len(fold)) {
			found = append(found, near{n, far})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return a.far - b.far })
	var out []string
	for _, n := range found[:min(3, len(found))] {
		out = append(out, fmt.Sprintf("%q", n.name))
	}
	return out
}

// foldName drops what people get wrong first: case, spaces, and the marks
// between words.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t_-.\ufeff", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// distance is the number of bytes to insert, delete or change (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		if a == b {
			return 0
		}
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
