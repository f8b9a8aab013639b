//go:build !unix

package main

// onAsk has no signal to wait for here.
func onAsk(func()) (stop func()) { return func() {} }
