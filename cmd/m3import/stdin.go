package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/m3import/m3import/pipeline"
)

// errHalfLine is how text from a pipe ends when whoever wrote it was stopped,
// perhaps by the same Ctrl-C. Half a line can look like a whole row with a
// shorter number.
var errHalfLine = fmt.Errorf("standard input ends in the middle of a line, as if whoever wrote it was stopped; if all is there, add a line end: %w", io.ErrUnexpectedEOF)

// standardInput is in until ctx ends. A pipe that has nothing to say would hold
// up the stop for ever, as nothing interrupts a read of it.
func standardInput(ctx context.Context, in io.Reader) io.ReadCloser {
	r, w := io.Pipe()
	start := sync.OnceFunc(func() {
		go func() {
			var seen ends
			_, err := io.Copy(io.MultiWriter(&seen, w), in)
			if err == nil && seen.halfLine() {
				err = errHalfLine
			}
			w.CloseWithError(err)
		}()
		context.AfterFunc(ctx, func() { w.CloseWithError(pipeline.ErrStopped) })
	})
	return &pipeEnd{r, start}
}

// pipeEnd reads from a pipe that is filled from the first Read on.
type pipeEnd struct {
	*io.PipeReader
	start func()
}

func (p *pipeEnd) Read(b []byte) (int, error) { p.start(); return p.PipeReader.Read(b) }

// ends keeps how a stream begins and ends.
type ends struct {
	head []byte // at most 4 bytes
	last byte
}

func (e *ends) Write(b []byte) (int, error) {
	if missing := 4 - len(e.head); missing > 0 {
		e.head = append(e.head, b[:min(missing, len(b))]...)
	}
	if len(b) > 0 {
		e.last = b[len(b)-1]
	}
	return len(b), nil
}

// halfLine reports whether it was text without a line end at its end. What is
// packed, and Parquet, tells by itself whether it is all there.
func (e *ends) halfLine() bool {
	for _, magic := range [][]byte{{0x1f, 0x8b}, {0x28, 0xb5, 0x2f, 0xfd}, []byte("PAR1")} {
		if bytes.HasPrefix(e.head, magic) {
			return false
		}
	}
	skippable := len(e.head) == 4 && e.head[0]&0xf0 == 0x50 && bytes.Equal(e.head[1:], []byte{0x2a, 0x4d, 0x18})
	return len(e.head) > 0 && !skippable && e.last != '\n' && e.last != '\r'
}
