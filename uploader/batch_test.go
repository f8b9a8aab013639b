package uploader

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// measurementOf is a JSON object of exactly n bytes, at least 8.
func measurementOf(n int) []byte {
	return []byte(`{"u":"` + strings.Repeat("x", n-8) + `"}`)
}

// bodyOf is the request body of items, made without a Batch.
func bodyOf(items [][]byte) []byte {
	return slices.Concat([]byte(`{"measurements":[`), bytes.Join(items, []byte(",")), []byte(`]}`))
}

func TestBatchIsTheBodyOfItsItems(t *testing.T) {
	var full Batch // which chance may not fill
	full.Reset(Limits{Items: 2})
	items := [][]byte{[]byte(`{"u":"a"}`), []byte(`{"u":"b"}`)}
	if err := errors.Join(full.Add(items[0]), addJoined(&full)(bytes.Clone(items[1]))); err != nil {
		t.Fatal(err)
	}
	checkBatch(t, &full, items)

	letters := rapid.StringMatching(`[a-z,\]}]{0,60}`)
	rapid.Check(t, func(t *rapid.T) {
		limits := Limits{
			Items: rapid.SampledFrom([]int{0, 1, 2, 7}).Draw(t, "items"),
			Bytes: rapid.SampledFrom([]int{0, 1, 27, 60, 200}).Draw(t, "bytes"),
		}
		maxItems, maxBytes := limits.withDefaults().Items, limits.withDefaults().Bytes
		var b Batch
		for range 3 {
			b.Reset(limits)
			var want [][]byte
			for range rapid.IntRange(0, 12).Draw(t, "adds") {
				var group [][]byte
				for range rapid.IntRange(0, 3).Draw(t, "group") {
					item, _ := json.Marshal(map[string]string{"u": letters.Draw(t, "text")})
					group = append(group, item)
				}
				after := append(slices.Clone(want), cloneAll(group)...)
				var wantErr error
				switch {
				case len(group) == 0:
				case len(group) > maxItems || len(bodyOf(group)) > maxBytes:
					wantErr = ErrTooLarge
				case len(after) > maxItems || len(bodyOf(after)) > maxBytes:
					wantErr = ErrFull
				}
				add := b.Add
				if rapid.Bool().Draw(t, "joined") {
					add = addJoined(&b)
					if wantErr != nil {
						wantErr = ErrFull
					}
				}
				if err := add(group...); !errors.Is(err, wantErr) {
					t.Fatalf("Add of %d items: %v, want %v", len(group), err, wantErr)
				}
				if wantErr == nil {
					want = after
				}
				for _, item := range group { // the batch has its own copy
					clear(item)
				}
				checkBatch(t, &b, want)
			}
		}
	})
}

// addJoined is AddJoined, called like Add.
func addJoined(b *Batch) func(items ...[]byte) error {
	return func(items ...[]byte) error {
		var text []byte
		var ends []int
		for i, item := range items {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(text, item...)
			ends = append(ends, len(text))
		}
		count, bytes := b.Room()
		err := b.AddJoined(text, ends)
		clear(text)
		if fits := len(ends) <= count && len(text) <= bytes; len(items) > 0 && fits != (err == nil) {
			return fmt.Errorf("%v, with room for %d items and %d bytes", err, count, bytes)
		}
		return err
	}
}

func cloneAll(items [][]byte) [][]byte {
	cloned := make([][]byte, len(items))
	for i, item := range items {
		cloned[i] = bytes.Clone(item)
	}
	return cloned
}

func checkBatch(t rapid.TB, b *Batch, want [][]byte) {
	t.Helper()
	if got := b.Body(); !bytes.Equal(got, bodyOf(want)) {
		t.Fatalf("body %s, want %s", got, bodyOf(want))
	}
	var parsed struct{ Measurements []json.RawMessage }
	if err := json.Unmarshal(b.Body(), &parsed); err != nil {
		t.Fatalf("body %s: %v", b.Body(), err)
	}
	if b.Len() != len(want) || len(parsed.Measurements) != len(want) {
		t.Fatalf("Len %d, %d in the body, want %d", b.Len(), len(parsed.Measurements), len(want))
	}
	for i, item := range want {
		if !bytes.Equal(b.Item(i), item) || !bytes.Equal(parsed.Measurements[i], item) {
			t.Fatalf("item %d is %s, in the body %s, want %s", i, b.Item(i), parsed.Measurements[i], item)
		}
	}
}

