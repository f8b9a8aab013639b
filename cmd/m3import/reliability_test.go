package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// testsOf are the tests of a package, those behind build tags included.
func testsOf(t *testing.T, pkg string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", pkg, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("package %s has no tests (%v)", pkg, err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	return names
}

var (
	spanPattern = regexp.MustCompile("`([^`]+)`")
	testPattern = regexp.MustCompile(`^(?:Test|Fuzz|Benchmark)[A-Z]\w+$`)
)

// Each test that docs/reliability.md names is in the package beside it: in the
// one package of the row, or in the one at the same place of the list.
func TestReliabilityPageNamesTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for row := range strings.Lines(string(text)) {
		cells := strings.Split(row, "|")
		if len(cells) < 5 {
			continue
		}
		tests, packages := spans(cells[2]), spans(cells[3])
		for i, name := range tests {
			if !testPattern.MatchString(name) || len(packages) == 0 || len(packages) > 1 && len(packages) != len(tests) {
				t.Errorf("a row names %q of %q", tests, packages)
				break
			}
			pkg := packages[min(i, len(packages)-1)]
			if checked++; !slices.Contains(testsOf(t, pkg), name) {
				t.Errorf("package %s has no %s", pkg, name)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d tests are named", checked)
	}
}

func spans(cell string) (all []string) {
	for _, m := range spanPattern.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

// Each test that another page names is somewhere, and each command of a page
// that runs tests of a package finds some there.
func TestPagesNameTests(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, pkg := range []string{"cmd/m3import", "checkpoint", "checkpoint/crashfs", "internal/decimal", "internal/jsonx", "internal/lint",
		"mapper", "pipeline", "reader", "sandbox", "sandbox/conform", "uploader"} {
		all = append(all, testsOf(t, pkg)...)
	}
	command := regexp.MustCompile(`(?m)^(?:\w+=\S+ )?go test (.*?) (\./[\w/]+)\b`)
	pattern := regexp.MustCompile(`-(?:run|bench|fuzz) (?:'([^']*)'|(\S+))`)
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range spans(regexp.MustCompile("(?s)```.*?```").ReplaceAllString(string(text), "")) {
			prefix, some := strings.CutSuffix(name, "…")
			if testPattern.MatchString(prefix) && !slices.ContainsFunc(all, func(test string) bool {
				return test == prefix || some && strings.HasPrefix(test, prefix)
			}) {
				t.Errorf("%s names %s, which is not there", page, name)
			}
		}
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			for _, p := range pattern.FindAllStringSubmatch(m[1], -1) {
				if p[1]+p[2] == "xxx" {
					continue // no test
				}
				match, err := regexp.Compile(p[1] + p[2])
				if err != nil || !slices.ContainsFunc(testsOf(t, m[2]), match.MatchString) {
					t.Errorf("%s has the command %q, and nothing in %s is called so (%v)", page, m[0], m[2], err)
				}
			}
		}
	}
}
