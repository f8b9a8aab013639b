package main

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/m3import/m3import/sandbox"
)

// openData is where public usage exports lie beside a checkout, with what a
// right import of each comes to, computed by other programs.
const openData = "../../../shared/data/open"

// openFile is an entry of EXPECTED.json.
type openFile struct {
	File     string
	Records  int64
	Good     int64
	Rejected map[string]struct {
		Count        int64
		FirstRecords []int64 `json:"first_records"`
	}
	Sum              string  `json:"sum_quantity_exact"`
	TSMin            string  `json:"ts_min"`
	TSMax            string  `json:"ts_max"`
	DistinctAccounts *int    `json:"distinct_accounts"`
	DistinctMeters   *int    `json:"distinct_meters"`
	DistinctUIDs     *int64  `json:"distinct_uids"`
	TopAccounts      [][]any `json:"top_accounts"`
	TopMeters        [][]any `json:"top_meters"`
}

func openFiles(t *testing.T) []openFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(openData, "EXPECTED.json"))
	if os.IsNotExist(err) {
		t.Skipf("the public usage exports are not beside this checkout (%s)", openData)
	}
	var files []openFile
	if err == nil {
		err = json.Unmarshal(text, &files)
	}
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// importOpen imports one of the files and returns its report.
func importOpen(t *testing.T, p *platform, file string) report {
	t.Helper()
	code, stdout, stderr := inProcess(t, p, "run", "--json", "--progress", "none",
		"-m", filepath.Join("testdata", "open", file+".yaml"), filepath.Join(openData, file))
	var rep report
	if err := json.Unmarshal([]byte(stdout), &rep); err != nil {
		t.Fatalf("exit %d, %v\n%s", code, err, stderr)
	}
	want := exitOK
	if rep.Rows.Rejected > 0 {
		want = exitRejects
	}
	if code != want || rep.ExitCode != want {
		t.Errorf("exit code %d, in the report %d, want %d\n%s", code, rep.ExitCode, want, stderr)
	}
	return rep
}

func rat(t *testing.T, text string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is not a number", text)
	}
	return r
}

// Public usage exports come out as other programs computed them: counts,
// rejected records, sums to the last digit, accounts, meters, times.
func TestOpenData(t *testing.T) {
	for _, want := range openFiles(t) {
		t.Run(want.File, func(t *testing.T) {
			p := newPlatform(t, sandbox.Config{})
			rep := importOpen(t, p, want.File)
			if rep.Rows.Read != want.Records || rep.Rows.Accepted != want.Good || rep.Rows.Rejected != want.Records-want.Good {
				t.Errorf("rows %+v, want %d read, %d good", rep.Rows, want.Records, want.Good)
			}
			held := p.Totals()
			if held.Measurements != want.Good || held.Duplicates+held.Conflicts != 0 {
				t.Errorf("the platform holds %d measurements (%d duplicates, %d conflicts), want %d", held.Measurements, held.Duplicates, held.Conflicts, want.Good)
			}
			if held.LargestBody > 511_999 || held.LargestBatch > 1000 {
				t.Errorf("a request of %d measurements or %d bytes", held.LargestBatch, held.LargestBody)
			}
			checkSums(t, &want, &rep, &held)
			checkRejects(t, &want, &rep)
			checkTimes(t, &want, p)
		})
	}
}

func checkSums(t *testing.T, want *openFile, rep *report, held *sandbox.Totals) {
	t.Helper()
	reported, platform := new(big.Rat), new(big.Rat)
	for _, total := range rep.Totals {
		reported.Add(reported, rat(t, total.Sum))
	}
	byAccount, byMeter := map[string]*big.Rat{}, map[string]*big.Rat{}
	add := func(m map[string]*big.Rat, key string, v *big.Rat) {
		if m[key] == nil {
			m[key] = new(big.Rat)
		}
		m[key].Add(m[key], v)
	}
	for _, u := range held.Accounts {
		for _, f := range u.Fields {
			v := rat(t, f.Sum)
			platform.Add(platform, v)
			add(byAccount, u.Account, v)
			add(byMeter, u.Meter, v)
		}
	}
	if sum := rat(t, want.Sum); reported.Cmp(sum) != 0 || platform.Cmp(sum) != 0 {
		t.Errorf("the report's sum is %s, the platform's %s, want %s", reported.FloatString(18), platform.FloatString(18), want.Sum)
	}
	if want.DistinctAccounts != nil && len(byAccount) != *want.DistinctAccounts {
		t.Errorf("%d accounts, want %d", len(byAccount), *want.DistinctAccounts)
	}
	if want.DistinctMeters != nil && len(byMeter) != *want.DistinctMeters {
		t.Errorf("%d meters, want %d", len(byMeter), *want.DistinctMeters)
	}
	for _, top := range []struct {
		want [][]any
		got  map[string]*big.Rat
	}{{want.TopAccounts, byAccount}, {want.TopMeters, byMeter}} {
		for _, entry := range top.want {
			name, sum := entry[0].(string), rat(t, entry[2].(string))
			if got := top.got[name]; got == nil || got.Cmp(sum) != 0 {
				t.Errorf("sum of %q is %v, want %v", name, got, sum)
			}
		}
	}
}

