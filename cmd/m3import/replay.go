package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/uploader"
)

const replayHelp = `A replay sends rows under their original uids. It is an import like any other: the
same command again resumes it, and sends nothing when it is done; --dry-run sends
nothing at all and tells rows, totals and requests; rows that were first sent
more than 34 days ago are refused, since m3ter may bill them twice.
docs/replay.md has more.`

func (a *app) replayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Send rows again: mended rejects, a slice, a whole run",
		Long:  "Send rows again.\n\n" + replayHelp,
		Example: `  m3import replay rejects DIR
  m3import replay slice -m mapping.yaml usage.csv --from 2026-01-01T00:00:00Z --to 2026-01-02T00:00:00Z
  m3import replay run 20260131T020000Z-4f2a1c --org NEW-ORGANIZATION`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.replayRejectsCommand(), a.replaySliceCommand(), a.replayRunCommand())
	return cmd
}

func (a *app) replayRejectsCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "rejects [DIR]",
		Short: "Import rejected rows after they, or the mapping, were mended",
		Long: `Import the rejected rows of a state directory, after its reject files or the
mapping were mended. Rows that are good now go in once; those that are still bad
are the rejects of the replay, in a file of its own: mend them there from then on.
A second replay, with nothing mended in between, sends nothing.

DIR is the state directory, as the import and m3import status name it; it may be
left out when only one has rejects.

` + replayHelp,
		Example: "  m3import replay rejects ~/.local/state/m3import/usage-1a2b3c4d\n  m3import replay rejects ~/.local/state/m3import/usage-1a2b3c4d -m mended.yaml --dry-run",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.state = args[0]
			}
			if err := a.setCommand(cmd, args); err != nil {
				return err
			}
			return a.replayRejects(cmd.Context(), &f)
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// rejectsKind is the Plan.Kind of a replay of rejects.
const rejectsKind = "replay rejects"

func (a *app) replayRejects(ctx context.Context, f *runFlags) error {
	dir, err := a.stateWithRejects(f.state)
	if err != nil {
		return err
	}
	st, err := checkpoint.Peek(dir)
	if err != nil {
		return coded(exitUsage, err, "")
	}
	switch {
	case !st.Begun:
		return coded(exitUsage, fmt.Errorf("%s: nothing was imported here, so nothing was rejected", dir), "")
	case !st.Mark.Finished && st.Plan.Kind != rejectsKind:
		return coded(exitUsage, fmt.Errorf("%s: its import is not finished, and may reject more", dir), "first  "+resumeCommand(st.Plan.Command))
	}
	files, of := []string{}, st.Plan
	if !st.Mark.Finished { // the replay that was stopped goes on
		for _, src := range st.Plan.Sources {
			files = append(files, src.Path)
		}
		f.mapping = cmp.Or(f.mapping, st.Plan.MappingFile)
	} else if files, of, err = a.filesToReplay(f, dir); err != nil {
		return err
	}
	if f.state == "" { // so that a command that is named to go on with is about the same
		a.command = append(a.command, dir)
	}
	if len(files) == 0 {
		a.say("no rejects to replay")
		return a.reportNothing(ctx, f, dir, nil)
	}
	if err := a.belongThere(of, files, f.mapping); err != nil {
		return err
	}
	for _, file := range files {
		if err := wholeLines(file); err != nil && st.Mark.Finished { // else it has begun so
			return coded(exitUsage, err, "nothing was sent; put the file in order, then the same command again")
		}
	}
	f.state, f.format, f.compression = dir, "ndjson", "none" // whatever the mapping says of the original
	return a.importAs(ctx, f, files, rejectsKind)
}

// belongThere refuses to replay rejects to anywhere but where their import sent
// its rows: a row that is taken elsewhere would not be missed where it belongs.
func (a *app) belongThere(of checkpoint.Plan, files []string, mapping string) error {
	cfg, err := uploader.ConfigFromEnv(a.env)
	if err != nil {
		return coded(exitUsage, err, "")
	}
	cfg.OrgID = cmp.Or(cfg.OrgID, of.OrgID) // a dry run needs none
	if cfg, err = cfg.Resolve(); err != nil {
		return coded(exitUsage, err, "")
	}
	what, was, is, names := "", "", "", ""
	switch {
	case cfg.OrgID != of.OrgID:
		what, was, is, names = "organization", of.OrgID, cfg.OrgID, "M3TER_ORG_ID"
	case cfg.IngestURL != of.Endpoint:
		what, was, is, names = "endpoint", of.Endpoint, cfg.IngestURL, "M3TER_BASE_URL and M3TER_INGEST_URL"
	default:
		return nil
	}
	command := []string{"m3import", "run"}
	if mapping != "" {
		command = append(command, "-m", mapping)
	}
	command = append(append(command, "--format", "ndjson", "--compression", "none"), files...)
	return coded(exitUsage, fmt.Errorf("these rejects are of an import to the %s %s, and now it is %s", what, was, is),
		fmt.Sprintf("to send them where they are missing: set %s to what was meant then, and run the same command again\n"+
			"to import them here as a file like any other, while they stay open there:  %s", names, resumeCommand(command)))
}

