package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// sample is what one run of a program came to.
type sample struct {
	Wall time.Duration `json:"wall"`
	CPU  time.Duration `json:"cpu"`   // user and system, as the kernel accounts for it
	Peak int64         `json:"peak"`  // most resident memory, in bytes; 0: not watched
	Num  float64       `json:"value"` // what else the run is about
}

// program is a program to run.
type program struct {
	path string
	args []string
	env  []string // besides this program's own
	dir  string   // where it runs; "": here
	peak bool     // watch its memory
}

// run runs a program to its end, and returns what it printed besides. Anything
// but exit code 0 is an error.
func (p program) run(ctx context.Context) (sample, []byte, error) {
	cmd := exec.CommandContext(ctx, p.path, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Dir = p.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, nil, err
	}
	peak := make(chan int64, 1)
	if p.peak {
		go func() { peak <- watchPeak(cmd.Process.Pid) }()
	} else {
		peak <- 0
	}
	err := cmd.Wait()
	s := sample{Wall: time.Since(start), CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), Peak: <-peak}
	if err != nil {
		return s, nil, fmt.Errorf("%s %s: %w\n%s", p.path, strings.Join(p.args, " "), err, errs.Bytes())
	}
	return s, out.Bytes(), nil
}

// watchPeak reads a process's peak memory until it ends. The kernel's account
// of an ended process is of no use for it: that starts with the memory of the
// process that it was forked from.
func watchPeak(pid int) (most int64) {
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, line, found := bytes.Cut(text, []byte("VmHWM:"))
		if err != nil || !found {
			return most
		}
		var kib int64
		if _, err := fmt.Sscan(string(line), &kib); err == nil {
			most = kib << 10
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// start starts a program that serves until stop is called, and returns the
// first line that it prints.
func (p program) start() (line string, stop func(), err error) {
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		in.Close()
		_ = cmd.Wait() // it ends with its input; how is of no interest
	}
	var text []byte
	for b := make([]byte, 1); len(text) == 0 || text[len(text)-1] != '\n'; {
		if _, err := out.Read(b); err != nil {
			return "", nil, errors.Join(fmt.Errorf("%s: no first line", p.path), err)
		}
		text = append(text, b[0])
	}
	return strings.TrimSpace(string(text)), stop, nil
}
