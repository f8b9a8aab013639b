//go:build unix

package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/sandbox"
)

// killSeeds is how many imports TestKill ruins; M3IMPORT_KILL_SEEDS sets it.
func killSeeds(t *testing.T) uint64 {
	text := os.Getenv("M3IMPORT_KILL_SEEDS")
	if text == "" {
		if testing.Short() {
			return 5
		}
		return 50
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("M3IMPORT_KILL_SEEDS: %v", err)
	}
	return n
}

// Each import that is killed sends batches of 20 by 2 workers.
var killWindow = windowOf(2, 20)

// windowOf is how many measurements may stand between sending and commit: what a
// crash may send again.
func windowOf(workers, batch int) int64 { return int64(pipeline.DefaultWindow(workers) * batch) }

// poison is in 10 of the 4,200 good rows; the platform is told to refuse it, so
// that their batches are taken apart.
const poison = `"requests":9007199254740993`

// However often and whenever the importer is killed, and whatever the platform
// and the network do meanwhile, the same command again leaves the platform with
// every good row once and the reject file with every bad row once, byte for byte
// as if nothing had happened. A crash sends at most the window again.
func TestKill(t *testing.T) {
	folder := packSamples(t)
	var calm [9]struct {
		once    sync.Once
		held    map[string]string
		rejects []byte
	}
	all := &tally{kills: make(map[step]int), fault: make(map[string]int64)}
	seeds := killSeeds(t)
	t.Cleanup(func() { all.report(t, seeds) })
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			lineup := seed % 9
			want, args := &calm[lineup], killArgs(t, folder, lineup)
			want.once.Do(func() { want.held, want.rejects = calmly(t, args) })
			if want.held == nil {
				t.Skip("the calm import of these sources is not as it should be")
			}
			rnd := rand.New(rand.NewPCG(seed, 9))
			v := newVictimOf(t, sandbox.Config{Seed: seed, Faults: troubles(rnd)}, args...)
			v.pause.Store(int64(rnd.IntN(8)) * int64(time.Millisecond))
			v.ruin(rnd, all)
			v.compare(want.held, want.rejects)
		})
	}
}

// ruin runs the import until it ends, and kills it up to six times.
func (v *victim) ruin(rnd *rand.Rand, all *tally) {
	v.t.Helper()
	defer func() { all.struck(v.platform.Faults()) }()
	for range 6 {
		at := someMoment(rnd)
		if v.run(&at) != -1 {
			return
		}
		all.killed(at.step)
	}
	if code := v.run(nil); code != exitRejects {
		v.t.Errorf("the last run ended with %d, want %d", code, exitRejects)
	}
}

func someMoment(rnd *rand.Rand) moment {
	upTo := func(d time.Duration) time.Duration { return time.Duration(rnd.Int64N(int64(d))) }
	switch rnd.IntN(5) {
	case 0:
		return moment{started, 1, upTo(60 * time.Millisecond)}
	case 1:
		return moment{arrived, 1 + rnd.IntN(60), 0}
	case 2:
		return moment{taken, 1 + rnd.IntN(60), 0}
	case 3:
		return moment{taken, 1 + rnd.IntN(60), upTo(3 * time.Millisecond)} // answered, and just being committed
	}
	return moment{refused, 1 + rnd.IntN(6), upTo(10 * time.Millisecond)}
}

// compare holds what the ruined import came to against the calm one.
func (v *victim) compare(want map[string]string, wantRejects []byte) {
	v.t.Helper()
	for run, n := range v.resent() {
		if int64(n) > killWindow {
			v.t.Errorf("run %d sent %d measurements that were sent before; the window holds %d", run, n, killWindow)
		}
	}
	lost := int64(0) // answers, after the platform had taken what they are about
	for _, f := range v.platform.Faults() {
		if f.At == sandbox.Committed || f.Cut != nil {
			lost += f.Struck
		}
	}
	if d := v.platform.Totals().Duplicates; d > int64(v.now-1)*killWindow+lost*20 {
		v.t.Errorf("%d measurements came twice, of %d crashes and %d lost answers", d, v.now-1, lost)
	}
	got := held(v.t, v.platform)
	for uid, m := range want {
		if got[uid] != m {
			v.t.Fatalf("in %d runs: uid %s is %q, want %q", v.now, uid, got[uid], m)
		}
	}
	if len(got) != len(want) {
		v.t.Errorf("in %d runs: %d measurements, want %d", v.now, len(got), len(want))
	}
	if got := earlierTry.ReplaceAll(v.rejects(), nil); !bytes.Equal(got, wantRejects) {
		v.t.Errorf("in %d runs the reject file came to differ: %s", v.now, firstDifference(got, wantRejects))
	}
}

// earlierTry is what a reject of a row says of tries that a calm import had none
// of.
var earlierTry = regexp.MustCompile(`; an earlier try may have been taken|,"sent":"[^"]*"`)

