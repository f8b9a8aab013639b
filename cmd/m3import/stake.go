package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/uploader"
)

// stake counts measurements, sends none, and ends after so many.
type stake struct {
	left int64
	end  context.CancelFunc
}

func (s *stake) Submit(_ context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	if s.left <= 0 {
		return nil, pipeline.ErrStopped // it came before the end was heard of
	}
	if s.left -= int64(b.Len()); s.left <= 0 {
		s.end()
	}
	return nil, nil
}

// amountsInDoubt reads what may have arrived of an import that ended without a clean stop:
// as many measurements after the mark as can have been in the air, and a few
// more. It is what a person
// needs to know before they send it again too late; to read it in any other case
// would only hold up the import.
func (r *runner) amountsInDoubt(plan checkpoint.Plan, mark checkpoint.Mark) (measurements int64, totals []checkpoint.Total, err error) {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	s := &stake{left: mark.MaxUncertain, end: end}
	from := mark
	from.Counts, from.Current, from.Totals, from.RejectCodes = checkpoint.Counts{}, checkpoint.Counts{}, nil, nil
	im := &pipeline.Import{
		Sources: plan.Sources, Mapping: r.job.mapping, Reader: r.f.reader(), Select: r.f.selection, Now: r.app.now,
		Submit: s, Limits: uploader.Limits{Items: max(10, perRow(r.job.mapping))}, Journal: pipeline.Forget{}, Mark: from, Uploads: 1,
	}
	if err = im.Run(ctx); err != nil && ctx.Err() == nil {
		return 0, nil, err
	}
	return im.Mark.Counts.Measurements, im.Mark.Totals, nil
}

// sumsText lists totals.
func sumsText(totals []checkpoint.Total) string {
	const most = 5
	var sums []string
	for _, t := range totals[:min(most, len(totals))] {
		sums = append(sums, fmt.Sprintf("%s %s.%s %s", t.Meter, t.Category, t.Field, t.Sum))
	}
	if n := len(totals) - most; n > 0 {
		sums = append(sums, plural(int64(n), "more total"))
	}
	return strings.Join(sums, ", ")
}
