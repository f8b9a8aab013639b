//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/xitongsys/parquet-go/writer"

	"github.com/m3import/m3import/sandbox"
)

// act is one of the seven acts at which importers fail: a folder with files, a
// platform that does its worst, and what was said.
type act struct {
	*victim
	t *testing.T
}

func newAct(t *testing.T, cfg sandbox.Config, files map[string]string) *act {
	t.Helper()
	a := &act{t: t, victim: &victim{t: t, dir: t.TempDir(), alive: make(chan struct{}, 1)}}
	a.platform = newPlatform(t, cfg)
	for name, text := range files {
		a.write(name, []byte(text))
	}
	return a
}

func (a *act) write(name string, text []byte) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), text, 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// actCommand is the command of every act.
func actCommand(args ...string) []string {
	return append([]string{"run", "--rate-limit", "none", "--progress", "none", "--state", "state", "-m", "m.yaml"}, args...)
}

// plays runs one command and tells of it.
func (a *act) plays(want int, args ...string) string {
	a.t.Helper()
	words := actCommand(args...)
	cmd, out := a.command(words...)
	cmd.Run()
	code := cmd.ProcessState.ExitCode()
	held := a.platform.Totals()
	a.t.Logf("$ m3import %s\n%s\nexit code %d; %d measurements arrived, %d came twice; requests by status: %v; largest body %d bytes",
		strings.Join(words, " "), strings.TrimSpace(out.String()), code, held.Measurements, held.Duplicates, held.Requests["SubmitMeasurements"], held.LargestBody)
	if code != want {
		a.t.Errorf("exit code %d, want %d", code, want)
	}
	return out.String()
}

func (a *act) holds(n int64) {
	a.t.Helper()
	if held := a.platform.Totals(); held.Measurements != n || held.Conflicts != 0 {
		a.t.Errorf("the platform holds %d measurements, %d in conflict; want %d", held.Measurements, held.Conflicts, n)
	}
}

func (a *act) says(out string, words ...string) {
	a.t.Helper()
	for _, w := range words {
		if !strings.Contains(out, w) {
			a.t.Errorf("it does not say %q:\n%s", w, out)
		}
	}
}

