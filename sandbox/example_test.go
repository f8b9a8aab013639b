package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/m3import/m3import/sandbox"
)

// A test points its client at a sandbox, and asks the sandbox afterwards.
func Example() {
	s := sandbox.New(sandbox.Config{Key: "key", Secret: "secret"})
	server := httptest.NewServer(s)
	defer server.Close()

	// The client under test: here, one that has not bought a token.
	body := strings.NewReader(`{"measurements":[{"meter":"storage","account":"acme","ts":"2024-05-01T00:00:00Z","measure":{"gb":12.5}}]}`)
	resp, err := http.Post(server.URL+"/organizations/"+sandbox.DefaultOrgID+"/measurements", "application/json", body)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()

	totals := s.Totals()
	fmt.Println(resp.StatusCode, totals.Measurements, totals.Sum("storage", "measure.gb"), totals.Requests)
	// Output: 403 0 0 map[SubmitMeasurements:map[403:1]]
}
