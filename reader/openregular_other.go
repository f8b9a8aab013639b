//go:build !unix

package reader

import "os"

// OpenRegular is os.Open.
func OpenRegular(path string) (*os.File, error) { return os.Open(path) }
