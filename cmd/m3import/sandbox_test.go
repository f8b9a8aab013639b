package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

// Faults on the command line are in force from the first request on, with those of
// the scenario.
func TestSandboxFaultFlags(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"s.yaml": "faults:\n- {name: first, status: 500, when: {times: 1}}\n"})
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	a := &app{stdin: strings.NewReader(""), stdout: in, stderr: io.Discard, env: func(string) (string, bool) { return "", false }}
	ended := make(chan int)
	go func() {
		defer in.Close()
		ended <- a.run(ctx, []string{"sandbox", "--addr", "127.0.0.1:0", "--scenario", filepath.Join(dir, "s.yaml"),
			"--fault", "{name: outage, on: [SubmitMeasurements], status: 503, when: {from: 10, to: 40}}", "--fault", `{"name":"slow","delay":"1ms"}`})
	}()
	url := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if after, ok := strings.CutPrefix(lines.Text(), "export M3TER_BASE_URL="); ok {
			url = after
			go io.Copy(io.Discard, out)
			break
		}
	}
	res, err := http.Get(url + "/_sandbox/faults")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list struct {
		Faults []struct {
			Name   string
			Status int
			When   struct{ From, To int }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	if f := list.Faults; len(f) != 3 || f[0].Name != "first" || f[1].Name != "outage" || f[1].Status != 503 || f[1].When.To != 40 || f[2].Name != "slow" {
		t.Errorf("the faults are %+v", f)
	}
	stop()
	if code := <-ended; code != exitOK {
		t.Errorf("exit code %d", code)
	}

	s := newSession(t, newPlatform(t, sandbox.Config{}))
	for _, c := range []struct{ fault, want string }{
		{"{status: 503, sometimes: true}", "--fault {status: 503, sometimes: true}: line 1: sometimes: is not known here"},
		{"{name: first, status: 503}", "--fault: faults[1]"},
	} {
		code, _, stderr := s.run("sandbox", "--addr", "127.0.0.1:0", "--scenario", filepath.Join(dir, "s.yaml"), "--fault", c.fault)
		if code != exitUsage || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "docs/sandbox.md shows faults") {
			t.Errorf("%s: exit code %d\n%s", c.fault, code, stderr)
		}
	}
}
