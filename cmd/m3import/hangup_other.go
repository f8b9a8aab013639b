//go:build !unix

package main

// onHangup has no signal to wait for here. A console that closes is a SIGTERM
// to a Go program on Windows.
func onHangup(func(hangup)) (stop func()) { return func() {} }

// outliveReaders has nothing to do: a write to a pipe that nobody reads is an
// error here.
func outliveReaders() {}
