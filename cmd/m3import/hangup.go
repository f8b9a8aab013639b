package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/m3import/m3import/uploader"
)

// rateFile is the name, in a state directory, of the file that a person writes
// to change the rate of the import that runs there. It is read on SIGHUP only,
// so that one that was forgotten does not slow down the next import.
const rateFile = "rate-limit"

// maxRateFile is more than any rate is long.
const maxRateFile = 4096

// hangup is one SIGHUP.
type hangup struct {
	// kept says that the process was started to outlive its terminal, by nohup.
	kept bool
	// gone says that the terminal that the process had is no more.
	gone bool
}

// rateControl changes the rate of an import while it runs.
type rateControl struct {
	app *app

	mu     sync.Mutex
	path   string // of the control file; empty before there is a state directory
	client *uploader.Client
}

// untilHangup gives a context that ends when a SIGHUP means to stop. A closed
// terminal sends one, and so does who wants the rate changed: it is the latter
// when the control file is there and the terminal still is. A terminal that
// closes may send it more than once, so that a second one is no order to leave
// at once. Under nohup it never stops anything.
//
// end gives SIGHUP back.
func (a *app) untilHangup(parent context.Context) (ctx context.Context, rate *rateControl, end func()) {
	ctx, cancel := context.WithCancelCause(parent)
	rate = &rateControl{app: a}
	stop := onHangup(func(h hangup) {
		if !h.gone && rate.reload() || h.kept {
			return
		}
		cancel(stopSignal{syscall.SIGHUP})
	})
	return ctx, rate, func() { stop(); cancel(nil) }
}

// control makes the control file of dir the one that sets the rate of client.
func (r *rateControl) control(dir string, client *uploader.Client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.path, r.client = filepath.Join(dir, rateFile), client
}

// reload takes the rate from the control file, or says why not, which changes
// nothing. It reports whether there is such a file.
func (r *rateControl) reload() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.path == "" {
		return false
	}
	text, err := readRateFile(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil {
		err = r.set(text)
	}
	if err != nil {
		// An error, so --quiet does not keep it back.
		fmt.Fprintf(r.app.stderr, "m3import: rate limit stays %s: %v\n", rateText(r.client.Rate()), err)
		return true
	}
	r.app.say("rate limit is now %s, from %s", rateText(r.client.Rate()), r.path)
	return true
}

func (r *rateControl) set(text string) error {
	rate, err := uploader.ParseRate(text)
	if err == nil {
		err = r.client.SetRate(rate)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	return nil
}

// readRateFile reads one line of a regular file: a pipe would hold up the
// signals for as long as nobody writes to it.
func readRateFile(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular() || info.Size() > maxRateFile:
		return "", fmt.Errorf("%s: not a file with one line, such as 5000/5m,50/s", path)
	}
	text, err := os.ReadFile(path)
	return strings.TrimSpace(string(text)), err
}

// rateText is a rate in the words of --rate-limit.
func rateText(rate []uploader.Window) string {
	if len(rate) == 0 {
		return "none"
	}
	words := make([]string, len(rate))
	for i, w := range rate {
		words[i] = w.String()
	}
	return strings.Join(words, ",")
}

// readerGone reports whether a write to w failed because nobody reads it any
// more: the other end of a pipe is closed, or the terminal is. What an import
// has done is not undone by that; its report is on the disk.
func readerGone(w io.Writer, err error) bool {
	if errors.Is(err, syscall.EPIPE) {
		return true
	}
	f, ok := w.(*os.File)
	if !ok || !errors.Is(err, syscall.EIO) {
		return false
	}
	info, statErr := f.Stat()
	return statErr == nil && info.Mode()&os.ModeCharDevice != 0 // not a file on a disk that fails
}
