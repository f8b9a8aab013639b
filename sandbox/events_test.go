package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/m3import/m3import/sandbox"
)

// event is an event as a client sees it.
type event struct {
	ID   string    `json:"id"`
	Name string    `json:"eventName"`
	Time time.Time `json:"eventTime"`
	M3   struct {
		Type           sandbox.FailureType `json:"type"`
		Count          int                 `json:"count"`
		File           string              `json:"file"`
		GetDownloadURL string              `json:"getDownloadUrl"`
	} `json:"m3terEvent"`
}

type eventPage struct {
	Data      []event `json:"data"`
	NextToken string  `json:"nextToken"`
}

func (p *platform) events(query string) eventPage {
	p.t.Helper()
	var page eventPage
	p.decode(p.send(p.request("GET", orgPath+"/events?"+query, "")), &page)
	return page
}

// get follows an address, with the platform's token or without one.
func (p *platform) get(address string, token bool) answer {
	p.t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if token {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	return p.send(r)
}

// presigned asks for the address of an event's file.
func (p *platform) presigned(e event) string {
	p.t.Helper()
	var link struct {
		URL string `json:"url"`
	}
	p.decode(p.get(e.M3.GetDownloadURL, true), &link)
	return link.URL
}

// failures downloads the file of an event: the reasons, and the measurements.
func (p *platform) failures(e event) (reasons, measurements []string) {
	p.t.Helper()
	var file struct {
		EventID  string `json:"eventId"`
		Failures []struct {
			Type        sandbox.FailureType `json:"type"`
			Message     string              `json:"message"`
			Measurement jsontext.Value      `json:"measurement"`
		} `json:"failures"`
	}
	p.decode(p.get(p.presigned(e), false), &file)
	if file.EventID != e.ID || len(file.Failures) != e.M3.Count {
		p.t.Errorf("got %+v for the event %+v", file, e)
	}
	for _, f := range file.Failures {
		if f.Type != e.M3.Type {
			p.t.Errorf("got %s in a file about %s", f.Type, e.M3.Type)
		}
		reasons, measurements = append(reasons, f.Message), append(measurements, string(f.Measurement))
	}
	return reasons, measurements
}

const storageMeter = `{"name":"Storage","code":"storage","dataFields":[` +
	`{"category":"MEASURE","code":"gb","name":"GB","unit":"GBy"},{"category":"MEASURE","code":"hours","name":"Hours"},{"category":"WHO","code":"user","name":"User"}],` +
	`"derivedFields":[{"category":"MEASURE","code":"rate","name":"Rate","calculation":"measure.gb / (hours - 1)"},` +
	`{"category":"WHO","code":"odd","name":"Odd","calculation":"IF(user == 'x', 1, 2)"}]}`

// stored is a measurement that the storage meter has nothing against.
const storedUsage = `{"uid":"1","meter":"storage","account":"Acme Inc","ts":"2024-05-01T00:00:00Z","who":{"user":"u"},"measure":{"gb":1,"hours":2}}`

func TestChecksAfterAccepted(t *testing.T) {
	swap := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(storedUsage) }
	tests := []struct {
		measurement string
		want        sandbox.FailureType // "" when it is ingested without a word
		reason      string
	}{
		{swap(`"uid":"1"`, `"uid":"2"`), "", ""},
		{swap(`"uid":"1",`, ``), "", ""},
		{storedUsage, sandbox.DuplicateUID, `the uid has arrived before`},
		{swap(`:1,`, `:7,`), sandbox.DuplicateUID, `the uid has arrived before`},
		{swap(`"uid":"1"`, `"uid":"2"`, `"storage"`, `"Storage"`), sandbox.UndefinedMeter, `no meter has the code "Storage"`},
		{swap(`"uid":"1"`, `"uid":"2"`, `,"hours":2`, ``), sandbox.MissingField, `measure.hours is a data field of the meter "storage" and is not there`},
		{swap(`"uid":"1"`, `"uid":"2"`, `"who"`, `"what"`), sandbox.MissingField, `who.user is a data field of the meter "storage" and is not there`},
		{swap(`"uid":"1"`, `"uid":"2"`, `"who"`, `"cost":{"gb":3},"who"`), sandbox.DuplicateField, `the field code "gb" stands in two categories`},
		{swap(`"uid":"1"`, `"uid":"2"`, `Acme Inc`, `acme  inc`), sandbox.InvalidAccountCode, `no account has the code "acme  inc", and one has a code that closely matches`},
		{swap(`"uid":"1"`, `"uid":"2"`, `Acme Inc`, `Acme-Inc`), "", ""},
		{swap(`"uid":"1"`, `"uid":"2"`, `"hours":2`, `"hours":1`), sandbox.CalculationError, `the derived field rate: division by zero, or a number out of range`},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %.20s", tt.want, tt.reason), func(t *testing.T) {
			p := start(t, sandbox.Config{Validate: true, StrictMeters: true})
			p.decode(p.send(p.request("POST", orgPath+"/meters", storageMeter)), new(struct{}))
			p.mustSubmit(storedUsage)
			p.mustSubmit(tt.measurement)
			got := p.Totals()
			ingested := tt.want == "" || tt.want == sandbox.CalculationError
			if (got.Measurements == 2) != ingested || got.Submitted != got.Measurements+got.Duplicates+got.Conflicts+got.Failed {
				t.Errorf("got %+v", got)
			}
			list := p.events("").Data
			if tt.want == "" {
				if len(list) != 0 {
					t.Errorf("got %+v, want no event", list)
				}
				return
			}
			if len(list) != 1 || list[0].M3.Type != tt.want || list[0].Name != "ingest.validation.failure" {
				t.Fatalf("got %+v, want an event of %s", list, tt.want)
			}
			reasons, measurements := p.failures(list[0])
			if !slices.Equal(reasons, []string{tt.reason}) || !slices.Equal(measurements, []string{tt.measurement}) {
				t.Errorf("got %q, %q", reasons, measurements)
			}
		})
	}
}

