package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/uploader"
)

func (a *app) previewCommand() *cobra.Command {
	var f inputFlags
	var n int
	cmd := &cobra.Command{
		Use:   "preview [-m mapping.yaml] [-n 20] SOURCE…",
		Short: "Show the first measurements as they would be sent",
		Long: `Print the first measurements of the sources, one JSON object a line, byte for
byte as they would be sent. Nothing is sent. Rows that would be rejected are
told on stderr; with -n 0 all of them.`,
		Example: "  m3import preview -m mapping.yaml usage.csv\n  m3import preview -m mapping.yaml -n 3 'usage/*.parquet' | jq .\n  m3import preview -m mapping.yaml -n 0 usage.csv > /dev/null    # every reject",
		Args:    someArgs("source"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.preview(cmd.Context(), &f, n, args)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().IntVarP(&n, "limit", "n", 20, "how many measurements; 0: all")
	return cmd
}

// errEnough ends a preview.
var errEnough = errors.New("enough")

func (a *app) preview(ctx context.Context, f *inputFlags, n int, args []string) error {
	if n < 0 {
		return coded(exitUsage, fmt.Errorf("--limit %d: at least 1, or 0 for all", n), "")
	}
	if n == 0 {
		n = math.MaxInt
	}
	paths, err := a.sources(f, args, "")
	if err != nil {
		return err
	}
	mapping, err := f.load()
	if err != nil {
		return err
	}
	if err := checkStdin(mapping, paths); err != nil {
		return err
	}
	out := bufio.NewWriter(a.stdout)
	left := n
	im := &pipeline.Import{
		Mapping: mapping, Reader: f.reader(), Stdin: standardInput(ctx, a.stdin), Journal: pipeline.Forget{}, Uploads: 1, Now: a.now,
		OnReject: func(r pipeline.Reject) { a.say("would be rejected: %s", rejectText(r)) },
		Submit: submitFunc(func(b *uploader.Batch) error {
			for i := 0; i < b.Len(); i++ {
				if left == 0 {
					return errEnough
				}
				left--
				out.Write(b.Item(i))
				if err := out.WriteByte('\n'); err != nil {
					return err
				}
			}
			return nil
		}),
		Limits: uploader.Limits{Items: max(perRow(mapping), min(n, uploader.MaxItems))},
	}
	if im.Reader.ChunkBytes == 0 {
		im.Reader.ChunkBytes = 16 << 10 // rejects far past the last line shown are none of a preview's
	}
	for _, path := range paths {
		im.Sources = append(im.Sources, checkpoint.Source{Path: path})
	}
	if err := im.Run(ctx); err != nil && !errors.Is(err, errEnough) {
		return errors.Join(withColumnHint(err, mapping), out.Flush())
	}
	if n := im.Mark.Counts.WithoutAmount; n > 0 {
		a.say("note: %s %s", plural(n, "measurement"), noAmount)
	}
	return out.Flush()
}

// submitFunc is a Submitter that takes every measurement itself.
type submitFunc func(*uploader.Batch) error

func (f submitFunc) Submit(_ context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	return nil, f(b)
}
