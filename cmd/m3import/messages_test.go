package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every text in the program's source that names a command, or a flag, names one
// that exists: messages and hints, whichever package they come from.
func TestMessagesNameWhatExists(t *testing.T) {
	a := &app{env: func(string) (string, bool) { return "", false }}
	root := a.rootCommand()
	root.InitDefaultCompletionCmd()
	flags := map[string]bool{"help": true, "long": true} // --long is of zstd
	for _, c := range commands(root) {
		c.Flags().VisitAll(func(f *pflag.Flag) { flags[f.Name] = true })
		c.PersistentFlags().VisitAll(func(f *pflag.Flag) { flags[f.Name] = true })
	}
	named := make(map[string]bool)
	eachText(t, "../..", func(at token.Position, text string) {
		for _, words := range commandsNamed(text) {
			c, ok := resolve(root, words)
			if !ok {
				t.Errorf("%s names the command %q, which is not there", at, "m3import "+strings.Join(words, " "))
				continue
			}
			named[c.CommandPath()] = true
			for _, w := range words {
				if name, ok := strings.CutPrefix(w, "--"); ok && c.Flags().Lookup(name) == nil && root.PersistentFlags().Lookup(name) == nil {
					t.Errorf("%s: %s has no flag --%s", at, c.CommandPath(), name)
				}
			}
		}
		for _, m := range flagPattern.FindAllStringSubmatch(text, -1) {
			if !flags[m[1]] {
				t.Errorf("%s names the flag --%s, which no command has", at, m[1])
			}
		}
	})
	for _, want := range []string{"m3import state repair", "m3import state reset", "m3import replay rejects", "m3import status", "m3import history", "m3import run"} {
		if !named[want] {
			t.Errorf("no text names %s: the test reads nothing", want)
		}
	}
}

var (
	commandPattern = regexp.MustCompile(`(?m)\bm3import ((?:[a-z]+|--[a-z][a-z-]+)(?: (?:[a-z]+\b|--[a-z][a-z-]+))*)`)
	flagPattern    = regexp.MustCompile(`(?:^|[\s(])--([a-z][a-z-]+)`)
)

// commandsNamed are the words after the program's name, up to the first that is
// neither a command nor a flag.
func commandsNamed(text string) (all [][]string) {
	for _, m := range commandPattern.FindAllStringSubmatchIndex(text, -1) {
		// "m3import reads …" is prose, "m3import mark" a file's format.
		words := strings.Fields(text[m[2]:m[3]])
		switch words[0] {
		case "expands", "reads", "mark", "plan", "current":
			continue
		}
		all = append(all, words)
	}
	return all
}

// resolve finds the command that the first words name; what follows may be
// arguments or prose.
func resolve(root *cobra.Command, words []string) (*cobra.Command, bool) {
	c, depth := root, 0
	for _, w := range words {
		var next *cobra.Command
		for _, sub := range c.Commands() {
			if sub.Name() == w {
				next = sub
			}
		}
		if next == nil {
			break
		}
		c, depth = next, depth+1
	}
	// A group of commands does nothing by itself.
	return c, depth > 0 && (!c.HasSubCommands() || depth == len(words))
}

// eachText calls fn for every string in the Go files below dir that are no tests.
func eachText(t *testing.T, dir string, fn func(at token.Position, text string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		if strings.Contains(path, "/bench/") {
			return nil // programs of their own, with their own flags
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					fn(set.Position(lit.Pos()), text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
