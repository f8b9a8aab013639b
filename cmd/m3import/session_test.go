package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// session is a person at a terminal: an environment, a state directory and a
// clock that stay the same from command to command.
type session struct {
	p     *platform
	env   map[string]string
	now   func() time.Time
	stdin string
}

func newSession(t *testing.T, p *platform) *session {
	t.Helper()
	s := &session{p: p, now: time.Now, env: map[string]string{
		"M3IMPORT_RATE_LIMIT": "none", "M3IMPORT_PROGRESS": "none", "XDG_STATE_HOME": filepath.Join(t.TempDir(), "state"),
	}}
	for _, line := range p.Env(p.url) {
		key, value, _ := strings.Cut(line, "=")
		s.env[key] = value
	}
	return s
}

// run runs one command in this process.
func (s *session) run(args ...string) (code int, stdout, stderr string) {
	return s.runUntil(context.Background(), args...)
}

func (s *session) runUntil(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	a := &app{stdin: strings.NewReader(s.stdin), stdout: &out, stderr: &errs, now: s.now,
		env: func(name string) (string, bool) { v, ok := s.env[name]; return v, ok }}
	code = a.run(ctx, args)
	return code, out.String(), errs.String()
}

// inProcess is one command of a session of its own.
func inProcess(t *testing.T, p *platform, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return newSession(t, p).run(args...)
}

const actMapping = "version: 1\nmeter: {const: api}\naccount: who\nts: when\nuid: {key: [id]}\nmeasure: {n: n}\nother: {note: {column: note, empty: skip}}\n"

// actRows are n rows of CSV with notes of some width.
func actRows(n, width int) string {
	var b strings.Builder
	b.WriteString("id,who,when,n,note\n")
	for i := range n {
		fmt.Fprintf(&b, "e%05d,acme,2026-01-01T00:00:00Z,1,%s\n", i, strings.Repeat("w", width))
	}
	return b.String()
}