// TestChecksByConfig: what is not asked for is not checked.
func TestChecksByConfig(t *testing.T) {
	lacking := usage("1", "acme", "1") // of the meter's fields
	undefined := strings.Replace(usage("2", "ACME", "1"), "storage", "none", 1)
	for _, tt := range []struct {
		config sandbox.Config
		want   []sandbox.FailureType // the newest first
	}{
		{sandbox.Config{}, nil},
		{sandbox.Config{StrictMeters: true}, []sandbox.FailureType{sandbox.UndefinedMeter}},
		{sandbox.Config{Validate: true}, []sandbox.FailureType{sandbox.MissingField}},
		{sandbox.Config{Validate: true, StrictMeters: true}, []sandbox.FailureType{sandbox.MissingField, sandbox.UndefinedMeter}},
	} {
		p := start(t, tt.config)
		p.decode(p.send(p.request("POST", orgPath+"/meters", storageMeter)), new(struct{}))
		p.mustSubmit(lacking, undefined)
		var got []sandbox.FailureType
		for _, e := range p.events("").Data {
			got = append(got, e.M3.Type)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("validate %v, strict %v: got %v, want %v", tt.config.Validate, tt.config.StrictMeters, got, tt.want)
		}
	}
}

// TestMended: a measurement that failed leaves its uid free, and one request
// makes an event of each way to fail.
func TestMended(t *testing.T) {
	p := start(t, sandbox.Config{Validate: true})
	p.decode(p.send(p.request("POST", orgPath+"/meters", storageMeter)), new(struct{}))
	broken := strings.Replace(storedUsage, `,"hours":2`, ``, 1)
	other := strings.Replace(broken, `"1"`, `"2"`, 1)
	p.mustSubmit(broken, other, storedUsage, storedUsage)
	got := p.Totals()
	if got.Measurements != 1 || got.Failed != 2 || got.Duplicates != 1 || got.UIDs != 1 {
		t.Errorf("got %+v", got)
	}
	list := p.events("").Data
	if len(list) != 2 || list[0].M3.Type != sandbox.MissingField || list[0].M3.Count != 2 || list[1].M3.Type != sandbox.DuplicateUID {
		t.Fatalf("got %+v", list)
	}
	if _, measurements := p.failures(list[0]); !slices.Equal(measurements, []string{broken, other}) {
		t.Errorf("got %q", measurements)
	}
}

