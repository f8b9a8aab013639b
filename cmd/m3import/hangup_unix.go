//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// onHangup calls hung for each SIGHUP, one after the other, until stop is
// called.
func onHangup(hung func(hangup)) (stop func()) {
	kept, had := signal.Ignored(syscall.SIGHUP), hasTerminal()
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-signals:
				hung(hangup{kept: kept, gone: had && !hasTerminal()})
			case <-done:
				return
			}
		}
	}()
	return func() { signal.Stop(signals); close(done) }
}

// hasTerminal reports whether the process has a controlling terminal, whatever
// its input and output are.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_WRONLY|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// outliveReaders makes a write to a pipe that nobody reads an error, where it
// would end the process. It holds from then on: the exit code is to be the
// import's, also when nobody reads the last message.
func outliveReaders() { signal.Ignore(syscall.SIGPIPE) }