// A hundred thousand batches of every kind of measurement, small ones and such
// as fill a body alone: none past a limit, and none that a further measurement
// would have fitted into. Most have small limits, for speed; the platform's own
// are among them.
func TestBatchLimits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := measurementOf(MaxBytes)
	var b Batch
	limits, mean, count := Limits{}, 200, 0
	for batches := 0; batches < 100_000; {
		// Items of known sizes, cut from one text: that a body is valid JSON
		// is the business of the other test.
		item := text[:min(2+int(rng.ExpFloat64()*float64(mean)), MaxBytes)]
		max := limits.withDefaults()
		switch err := b.Add(item); {
		case err == nil:
			count++
		case errors.Is(err, ErrTooLarge):
			if len(item) <= max.Bytes-len(`{"measurements":[]}`) {
				t.Fatalf("%d bytes too large: %v", len(item), err)
			}
		case errors.Is(err, ErrFull):
			body := len(b.Body())
			if b.Len() > max.Items || body > max.Bytes {
				t.Fatalf("%d items, %d bytes, limits %+v", b.Len(), body, max)
			}
			if cap(b.body) > MaxBytes {
				t.Fatalf("capacity %d", cap(b.body))
			}
			if b.Len() < max.Items && body+len(",")+len(item) <= max.Bytes {
				t.Fatalf("full with %d items and %d bytes, before %d bytes more", b.Len(), body, len(item))
			}
			if b.Len() != count {
				t.Fatalf("%d items after %d were added", b.Len(), count)
			}
			batches++
			limits = Limits{Items: 1 + rng.IntN(20), Bytes: 100 + rng.IntN(2000)}
			mean, count = 10+rng.IntN(400), 0
			if batches%1000 == 0 {
				limits, mean = Limits{}, []int{200, 20_000, 600_000}[rng.IntN(3)]
			}
			b.Reset(limits)
		default:
			t.Fatal(err)
		}
	}
}

func TestBatchAtTheLimit(t *testing.T) {
	var b Batch
	room := MaxBytes - len(`{"measurements":[]}`)
	if err := b.Add(measurementOf(room)); err != nil || len(b.Body()) != 511_999 {
		t.Errorf("a body of %d bytes: %v", len(b.Body()), err)
	}
	if err := b.Add([]byte("{}")); err != ErrFull {
		t.Errorf("one more: %v, want ErrFull", err)
	}
	b.Reset(Limits{})
	err := b.Add(measurementOf(room + 1))
	if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "512000 bytes with the envelope, at most 511999") {
		t.Errorf("one byte too many: %v", err)
	}
	// All or none: what fits alone is not taken when its sibling does not fit.
	if err := b.Add(measurementOf(300_000), measurementOf(300_000)); !errors.Is(err, ErrTooLarge) || b.Len() != 0 {
		t.Errorf("two that do not fit together: %v, %d taken", err, b.Len())
	}
	b.Reset(Limits{Items: 5000, Bytes: 1 << 30}) // no limit is past the platform's
	for i := range 1000 {
		if err := b.Add([]byte("{}")); err != nil {
			t.Fatalf("item %d: %v", i, err)
		}
	}
	if err := b.Add([]byte("{}")); err != ErrFull {
		t.Errorf("item 1001: %v, want ErrFull", err)
	}
}

func TestBatchAddAllocatesNothing(t *testing.T) {
	var b Batch
	item := measurementOf(225)
	fill := func() {
		b.Reset(Limits{})
		for b.Add(item) == nil {
		}
	}
	fill()
	if n := testing.AllocsPerRun(5, fill); n != 0 {
		t.Errorf("%v allocations to fill a batch again", n)
	}
}

func BenchmarkBatchAdd(b *testing.B) {
	var batch Batch
	item := measurementOf(225)
	b.SetBytes(225)
	for b.Loop() {
		if batch.Add(item) != nil {
			batch.Reset(Limits{})
		}
	}
}
