package mapper

import (
	"errors"
	"strings"
	"testing"

	"github.com/m3import/m3import/reader"
)

// read runs lines through the reader and a Mapper: what each record makes, or
// the error that it has.
func read(t testing.TB, m *Mapping, name, text string) (made []string, faults []error) {
	t.Helper()
	c, err := m.Compile()
	if err != nil {
		t.Fatal(err)
	}
	src, err := reader.OpenReader(name, strings.NewReader(text), m.ReaderOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var out Output
	for {
		chunk, err := src.Next()
		if err != nil {
			return split(t, &out), faults
		}
		for rec, err := range chunk.Records() {
			if err == nil {
				_, err = c.Append(&out, rec)
			}
			if err != nil {
				faults = append(faults, err)
			}
		}
	}
}

const nativeHead = `"uid":"u1","meter":"api","account":"acme","ts":"2024-09-01T00:00:00Z"`

func TestNative(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"nothing but the head", `{` + nativeHead + `}`, `{` + nativeHead + `}`},
		{"any order, any space", `{ "ts":"2024-09-01T00:00:00Z", "account" : "acme", "meter":"api", "uid":"u1" }`, `{` + nativeHead + `}`},
		{"every category", `{` + nativeHead + `,"income":{"h":8},"cost":{"g":7},"measure":{"f":6},"metadata":{"e":"e"},"other":{"d":"d"},"where":{"c":"c"},"what":{"b":"b"},"who":{"a":"a"}}`,
			`{` + nativeHead + `,"who":{"a":"a"},"what":{"b":"b"},"where":{"c":"c"},"other":{"d":"d"},"metadata":{"e":"e"},"measure":{"f":6},"cost":{"g":7},"income":{"h":8}}`},
		{"fields in order of their codes", `{` + nativeHead + `,"measure":{"b":1.50,"a":-2e-3,"B":0}}`, `{` + nativeHead + `,"measure":{"B":0,"a":-2e-3,"b":1.50}}`},
		{"escapes", `{` + nativeHead + `,"who":{"\u0061\u00e9":"\ud83d\ude80\/","b":"x"}}`, `{` + nativeHead + `,"who":{"aé":"🚀/","b":"x"}}`},
		{"categories without fields", `{` + nativeHead + `,"who":{},"what":null}`, `{` + nativeHead + `}`},
		{"an empty text", `{` + nativeHead + `,"who":{"a":""}}`, `{` + nativeHead + `,"who":{"a":""}}`},
		{"a number in quotes", `{` + nativeHead + `,"measure":{"a":"1.50"}}`, `{` + nativeHead + `,"measure":{"a":1.50}}`},
		{"ets, and a null one", `{` + nativeHead + `,"ets":null}`, `{` + nativeHead + `}`},
		{"time with an offset", `{"uid":"u1","meter":"api","account":"acme","ts":"2024-09-01T02:00:00+02:00"}`, `{` + nativeHead + `}`},
		{"a reject of a Console CSV", `{"uid":"u1","account":"acme","meter":"api","ts":"2024-09-01T00:00:00Z","measure.gb":"1.50","where.r":"eu","_reject":{"source":"a.csv"}}`,
			`{` + nativeHead + `,"where":{"r":"eu"},"measure":{"gb":1.50}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made, faults := read(t, Native(), "x.ndjson", tt.line+"\n")
			if len(faults) > 0 || len(made) != 1 || made[0] != tt.want {
				t.Errorf("got  %s, %v\nwant %s", made, faults, tt.want)
			}
		})
	}
}

func TestNativeFaults(t *testing.T) {
	for _, tt := range []struct{ name, line, field, code, want string }{
		{"no uid", `{"meter":"api","account":"acme","ts":"2024-09-01T00:00:00Z"}`, "uid", CodeUID, "every row needs a uid"},
		{"uid too long", `{"uid":"` + strings.Repeat("u", 51) + `","meter":"api","account":"acme","ts":"2024-09-01T00:00:00Z"}`, "uid", CodeUID, "takes 50"},
		{"no zone", `{"uid":"u","meter":"api","account":"acme","ts":"2024-09-01T00:00:00"}`, "ts", CodeTimeZone, ""},
		{"misspelt category", `{` + nativeHead + `,"meassure":{"gb":1}}`, "meassure", CodeUnknown, `is it "measure"?`},
		{"another key", `{` + nativeHead + `,"receivedAt":1}`, "receivedAt", CodeUnknown, "write a mapping"},
		{"another key with a dot", `{` + nativeHead + `,"sum.gb":1}`, "sum.gb", CodeUnknown, "no such key"},
		{"category as a number", `{` + nativeHead + `,"measure":7}`, "measure", CodeScalar, "an object of fields"},
		{"null number", `{` + nativeHead + `,"measure":{"gb":null}}`, "measure.gb", CodeRequired, "null"},
		{"empty number", `{` + nativeHead + `,"measure":{"gb":""}}`, "measure.gb", CodeRequired, "empty"},
		{"null text", `{` + nativeHead + `,"who":{"a":null}}`, "who.a", CodeRequired, "null"},
		{"text for a number", `{` + nativeHead + `,"measure":{"gb":"x"}}`, "measure.gb", CodeNumber, ""},
		{"object for a number", `{` + nativeHead + `,"measure":{"gb":{"x":1}}}`, "measure.gb", CodeScalar, "an object"},
		{"field code", `{` + nativeHead + `,"measure":{"g b":1}}`, "measure.g b", CodeCode, "a field code has"},
		{"empty field code", `{` + nativeHead + `,"measure":{"":1}}`, "measure.", CodeCode, "a field code has"},
		{"one code in two categories", `{` + nativeHead + `,"measure":{"a":1},"cost":{"a":1}}`, "cost.a", CodeDuplicate, "stands in measure too"},
		{"one code nested and dotted", `{` + nativeHead + `,"measure":{"a":1},"measure.a":2}`, "measure.a", CodeDuplicate, "stands in measure too"},
		{"sixteen fields", `{` + nativeHead + `,"measure":{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1,"m":1,"n":1,"o":1,"p":1}}`, "measure.p", CodeFields, "at most 15"},
		{"metadata too long", `{` + nativeHead + `,"metadata":{"a":"` + strings.Repeat("x", 257) + `"}}`, "metadata.a", CodeLength, "256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made, faults := read(t, Native(), "x.ndjson", tt.line+"\n")
			var fe *FieldError
			if len(made) != 0 || len(faults) != 1 || !errors.As(faults[0], &fe) {
				t.Fatalf("got %s, %v", made, faults)
			}
			if fe.Field != tt.field || fe.Code != tt.code || !strings.Contains(fe.Reason, tt.want) {
				t.Errorf("got  %+v\nwant %s, %s, …%s…", fe, tt.field, tt.code, tt.want)
			}
		})
	}
}

func TestForColumns(t *testing.T) {
	m, err := ForColumns([]string{"UID", "Account", "meter", "ts", "ETS", "measure.gb", "Measure.apiCalls", "where.region", "metadata.note"})
	if err != nil {
		t.Fatal(err)
	}
	made, faults := read(t, m, "x.csv", "UID,Account,meter,ts,ETS,measure.gb,Measure.apiCalls,where.region,metadata.note\n"+
		"u1,acme,api,2024-09-01T00:00:00Z,,1.50,7,eu,hello\n"+
		"u2,acme,api,2024-09-01T00:00:00Z,2024-09-01T01:00:00Z,,7,eu,hello\n")
	want := `{` + nativeHead + `,"where":{"region":"eu"},"metadata":{"note":"hello"},"measure":{"apiCalls":7,"gb":1.50}}`
	if len(made) != 1 || made[0] != want {
		t.Errorf("got  %s\nwant %s", made, want)
	}
	var fe *FieldError
	if len(faults) != 1 || !errors.As(faults[0], &fe) || fe.Field != "measure.gb" || fe.Code != CodeRequired {
		t.Errorf("got %v", faults)
	}
}

func TestForColumnsFaults(t *testing.T) {
	for _, tt := range []struct {
		columns string
		want    []string
	}{
		{"account meter ts measure.gb", []string{"missing: uid;"}},
		{"Date Amount", []string{"missing: uid, account, meter, ts", `not understood: "Date", "Amount"`, "with -m"}},
		{"uid account meter ts measure.gb mesure.tb notes", []string{`"mesure.tb" (measure.tb?)`, `"notes"`}},
		{"uid account meter ts measure.g-b", []string{`"measure.g-b" ("g-b" cannot be a field code)`}},
		{"uid account meter timestamp ts", []string{`"timestamp"`}},
		{"uid account meter ts measure.gb Measure.GB", []string{`"measure.gb" and "Measure.GB"`}},
		{"uid UID account meter ts", []string{`"uid" and "UID"`}},
		{"uid account meter ts what.a where.a", []string{"where.a", "stands in what too"}},
		{"uid account meter ts measure.", []string{`"measure."`}},
		{"uid account meter ts measure.a measure.b measure.c measure.d measure.e measure.f measure.g measure.h measure.i measure.j measure.k measure.l measure.m measure.n measure.o measure.p", []string{"at most 15"}},
	} {
		m, err := ForColumns(strings.Fields(tt.columns))
		if err == nil || m != nil {
			t.Errorf("%s: no error", tt.columns)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s:\ngot  %v\nwant …%s…", tt.columns, err, want)
			}
		}
	}
}