// TestSevenActs plays the seven acts at which today's ways fail: each loses
// rows, doubles them, alters them or stops. See them with
//
//	go test -run SevenActs -v ./cmd/m3import
func TestSevenActs(t *testing.T) {
	t.Run("1 rows of 795 bytes fill a request before a thousand are in", func(t *testing.T) {
		a := newAct(t, sandbox.Config{}, map[string]string{"m.yaml": actMapping, "usage.csv": actRows(5000, 640)})
		a.plays(exitOK, "usage.csv")
		a.holds(5000)
		if held := a.platform.Totals(); held.LargestBody > 511_999 || held.LargestBody < 505_000 {
			t.Errorf("the largest body has %d bytes", held.LargestBody)
		}
	})
	t.Run("2 throttled for a while from the tenth request on, without a word of how long", func(t *testing.T) {
		t.Parallel()
		storm := 3 * time.Second
		if text := os.Getenv("M3IMPORT_STORM"); text != "" {
			var err error
			if storm, err = time.ParseDuration(text); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		var tenth, last time.Time
		requests := 0
		a := newAct(t, sandbox.Config{Middleware: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/measurements") {
					mu.Lock()
					requests++
					last = time.Now()
					if requests == 10 {
						tenth = last
					}
					mu.Unlock()
				}
				next.ServeHTTP(w, r)
			})
		}}, map[string]string{"m.yaml": actMapping, "usage.csv": actRows(4000, 10)})
		if err := a.platform.AddFaults(sandbox.Fault{Name: "storm", On: []string{"SubmitMeasurements"}, When: sandbox.When{From: 10, For: storm}, Status: 429, Message: "Too Many Requests"}); err != nil {
			t.Fatal(err)
		}
		a.plays(exitOK, "--batch-size", "100", "--workers", "4", "usage.csv")
		a.holds(4000)
		// Each worker may be told once; after that single probes find out.
		if n := a.platform.Totals().Requests["SubmitMeasurements"][429]; n < 1 || n > 4+2+int64(storm/time.Second) {
			t.Errorf("%d requests were throttled: the storm lasted %v", n, storm)
		}
		after := last.Sub(tenth.Add(storm))
		t.Logf("after a storm of %v, the rest was sent within %v", storm, after.Round(time.Millisecond))
		if os.Getenv("M3IMPORT_STORM") != "" && after > time.Second+500*time.Millisecond {
			t.Errorf("the rest was sent %v after the storm", after)
		}
	})
	t.Run("3 kill -9 half way, the same command again", func(t *testing.T) {
		a := newAct(t, sandbox.Config{}, map[string]string{"m.yaml": actMapping, "usage.csv": actRows(4000, 10)})
		if err := a.platform.AddFaults(sandbox.Fault{On: []string{"SubmitMeasurements"}, At: sandbox.Committed, Delay: 20 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		const workers, batch = 4, 100
		size := []string{"--batch-size", fmt.Sprint(batch), "--workers", fmt.Sprint(workers), "usage.csv"}
		cmd, _ := a.command(actCommand(size...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for a.platform.Totals().Measurements < 2000 {
			time.Sleep(time.Millisecond)
		}
		cmd.Process.Kill()
		cmd.Wait()
		a.plays(exitOK, size...)
		a.holds(4000)
		if d, window := a.platform.Totals().Duplicates, windowOf(workers, batch); d > window {
			t.Errorf("%d measurements came twice; the window holds %d", d, window)
		}
	})
	t.Run("4 one row that the platform answers with 400", func(t *testing.T) {
		a := newAct(t, sandbox.Config{Faults: []sandbox.Fault{{
			On: []string{"SubmitMeasurements"}, When: sandbox.When{Match: &sandbox.Match{Text: "poison"}}, Status: 400, Message: "measurement {item}: we do not like it",
		}}}, map[string]string{"m.yaml": actMapping, "usage.csv": strings.Replace(actRows(1000, 5), "e00700,acme,2026-01-01T00:00:00Z,1,wwwww", "e00700,acme,2026-01-01T00:00:00Z,1,poison", 1)})
		out := a.plays(exitRejects, "usage.csv")
		a.holds(999)
		a.says(out, "rejected: usage.csv:702 (row 701)", "we do not like it", "to find what was refused: 1 measurement)")
		if n := a.platform.Totals().Requests["SubmitMeasurements"]; n[400]+n[200] > 1+2*11 {
			t.Errorf("%v requests, about 20 are enough", n)
		}
	})
	t.Run("5 n/a where a number should be", func(t *testing.T) {
		a := newAct(t, sandbox.Config{}, map[string]string{"m.yaml": actMapping, "usage.csv": strings.Replace(actRows(1000, 5), "e00500,acme,2026-01-01T00:00:00Z,1,", "e00500,acme,2026-01-01T00:00:00Z,n/a,", 1)})
		out := a.plays(exitRejects, "usage.csv")
		a.holds(999)
		a.says(out, `rejected: usage.csv:502 (row 501) measure.n from column "n" = "n/a": `)
	})
	t.Run("6 digits that a double cannot hold", digits)
	t.Run("7 a gzip file cut at 60 %, and the whole one later", func(t *testing.T) {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		fmt.Fprint(w, actRows(20_000, 3))
		w.Close()
		a := newAct(t, sandbox.Config{}, map[string]string{"m.yaml": actMapping})
		a.write("usage.csv.gz", packed.Bytes()[:packed.Len()*6/10])
		out := a.plays(exitUsage, "usage.csv.gz")
		a.says(out, "usage.csv.gz", "unexpected EOF", "put the whole file in its place, then  m3import run ")
		if n := a.platform.Totals().Measurements; n < 8000 || n > 16_000 {
			t.Errorf("%d rows arrived of the 60 %% that were readable", n)
		}
		a.write("usage.csv.gz", packed.Bytes())
		out = a.plays(exitOK, "usage.csv.gz")
		a.says(out, "a source is longer than it was, and the first and last 64 KiB of then are as they were", "finished in 2 runs")
		a.holds(20_000)
		if d := a.platform.Totals().Duplicates; d != 0 {
			t.Errorf("%d rows came twice: the mark was not exact", d)
		}
	})
}

// digits imports the same three numbers from CSV, NDJSON and Parquet.
func digits(t *testing.T) {
	const mapping = "version: 1\nmeter: {const: api}\naccount: {const: acme}\nts: {const: 2026-01-01T00:00:00Z}\nuid: {key: [id]}\nmeasure: {a: a, b: b, c: c}\n"
	want := `"measure":{"a":9007199254740993,"b":0.1000000000000000055,"c":0.1000}`
	type numbers struct {
		ID string `parquet:"name=id, type=BYTE_ARRAY, convertedtype=UTF8"`
		A  int64  `parquet:"name=a, type=INT64"`
		B  int64  `parquet:"name=b, type=INT64, convertedtype=DECIMAL, scale=19, precision=19"`
		C  int64  `parquet:"name=c, type=INT64, convertedtype=DECIMAL, scale=4, precision=18"`
	}
	var packed bytes.Buffer
	w, err := writer.NewParquetWriterFromWriter(&packed, new(numbers), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(numbers{"p", 9007199254740993, 1000000000000000055, 1000}); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteStop(); err != nil {
		t.Fatal(err)
	}
	a := newAct(t, sandbox.Config{}, map[string]string{
		"m.yaml": mapping, "a.csv": "id,a,b,c\nc,9007199254740993,0.1000000000000000055,0.1000\n",
		"b.ndjson": `{"id":"n","a":9007199254740993,"b":0.1000000000000000055,"c":0.1000}` + "\n", "c.parquet": packed.String(),
	})
	a.plays(exitOK, "a.csv", "b.ndjson", "c.parquet")
	a.holds(3)
	for m := range a.platform.Measurements() {
		t.Logf("arrived: %s", m)
		if !json.Valid(m) || !bytes.Contains(m, []byte(want)) {
			t.Errorf("arrived as %s, want %s", m, want)
		}
	}
}
