package sandbox_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/m3import/m3import/sandbox"
)

func TestCreateAndGetAccount(t *testing.T) {
	p := start(t, sandbox.Config{})
	var made, got map[string]any
	p.decode(p.send(p.request("POST", orgPath+"/accounts", `{
		"name":"Acme","code":"acme, inc","emailAddress":"a@acme.example","currency":"USD",
		"address":{"addressLine1":"1 Road","country":"UK"},"daysBeforeBillDue":30,
		"customFields":{"tier":"gold","seats":12345678901234567890}}`)), &made)
	p.decode(p.send(p.request("GET", orgPath+"/accounts/"+made["id"].(string), "")), &got)
	if fmt.Sprint(made) != fmt.Sprint(got) {
		t.Errorf("made %v, got %v", made, got)
	}
	if got["currency"] != "USD" || got["address"].(map[string]any)["country"] != "UK" {
		t.Errorf("got %v: members are missing", got)
	}
}

// entityPage is the answer of a list.
type entityPage struct {
	Data []struct {
		ID    string `json:"id"`
		Code  string `json:"code"`
		Name  string `json:"name"`
		Email string `json:"emailAddress"`
	} `json:"data"`
	NextToken string `json:"nextToken"`
}

func (e entityPage) codes() string {
	codes := []string{}
	for _, entity := range e.Data {
		codes = append(codes, entity.Code)
	}
	return strings.Join(codes, " ")
}

func (p *platform) list(path string, query url.Values) entityPage {
	p.t.Helper()
	var page entityPage
	p.decode(p.send(p.request("GET", orgPath+path+"?"+query.Encode(), "")), &page)
	return page
}

func (p *platform) makeAccounts(codes ...string) {
	p.t.Helper()
	for _, code := range codes {
		body := fmt.Sprintf(`{"name":"The %s","code":%[1]q,"emailAddress":"a@b.example"}`, code)
		if a := p.send(p.request("POST", orgPath+"/accounts", body)); a.status != 200 {
			p.t.Fatalf("got %d %s", a.status, a.body)
		}
	}
}

func TestListAccounts(t *testing.T) {
	p := start(t, sandbox.Config{})
	if got := p.list("/accounts", nil); len(got.Data) != 0 || got.NextToken != "" {
		t.Errorf("got %+v, want an empty list", got)
	}
	p.makeAccounts("a", "b", "c,d", "e", "f")
	first := p.list("/accounts", url.Values{"pageSize": {"2"}})
	p.makeAccounts("late") // the cursor is over a live list, and new ones go to its front
	second := p.list("/accounts", url.Values{"pageSize": {"2"}, "nextToken": {first.NextToken}})
	third := p.list("/accounts", url.Values{"pageSize": {"2"}, "nextToken": {second.NextToken}})
	if got := first.codes() + "|" + second.codes() + "|" + third.codes(); got != "f e|c,d b|a" || third.NextToken != "" {
		t.Errorf("got pages %s and a token %q at the end", got, third.NextToken)
	}
	for _, tt := range []struct {
		query url.Values
		want  string
	}{
		{url.Values{"codes": {"a", "f"}}, "f a"},
		{url.Values{"codes": {"a,f"}}, "f a"},
		{url.Values{"codes": {"c,d"}}, "c,d"},
		{url.Values{"codes": {"none"}}, ""},
		{url.Values{"codes": {""}, "pageSize": {""}, "nextToken": {""}}, "late f e c,d b a"},
		{url.Values{"ids": {first.Data[0].ID, second.Data[1].ID}}, "f b"},
		{url.Values{"ids": {first.Data[0].ID}, "codes": {"b"}}, ""},
		{url.Values{"pageSize": {"1"}, "codes": {"a"}}, "a"},
	} {
		if got := p.list("/accounts", tt.query); got.codes() != tt.want || got.NextToken != "" {
			t.Errorf("%v: got %q and token %q, want %q", tt.query, got.codes(), got.NextToken, tt.want)
		}
	}
	for _, query := range []string{"pageSize=0", "pageSize=101", "pageSize=x", "nextToken=%21", "nextToken=b2xkZXI6OTk"} {
		if a := p.send(p.request("GET", orgPath+"/accounts?"+query, "")); a.status != 400 {
			t.Errorf("%s: got %d %s, want 400", query, a.status, a.body)
		}
	}
	if a := p.send(p.request("GET", orgPath+"/accounts/none", "")); a.status != 404 {
		t.Errorf("got %d %s, want 404", a.status, a.body)
	}
}

func TestAutocreatedAccount(t *testing.T) {
	p := start(t, sandbox.Config{})
	p.makeAccounts("known")
	p.mustSubmit(usage("1", "known", "1"), usage("2", "new", "1"), usage("3", "new", "1"))
	got := p.list("/accounts", nil)
	if got.codes() != "new known" || got.Data[0].Name != "new-autocreated" ||
		!strings.HasSuffix(got.Data[0].Email, "-autocreated@example.com") || got.Data[1].Name != "The known" {
		t.Errorf("got %+v", got)
	}
}

