package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/m3import/m3import/sandbox"
	"github.com/m3import/m3import/sandbox/conform"
)

func TestMain(m *testing.M) {
	if os.Getenv("M3IMPORT_TEST_AS_PROGRAM") != "" {
		main() // the binary of the tests, run as the program
	}
	testscript.Main(m, map[string]func(){"m3import": main})
}

// canary is the secret that must appear nowhere.
const canary = "canary-6f1d-secret-do-not-show"

// TestScripts runs the scripts of testdata against a platform of their own.
// Each exchange with it is checked against the OpenAPI documents. Besides the
// commands of testscript there are:
//
//	held N             the platform holds N measurements, each uid once
//	sum METER FIELD S  the exact sum of a field
//	totals             prints what the platform counts, as JSON
//	secrets            fails when the secret stands in any file
//	exits N COMMAND…   runs a program that must exit with exactly that code
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			platform := newPlatform(env.T().(testing.TB), sandbox.Config{})
			for _, line := range platform.Env(platform.url) {
				key, value, _ := strings.Cut(line, "=")
				env.Setenv(key, value)
			}
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, ".state"))
			env.Setenv("M3IMPORT_RATE_LIMIT", "none")
			env.Setenv("HOME", env.WorkDir)
			samples, err := filepath.Abs("../../samples")
			env.Setenv("SAMPLES", samples)
			env.Values["platform"] = platform
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"held":    cmdHeld,
			"sum":     cmdSum,
			"totals":  cmdTotals,
			"secrets": cmdSecrets,
			"exits":   cmdExits,
		},
	})
}

// platform is a sandbox that a test talks to over HTTP.
type platform struct {
	*sandbox.Server
	url string
}

// connection is the key of what stands for the connection of a request: unlike
// its address, which a later one can have again.
type connection struct{}

func newPlatform(t testing.TB, cfg sandbox.Config) *platform {
	cfg.Secret = canary
	s := sandbox.New(cfg)
	server := httptest.NewUnstartedServer(conform.Options{Every: 10}.Middleware(t, s))
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, connection{}, new(byte))
	}
	server.Start()
	t.Cleanup(server.Close)
	return &platform{Server: s, url: server.URL}
}

func platformOf(ts *testscript.TestScript) *platform { return ts.Value("platform").(*platform) }

// cmdExits keeps what was printed for stdout and stderr, as exec does.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func cmdHeld(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: held N")
	}
	t := platformOf(ts).Totals()
	if got := fmt.Sprint(t.Measurements); got != args[0] || t.UIDs != t.Measurements || t.Conflicts != 0 {
		ts.Fatalf("the platform holds %d measurements with %d uids and %d conflicts, want %s", t.Measurements, t.UIDs, t.Conflicts, args[0])
	}
}

func cmdSum(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: sum METER FIELD SUM")
	}
	t := platformOf(ts).Totals()
	if got := t.Sum(args[0], args[1]); got != args[2] {
		ts.Fatalf("sum of %s %s is %s, want %s", args[0], args[1], got, args[2])
	}
}

func cmdTotals(ts *testscript.TestScript, neg bool, args []string) {
	text, err := json.Marshal(platformOf(ts).Totals())
	ts.Check(err)
	ts.Logf("%s", text)
}

// cmdSecrets fails when the secret stands in any file of the script's folder.
func cmdSecrets(ts *testscript.TestScript, neg bool, args []string) {
	n := 0
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if n++; bytes.Contains(text, []byte(canary)) {
			ts.Fatalf("the secret stands in %s", path)
		}
		return err
	}))
	if n == 0 {
		ts.Fatalf("no file was looked at")
	}
}

// environment is that of the tests without what is for the tests themselves, or
// would set flags of the program.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, variablePrefix) })
}

// What sets how long a test is, says nothing to the program that it runs.
func TestVariablesOfTests(t *testing.T) {
	t.Setenv("M3IMPORT_STORM", "30s")
	if out := runProgram(t, "version"); strings.Contains(out, "M3IMPORT_") {
		t.Errorf("the program says\n%s", out)
	}
}

// runProgram runs the program as a process and returns what it printed; it must
// exit 0.
func runProgram(t *testing.T, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(environment(), "M3IMPORT_TEST_AS_PROGRAM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
