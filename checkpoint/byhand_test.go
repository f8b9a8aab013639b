package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// drawSource makes a source, of texts that encoding/json escapes or not.
func drawSource(rnd *rand.Rand, odd bool) Source {
	text := func(n int) string {
		letters := []rune("abcXYZ019 /._-é日")
		if odd {
			letters = append(letters, '<', '>', '&', '"', '\\', '\n', '\t', 1, 0x7f, 0x2028, 0x2029, 0xfffd)
		}
		var b strings.Builder
		for range rnd.IntN(n) {
			b.WriteRune(letters[rnd.IntN(len(letters))])
		}
		return b.String()
	}
	s := Source{Path: text(30), Print: Print{Name: text(4), Size: rnd.Int64N(1<<40) - 1, Head: text(3), Tail: text(3), Full: text(3)}}
	switch rnd.IntN(4) {
	case 0:
	case 1:
		s.Modified = time.Unix(rnd.Int64N(1<<32), 0).UTC()
	default:
		s.Modified = time.Unix(rnd.Int64N(1<<32), rnd.Int64N(1e9)).In(time.FixedZone("", rnd.IntN(20)*1800-5*3600))
	}
	return s
}

// What is written by hand for speed is what encoding/json writes, but that it
// escapes no more than it must; and it reads back the same.
func TestWrittenByHand(t *testing.T) {
	same := func(a, b any) bool {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return bytes.Equal(x, y)
	}
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		odd := seed%2 == 1
		p := Plan{Version: Version, ID: "one", Started: time.Unix(1, 0).UTC(), Command: []string{"\n  \"sources\": null", "run"}}
		for range rnd.IntN(4) {
			p.Sources = append(p.Sources, drawSource(rnd, odd))
		}
		got, err := planFrame(&p)
		if err != nil {
			t.Fatal(err)
		}
		want, err := frameOf(kindPlan, &p)
		if err != nil {
			t.Fatal(err)
		}
		if !odd && !bytes.Equal(got, want) {
			t.Fatalf("%s\nwant\n%s", got, want)
		}
		var back Plan
		if err := parseFrame("plan.json", kindPlan, got, &back); err != nil || !same(back, p) {
			t.Fatalf("%v\n%s\nread from\n%s", err, want, got)
		}

		e := entry{Began: p.Started, When: time.Unix(2, 5e6).UTC(), Import: "one", OrgID: "o", Endpoint: "https://x/y?z", Mapping: strings.Repeat("ab", 32), Source: drawSource(rnd, odd)}
		line, err := appendEntry([]byte("before"), &e)
		if err != nil {
			t.Fatal(err)
		}
		line = line[len("before"):]
		id, err := checkEntry(line)
		if err != nil || id != identify(e.OrgID, e.Endpoint, e.Mapping, &e.Print) {
			t.Fatalf("%v: %s", err, line)
		}
		var again entry
		if err := json.Unmarshal(line, &again); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		e.ID, e.Sum = again.ID, again.Sum
		if text, _ := json.Marshal(&e); !odd && !bytes.Equal(line, text) || !same(again, e) || again.ID != fmt.Sprintf("%x", id) {
			t.Fatalf("%s\nwant\n%s", line, text)
		}
	}
}

// A time that JSON has no text for is refused, in a plan as in the history.
func TestTimesThatJSONHasNot(t *testing.T) {
	far := Source{Path: "/p", Print: Print{Head: "h", Modified: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}}
	if _, err := planFrame(&Plan{Sources: []Source{far}}); err == nil {
		t.Error("the plan was written")
	}
	if _, err := appendEntry(nil, &entry{Source: far}); err == nil {
		t.Error("the source was written")
	}
}

// The fields of a source are those that source writes.
func TestSourceHasNoOtherFields(t *testing.T) {
	if a, b := reflect.TypeFor[Source]().NumField(), reflect.TypeFor[Print]().NumField(); a != 2 || b != 6 {
		t.Errorf("%d and %d fields: object.source and appendEntry write 2 and 6", a, b)
	}
	if n := reflect.TypeFor[entry]().NumField(); n != 10 {
		t.Errorf("an entry has %d fields, and appendEntry writes all but Sum and to", n)
	}
}

// The identity of a source is what it has always been: the history of years goes
// by it.
func TestIdentityStays(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		a, b := drawSource(rnd, true), drawSource(rnd, true)
		want := sha(fmt.Sprintf("%q %q %q %q %d %s %s", a.Path, b.Path, b.Name, a.Name, a.Size, a.Head, a.Tail))
		if got := identify(a.Path, b.Path, b.Name, &a.Print); got != want {
			t.Fatalf("%x, want %x", got, want)
		}
	}
}

func sha(text string) identity {
	sum := sha256.Sum256([]byte(text))
	return identity(sum[:16])
}

// A line of the finished sources that is read by hand is what encoding/json reads;
// what is not as it was written is left to that.
func TestSourceLineReadByHand(t *testing.T) {
	byHand := 0
	for seed := range uint64(5000) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		n := func() int64 { return rnd.Int64() >> rnd.IntN(63) }
		was := SourceCounts{Path: drawSource(rnd, seed%2 == 1).Path, Counts: Counts{Read: n(), Accepted: n(), Rejected: n(), Filtered: n(), Measurements: n()}}
		line := append(was.Append(nil), '\n')
		if seed%4 > 1 {
			line[rnd.IntN(len(line))] = "0x{}\",: \n\\\x01\xff"[rnd.IntN(12)]
		}
		var got, want SourceCounts
		if !got.parse(line) {
			continue
		}
		byHand++
		if err := json.Unmarshal(line, &want); err != nil || got != want {
			t.Fatalf("%q: %+v, want %+v (%v)", line, got, want, err)
		}
	}
	if byHand < 1000 {
		t.Errorf("only %d lines were read by hand", byHand)
	}
}

// Lines that are read by hand and others come in the order of the file, and what
// cannot be read is told with its number.
func TestSourceLinesOfEachKind(t *testing.T) {
	home := t.TempDir()
	var text []byte
	for _, path := range []string{"/a", "/b", "/c\nd", "/e", "/f"} {
		text = append((&SourceCounts{Path: path, Counts: Counts{Read: 7}}).Append(text), '\n')
	}
	for cut, want := range map[int]string{
		0: `["/a" "/b" "/c\nd" "/e" "/f"] <nil>`, 1: `["/a" "/b" "/c\nd" "/e" "/f"] <nil>`,
		2: `["/a" "/b" "/c\nd" "/e"] ` + filepath.Join(home, sourcesName) + ", line 5: unexpected EOF",
	} {
		if err := os.WriteFile(filepath.Join(home, sourcesName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		var paths []string
		var last error
		for line, err := range linesUpTo(OS, home, int64(len(text)-cut)) {
			if last = err; err == nil {
				paths = append(paths, line.Path)
			}
		}
		if got := fmt.Sprintf("%q %v", paths, last); got != want {
			t.Errorf("without the last %d bytes: %s, want %s", cut, got, want)
		}
	}
}
