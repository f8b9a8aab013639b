package reader

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestParquetTimeText compares dates and times with package time.
func TestParquetTimeText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.IntRange(1, 3).Draw(t, "unit")
		v := rapid.Int64().Draw(t, "v")
		if rapid.Bool().Draw(t, "near") {
			v %= 4e12 * pow10[3*unit-3]
		}
		form := textForm{kind: formTimestamp, digits: 3 * unit, utc: true}
		got, fault := form.appendInt(nil, v)
		sec, frac := floorDiv(v, pow10[3*unit])
		when := time.Unix(sec, frac*pow10[9-3*unit]).UTC()
		if y := when.Year(); y < 0 || y > 9999 {
			if got[0] != '+' && got[0] != '-' {
				t.Fatalf("%s in the year %d", got, y)
			}
			return
		}
		want := when.Format("2006-01-02T15:04:05")
		if frac := strings.TrimRight(when.Format(".000000000"), "0"); len(frac) > 1 {
			want += frac + strings.Repeat("0", (13-len(frac))%3)
		}
		if want += "Z"; string(got) != want || fault != "" {
			t.Fatalf("%s, want %s", got, want)
		}
		day := rapid.Int64Range(-719528, 2932896).Draw(t, "day") // the years 0 to 9999
		if got, want := string(appendDate(nil, day)), time.Unix(day*86400, 0).UTC().Format("2006-01-02"); got != want {
			t.Fatalf("day %d: %s, want %s", day, got, want)
		}
	})
}

// TestParquetDecimalText compares decimals with big.Int and big.Rat.
func TestParquetDecimalText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "bytes")
		scale := rapid.IntRange(0, 60).Draw(t, "scale")
		want := new(big.Int).SetBytes(b)
		if b[0] >= 0x80 {
			want.Sub(want, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		check := func(got []byte, fault string) {
			rat, ok := new(big.Rat).SetString(string(got))
			whole := new(big.Rat).SetFrac(want, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
			_, digits, _ := strings.Cut(string(got), ".")
			if !ok || fault != "" || rat.Cmp(whole) != 0 || len(digits) != scale || !validDecimal(string(got)) {
				t.Fatalf("%x, scale %d: %s %s", b, scale, got, fault)
			}
		}
		check(textForm{kind: formDecimalBytes, scale: scale}.appendBytes(nil, b))
		if want.IsInt64() {
			check(textForm{kind: formDecimal, scale: scale}.appendInt(nil, want.Int64()))
		}
	})
}

// validDecimal reports whether s is a JSON number without superfluous zeros
// before the point.
func validDecimal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	whole, _, _ := strings.Cut(s, ".")
	return whole == "0" || whole != "" && whole[0] != '0'
}

// TestParquetFloat16Text: the text of every binary16 reads back as it, and no
// other of the same length or shorter would do.
func TestParquetFloat16Text(t *testing.T) {
	for h := range 1 << 16 {
		got := string(appendFloat16(nil, uint16(h)))
		v := float16(uint16(h))
		if math.IsNaN(v) || math.IsInf(v, 0) {
			if got != "NaN" && got != "Inf" && got != "-Inf" {
				t.Fatalf("%04x: %s", h, got)
			}
			continue
		}
		read, err := strconv.ParseFloat(got, 64)
		if err != nil || toFloat16(read) != uint16(h) && v != 0 {
			t.Fatalf("%04x (%v): %s reads as %04x, %v", h, v, got, toFloat16(read), err)
		}
	}
}

// toFloat16 rounds by looking for the nearest, ties to even.
func toFloat16(v float64) uint16 {
	sign := uint16(0)
	if math.Signbit(v) {
		sign, v = 0x8000, -v
	}
	lo, hi := 0, 0x7bff
	for lo < hi {
		if mid := (lo + hi + 1) / 2; float16(uint16(mid)) <= v {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	above := 65536.0
	if lo < 0x7bff {
		above = float16(uint16(lo + 1))
	}
	d, e := v-float16(uint16(lo)), above-v
	if e < d || e == d && lo%2 == 1 {
		lo++
	}
	return sign | uint16(lo)
}

func TestParquetFloatText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64().Draw(t, "v")
		if got, err := strconv.ParseFloat(string(appendFloat(nil, v, 64)), 64); err != nil || got != v {
			t.Fatal(fmt.Sprint(v, got, err))
		}
		f := rapid.Float32().Draw(t, "f")
		if got, err := strconv.ParseFloat(string(appendFloat(nil, float64(f), 32)), 32); err != nil || float32(got) != f {
			t.Fatal(fmt.Sprint(f, got, err))
		}
	})
}
