package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// startWide keeps the collector away until the heap is as large as an import makes
// it in its first hundredth of a second, and then lets it do as it always does. It
// would run five times on the way there, for nothing, and hold up the first requests.
// Where GOGC says how often it is to run, it does.
func startWide() {
	const (
		usual = 100
		wide  = 4 * usual // a first collection at 16 MiB, where it is at 4 (package runtime)
	)
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(wide)
	// An object that nobody holds is gone with the first collection. One of less than
	// 16 bytes need not be.
	runtime.AddCleanup(new([64]byte), func(usual int) { debug.SetGCPercent(usual) }, usual)
}
