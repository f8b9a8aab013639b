package sandbox

import "net/http"

// organizationConfig is GET /organizations/{orgId}/organizationconfig. The
// values are the schema's defaults.
func (s *Server) organizationConfig(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, struct {
		ID         string `json:"id"`
		Version    int64  `json:"version"`
		Timezone   string `json:"timezone"`
		YearEpoch  string `json:"yearEpoch"`
		MonthEpoch string `json:"monthEpoch"`
		WeekEpoch  string `json:"weekEpoch"`
		DayEpoch   string `json:"dayEpoch"`
		Currency   string `json:"currency"`
	}{s.config.OrgID, 1, "UTC", "2022-01-01", "2022-01-01", "2022-01-04", "2022-01-01", "USD"})
}
