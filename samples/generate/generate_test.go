package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The files in the folder are what the generator makes: nobody edits them by
// hand, and nobody changes the generator without them.
func TestSamplesAreGenerated(t *testing.T) {
	dir := t.TempDir()
	if err := generate(dir); err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadDir(dir)
	if err != nil || len(made) != 10 {
		t.Fatalf("%d files, error %v, want 10", len(made), err)
	}
	for _, e := range made {
		want, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", e.Name()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator makes (error %v): run go generate ./samples", e.Name(), err)
		}
	}
}
