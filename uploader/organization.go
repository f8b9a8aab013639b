package uploader

import (
	"context"
	"encoding/json"
	"net/http"
)

// Organization is what an importer wants to know of an organization's
// configuration (OrganizationConfigResponse in m3ter's OpenAPI document).
type Organization struct {
	ID         string `json:"id"` // of the configuration, not of the organization
	Timezone   string `json:"timezone"`
	Currency   string `json:"currency"`
	YearEpoch  string `json:"yearEpoch"`
	MonthEpoch string `json:"monthEpoch"`
	WeekEpoch  string `json:"weekEpoch"`
	DayEpoch   string `json:"dayEpoch"`
}

// Organization reads the organization's configuration, which also proves the
// credentials and that they belong to this organization. It is tried again as
// Submit is. The error is an [*Error].
func (c *Client) Organization(ctx context.Context) (Organization, error) {
	var org Organization
	out := c.do(ctx, call{
		op:     opOrganization,
		method: http.MethodGet,
		url:    endpoint(c.cfg.BaseURL, c.cfg.OrgID, "organizationconfig"),
		read: func(body []byte) bool {
			org = Organization{Timezone: "UTC"}
			return json.Unmarshal(body, &org) == nil && org.ID != "" // the one member that is always there
		},
	})
	if out.err != nil {
		return Organization{}, out.err
	}
	return org, nil
}
