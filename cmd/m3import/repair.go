package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/checkpoint"
)

// repairFlags are what `state repair` takes.
type repairFlags struct {
	yes       bool
	fromStart bool
	json      bool
}

// repairFinding is one line of `state repair --json`.
type repairFinding struct {
	MessageType string `json:"message_type"` // "fault"
	Path        string `json:"path"`
	What        string `json:"what"`
	Mend        string `json:"mend,omitempty"`
	Mended      bool   `json:"mended"`
	FromStart   bool   `json:"needs_from_start"` // --from-start would mend it
}

func (a *app) stateRepairCommand() *cobra.Command {
	var f repairFlags
	cmd := &cobra.Command{
		Use:   "repair DIR",
		Short: "Find what is wrong with a state directory, and mend it",
		Long: `Look for what is wrong with a state directory: after a crash, a full disk, or an
edit by hand. It says what it would mend, and changes nothing without --yes.

It mends what the rest of the directory proves: files that were being written, the
name of a run that is no more, a reject file that is longer than the mark says, a
mark or the file "current" that is damaged while its content stands elsewhere.

It never makes up a position: one that is too far on loses rows, one that is too
far back bills rows twice once 35 days have passed. Where the position is lost, it
says so. With --from-start it begins the import anew then, at the start of its
sources and under the same uids; the next run refuses to send rows that m3ter may
have forgotten. What was there is kept, as *.before-repair.`,
		Example: `  m3import state repair ~/.local/state/m3import/usage-1a2b3c4d
  m3import state repair ~/.local/state/m3import/usage-1a2b3c4d --yes`,
		Args: oneArg("state directory"),
		RunE: func(_ *cobra.Command, args []string) error { return a.repairState(args[0], &f) },
	}
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it")
	cmd.Flags().BoolVar(&f.fromStart, "from-start", false, "begin the import anew where its position is lost")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object a line")
	return cmd
}

func (a *app) repairState(dir string, f *repairFlags) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	faults, err := checkpoint.Repair(dir, checkpoint.RepairOptions{Do: f.yes, Restart: f.fromStart})
	if errors.Is(err, fs.ErrNotExist) && len(faults) == 0 {
		return coded(exitUsage, err, "m3import status lists them")
	}
	if perr := a.printFaults(dir, faults, f); perr != nil || err != nil {
		return errors.Join(err, perr)
	}
	if len(faults) == 0 {
		a.say("nothing is wrong with %s", dir)
		return nil
	}
	return repairVerdict(dir, faults, f)
}

func (a *app) printFaults(dir string, faults []checkpoint.Fault, f *repairFlags) error {
	p := &printer{w: a.stdout}
	enc := json.NewEncoder(a.stdout)
	for _, fault := range faults {
		mended := f.yes && fault.Mend != ""
		if f.json {
			if err := enc.Encode(repairFinding{"fault", fault.Path, fault.What, fault.Mend, mended, fault.Restart && fault.Mend == ""}); err != nil {
				return err
			}
			continue
		}
		name, err := filepath.Rel(dir, fault.Path)
		if err != nil {
			name = fault.Path
		}
		p.linef("%s: %s", name, fault.What)
		switch {
		case mended:
			p.linef("    mended: %s", fault.Mend)
		case fault.Mend != "":
			p.linef("    can be mended: %s", fault.Mend)
		default:
			p.linef("    cannot be mended: what was in it stands nowhere else")
		}
	}
	return p.err
}

// repairVerdict is what the command ends with, and the way on.
func repairVerdict(dir string, faults []checkpoint.Fault, f *repairFlags) error {
	mendable, restart, lost := 0, 0, 0
	for _, fault := range faults {
		switch {
		case fault.Mend != "":
			mendable++
		case fault.Restart:
			restart++
		default:
			lost++
		}
	}
	word := "m3import state repair " + shellQuote(dir)
	if f.fromStart {
		word += " --from-start"
	}
	switch {
	case lost > 0:
		return coded(exitUsage, fmt.Errorf("%s cannot go on as it is", dir),
			"put back a copy of the file, if there is one\n"+
				"or forget what was imported here, and begin anew:  m3import state reset "+shellQuote(dir)+"\n"+
				"   (what first arrived more than 35 days ago would be billed twice)")
	case restart > 0:
		return coded(exitUsage, fmt.Errorf("%s has lost the position of its import", dir),
			"put back a copy of the file, if there is one\n"+
				"or begin the import anew at its start:  "+word+" --from-start --yes\n"+
				"   (the same uids are sent again: within 35 days of their first arrival the platform\n"+
				"   ignores repeated ones, and counts them against your allowance; after that it would\n"+
				"   bill them twice, and the next run refuses to send them)")
	case !f.yes && mendable > 0:
		return coded(exitUsage, fmt.Errorf("%s is as it was: a repair has to be meant", dir), "to do it:  "+word+" --yes")
	}
	return nil
}

// stateDirOf is the state directory that a state file is in.
func stateDirOf(path string) string {
	dir := filepath.Dir(path)
	if imports := filepath.Dir(dir); filepath.Base(imports) == "imports" {
		return filepath.Dir(imports)
	}
	return dir
}
