package sandbox

import (
	"io"
	"mime"
	"net/http"
)

// submit is POST /organizations/{orgId}/measurements. It takes all of a
// request or nothing.
func (s *Server) submit(w http.ResponseWriter, r *http.Request) {
	b := s.batches.Get().(*batch)
	defer s.batches.Put(b)
	if !s.maySubmit(w, r) || !b.readBody(w, r) {
		return
	}
	if err := b.parse(b.body, s.usage.seed); err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if p := passageOf(r); p != nil && p.measured(b) {
		return
	}
	now := s.clock.now()
	s.usage.take(b, now, &s.accounts, s.checks)
	s.events.record(b, s.config.OrgID, s.config.eventTime(now))
	answerJSON(w, http.StatusOK, []byte(`{"result":"accepted"}`))
}

// maySubmit is everything that can be wrong before the body is looked at, but
// for the limit of the address and the firewall, which come earlier.
func (s *Server) maySubmit(w http.ResponseWriter, r *http.Request) bool {
	if !s.admitted(w, r) || !s.admitOrganization(w, r) {
		return false
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		refuse(w, r, http.StatusBadRequest, "Content-Type: must be application/json")
		return false
	}
	// m3ter does not say that it unpacks request bodies, so a client must not
	// count on it.
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		refuse(w, r, http.StatusBadRequest, "Content-Encoding: must not be set")
		return false
	}
	return true
}

const tooLarge = "Forbidden: the request body must be smaller than 512,000 bytes"

// readBody reads the body into b.body, or answers the request when it is too
// large: at most one byte past the limit is read.
func (b *batch) readBody(w http.ResponseWriter, r *http.Request) bool {
	if b.body == nil {
		b.body = make([]byte, MaxBytes+1)
	}
	n, err := io.ReadFull(r.Body, b.body[:MaxBytes+1])
	b.body = b.body[:n]
	switch {
	case err == nil:
		answer(w, http.StatusForbidden, errorBody{tooLarge})
		return false
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		refuse(w, r, http.StatusBadRequest, "the request body could not be read")
		return false
	}
	return true
}
