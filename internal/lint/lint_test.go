// Package lint holds the rules that the compiler does not know: which package
// may import which, and how long a file may be.
package lint

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/m3import/m3import/"

// arrows are the imports that each package may have within the module, tests
// not counted. An arrow that is not here is a package that knows too much.
var arrows = map[string][]string{
	"internal/jsonx":     {},
	"internal/decimal":   {},
	"internal/uuidv5":    {},
	"internal/mutants":   {},
	"reader":             {"internal/jsonx"},
	"mapper":             {"reader", "internal/decimal", "internal/jsonx", "internal/uuidv5"},
	"uploader":           {},
	"checkpoint":         {"internal/jsonx"},
	"checkpoint/crashfs": {"checkpoint"},
	"pipeline":           {"reader", "mapper", "uploader", "checkpoint", "internal/decimal", "internal/jsonx"},
	"sandbox":            {"internal/decimal", "internal/jsonx"},
	"sandbox/conform":    {"sandbox"},
	"samples":            {},
	"samples/generate":   {"samples"},
	"cmd/m3import": {"pipeline", "reader", "mapper", "uploader", "checkpoint", "sandbox", "samples",
		"internal/decimal"},
}

// banned are packages that the product must not link, and why.
var banned = map[string]string{
	"github.com/apache/arrow/go/v17/parquet/pqarrow": "pulls in gRPC: +22 MB of binary",
	"github.com/apache/arrow/go/v17/arrow/flight":    "pulls in gRPC: +22 MB of binary",
	"google.golang.org/grpc":                         "nothing here speaks it",
	"github.com/xitongsys/parquet-go/reader":         "ends the process on a damaged file",
	"github.com/xitongsys/parquet-go/writer":         "writes samples and fixtures only",
	"github.com/getkin/kin-openapi/openapi3filter":   "checks exchanges in tests only",
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, patterns...)...)
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImportArrows(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name == "internal/lint" {
			continue
		}
		seen[name] = true
		allowed, known := arrows[name]
		if !known {
			t.Errorf("package %s is in no diagram: say in arrows what it may import", name)
		}
		for _, imp := range p.Imports {
			if to, ours := strings.CutPrefix(imp, module); ours && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s, which it must not know", name, to)
			}
		}
	}
	for name := range arrows {
		if !seen[name] {
			t.Errorf("arrows names %s, which is not there", name)
		}
	}
}

func TestNothingBannedIsLinked(t *testing.T) {
	for _, p := range list(t, "./cmd/m3import") {
		for _, dep := range p.Deps {
			for path, why := range banned {
				if dep == path || strings.HasPrefix(dep, path+"/") {
					t.Errorf("cmd/m3import links %s: %s", dep, why)
				}
			}
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	const most = 600
	err := filepath.WalkDir(root(t), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && strings.HasPrefix(e.Name(), ".") && path != root(t) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if lines := bytes.Count(text, []byte("\n")); lines > most {
			t.Errorf("%s has %d lines; past %d a file asks to be split by noun", path, lines, most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
