package sandbox_test

import (
	"fmt"
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
