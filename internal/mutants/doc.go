// Package mutants holds defects that the tests must find: each is a small change
// to a source file, and the name of a test that fails with it. Its tests build
// the program with one of them at a time (go test -overlay), and fail when a
// defect survives:
//
//	go test -tags slow -run TestMutants -v -timeout 30m ./internal/mutants
//
// It knows nothing of what it breaks but the text.
package mutants
