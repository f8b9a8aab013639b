package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/checkpoint"
)

// pastImport is one line of `history`.
type pastImport struct {
	MessageType string             `json:"message_type"` // "import"
	Import      string             `json:"import"`
	State       string             `json:"state"`
	Kind        string             `json:"kind"` // run, or which replay
	Phase       string             `json:"phase"`
	Org         string             `json:"organization"`
	Started     time.Time          `json:"started"`
	Updated     time.Time          `json:"updated,omitzero"`
	Runs        int                `json:"runs"`
	Sources     int                `json:"sources"`
	FirstSource string             `json:"first_source"`
	Rows        checkpoint.Counts  `json:"rows"`
	Totals      []checkpoint.Total `json:"totals"`
	Rejects     string             `json:"rejects_file,omitempty"`
	Report      string             `json:"report_file,omitempty"`
	Command     []string           `json:"command"`
}

func (a *app) historyCommand() *cobra.Command {
	var state string
	var asJSON, totals bool
	cmd := &cobra.Command{
		Use:   "history [IMPORT…]",
		Short: "List imports and replays with their counts, totals and dates",
		Long: `List every import and replay that the state directories remember, oldest first in
each: when it began, its rows by fate, and its kind. With --totals also the exact
sums of what each sent, by meter and field; for the imports that are named by their
id they are always printed. With --json also files and commands. It changes nothing.`,
		Example: "  m3import history\n  m3import history 20260131T020000Z-4f2a1c\n  m3import history --json | jq 'select(.rows.rejected > 0)'",
		RunE: func(_ *cobra.Command, ids []string) error {
			list, err := a.history(state)
			if len(ids) > 0 {
				var missing error
				if list, missing = named(list, ids); missing != nil {
					return errors.Join(missing, err)
				}
			}
			return errors.Join(a.printHistory(list, asJSON, totals || len(ids) > 0), err)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "one state `directory` (default: all below the user's state directory)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	cmd.Flags().BoolVar(&totals, "totals", false, "print the exact totals of each import, too")
	return cmd
}

// named are the imports with these ids; each must be there.
func named(list []pastImport, ids []string) (some []pastImport, err error) {
	for _, id := range ids {
		if !slices.ContainsFunc(list, func(p pastImport) bool { return p.Import == id }) {
			return nil, coded(exitUsage, fmt.Errorf("no import %s is known", id), "m3import history lists them")
		}
	}
	return slices.DeleteFunc(list, func(p pastImport) bool { return !slices.Contains(ids, p.Import) }), nil
}

// stateDirs are the directory that was named, or all of the user's.
func (a *app) stateDirs(named string) ([]string, error) {
	if named != "" {
		dir, err := filepath.Abs(named)
		return []string{dir}, err
	}
	root, err := checkpoint.DefaultRoot(a.getenv)
	if err != nil {
		return nil, err
	}
	states, err := checkpoint.List(root)
	dirs := make([]string, len(states))
	for i, s := range states {
		dirs[i] = s.Dir
	}
	return dirs, err
}

func (a *app) history(named string) ([]pastImport, error) {
	dirs, err := a.stateDirs(named)
	if err != nil {
		return nil, err
	}
	var list []pastImport
	var errs []error
	for _, dir := range dirs {
		imports, err := checkpoint.Imports(dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
		}
		for _, im := range imports {
			list = append(list, pastImportOf(dir, im))
		}
	}
	return list, errors.Join(errs...)
}

func pastImportOf(dir string, im checkpoint.Import) pastImport {
	p := pastImport{
		MessageType: "import", Import: im.Plan.ID, State: dir, Kind: kindOf(im.Plan), Phase: "unfinished", Org: im.Plan.OrgID,
		Started: im.Plan.Started, Updated: im.Mark.Updated, Runs: im.Mark.Runs, Sources: len(im.Plan.Sources),
		Rows: im.Mark.Counts, Totals: im.Mark.Totals, Report: im.Report, Command: im.Plan.Command,
	}
	if len(im.Plan.Sources) > 0 {
		p.FirstSource = im.Plan.Sources[0].Path
	}
	switch {
	case im.Mark.Finished:
		p.Phase = "finished"
	case !im.Current:
		p.Phase = "given up"
	}
	if im.Mark.Counts.Rejected > 0 {
		p.Rejects = im.Rejects
	}
	return p
}

func kindOf(p checkpoint.Plan) string {
	if p.Kind == "" {
		return "run"
	}
	return p.Kind
}

func (a *app) printHistory(list []pastImport, asJSON, totals bool) error {
	if asJSON {
		enc := json.NewEncoder(a.stdout)
		for _, p := range list {
			if err := enc.Encode(p); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		a.say("no import is known here yet")
		return nil
	}
	var rows [][]string
	for _, p := range list {
		rows = append(rows, []string{
			p.Started.Format("2006-01-02 15:04"), p.Import, p.Kind, p.Phase, sourcesText(p), grouped(p.Rows.Read),
			grouped(p.Rows.Accepted), grouped(p.Rows.Rejected), grouped(p.Rows.Filtered), filepath.Base(p.State),
		})
	}
	table(a.stdout, "", []column{{"began (UTC)", false}, {"import", false}, {"kind", false}, {"phase", false}, {"source", false}, {"rows", true},
		{"accepted", true}, {"rejected", true}, {"filtered", true}, {"directory", false}}, rows)
	if totals {
		fmt.Fprintln(a.stdout)
		a.printTotals(list)
	}
	return nil
}

// printTotals prints what imports sent, to the last digit and the last meter:
// people compare it with their bills.
func (a *app) printTotals(list []pastImport) {
	var rows [][]string
	for _, p := range list {
		for _, t := range p.Totals {
			rows = append(rows, []string{p.Import, t.Meter, t.Category + "." + t.Field, t.Sum, grouped(t.Count)})
		}
	}
	if len(rows) == 0 {
		fmt.Fprintln(a.stdout, "no amounts were sent")
		return
	}
	table(a.stdout, "", []column{{"import", false}, {"meter", false}, {"field", false}, {"exact sum", true}, {"values", true}}, rows)
	fmt.Fprintln(a.stdout, "\nnote: totals are of what was sent; the platform keeps the first measurement of a uid only")
}

// sourcesText names the first source of an import, and how many more there are.
func sourcesText(p pastImport) string {
	name := filepath.Base(p.FirstSource)
	if p.FirstSource == "-" {
		name = "standard input"
	}
	if p.Sources > 1 {
		name += fmt.Sprintf(" and %s more", grouped(int64(p.Sources-1)))
	}
	return name
}
