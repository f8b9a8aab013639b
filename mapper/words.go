package mapper

import (
	"strconv"
	"strings"
)

// quoted is text in quotes, with what cannot be seen spelled out.
func quoted(text string) string { return strconv.Quote(text) }

// listed is a list as a sentence has it: "a, b or c".
func listed[T ~string](words []T) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// near is the word of words that text was most probably meant to be, or "".
func near(text string, words []string) string {
	const longest = 40 // no word comes near it
	if len(text) > longest {
		return ""
	}
	// More wrong than right, or four letters wrong, is another word.
	best, bestDistance := "", min(len(text)/2+1, 4)
	for _, w := range words {
		if strings.EqualFold(w, text) {
			return w
		}
		if d := distance(strings.ToLower(text), w); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and exchanges of
// neighbours that make b of a (optimal string alignment, on bytes).
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows[0], rows[1], rows[2] = above, row, before
	}
	return rows[1][len(b)]
}