func TestAccountsMadeBeforehand(t *testing.T) {
	p := start(t, sandbox.Config{Validate: true})
	p.decode(p.send(p.request("POST", orgPath+"/accounts", `{"name":"n","code":"Straße 1","emailAddress":"a@b.example"}`)), new(struct{}))
	p.mustSubmit(usage("1", "straße1", "1"), usage("2", "Straße 1", "1"), usage("3", "strasse 1", "1"))
	if got := p.Totals(); got.Measurements != 2 || got.Failed != 1 {
		t.Errorf("got %+v", got)
	}
	p.Reset()
	p.mustSubmit(usage("1", "straße1", "1"))
	if got := p.Totals(); got.Measurements != 1 {
		t.Errorf("after a reset: got %+v", got)
	}
}

func TestEventPages(t *testing.T) {
	p := start(t, sandbox.Config{})
	p.mustSubmit(plainUsage)
	for range 5 {
		p.mustSubmit(plainUsage)
	}
	all := p.events("").Data
	if len(all) != 5 || all[0].Time.Before(all[4].Time) {
		t.Fatalf("got %+v", all)
	}
	var paged []event
	for query := "pageSize=2"; ; {
		page := p.events(query)
		paged = append(paged, page.Data...)
		if page.NextToken == "" {
			break
		}
		p.mustSubmit(plainUsage) // newer ones do not disturb
		query = "pageSize=2&nextToken=" + page.NextToken
	}
	if !slices.Equal(paged, all) {
		t.Errorf("got %+v\nwant %+v", paged, all)
	}
	counts := map[string]int{
		"eventName=ingest.validation.failure": 7, "eventType=IngestValidationFailure&eventName=": 7,
		"eventName=configuration.meter.created": 0, "eventType=Notification": 0, "includeActioned=true": 7,
		"accountId=x": 0, "resourceId=x": 0, "notificationId=x": 0, "notificationCode=x": 0,
		"ids=" + all[0].ID: 1, "ids=" + all[0].ID + "&ids=" + all[1].ID: 2, "ids=x": 0, "pageSize=&nextToken=": 7,
	}
	for query, want := range counts {
		if got := len(p.events(query).Data); got != want {
			t.Errorf("%s: got %d events, want %d", query, got, want)
		}
	}
	for _, query := range []string{"pageSize=0", "pageSize=101", "nextToken=x", "ids=x&eventName=ingest.validation.failure", "includeActioned=7"} {
		if a := p.send(p.request("GET", orgPath+"/events?"+query, "")); a.status != 400 {
			t.Errorf("%s: got %d %s, want 400", query, a.status, a.body)
		}
	}
	var one event
	p.decode(p.send(p.request("GET", orgPath+"/events/"+all[3].ID, "")), &one)
	if one != all[3] {
		t.Errorf("got %+v, want %+v", one, all[3])
	}
	if a := p.send(p.request("GET", orgPath+"/events/x", "")); a.status != 404 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := p.send(p.request("GET", orgPath+"/events/types", "")); a.body != `{"events":["ingest.validation.failure"]}` {
		t.Errorf("got %s", a.body)
	}
	if a := p.send(p.request("GET", orgPath+"/events/fields?eventName=other", "")); a.body != `{"events":{}}` {
		t.Errorf("got %s", a.body)
	}
	p.Reset()
	if got := p.events("").Data; len(got) != 0 {
		t.Errorf("after a reset: got %+v", got)
	}
}

