package sandbox_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

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

// Any mix of faults can be had: here, a second request that is taken but never
// answered, and a third that is refused.
func ExampleServer_AddFaults() {
	s := sandbox.New(sandbox.Config{})
	err := s.AddFaults(
		sandbox.Fault{On: []string{"GenerateToken"}, When: sandbox.When{From: 2, To: 2}, At: sandbox.Committed, Reset: true},
		sandbox.Fault{On: []string{"GenerateToken"}, When: sandbox.When{From: 3}, Status: 503, RetryAfter: 2 * time.Second},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(s)
	defer server.Close()
	for range 3 {
		r, err := http.NewRequest("POST", server.URL+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			fmt.Println(err)
			return
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(sandbox.DefaultKey, sandbox.DefaultSecret)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println("no answer")
			continue
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// 200 OK
	// no answer
	// 503 Service Unavailable
}