// filesToReplay are the reject files of a state directory that have open rows,
// and the plan of the first of them: all are of one organization and endpoint.
// It sets the mapping to theirs when none was named.
func (a *app) filesToReplay(f *runFlags, dir string) (files []string, of checkpoint.Plan, err error) {
	imports, err := checkpoint.Imports(dir)
	if err != nil {
		return nil, of, coded(exitUsage, err, "")
	}
	open, err := openRejects(imports)
	if err != nil {
		return nil, of, coded(exitUsage, err, "")
	}
	for i, file := range open {
		if i == 0 {
			of = file.Plan
		}
		if file.gone {
			return nil, of, coded(exitRejects, fmt.Errorf("import %s wrote %s to %s, and the file is not there", file.Plan.ID, plural(file.rows, "reject"), file.Rejects),
				"put it back, as it was called; when none of them is to be imported, leave an empty one:  : > "+shellQuote(file.Rejects))
		}
		if was := file.Plan.MappingFile; f.mapping == "" && was != of.MappingFile {
			return nil, of, coded(exitUsage, fmt.Errorf("%s has rejects of imports under several mappings, %s and %s", dir, orNone(of.MappingFile), orNone(was)),
				"say with -m which one all of them are replayed under")
		}
		for _, d := range []struct{ what, first, other string }{{"organizations", of.OrgID, file.Plan.OrgID}, {"endpoints", of.Endpoint, file.Plan.Endpoint}} {
			if d.first != d.other {
				return nil, of, coded(exitUsage, fmt.Errorf("%s has rejects of several %s, %s and %s", dir, d.what, d.first, d.other),
					"a reject file can be imported like any other: m3import run --format ndjson --compression none")
			}
		}
		files = append(files, file.Rejects)
	}
	if f.mapping == "" {
		f.mapping = of.MappingFile
	}
	return files, of, nil
}

// stateWithRejects is the state directory to take rejects from: the one that
// was named, or the only one that has some to replay.
func (a *app) stateWithRejects(named string) (string, error) {
	dirs, err := a.stateDirs(named)
	if err != nil || named != "" {
		return strings.Join(dirs, ""), err
	}
	var with []string
	for _, dir := range dirs {
		imports, err := checkpoint.Imports(dir)
		if err != nil {
			continue // m3import status tells
		}
		open, err := openRejects(imports)
		stopped := slices.ContainsFunc(imports, func(im checkpoint.Import) bool {
			return im.Current && im.Plan.Kind == rejectsKind && !im.Mark.Finished
		})
		if err == nil && (len(open) > 0 || stopped) {
			with = append(with, dir)
		}
	}
	switch len(with) {
	case 0:
		return "", coded(exitUsage, errors.New("no state directory has rejects that are not replayed"), "m3import status shows all of them")
	case 1:
		return with[0], nil
	}
	return "", coded(exitUsage, fmt.Errorf("%d state directories have rejects: say which", len(with)),
		"m3import replay rejects "+strings.Join(with, "\nm3import replay rejects "))
}

// sliceFlags are what picks the rows of a slice.
type sliceFlags struct {
	from, to, uidFile, lines string
	accounts, meters         []string
}

func (s *sliceFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&s.from, "from", "", "event time, this or later: an RFC 3339 `time` with its zone")
	flags.StringVar(&s.to, "to", "", "event time, before this: an RFC 3339 `time` with its zone")
	flags.StringArrayVar(&s.accounts, "account", nil, "account `code`; given several times: any of them")
	flags.StringArrayVar(&s.meters, "meter", nil, "meter `code`; given several times: any of them")
	flags.StringVar(&s.uidFile, "uids", "", "a `file` with one uid a line")
	flags.StringVar(&s.lines, "lines", "", "lines of the source, A-B, both in (rows for Parquet)")
}

