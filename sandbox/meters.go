package sandbox

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// maxFields is the most data fields, and the most derived fields, of a meter.
const maxFields = 15

// meter is a MeterResponse.
type meter struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	meterFields
	audit

	// What enrichment needs of it.
	required []fieldRef
	formulas []*formula // of the derived fields
}

// meterFields are the members of a MeterRequest.
type meterFields struct {
	Name          string                    `json:"name"`
	Code          string                    `json:"code"`
	ProductID     *string                   `json:"productId,omitempty"`
	GroupID       *string                   `json:"groupId,omitempty"`
	DataFields    []dataField               `json:"dataFields"`
	DerivedFields []derivedField            `json:"derivedFields"`
	CustomFields  map[string]jsontext.Value `json:"customFields,omitempty"`
}

type dataField struct {
	Category string  `json:"category"`
	Code     string  `json:"code"`
	Name     string  `json:"name"`
	Unit     *string `json:"unit,omitempty"`
}

type derivedField struct {
	dataField
	Calculation string `json:"calculation"`
}

func (m *meter) ident() (id, code string) { return m.ID, m.Code }

// meters are the meters of the organization. Measurements may name others,
// unless Config.StrictMeters: that is found out after "accepted".
type meters struct{ collection[*meter] }

func (s *Server) listMeters(w http.ResponseWriter, r *http.Request) {
	products := filter(r.URL.Query(), "productId")
	s.meters.list(w, r, func(m *meter) bool {
		return products == nil || m.ProductID != nil && products[*m.ProductID]
	})
}

func (s *Server) createMeter(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Version int64 `json:"version"`
		meterFields
	}
	if !readEntity(w, r, &request) {
		return
	}
	if problem := request.check(); problem != "" {
		refuse(w, r, http.StatusBadRequest, problem)
		return
	}
	m := &meter{ID: uuid.NewString(), Version: 1, meterFields: request.meterFields, audit: audited(s.clock.now(), byRequest)}
	m.compile()
	if !s.meters.add(m) {
		refuse(w, r, http.StatusBadRequest, fmt.Sprintf("code: a meter has the code %q already", m.Code))
		return
	}
	answer(w, http.StatusOK, m)
}

// check returns the first thing that is wrong, or "".
func (m *meterFields) check() string {
	var c checks
	c.length("name", m.Name, 1, 200)
	c.code("code", m.Code)
	c.optional("productId", m.ProductID, 36, 36)
	c.optional("groupId", m.GroupID, 36, 36)
	c.require(1 <= len(m.DataFields) && len(m.DataFields) <= maxFields, "dataFields", "must hold 1 to 15 fields")
	c.require(m.DerivedFields != nil, "derivedFields", "is required; [] when there are none")
	c.require(len(m.DerivedFields) <= maxFields, "derivedFields", "must hold at most 15 fields")
	for i := range m.DataFields {
		m.DataFields[i].check(&c, fmt.Sprintf("dataFields[%d]", i))
	}
	for i := range m.DerivedFields {
		at := fmt.Sprintf("derivedFields[%d]", i)
		m.DerivedFields[i].check(&c, at)
		c.length(at+".calculation", m.DerivedFields[i].Calculation, 1, 5000)
	}
	c.customFields(m.CustomFields)
	return c.problem
}

func (f *dataField) check(c *checks, at string) {
	c.oneOf(at+".category", f.Category, "WHO", "WHERE", "WHAT", "OTHER", "METADATA", "MEASURE", "INCOME", "COST")
	c.length(at+".code", f.Code, 1, maxCode)
	c.require(fieldCode.MatchString(f.Code), at+".code", "must be letters, digits, _ and $, and must not start with a digit")
	c.length(at+".name", f.Name, 1, 200)
	c.optional(at+".unit", f.Unit, 1, 50)
}