// firstDifference is the first line of got that is not as wanted.
func firstDifference(got, want []byte) string {
	wanted := bytes.Split(want, []byte("\n"))
	for i, line := range bytes.Split(got, []byte("\n")) {
		if i >= len(wanted) || !bytes.Equal(line, wanted[i]) {
			return fmt.Sprintf("line %d is\n%s\nwant\n%s", i+1, line, wanted[min(i, len(wanted)-1)])
		}
	}
	return fmt.Sprintf("it has %d bytes, want %d", len(got), len(want))
}

// calmly imports without faults, but for the rows that are refused.
func calmly(t *testing.T, args []string) (all map[string]string, rejects []byte) {
	v := newVictimOf(t, sandbox.Config{Faults: []sandbox.Fault{refusal()}}, args...)
	code := v.run(nil)
	all, rejects = held(t, v.platform), v.rejects()
	if n := bytes.Count(rejects, []byte("\n")); code != exitRejects || len(all) != 4190 || n < 10+3*5 {
		t.Errorf("the calm import ended with %d, %d measurements and %d rejects", code, len(all), n)
		return nil, nil
	}
	return all, rejects
}

func refusal() sandbox.Fault {
	return sandbox.Fault{Name: "poison", On: []string{"SubmitMeasurements"}, When: sandbox.When{Match: &sandbox.Match{Text: poison}},
		Status: http.StatusBadRequest, Message: "too many requests for one event"}
}

// troubles are faults that an import has to get over, each now and then over all
// runs: what is refused, what is lost before and after it was taken, what is
// answered with an error or half, and tokens that end.
func troubles(rnd *rand.Rand) []sandbox.Fault {
	soon := map[string]string{"Retry-After-Ms": "2"}
	cut := rnd.IntN(15)
	all := []sandbox.Fault{
		refusal(),
		{Name: "reset before reading", At: sandbox.Arrival, Reset: true},
		{Name: "reset before the commit", Reset: true},
		{Name: "reset after the commit", At: sandbox.Committed, Reset: true},
		{Name: "503", Status: 503, Headers: soon},
		{Name: "504 after the commit", At: sandbox.Committed, Status: 504, Headers: soon},
		{Name: "429", Status: 429, Headers: soon},
		{Name: "cut", Cut: &cut},
		{Name: "a proxy's page", Body: "<html><title>welcome</title></html>", Headers: soon},
		{Name: "revoked", Revoke: true},
		{Name: "tokens that end early", On: []string{"GenerateToken"}, TokenLife: time.Second},
	}
	for i := range all {
		if f := &all[i]; f.On == nil {
			f.On = []string{"SubmitMeasurements"}
			f.When = sandbox.When{From: 1 + rnd.IntN(150), Every: 10 + rnd.IntN(50), Times: 1 + rnd.IntN(2)}
		}
	}
	return all
}

// packSamples makes a folder of the sample files plain, as gzip and as zstd.
func packSamples(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	names, err := filepath.Glob("../../samples/usage-*")
	if err != nil || len(names) != 9 {
		t.Fatalf("%d samples: %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var gz, zst bytes.Buffer
		z := gzip.NewWriter(&gz)
		z.Write(text)
		z.Close()
		s, err := zstd.NewWriter(&zst)
		if err != nil {
			t.Fatal(err)
		}
		s.Write(text)
		s.Close()
		for suffix, content := range map[string][]byte{"": text, ".gz": gz.Bytes(), ".zst": zst.Bytes()} {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)+suffix), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// killArgs are an import of three days, of three formats and three packings;
// over nine lineups each day comes in each format and packing.
func killArgs(t *testing.T, folder string, lineup uint64) []string {
	t.Helper()
	args := sampleArgs(t)
	args = args[:len(args)-3]
	for day := range uint64(3) {
		format := [...]string{"csv", "ndjson", "parquet"}[(lineup+day)%3]
		packing := [...]string{"", ".gz", ".zst"}[(lineup/3+day)%3]
		args = append(args, filepath.Join(folder, fmt.Sprintf("usage-2026-01-0%d.%s%s", day+1, format, packing)))
	}
	return args
}

// tally counts what happened to all imports, so that it can be seen that
// everything did.
type tally struct {
	mu    sync.Mutex
	kills map[step]int
	fault map[string]int64
}

func (c *tally) killed(at step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kills[at]++
}

func (c *tally) struck(faults []sandbox.FaultState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range faults {
		c.fault[f.Name] += f.Struck
	}
}

// report fails a test that ruined many imports and left something out.
func (c *tally) report(t *testing.T, seeds uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("%d imports, killed at %v; faults: %v", seeds, c.kills, c.fault)
	if few := slices.Contains(slices.Collect(maps.Values(c.fault)), 0) || len(c.kills) < 4; few && seeds >= 20 && !t.Failed() {
		t.Error("that is not all that there is")
	}
}
