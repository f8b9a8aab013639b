package main

import (
	"strings"
	"testing"
)

// A dry run says what the command would come to besides its rows.
func TestForesee(t *testing.T) {
	t.Run("refused although rows are bad", func(t *testing.T) {
		g := tell(t)
		a := g.csv("a.csv", "1=1", "2=x")
		g.does(exitRejects, nil, "run", "-m", g.mapping(), a)
		id := g.lastOf("a-")
		g.days.Store(40)
		for _, args := range [][]string{
			{"replay", "run", id, "--same-organization"}, {"replay", "slice", "-m", g.mapping(), a, "--account", "acme"}, {"run", "-m", g.mapping(), a, "--force"},
		} {
			g.does(exitUsage, []string{forgotten}, append(args, "--dry-run")...)
			g.does(exitUsage, []string{forgotten}, args...)
		}
	})
	t.Run("bad rows, and nothing to refuse", func(t *testing.T) {
		g := tell(t)
		a := g.csv("a.csv", "1=1", "2=x")
		g.does(exitRejects, nil, "run", "-m", g.mapping(), a, "--dry-run")
		g.does(exitRejects, nil, "run", "-m", g.mapping(), a)
		g.does(exitRejects, []string{"up to 1 row sent before"}, "run", "-m", g.mapping(), a, "--force", "--dry-run")
	})
	t.Run("unfinished", func(t *testing.T) {
		g := tell(t)
		run := []string{"run", "-m", g.mapping(), g.csv("a.csv", "1=1", "2=2", "3=3")}
		g.halfWay(run...)
		_, dry := g.does(exitOK, []string{"is not finished: without --dry-run this goes on with it at a.csv, after row 1"}, append(run, "--dry-run")...)
		if strings.Contains(dry, "gives import") {
			t.Error(dry)
		}
		g.csv("a.csv", "1=1", "2=5")
		g.does(exitUsage, []string{"the unfinished import cannot go on"}, append(run, "--dry-run")...)
		g.does(exitOK, []string{"a.csv changed, and not only at its end"}, append(run, "--dry-run", "--restart")...)
		g.holds(1)
	})
	t.Run("imported before", func(t *testing.T) {
		g := tell(t)
		a, b := g.csv("a.csv", "1=1"), g.csv("b.csv", "2=2")
		g.does(exitOK, nil, "run", "-m", g.mapping(), g.dir+"/[ab].csv", "--state", g.dir+"/state")
		g.does(exitOK, []string{"without --dry-run nothing is sent: 2 sources, imported before"}, "run", "-m", g.mapping(), g.dir+"/[ab].csv", "--state", g.dir+"/state", "--dry-run")
		g.csv("b.csv", "2=2", "3=3")
		g.does(exitOK, []string{"without --dry-run 1 source imported before would be left out"}, "run", "-m", g.mapping(), a, b, "--state", g.dir+"/state", "--dry-run")
	})
}