func TestSearchAccounts(t *testing.T) {
	p := start(t, sandbox.Config{})
	p.makeAccounts("acme", "bolt", "acme-2")
	for _, tt := range []struct {
		query url.Values
		want  string
	}{
		{nil, "acme-2 bolt acme"},
		{url.Values{"searchQuery": {"code:acme"}}, "acme"},
		{url.Values{"searchQuery": {"name~ACME"}}, "acme-2 acme"},
		{url.Values{"searchQuery": {"name~acme$code:acme"}}, "acme"},
		{url.Values{"searchQuery": {"code:bolt$code:acme"}, "operator": {"OR"}}, "bolt acme"},
		{url.Values{"searchQuery": {"code:bolt$code:acme"}, "operator": {"AND"}}, ""},
		{url.Values{"sortBy": {"code"}}, "acme acme-2 bolt"},
		{url.Values{"sortBy": {"code"}, "sortOrder": {"DESC"}}, "bolt acme-2 acme"},
		{url.Values{"pageSize": {"1"}, "fromDocument": {"1"}}, "bolt"},
		{url.Values{"fromDocument": {"99"}}, ""},
	} {
		if got := p.list("/accounts/search", tt.query); got.codes() != tt.want {
			t.Errorf("%v: got %q, want %q", tt.query, got.codes(), tt.want)
		}
	}
	for _, query := range []string{"searchQuery=acme", "searchQuery=code%3Ea", "searchQuery=shoe:1", "operator=XOR", "sortBy=shoe", "sortOrder=up", "fromDocument=-1"} {
		if a := p.send(p.request("GET", orgPath+"/accounts/search?"+query, "")); a.status != 400 {
			t.Errorf("%s: got %d %s, want 400", query, a.status, a.body)
		}
	}
}

const meterBody = `{"name":"Storage","code":"storage","dataFields":[{"category":"MEASURE","code":"gb","name":"GB","unit":"By"}],"derivedFields":[]}`

func TestMeters(t *testing.T) {
	p := start(t, sandbox.Config{})
	var made, got map[string]any
	p.decode(p.send(p.request("POST", orgPath+"/meters", meterBody)), &made)
	p.decode(p.send(p.request("GET", orgPath+"/meters/"+made["id"].(string), "")), &got)
	if fmt.Sprint(made) != fmt.Sprint(got) || got["code"] != "storage" {
		t.Errorf("made %v, got %v", made, got)
	}
	const product = "0b9a6a1e-7e5c-4d0e-a8a5-3f5a2f0f3a10"
	second := strings.NewReplacer(`"storage"`, `"calls"`, `"name":"Storage"`, `"name":"Calls","productId":"`+product+`"`,
		`"derivedFields":[]`, `"derivedFields":[{"category":"MEASURE","code":"d","name":"D","calculation":"gb*2"}]`).Replace(meterBody)
	p.decode(p.send(p.request("POST", orgPath+"/meters", second)), &made)
	if got := p.list("/meters", nil).codes(); got != "calls storage" {
		t.Errorf("got %q", got)
	}
	if got := p.list("/meters", url.Values{"productId": {product}}).codes(); got != "calls" {
		t.Errorf("got %q", got)
	}
}

func TestEntityRefusals(t *testing.T) {
	p := start(t, sandbox.Config{})
	const accountBody = `{"name":"A","code":"a","emailAddress":"a@b.example"}`
	for _, tt := range []struct{ path, body, old, new, message string }{
		{"/accounts", accountBody, `"A"`, `""`, `name: must have 1 to 200 characters, has 0`},
		{"/accounts", accountBody, `"A"`, `3`, `body: \"/name\" has the wrong type`},
		{"/accounts", accountBody, `"a"`, `" a"`, `code: must have no control characters`},
		{"/accounts", accountBody, `a@b.example`, `a`, `emailAddress: must be an e-mail address`},
		{"/accounts", accountBody, `}`, `,"name":"B"}`, `invalid JSON at byte`},
		{"/accounts", accountBody, `}`, ``, `invalid JSON`},
		{"/accounts", accountBody, `}`, `,"daysBeforeBillDue":0}`, `daysBeforeBillDue: must be positive`},
		{"/accounts", accountBody, `}`, `,"billEpoch":"2022-02-30"}`, `billEpoch: must be a date`},
		{"/accounts", accountBody, `}`, `,"autoGenerateStatementMode":"PDF"}`, `must be one of NONE, JSON, JSON_AND_CSV`},
		{"/accounts", accountBody, `}`, `,"creditApplicationOrder":["CASH"]}`, `must be one of PREPAYMENT, BALANCE`},
		{"/accounts", accountBody, `}`, `,"customFields":{"a":true}}`, `customFields.a: must be a string or a number`},
		{"/accounts", accountBody, `}`, `,"address":{"postCode":"123456789012345678901"}}`, `address.postCode: must have 0 to 20`},
		{"/meters", meterBody, `"derivedFields":[]`, `"derivedFields":null`, `derivedFields: is required`},
		{"/meters", meterBody, `,"derivedFields":[]`, ``, `derivedFields: is required`},
		{"/meters", meterBody, `MEASURE`, `measure`, `dataFields[0].category: must be one of WHO`},
		{"/meters", meterBody, `"gb"`, `"g b"`, `dataFields[0].code: must be letters`},
		{"/meters", meterBody, `"By"`, `""`, `dataFields[0].unit: must have 1 to 50`},
		{"/meters", meterBody, `"code":"storage"`, `"productId":"x","code":"storage"`, `productId: must have 36`},
		{"/meters", meterBody, `"derivedFields":[]`, `"derivedFields":[{"category":"MEASURE","code":"d","name":"D"}]`, `derivedFields[0].calculation`},
	} {
		a := p.send(p.request("POST", orgPath+tt.path, strings.Replace(tt.body, tt.old, tt.new, 1)))
		if a.status != 400 || !strings.Contains(a.body, tt.message) {
			t.Errorf("%s with %s: got %d %s, want 400 with %q", tt.path, tt.new, a.status, a.body, tt.message)
		}
	}
	for path, body := range map[string]string{"/accounts": accountBody, "/meters": meterBody} {
		if a := p.send(p.request("POST", orgPath+path, body)); a.status != 200 {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
		if a := p.send(p.request("POST", orgPath+path, body)); a.status != 400 || !strings.Contains(a.body, "already") {
			t.Errorf("%s: got %d %s, want the code refused", path, a.status, a.body)
		}
	}
}
