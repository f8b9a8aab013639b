package sandbox

import (
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// handleOwn adds the pages that no platform has. They need no token, so that a
// browser and curl can look.
func (s *Server) handleOwn(mux *http.ServeMux) {
	mux.HandleFunc("GET /openapi.json", writeOpenAPI)
	mux.HandleFunc("GET /_sandbox/totals", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, s.Totals())
	})
	mux.HandleFunc("GET /_sandbox/measurements", s.writeMeasurements)
	mux.HandleFunc("GET /_sandbox/clock", s.showClock)
	mux.HandleFunc("POST /_sandbox/clock", s.moveClock)
	mux.HandleFunc("GET /_sandbox/faults", s.listFaults)
	mux.HandleFunc("POST /_sandbox/faults", s.postFaults)
	mux.HandleFunc("DELETE /_sandbox/faults", s.deleteFaults)
	mux.HandleFunc("DELETE /_sandbox/faults/{name}", s.deleteFaults)
	mux.HandleFunc("POST /_sandbox/reset", func(w http.ResponseWriter, r *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("/_sandbox/", notFound)
}

// Reset forgets measurements, uids, accounts, meters, request counts and the
// rate limits' windows, and begins the counts and times of faults anew. Tokens
// stay good and the clock stays as it is set.
func (s *Server) Reset() {
	s.usage.reset()
	s.accounts.reset()
	s.meters.reset()
	s.requests.reset()
	s.address.reset()
	s.org.reset()
	s.faults.restart(s.clock.now())
}

func (s *Server) writeMeasurements(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	for _, slab := range s.usage.snapshot() {
		if _, err := w.Write(slab); err != nil {
			return
		}
	}
}

// clockTime is the answer about the clock, and the request to move it.
type clockTime struct {
	Now time.Time `json:"now,omitzero"`
	// Advance is a time.Duration as text: "840h".
	Advance string `json:"advance,omitempty"`
}

func (s *Server) showClock(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, clockTime{Now: s.clock.now()})
}

func (s *Server) moveClock(w http.ResponseWriter, r *http.Request) {
	var to clockTime
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err == nil {
		err = json.Unmarshal(body, &to, json.RejectUnknownMembers(true))
	}
	by, invalid := time.ParseDuration(or(to.Advance, "0"))
	switch {
	case err != nil || to.Now.IsZero() == (to.Advance == ""):
		refuse(w, r, http.StatusBadRequest, `body: must be {"now": an RFC 3339 time} or {"advance": a duration such as "840h"}`)
		return
	case invalid != nil:
		refuse(w, r, http.StatusBadRequest, `advance: must be a duration such as "840h" or "90s"`)
		return
	case to.Now.IsZero():
		s.clock.advance(by)
	default:
		s.clock.set(to.Now)
	}
	s.showClock(w, r)
}