// checkRejects compares reasons and, where they are known, record numbers.
func checkRejects(t *testing.T, want *openFile, rep *report) {
	t.Helper()
	type group struct {
		n       int64
		records []int64
	}
	got := map[string]*group{}
	if rep.RejectsFile != "" {
		text, err := os.ReadFile(rep.RejectsFile)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var r struct {
				Reject struct {
					Record      int64
					Code, Field string
				} `json:"_reject"`
			}
			if err := json.Unmarshal(line, &r); err != nil {
				t.Fatal(err)
			}
			what := map[string]string{"meter": "meter", "account": "account", "ts": "ts", "measure.quantity": "quantity"}[r.Reject.Field]
			key := what + " " + r.Reject.Code
			if got[key] == nil {
				got[key] = new(group)
			}
			got[key].n++
			got[key].records = append(got[key].records, r.Reject.Record)
		}
	}
	if len(got) != len(want.Rejected) {
		t.Errorf("%d kinds of rejects, want %d: %v", len(got), len(want.Rejected), rep.Rejects)
	}
	for reason, w := range want.Rejected {
		what, _, _ := strings.Cut(reason, " ") // "quantity missing", "quantity null"
		g := got[what+" required"]
		if g == nil || g.n != w.Count {
			t.Errorf("rejected for %q: %+v, want %d", reason, g, w.Count)
			continue
		}
		if n := len(w.FirstRecords); !slices.Equal(g.records[:n], w.FirstRecords) {
			t.Errorf("rejected for %q: records %v, want %v", reason, g.records[:n], w.FirstRecords)
		}
	}
}

func checkTimes(t *testing.T, want *openFile, p *platform) {
	t.Helper()
	if want.TSMin == "" {
		return
	}
	var least, most time.Time
	for m := range p.Measurements() {
		var one struct{ TS time.Time }
		if err := json.Unmarshal(m, &one); err != nil {
			t.Fatal(err)
		}
		if least.IsZero() || one.TS.Before(least) {
			least = one.TS
		}
		if one.TS.After(most) {
			most = one.TS
		}
	}
	for _, c := range []struct {
		name, want string
		got        time.Time
	}{{"first", want.TSMin, least}, {"last", want.TSMax, most}} {
		w, err := time.Parse(time.RFC3339Nano, c.want)
		if err != nil {
			t.Fatal(err)
		}
		if want.File == "mooncake_synthetic_trace.jsonl" {
			w, c.got = w.Truncate(time.Second), c.got.Truncate(time.Second) // given to the second
		}
		if w = w.Truncate(time.Millisecond); !c.got.Equal(w) { // the platform's resolution
			t.Errorf("the %s time is %v, want %v", c.name, c.got, w)
		}
	}
}

// The same FOCUS data as CSV and as Parquet makes the same measurements.
func TestOpenFocusFormatsAgree(t *testing.T) {
	openFiles(t)
	var sets [2][]string
	for i, file := range []string{"focus_1.0_sample.csv", "focus_1.0_sample.derived.zstd.parquet"} {
		p := newPlatform(t, sandbox.Config{})
		importOpen(t, p, file)
		for m := range p.Measurements() {
			sets[i] = append(sets[i], canonical(t, m))
		}
		slices.Sort(sets[i])
	}
	if len(sets[0]) != 999 || !slices.Equal(sets[0], sets[1]) {
		for i := range min(len(sets[0]), len(sets[1])) {
			if sets[0][i] != sets[1][i] {
				t.Fatalf("they differ first in\n%s\n%s", sets[0][i], sets[1][i])
			}
		}
		t.Fatalf("%d and %d measurements", len(sets[0]), len(sets[1]))
	}
}

// canonical is a measurement with its numbers as fractions: a decimal of fixed
// scale may end in zeros that a CSV does not write.
func canonical(t *testing.T, m []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(m))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for key, n := range v["measure"].(map[string]any) {
		v["measure"].(map[string]any)[key] = rat(t, n.(json.Number).String()).RatString()
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// AWS: the line item id alone is too long for a uid, and as a key it repeats;
// check tells how many rows the platform would silently ignore.
func TestOpenAWSLineItemID(t *testing.T) {
	openFiles(t)
	file := filepath.Join(openData, "aws_cur_legacy_anonymous.csv")
	base, err := os.ReadFile("testdata/open/aws_cur_legacy_anonymous.csv.yaml")
	if err != nil {
		t.Fatal(err)
	}
	withUID := func(rule string) string {
		path := filepath.Join(t.TempDir(), "mapping.yaml")
		text := strings.Replace(string(base), "uid: {key: [identity/LineItemId, identity/TimeInterval]}", "uid: "+rule, 1)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := newPlatform(t, sandbox.Config{})

	code, stdout, stderr := inProcess(t, p, "check", "--json", "-m", withUID("{column: identity/LineItemId}"), file)
	var rep checkReport
	if err := json.Unmarshal([]byte(stdout), &rep); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if code != exitRejects || rep.Rows.Accepted != 0 || rep.Rejects["uid"] != 1269 {
		t.Errorf("as a column: exit %d, %+v, %v; every one of the 1269 good rows has an id of 52 characters", code, rep.Rows, rep.Rejects)
	}

	_, stdout, stderr = inProcess(t, p, "check", "--json", "-m", withUID("{key: [identity/LineItemId]}"), file)
	rep = checkReport{}
	if err := json.Unmarshal([]byte(stdout), &rep); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if rep.Rows.Accepted != 1269 || rep.Repeats.Same+rep.Repeats.Other != 893 {
		t.Errorf("as a key: %+v, repeats %+v; 1269 rows have 376 ids, so 893 would be ignored", rep.Rows, rep.Repeats)
	}
	if n := p.Totals().Submitted; n != 0 {
		t.Errorf("check sent %d measurements", n)
	}
}
