package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/sandbox"
)

const preflightMapping = "version: 1\nmeter: {const: api}\naccount: {const: acme}\nts: {const: 2026-01-01T00:00:00Z}\nuid: {key: [id]}\nmeasure: {n: n}\n"

// Of many sources that are at fault the first one is told, as if they were looked
// at one after the other; nothing is sent, and no state directory is made.
func TestFirstSourceAtFaultIsTold(t *testing.T) {
	faults := []struct{ text, words string }{
		{"id,m\nx,1\n", `: column "n": not in the header, which has "id", "m"`},
		{"PK\x03\x04\x14\x00", ": a ZIP archive or an Excel workbook"},
		{"id,\"n\nx,1\n", ": csv header on line 1: a quote in it is bare"},
		{"\x1f\x8b", ": gzip data ends in the middle"},
	}
	for seed := range uint64(12) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "in"), 0o755); err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"m.yaml": preflightMapping}
		for i := range 150 {
			files[fmt.Sprintf("in/%03d.csv", i)] = fmt.Sprintf("id,n\nx%d,1\n", i)
		}
		first, words := 150, ""
		for k := range 4 {
			i, f := rnd.IntN(150), faults[(int(seed)+k)%len(faults)]
			if i == first {
				continue
			}
			files[fmt.Sprintf("in/%03d.csv", i)] = f.text
			if i < first {
				first, words = i, f.words
			}
		}
		writeFiles(t, dir, files)
		s := newSession(t, newPlatform(t, sandbox.Config{}))
		code, _, stderr := s.run("run", "-m", filepath.Join(dir, "m.yaml"), filepath.Join(dir, "in"))
		if want := fmt.Sprintf("%03d.csv%s", first, words); code != exitUsage || !strings.Contains(stderr, want) || !strings.Contains(stderr, "nothing was sent") {
			t.Errorf("seed %d: exit code %d, want %d and %q:\n%s", seed, code, exitUsage, want, stderr)
		}
		if n := s.p.Totals().Measurements; n != 0 {
			t.Errorf("seed %d: %d measurements were sent", seed, n)
		}
		if states, _ := filepath.Glob(filepath.Join(s.env["XDG_STATE_HOME"], "m3import", "in*")); len(states) > 0 {
			t.Errorf("seed %d: there is a state directory: %q", seed, states)
		}
	}
}

// What a trial learns of a source's print is what its own opening tells.
func TestPrintsOfATrial(t *testing.T) {
	dir := t.TempDir()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("id,n\nx,1\n"))
	z.Close()
	files := map[string]string{"empty.csv": "", "small.csv": "id,n\nx,1\n", "small.csv.gz": packed.String(), "rows.ndjson": `{"id":"x","n":1}` + "\n"}
	for _, n := range []int{heldBytes - 1, heldBytes, heldBytes + 1, 2 * heldBytes, 3 * heldBytes} {
		files[fmt.Sprintf("%d.csv", n)] = "id,n\n" + strings.Repeat("x,1\n", n)[:n-len("id,n\n")]
	}
	writeFiles(t, dir, files)
	mapping, err := mapper.Parse([]byte(preflightMapping))
	if err != nil {
		t.Fatal(err)
	}
	for _, full := range []bool{false, true} {
		for _, m := range []*mapper.Mapping{mapping, nil} {
			j := &job{mapping: m, verifyFull: full, paths: []string{"-"}}
			for name := range files {
				j.paths = append(j.paths, filepath.Join(dir, name))
			}
			fine := j.tryAll(t.Context(), &pipeline.Import{Mapping: m})
			for i, path := range j.paths[1:] {
				p, known := j.prints[path]
				if small := len(files[filepath.Base(path)]) <= heldBytes; m != nil && (known != (small || !full) || !fine[i+1]) {
					t.Errorf("%s, full %v: fine %v, print known %v", path, full, fine[i+1], known)
				}
				alone, err := (&job{mapping: m, verifyFull: full}).fingerprint(path)
				if err != nil {
					t.Fatal(err)
				}
				if known && alone.Print != p {
					t.Errorf("%s, full %v: print %+v, want %+v", path, full, p, alone.Print)
				}
				if got, err := j.fingerprint(path); err != nil || got != alone {
					t.Errorf("%s, full %v: source %+v (%v), want %+v", path, full, got, err, alone)
				}
			}
			if fine[0] || j.prints["-"].Head != "" {
				t.Error("standard input was tried")
			}
		}
	}
}

// A stop during the trials is a stop.
func TestStopWhileSourcesAreTried(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"x.csv": "id\nx\n"})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := new(app).preflight(ctx, new(runFlags), &job{paths: []string{filepath.Join(dir, "x.csv")}})
	if !errors.Is(err, pipeline.ErrStopped) {
		t.Errorf("%v", err)
	}
}
