//go:build race

package uploader

// raced tells that the race detector makes everything ten times slower: runs
// that differ in length alone are left out.
const raced = true
