package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/checkpoint"
)

func (a *app) stateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "state",
		Short:   "Look into a state directory, mend it, or make it forget",
		Long:    "Look into a state directory, mend it, or make it forget, so that nobody edits its files by hand.",
		Example: "  m3import state show DIR\n  m3import state repair DIR\n  m3import state reset DIR",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.stateShowCommand(), a.stateRepairCommand(), a.stateResetCommand())
	return cmd
}

func (a *app) stateShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show DIR",
		Short:   "Show all imports of a state directory, and the one that it is about",
		Long:    "Show all imports and replays of a state directory, and where the last one stands.",
		Example: "  m3import state show ~/.local/state/m3import/usage-1a2b3c4d",
		Args:    oneArg("state directory"),
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := a.history(args[0])
			if err := errors.Join(a.printHistory(list, false, false), err); err != nil {
				return err
			}
			states, err := a.statuses(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout)
			return a.printStatuses(states)
		},
	}
}

func (a *app) stateResetCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "reset DIR",
		Short: "Forget the imports of a state directory",
		Long: `Make a state directory forget, so that the next run sends everything again under
the same uids. m3ter ignores uids that arrived within 35 days, and counts them
against your allowance; what is older it would bill twice, and the memory of when
that was is what this throws away. The directory is moved aside, not deleted; what
somebody else keeps in it stays where it is.`,
		Example: "  m3import state reset ~/.local/state/m3import/usage-1a2b3c4d --yes",
		Args:    oneArg("state directory"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.resetState(args[0], yes) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

func (a *app) resetState(dir string, yes bool) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
		return coded(exitUsage, fmt.Errorf("%s is not a state directory: %w", dir, err), "m3import status lists them")
	}
	if !yes {
		return coded(exitUsage, fmt.Errorf("%s is still as it was: a reset has to be meant", dir),
			"after it the next run sends everything again; what first arrived more than 35 days ago would be billed twice\nto do it, add --yes")
	}
	// A damaged state cannot be opened, and a reset is the way out of it; one
	// that another run holds must not be moved away below it.
	journal, err := checkpoint.Open(dir, checkpoint.Options{Command: a.command})
	if errors.Is(err, checkpoint.ErrLocked) {
		return err
	}
	if err == nil {
		if err := journal.Close(); err != nil {
			return err
		}
	}
	aside := dir + ".reset-" + a.now().UTC().Format("20060102T150405Z")
	stays, err := checkpoint.MoveAside(dir, aside)
	if errors.Is(err, checkpoint.ErrNoState) {
		return coded(exitUsage, fmt.Errorf("%s: there is nothing to forget: %w", dir, err), "m3import status lists state directories")
	}
	if err != nil {
		return coded(exitUsage, err, "")
	}
	a.say("forgotten; what was there is in %s", aside)
	if len(stays) > 0 {
		stay := "stay"
		if len(stays) == 1 {
			stay = "stays"
		}
		a.say("%s %s in %s: a reset moves what imports wrote, and nothing else", firstOfAll(stays), stay, dir)
	}
	return nil
}

// firstOfAll names the first of some entries of a directory.
func firstOfAll(names []string) string {
	text := visible(names[0])
	if more := len(names) - 1; more > 0 {
		text += " and " + plural(int64(more), "other")
	}
	return text
}

// noteOthers tells of a directory that was named with --state, is none yet, and
// holds what somebody else has put there.
func (a *app) noteOthers(dir string) {
	own, others, err := checkpoint.Entries(dir)
	if err != nil || len(own) > 0 || len(others) == 0 {
		return // it is not there, or a state directory; or Open tells
	}
	a.say("note: the folder %s of --state has %s in it: the state of this import is kept beside that; a folder of its own is better",
		shellQuote(dir), firstOfAll(others))
}
