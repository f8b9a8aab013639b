package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// organization is the one that is imported into. The sink does not care.
const organization = "7f0e6f2a-0000-4000-8000-0000000000b1"

// sink is the platform, in a process of its own.
type sink struct {
	address string
	stop    func()
}

func startSink(path string) (*sink, error) {
	address, stop, err := program{path: path}.start()
	if err != nil {
		return nil, err
	}
	return &sink{address, stop}, nil
}

// measurements is where measurements go.
func (s *sink) measurements() string {
	return s.address + "/organizations/" + organization + "/measurements"
}

// env makes the product import into the sink.
func (s *sink) env() []string {
	return []string{"M3TER_API_KEY=key", "M3TER_API_SECRET=secret", "M3TER_ORG_ID=" + organization, "M3TER_BASE_URL=" + s.address}
}

// manner is how the sink answers.
type manner struct {
	delay  time.Duration // of every answer
	hold   time.Duration // no answer for so long after the first request
	record string        // file that gets the bodies
}

// set makes the sink answer in a manner, and begin to count.
func (s *sink) set(m manner) error {
	res, err := http.PostForm(s.address+"/control", url.Values{
		"delay": {m.delay.String()}, "hold": {m.hold.String()}, "record": {m.record},
	})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("sink: %s", res.Status)
	}
	return nil
}

// counts are what came since the manner was set.
type counts struct {
	Requests, Bytes int64
	First, Last     int64 // Unix nanoseconds; 0: none yet
}

func (s *sink) counts() (c counts, err error) {
	res, err := http.Get(s.address + "/stats")
	if err != nil {
		return c, err
	}
	defer res.Body.Close()
	return c, json.NewDecoder(res.Body).Decode(&c)
}