func (s *sliceFlags) selection() (*pipeline.Selection, error) {
	sel := &pipeline.Selection{Accounts: s.accounts, Meters: s.meters}
	for flag, codes := range map[string][]string{"--account": s.accounts, "--meter": s.meters} {
		if slices.Contains(codes, "") {
			return nil, coded(exitUsage, fmt.Errorf("%s with an empty code: no row has that", flag), "")
		}
	}
	for _, t := range []struct {
		flag, text string
		to         *time.Time
	}{{"--from", s.from, &sel.From}, {"--to", s.to, &sel.To}} {
		if t.text == "" {
			continue
		}
		var err error
		if *t.to, err = time.Parse(time.RFC3339Nano, t.text); err != nil {
			return nil, coded(exitUsage, fmt.Errorf("%s %s: not an RFC 3339 time with a zone, such as 2026-01-31T00:00:00Z", t.flag, t.text), "")
		}
	}
	if !sel.From.IsZero() && !sel.To.IsZero() && !sel.From.Before(sel.To) {
		return nil, coded(exitUsage, fmt.Errorf("--from %s is not before --to %s", s.from, s.to), "")
	}
	if s.lines != "" {
		var ok bool
		if sel.FirstLine, sel.LastLine, ok = parseLines(s.lines); !ok {
			return nil, coded(exitUsage, fmt.Errorf("--lines %s: two numbers from 1 on, as in 100-199", s.lines), "")
		}
	}
	if s.uidFile != "" {
		f, err := os.Open(s.uidFile)
		if err != nil {
			return nil, coded(exitUsage, err, "")
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if uid := lines.Text(); uid != "" { // as it is: spaces can be a part of one
				sel.UIDs = append(sel.UIDs, uid)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, coded(exitUsage, err, "")
		}
		if len(sel.UIDs) == 0 {
			return nil, coded(exitUsage, fmt.Errorf("--uids %s: no uid in it", s.uidFile), "")
		}
	}
	return sel, nil
}

// parseLines reads "A-B": digits, a dash, digits, and nothing else, since what
// is sent again depends on it.
func parseLines(text string) (first, last int64, ok bool) {
	a, b, _ := strings.Cut(text, "-")
	from, errA := strconv.ParseUint(a, 10, 63)
	to, errB := strconv.ParseUint(b, 10, 63)
	return int64(from), int64(to), errA == nil && errB == nil && from >= 1 && from <= to
}

// sliceKind begins the Plan.Kind of a slice; what it takes follows.
const sliceKind = "replay slice "

func (a *app) replaySliceCommand() *cobra.Command {
	var f runFlags
	var s sliceFlags
	cmd := &cobra.Command{
		Use:   "slice [-m mapping.yaml] SOURCE… [--from T] [--to T] [--account CODE] …",
		Short: "Send the rows of some time, account, meter, uids or lines again",
		Long: `Send a part of the rows of the sources again: those whose event time is from
--from on and before --to, of the accounts and meters given, with the uids in a
file, or between two lines. What is given must all hold. Rows that are not in
the slice, and rows that cannot be mapped, count as filtered out. When no row is
in the slice, or a uid is not found, that is exit code 9.

` + replayHelp,
		Example: `  m3import replay slice -m mapping.yaml 'usage/*.csv' --from 2026-01-01T00:00:00Z --to 2026-01-02T00:00:00Z --dry-run
  m3import replay slice -m mapping.yaml usage.csv --account acme --lines 1000-1999`,
		Args: someArgs("source"),
		RunE: func(cmd *cobra.Command, args []string) error {
			sel, err := s.selection()
			if err != nil {
				return err
			}
			text, err := json.Marshal(sel)
			if err != nil {
				return err
			}
			if string(text) == "{}" {
				return coded(exitUsage, errors.New("a slice of everything"), "say which rows with --from, --to, --account, --meter, --uids or --lines; or m3import run --force for all")
			}
			f.selection, f.slice = sel, true
			if err := a.setCommand(cmd, args); err != nil {
				return err
			}
			return a.importAs(cmd.Context(), &f, args, sliceKind+string(text))
		},
	}
	f.register(cmd.Flags())
	s.register(cmd.Flags())
	return cmd
}

func (a *app) replayRunCommand() *cobra.Command {
	var f runFlags
	var org string
	var same bool
	cmd := &cobra.Command{
		Use:   "run IMPORT --org ORGANIZATION",
		Short: "Send what an import delivered to another organization, or again",
		Long: `Send what an import delivered once more, to another organization: for a migration,
or a new environment. The sources and the mapping must be what they were, and what
the import left out, as a slice does, or the platform refused, is left out again.
It must be finished. The same organization is refused, unless --same-organization
says that it is meant. IMPORT is an id that m3import history shows.

` + replayHelp,
		Example: "  m3import history\n  m3import replay run 20260131T020000Z-4f2a1c --org 5a4db0c5-0000-4000-8000-000000000002 --dry-run",
		Args:    oneArg("import"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.setCommand(cmd, args); err != nil {
				return err
			}
			return a.replayRun(cmd.Context(), &f, args[0], org, same)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&org, "org", "", "the `organization` to send to: its id, or a Console URL that holds it")
	cmd.Flags().BoolVar(&same, "same-organization", false, "send to the organization that has the rows already")
	return cmd
}
