package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/checkpoint"
)

// importStatus is one state directory, as `status --json` prints it.
type importStatus struct {
	MessageType string              `json:"message_type"` // "status"
	State       string              `json:"state"`
	Import      string              `json:"import,omitempty"`
	Phase       string              `json:"phase"` // running, finished, unfinished, empty, damaged
	Source      string              `json:"source,omitempty"`
	Position    checkpoint.Position `json:"position"`
	Sources     int                 `json:"sources"`
	Rows        checkpoint.Counts   `json:"rows"`
	Together    *checkpoint.Counts  `json:"together,omitempty"` // of a replay: with the imports whose rejects it took
	Rejects     string              `json:"rejects_file,omitempty"`
	Open        int64               `json:"open_rejects"` // rows of all finished imports that no replay has taken
	Started     time.Time           `json:"started,omitzero"`
	Updated     time.Time           `json:"updated,omitzero"`
	AgeSeconds  float64             `json:"age_seconds"` // since the last commit
	Command     []string            `json:"command,omitempty"`
	Resume      string              `json:"resume,omitempty"`
	Error       string              `json:"error,omitempty"`
	hint        string              // what to do about it
	kind        string              // " (replay rejects)", "" of a run
	place       string
	age         time.Duration
}

func (a *app) statusCommand() *cobra.Command {
	var state string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show where imports stand, and the command that resumes each",
		Long: `Show what the state directories know: for each import its position, counts,
rejects, age, and the command that goes on with it. It changes nothing, and can
be asked while an import runs.`,
		Example: "  m3import status\n  m3import status --state /var/lib/m3import/nightly --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list, err := a.statuses(state)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.stdout)
				for _, s := range list {
					if err := enc.Encode(s); err != nil {
						return err
					}
				}
				return nil
			}
			return a.printStatuses(list)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "one state `directory` (default: all below the user's state directory)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func (a *app) statuses(dir string) ([]importStatus, error) {
	var states []checkpoint.State
	if dir != "" {
		s, err := checkpoint.Peek(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, coded(exitUsage, err, "m3import status lists those below the user's state directory")
		}
		if err != nil && s.Dir == "" {
			return nil, err
		}
		s.Err = err
		states = append(states, s)
	} else {
		root, err := checkpoint.DefaultRoot(a.getenv)
		if err != nil {
			return nil, err
		}
		if states, err = checkpoint.List(root); err != nil {
			return nil, err
		}
	}
	list := make([]importStatus, 0, len(states))
	for _, s := range states {
		list = append(list, a.statusOf(s))
	}
	return list, nil
}

func (a *app) statusOf(s checkpoint.State) importStatus {
	out := importStatus{MessageType: "status", State: s.Dir}
	switch {
	case s.Err != nil:
		out.Phase, out.Error = "damaged", s.Err.Error()
		out.hint = cmp.Or(stateHint(s.Err), repairHint(s.Dir))
		return out
	case !s.Begun:
		out.Phase = "empty"
		return out
	case s.Mark.Finished:
		out.Phase = "finished"
	case s.Holder != nil:
		out.Phase = "running"
	default:
		out.Phase = "unfinished"
		out.Resume = resumeCommand(s.Plan.Command)
	}
	out.Import, out.Started, out.Updated = s.Plan.ID, s.Plan.Started, s.Mark.Updated
	out.Position, out.Sources, out.Rows, out.Command = s.Mark.Position, len(s.Plan.Sources), s.Mark.Counts, s.Plan.Command
	if p := s.Mark.Position.Source; p < len(s.Plan.Sources) {
		out.Source = s.Plan.Sources[p].Path
	}
	if s.Mark.Counts.Rejected > 0 {
		out.Rejects = s.Rejects
	}
	if s.Plan.Kind != "" {
		out.kind = " (" + s.Plan.Kind + ")"
	}
	if imports, err := checkpoint.Imports(s.Dir); err == nil {
		if n, ok := together(imports); ok {
			out.Together = &n
		}
		if open, err := openRejects(imports); err == nil {
			out.Open = openRows(open)
		}
	}
	last := s.Mark.Updated
	if last.IsZero() {
		last = s.Plan.Started
	}
	out.age = a.now().Sub(last)
	out.AgeSeconds = out.age.Seconds()
	out.place = place(s.Plan, s.Mark)
	return out
}

func (a *app) printStatuses(list []importStatus) error {
	if len(list) == 0 {
		a.say("no import is known here yet")
		return nil
	}
	p := &printer{w: a.stdout}
	for i, s := range list {
		if i > 0 {
			p.line()
		}
		p.linef("%s  %s", s.Phase, filepath.Base(s.State))
		switch s.Phase {
		case "damaged":
			p.linef("  %s", s.Error)
			for line := range strings.SplitSeq(s.hint, "\n") {
				p.linef("  %s", line)
			}
		case "empty":
			p.linef("  nothing was imported here yet")
		default:
			p.linef("  import    %s%s, last commit %s ago", s.Import, s.kind, durationText(s.age))
			p.linef("  position  %s", s.place)
			p.linef("  rows      %s read, %s accepted, %s rejected, %s filtered out",
				grouped(s.Rows.Read), grouped(s.Rows.Accepted), grouped(s.Rows.Rejected), grouped(s.Rows.Filtered))
		}
		if n := s.Together; n != nil {
			p.linef("  together  %s read, %s accepted, %s rejected, %s filtered out, with the imports that it replays",
				grouped(n.Read), grouped(n.Accepted), grouped(n.Rejected), grouped(n.Filtered))
		}
		if s.Rejects != "" {
			p.linef("  rejects   %s", s.Rejects)
		}
		if s.Open > 0 {
			p.linef("  open      %s; when they are mended,  m3import replay rejects %s", plural(s.Open, "rejected row"), shellQuote(s.State))
		}
		if s.Resume != "" {
			p.linef("  go on     %s", s.Resume)
		}
		p.linef("  state     %s", s.State)
	}
	return p.err
}
