package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/sandbox"
)

// The README's shell blocks run, in order, in one folder, as a newcomer would
// type them. Those that start with "go " are run by .ci/run, which is where
// they are true: in a checkout.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	blocks := 0
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(m[1], "go ") {
			continue
		}
		blocks++
		script.WriteString(m[1])
	}
	if blocks < 5 {
		t.Fatalf("only %d blocks of the README are commands to run", blocks)
	}
	p := newPlatform(t, sandbox.Config{})
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "m3import")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	cmd := exec.Command("sh", "-eu", "-c", script.String())
	cmd.Dir = dir
	cmd.Env = append(environment(), p.Env(p.url)...)
	cmd.Env = append(cmd.Env, "M3IMPORT_TEST_AS_PROGRAM=1", "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"),
		"XDG_STATE_HOME="+filepath.Join(dir, "state"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`{"uid":"`, "credentials work for organization", "rejected: usage.csv:4 (row 3)", "exit code 3", "nothing to do: 1 source",
		"finished  usage-",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	held := p.Totals()
	if got := held.Sum("storage", "measure.gb"); held.Measurements != 3 || got != "16.25" {
		t.Errorf("the platform holds %d measurements with %s GB, want 3 with 16.25", held.Measurements, got)
	}
}

// What the README shows of the sandbox is what the sandbox prints.
func TestReadmeShowsTheSandbox(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "```text\n"
	for _, line := range sandbox.New(sandbox.Config{}).Env("http://" + sandbox.DefaultAddr) {
		want += "export " + line + "\n"
	}
	if !strings.Contains(string(text), want+"```\n") {
		t.Errorf("README.md lacks what m3import sandbox prints:\n%s", want)
	}
}

// Every page of docs is linked from the README.
func TestReadmeLinksEveryPage(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); !strings.Contains(string(text), "(docs/"+name+")") {
			t.Errorf("README.md does not link docs/%s", name)
		}
	}
}

// Commands and flags that the pages name exist.
func TestDocsNameWhatExists(t *testing.T) {
	a := &app{env: func(string) (string, bool) { return "", false }}
	root := a.rootCommand()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"--help": true, "--json": true}
	for _, c := range commands(root) {
		for _, fl := range strings.Fields(c.Flags().FlagUsages() + root.PersistentFlags().FlagUsages()) {
			known[strings.TrimRight(fl, ",")] = true
		}
	}
	flag := regexp.MustCompile("`(--[a-z-]+)")
	code := regexp.MustCompile("(?s)```.*?```|`[^`]+`")
	command := regexp.MustCompile(`(?m)(?:^|[` + "`" + `$ ])m3import ([a-z]+)`)
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range flag.FindAllStringSubmatch(string(text), -1) {
			if !known[m[1]] {
				t.Errorf("%s names the flag %s, which no command has", page, m[1])
			}
		}
		for _, span := range code.FindAllString(string(text), -1) {
			for _, m := range command.FindAllStringSubmatch(span, -1) {
				if c, _, err := root.Find([]string{m[1]}); err != nil || c == root {
					t.Errorf("%s names the command %q, which is not there", page, m[0])
				}
			}
		}
	}
}

// Each command's help has a worked example.
func TestHelpHasExamples(t *testing.T) {
	a := &app{}
	for _, c := range commands(a.rootCommand()) {
		if !strings.Contains(c.Example, c.CommandPath()) || c.Long == "" {
			t.Errorf("%s --help lacks a text or an example", c.CommandPath())
		}
	}
}

// commands are root and all below it but cobra's own.
func commands(root *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{root}
	for _, c := range root.Commands() {
		if c.Name() != "help" && c.Name() != "completion" {
			all = append(all, commands(c)...)
		}
	}
	return all
}
