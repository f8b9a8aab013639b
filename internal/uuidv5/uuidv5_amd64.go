//go:build !purego

package uuidv5

import "github.com/klauspost/cpuid/v2"

// fast says whether sum can be used.
var fast = cpuid.CPU.Supports(cpuid.SHA, cpuid.SSSE3, cpuid.SSE4)

// sum writes to to the UUID of the blocks of 64 bytes at text, one or more.
//
//go:noescape
func sum(to *[Len]byte, text *byte, blocks int)
