package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/mapper"
)

// release is set by the linker of a released binary.
var release = ""

// version is the release, or what the build knows of the source it was made from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

// versionLine is what the command and the flag of that name print.
func versionLine() string {
	return fmt.Sprintf("m3import %s (uid version %d, %s)\n", version(), mapper.UIDVersion, runtime.Version())
}

func (a *app) versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, and the version of the uid rules",
		Long:    "Print the version of the program and of its uid rules. Two versions with the\nsame uid version give every row the same uid.",
		Example: "  m3import version\n  m3import version --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return json.NewEncoder(a.stdout).Encode(map[string]any{
					"version": version(), "uid_version": mapper.UIDVersion, "go": runtime.Version(),
				})
			}
			_, err := io.WriteString(a.stdout, versionLine())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}
