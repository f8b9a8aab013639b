package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// tuneMemory sets how often the collector runs, unless GOGC does.
//
// It stays away until the heap is as large as an import makes it in its first
// hundredth of a second: it would run five times on the way there, for nothing, and
// hold up the first requests. From then on an import makes so little garbage that to
// collect it when the heap has grown by 60 %, where 100 is usual, costs a hundredth
// more CPU, for a tenth less memory.
func tuneMemory() {
	const (
		atFirst = 400 // a collection at 16 MiB: of what package runtime begins with, 4 MiB, so many hundredths
		then    = 60
	)
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(atFirst)
	// An object that nobody holds is gone with the first collection. One of less than
	// 16 bytes need not be.
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, then)
}
