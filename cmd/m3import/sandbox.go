package main

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/sandbox"
)

func (a *app) sandboxCommand() *cobra.Command {
	var addr, scenario string
	var faults []string
	var limits bool
	cmd := &cobra.Command{
		Use:   "sandbox [--addr 127.0.0.1:8137]",
		Short: "Run a local platform to import into",
		Long: `Run a local stand-in for m3ter until Ctrl-C: tokens, measurements with their
checks and limits, de-duplication by uid, accounts, meters. It keeps all in
memory and needs no account. It prints the environment variables to paste into
another terminal.

With --fault, --scenario, or POST /_sandbox/faults while it runs, things go wrong as
they do in the world: outages, resets before and after the commit, throttling, a
firewall that dislikes a row, tokens that end early. A fault is written as in a
scenario file (docs/sandbox.md), and the flag can be given several times.

  GET /openapi.json            what it serves
  GET /_sandbox/totals         exact sums and counts of what it holds
  GET /_sandbox/measurements   what it holds, one JSON object a line`,
		Example: `  m3import sandbox
  m3import sandbox --addr 127.0.0.1:9000 --rate-limits
  m3import sandbox --fault '{on: [SubmitMeasurements], when: {from: 10, to: 40}, status: 503}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var cfg sandbox.Config
			if scenario != "" {
				var err error
				if cfg, err = sandbox.LoadScenario(scenario); err != nil {
					return coded(exitUsage, err, "docs/sandbox.md shows scenarios")
				}
			}
			for _, text := range faults {
				fault, err := sandbox.ParseFault([]byte(text))
				if err != nil {
					return coded(exitUsage, fmt.Errorf("--fault %s: %w", text, err), "docs/sandbox.md shows faults")
				}
				cfg.Faults = append(cfg.Faults, fault)
			}
			if err := cfg.Check(); err != nil { // of several together
				return coded(exitUsage, fmt.Errorf("--fault: %w", err), "docs/sandbox.md shows faults")
			}
			if limits {
				cfg.PerAddress, cfg.PerOrganization = sandbox.DocumentedLimits()
			}
			l, err := sandbox.Listen(cmd.Context(), addr)
			if err != nil {
				return err
			}
			s := sandbox.New(cfg)
			url := "http://" + reachable(l.Addr())
			a.say("the sandbox listens on %s until Ctrl-C; in another terminal:", url)
			for _, line := range s.Env(url) {
				fmt.Fprintf(a.stdout, "export %s\n", line)
			}
			return s.Serve(cmd.Context(), l)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", sandbox.DefaultAddr, "address to listen on; without a host, the loopback one")
	cmd.Flags().StringVar(&scenario, "scenario", "", "a `file` that says what goes wrong, and when (docs/sandbox.md)")
	cmd.Flags().StringArrayVar(&faults, "fault", nil, "a `rule` that says what goes wrong, and when, as in a scenario; given several times: all of them")
	cmd.Flags().BoolVar(&limits, "rate-limits", false, "enforce the documented rate limits")
	return cmd
}

// reachable is an address that a client on this machine can use.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return addr.String()
}
