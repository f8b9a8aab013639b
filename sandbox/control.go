package sandbox

import "net/http"

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
	mux.HandleFunc("GET /_sandbox/limits", s.showLimits)
	mux.HandleFunc("POST /_sandbox/limits", s.postLimits)
	mux.HandleFunc("GET /_sandbox/files/{id}", s.download)
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

// Reset forgets measurements, uids, accounts, meters, events, request counts and the
// rate limits' windows, and begins the counts and times of faults anew. Tokens
// stay good and the clock stays as it is set.
func (s *Server) Reset() {
	s.usage.reset()
	s.accounts.reset()
	s.meters.reset()
	s.requests.reset()
	s.events.reset()
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
