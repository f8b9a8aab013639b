//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// Nobody who asks where an import is means to kill it, as the default would before
// there is an answer.
func init() { signal.Ignore(syscall.SIGUSR1) }

// onAsk calls tell each time that somebody sends SIGUSR1, until stop is called.
func onAsk(tell func()) (stop func()) {
	asked, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(asked, syscall.SIGUSR1)
	go func() {
		for {
			select {
			case <-asked:
				tell()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(asked)
		signal.Ignore(syscall.SIGUSR1)
		close(done)
	}
}
