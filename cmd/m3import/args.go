package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// someArgs is for commands that take one argument or more, oneArg for those
// that take exactly one; what says of which kind they are.
func someArgs(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return coded(exitUsage, errors.New("no "+what+" given"), "for example\n"+cmd.Example)
	}
}

func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return coded(exitUsage, fmt.Errorf("%d arguments given: %s takes one %s", len(args), cmd.CommandPath(), what), "for example\n"+cmd.Example)
		}
		return someArgs(what)(cmd, args)
	}
}