// TestEventFields: the list of fields is the fields.
func TestEventFields(t *testing.T) {
	p := start(t, sandbox.Config{})
	p.mustSubmit(plainUsage, plainUsage)
	var fields struct {
		Events map[string]map[string]string `json:"events"`
	}
	p.decode(p.send(p.request("GET", orgPath+"/events/fields?eventName=ingest.validation.failure", "")), &fields)
	var list struct {
		Data []struct {
			M3 map[string]jsontext.Value `json:"m3terEvent"`
		} `json:"data"`
	}
	p.decode(p.send(p.request("GET", orgPath+"/events", "")), &list)
	types := map[jsontext.Kind]string{'"': "string", '0': "int"}
	got := map[string]string{}
	for name, value := range list.Data[0].M3 {
		got[name] = types[value.Kind()]
	}
	if fmt.Sprint(got) != fmt.Sprint(fields.Events["ingest.validation.failure"]) {
		t.Errorf("got %v, the list says %v", got, fields.Events)
	}
}

func TestEventDelay(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := start(t, sandbox.Config{EventDelay: time.Minute, Now: func() time.Time { return now }})
	p.mustSubmit(plainUsage, plainUsage)
	if got := p.events("").Data; len(got) != 0 {
		t.Errorf("at once: got %+v", got)
	}
	p.Advance(time.Minute)
	seen := p.events("").Data
	p.Advance(-time.Minute)
	if a := p.send(p.request("GET", orgPath+"/events/"+seen[0].ID, "")); a.status != 404 {
		t.Errorf("by its id, before its time: got %d %s", a.status, a.body)
	}
	p.Advance(time.Minute)
	if got := p.events("").Data; len(got) != 1 || !got[0].Time.Equal(now.Add(time.Minute)) {
		t.Errorf("after a minute: got %+v", got)
	}
}

func TestDownload(t *testing.T) {
	p := start(t, sandbox.Config{})
	p.mustSubmit(plainUsage, plainUsage)
	e := p.events("").Data[0]
	link := p.presigned(e)
	if a := p.get(link, false); a.status != 200 || !strings.Contains(a.body, plainUsage) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if a := p.get(strings.Replace(link, "signature=", "signature=0", 1), false); a.status != 403 {
		t.Errorf("another signature: got %d %s", a.status, a.body)
	}
	later := strings.Replace(link, "expires=", "expires=9", 1)
	if a := p.get(later, false); a.status != 403 || !strings.Contains(a.body, "signature") {
		t.Errorf("another time: got %d %s", a.status, a.body)
	}
	p.Advance(5*time.Minute + time.Second)
	if a := p.get(link, false); a.status != 403 || !strings.Contains(a.body, "expired") {
		t.Errorf("after five minutes: got %d %s", a.status, a.body)
	}
	// The two documented ways to ask for a file.
	if a := p.get(e.M3.GetDownloadURL, false); a.status != 403 {
		t.Errorf("without a token: got %d %s", a.status, a.body)
	}
	ask := orgPath + "/measurements/failedIngest/getDownloadUrl"
	if a := p.send(p.request("GET", ask+"?file="+url.QueryEscape(e.M3.File), "")); a.status != 200 {
		t.Errorf("by file: got %d %s", a.status, a.body)
	}
	for query, want := range map[string]int{"": 400, "?file=": 400, "?file=x": 404, "?file=" + e.ID + ".json": 404} {
		if a := p.send(p.request("GET", ask+query, "")); a.status != want {
			t.Errorf("%q: got %d %s, want %d", query, a.status, a.body, want)
		}
	}
	link = p.presigned(e)
	p.Reset()
	if a := p.get(link, false); a.status != 404 {
		t.Errorf("a file that is gone: got %d %s", a.status, a.body)
	}
}

