package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// account is an AccountResponse.
type account struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	accountFields
	audit
}

// accountFields are the members of an AccountRequest.
type accountFields struct {
	Name         string          `json:"name"`
	Code         string          `json:"code"`
	EmailAddress string          `json:"emailAddress"`
	Details      *accountDetails `json:",embed"`
}

// accountDetails are the members that accounts made by ingest do not have;
// apart, because of those there may be millions.
type accountDetails struct {
	Address                   *address                  `json:"address,omitempty"`
	ParentAccountID           string                    `json:"parentAccountId,omitempty"`
	BillEpoch                 string                    `json:"billEpoch,omitempty"`
	PurchaseOrderNumber       string                    `json:"purchaseOrderNumber,omitempty"`
	Currency                  string                    `json:"currency,omitempty"`
	StatementDefinitionID     string                    `json:"statementDefinitionId,omitempty"`
	AutoGenerateStatementMode *string                   `json:"autoGenerateStatementMode,omitempty"`
	CreditApplicationOrder    []string                  `json:"creditApplicationOrder,omitempty"`
	DaysBeforeBillDue         *int32                    `json:"daysBeforeBillDue,omitempty"`
	CustomFields              map[string]jsontext.Value `json:"customFields,omitempty"`
}

type address struct {
	Line1    string `json:"addressLine1,omitempty"`
	Line2    string `json:"addressLine2,omitempty"`
	Line3    string `json:"addressLine3,omitempty"`
	Line4    string `json:"addressLine4,omitempty"`
	Locality string `json:"locality,omitempty"`
	Region   string `json:"region,omitempty"`
	PostCode string `json:"postCode,omitempty"`
	Country  string `json:"country,omitempty"`
}

func (a *account) ident() (id, code string) { return a.ID, a.Code }

// accounts are the accounts of the organization.
type accounts struct {
	collection[*account]
	// near are the codes of all in the form in which close matches are equal,
	// when that is checked; nil when it is not. collection.mu guards it.
	near map[string]struct{}
}

func (a *accounts) add(made *account) bool {
	ok := a.collection.add(made)
	if ok && a.near != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.near[nearForm(made.Code)] = struct{}{}
	}
	return ok
}

func (a *accounts) reset() {
	a.collection.reset()
	if a.near != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		clear(a.near)
	}
}

// ensure makes the skeleton account that m3ter makes when a measurement names
// a code that no account has.
func (a *accounts) ensure(code string, now time.Time) {
	if a.hasCode(code) {
		return
	}
	id := uuid.NewString()
	random := sha256.Sum256([]byte(id))
	a.add(&account{id, 1, accountFields{
		Name:         code + "-autocreated",
		Code:         code,
		EmailAddress: hex.EncodeToString(random[:8]) + "-autocreated@example.com",
	}, audited(now, byIngest)})
}

func (s *Server) listAccounts(w http.ResponseWriter, r *http.Request) {
	s.accounts.list(w, r, func(*account) bool { return true })
}

func (s *Server) createAccount(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Version int64 `json:"version"`
		accountFields
	}
	if !readEntity(w, r, &request) {
		return
	}
	if problem := request.check(); problem != "" {
		refuse(w, r, http.StatusBadRequest, problem)
		return
	}
	a := &account{uuid.NewString(), 1, request.accountFields, audited(s.clock.now(), byRequest)}
	if !s.accounts.add(a) {
		refuse(w, r, http.StatusBadRequest, fmt.Sprintf("code: an account has the code %q already", a.Code))
		return
	}
	answer(w, http.StatusOK, a)
}

// check returns the first thing that is wrong, or "".
func (a *accountFields) check() string {
	var c checks
	c.length("name", a.Name, 1, 200)
	c.code("code", a.Code)
	c.email("emailAddress", a.EmailAddress)
	if a.Details != nil {
		a.Details.check(&c)
	}
	return c.problem
}

func (d *accountDetails) check(c *checks) {
	if a := d.Address; a != nil {
		c.length("address.addressLine1", a.Line1, 0, 50)
		c.length("address.addressLine2", a.Line2, 0, 50)
		c.length("address.locality", a.Locality, 0, 100)
		c.length("address.region", a.Region, 0, 50)
		c.length("address.postCode", a.PostCode, 0, 20)
		c.length("address.country", a.Country, 0, 100)
	}
	_, err := time.Parse(time.DateOnly, or(d.BillEpoch, "2022-01-01"))
	c.require(err == nil, "billEpoch", "must be a date such as 2022-01-01")
	c.length("purchaseOrderNumber", d.PurchaseOrderNumber, 0, 100)
	if d.AutoGenerateStatementMode != nil {
		c.oneOf("autoGenerateStatementMode", *d.AutoGenerateStatementMode, "NONE", "JSON", "JSON_AND_CSV")
	}
	for _, credit := range d.CreditApplicationOrder {
		c.oneOf("creditApplicationOrder", credit, "PREPAYMENT", "BALANCE")
	}
	c.require(d.DaysBeforeBillDue == nil || *d.DaysBeforeBillDue > 0, "daysBeforeBillDue", "must be positive")
	c.customFields(d.CustomFields)
}
