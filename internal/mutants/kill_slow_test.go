//go:build slow

package mutants

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mostTime is how long the tests of one mutant may take; one that hangs is
// found by that.
const mostTime = 3 * time.Minute

// Each defect is found by the tests that are said to find it, which pass
// without it.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			if out, err := m.test(t.Context()); err != nil {
				t.Fatalf("without the defect: %v\n%s", err, out)
			}
			path, text, err := m.mutate()
			if err != nil {
				t.Fatal(err)
			}
			overlay := overlayOf(t, path, text)
			if out, err := goTool(t.Context(), "vet", overlay, m.pkg); err != nil {
				t.Fatalf("the defect does not compile: %v\n%s", err, out)
			}
			out, err := m.test(t.Context(), overlay)
			if err == nil {
				t.Fatalf("it survives: %s passes with it", m.run)
			}
			t.Logf("found: %s", firstComplaint(out))
		})
	}
}

func (m *mutant) test(ctx context.Context, flags ...string) (string, error) {
	flags = append(flags, "-run", "^("+m.run+")$", "-timeout", mostTime.String(), m.pkg, "-short")
	return goTool(ctx, append([]string{"test"}, flags...)...)
}

// goTool runs the go command at the root of the module.
func goTool(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, mostTime+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "RAPID_NOFAILFILE=1") // it would leave what it found in testdata
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// overlayOf is the flag that puts text in the place of a file.
func overlayOf(t *testing.T, path, text string) string {
	t.Helper()
	dir := t.TempDir()
	broken := filepath.Join(dir, filepath.Base(path))
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{broken: []byte(text), filepath.Join(dir, "overlay.json"): list} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return "-overlay=" + filepath.Join(dir, "overlay.json")
}

// firstComplaint is what a failed test said first, in one line.
func firstComplaint(out string) string {
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); strings.Contains(line, "_test.go:") || strings.HasPrefix(line, "panic: ") {
			return line[:min(len(line), 200)]
		}
	}
	return strings.TrimSpace(out[:min(len(out), 200)])
}
