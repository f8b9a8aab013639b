package main

import (
	"context"
	"log/slog"

	"github.com/m3import/m3import/uploader"
)

// logged tells the log of each batch that a Submitter takes.
type logged struct {
	uploader.Submitter
	app *app
}

func (l logged) Submit(ctx context.Context, b *uploader.Batch) ([]uploader.Refusal, error) {
	log := l.app.log
	if !log.Enabled(ctx, slog.LevelDebug) {
		return l.Submitter.Submit(ctx, b)
	}
	start := l.app.now()
	refusals, err := l.Submitter.Submit(ctx, b)
	attrs := []any{"measurements", b.Len(), "bytes", len(b.Body()), "took", l.app.now().Sub(start)}
	if err != nil {
		log.Debug("batch not settled", append(attrs, "error", err)...)
	} else {
		log.Debug("batch settled", append(attrs, "refused", len(refusals))...)
	}
	return refusals, err
}
