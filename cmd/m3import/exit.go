package main

import (
	"context"
	"errors"
	"syscall"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/uploader"
)

// The exit codes. They are an interface: scripts depend on them. 2 is left to
// the Go runtime, which exits so on a panic.
const (
	exitOK        = 0   // every row is accounted for, none was rejected
	exitUsage     = 1   // flags, mapping, input or state: see the message
	exitRejects   = 3   // finished; some rows were rejected, or are in conflict (check)
	exitBudget    = 4   // stopped: --max-errors
	exitTemporary = 5   // throttled, 5xx or network: run the same command later
	exitSums      = 6   // the counts do not sum: a fault of this program
	exitFatal     = 7   // refused for good: credentials, organization, request
	exitNoInput   = 9   // no source matched, or no row a slice's
	exitLocked    = 11  // another run holds the state
	exitHup       = 129 // stopped by SIGHUP, cleanly
	exitInt       = 130 // stopped by SIGINT, cleanly
	exitTerm      = 143 // stopped by SIGTERM, cleanly
)

const exitCodeHelp = `Exit codes:
  0    every row is accounted for, none was rejected
  1    flags, mapping, input or state: the message says what; run again when mended
  3    finished; some rows were rejected (see rejects.ndjson); of a check also: uids
       repeat with other content
  4    stopped: more rows were rejected than --max-errors allows
  5    temporary trouble (throttled, 5xx, network): run the same command later
  6    the counts do not sum: please report this
  7    refused for good: credentials, organization or request
  9    no source matched; or a slice, or a uid of it, has no row
  11   another run holds the state
  130  stopped by Ctrl-C after a clean checkpoint
       (143: by SIGTERM; 129: by SIGHUP, as from a closed terminal)`

// codedError is an error that knows its exit code and, maybe, what to do.
type codedError struct {
	code int
	err  error
	hint string
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// coded gives err an exit code and a hint.
func coded(code int, err error, hint string) error {
	return &codedError{code: code, err: err, hint: hint}
}

var (
	errRejects = errors.New("some rows were rejected")
	errSums    = errors.New("rows read are not the sum of accepted, rejected and filtered rows")
)

// exitCode is the one place that says what an error means to a script.
func exitCode(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errSums) {
		return exitSums // whatever else went wrong
	}
	if c, ok := errors.AsType[*codedError](err); ok {
		return c.code
	}
	// A request that was cut short by the stop is an error of the uploader, too.
	if e, ok := errors.AsType[*uploader.Error](err); ok && !errors.Is(err, pipeline.ErrStopped) {
		if e.Kind == uploader.Temporary {
			return exitTemporary
		}
		return exitFatal
	}
	switch {
	case errors.Is(err, errRejects):
		return exitRejects
	case errors.Is(err, pipeline.ErrTooManyRejects):
		return exitBudget
	case errors.Is(err, checkpoint.ErrLocked):
		return exitLocked
	case errors.Is(err, pipeline.ErrStopped), errors.Is(err, context.Canceled):
		s, _ := errors.AsType[stopSignal](context.Cause(ctx))
		switch s.Signal {
		case syscall.SIGTERM:
			return exitTerm
		case syscall.SIGHUP:
			return exitHup
		}
		return exitInt
	}
	return exitUsage
}