// TestEventsKept: the newest 10,000, or as many as have 64 MB of files.
func TestEventsKept(t *testing.T) {
	long := strings.Replace(plainUsage, `"measure"`, `"other":{"x":"`+strings.Repeat("x", 400_000)+`"},"measure"`, 1)
	for _, tt := range []struct {
		measurement      string
		made, least, max int
	}{
		{plainUsage, 10_001, 10_000, 10_000},
		{long, 180, 165, 168},
	} {
		s := sandbox.New(sandbox.Config{})
		token := tokenOf(t, s)()
		get := func(path string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", orgPath+"/events"+path, nil)
			r.Header.Set("User-Agent", "test")
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		page := func(query string) (page eventPage) {
			if err := json.Unmarshal(get(query).Body.Bytes(), &page); err != nil {
				t.Fatal(err)
			}
			return page
		}
		direct(s, token, []byte(envelope(tt.measurement)))
		direct(s, token, []byte(envelope(tt.measurement)))
		first := "/" + page("").Data[0].ID
		for range tt.made - 1 {
			direct(s, token, []byte(envelope(tt.measurement)))
		}
		seen := 0
		for next := "?"; next != ""; {
			p := page(next)
			seen += len(p.Data)
			if next = ""; p.NextToken != "" {
				next = "?nextToken=" + p.NextToken
			}
		}
		if seen < tt.least || seen > tt.max {
			t.Errorf("got %d events of %d, want %d to %d", seen, tt.made, tt.least, tt.max)
		}
		if w := get(first); w.Code != 404 {
			t.Errorf("the oldest event is there still: %d %s", w.Code, w.Body)
		}
	}
}

// TestFormulas: which calculations the sandbox knows, and which go wrong.
func TestFormulas(t *testing.T) {
	const fine, wrong = false, true
	for calculation, want := range map[string]bool{
		"x / y": wrong, "measure.x / cost.y": wrong, "1 / (x - x)": wrong, "1 / (1 / y)": wrong, "-x / +y": wrong,
		"x * 1e308 * 10": wrong, "0 / y": wrong, "x / (y * 0)": wrong,
		"y / x": fine, "x + y - 1.5e3 * 2": fine, "(((x)))": fine, "-x": fine, "x / 4": fine,
		// What follows is not known, or not about numbers of this meter.
		"IF(y == 0, 1, x / y)": fine, "x / income.y": fine, "x / z": fine, "x / y / z": fine, "x / who": fine, "w / y": fine,
		"x /": fine, "x % y": fine, "x ^ y": fine, `"x" / y`: fine, "x / y; x": fine, "a.b.c / y": fine, "'x' / y": fine, "func() {}": fine,
	} {
		p := start(t, sandbox.Config{Validate: true})
		meter, err := json.Marshal(calculation)
		if err != nil {
			t.Fatal(err)
		}
		p.decode(p.send(p.request("POST", orgPath+"/meters", `{"name":"M","code":"m","dataFields":[`+
			`{"category":"MEASURE","code":"x","name":"X"},{"category":"COST","code":"y","name":"Y"},{"category":"WHO","code":"w","name":"W"}],`+
			`"derivedFields":[{"category":"MEASURE","code":"d","name":"D","calculation":`+string(meter)+`}]}`)), new(struct{}))
		p.mustSubmit(`{"meter":"m","account":"a","ts":"2024-05-01T00:00:00Z","measure":{"x":2},"cost":{"y":0},"who":{"w":"1"}}`)
		list := p.events("").Data
		if (len(list) == 1 && list[0].M3.Type == sandbox.CalculationError) != want || p.Totals().Measurements != 1 {
			t.Errorf("%s: got %+v, want it to go wrong: %v", calculation, list, want)
		}
	}
}
