package sandbox

import (
	"errors"
	"io"
	"net/http"
	"strconv"
)

// faultList is the answer of GET and POST /_sandbox/faults.
type faultList struct {
	Faults []FaultState `json:"faults"`
}

func (s *Server) listFaults(w http.ResponseWriter, r *http.Request) {
	answerPlain(w, http.StatusOK, faultList{s.Faults()})
}

// postFaults is POST /_sandbox/faults: {"faults":[…]}, JSON or YAML.
func (s *Server) postFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxScenario+1))
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "the request body could not be read")
		return
	}
	var more struct {
		Faults []Fault `json:"faults"`
	}
	err = decodePlain(body, &more)
	if err == nil && more.Faults == nil {
		err = errors.New("faults: is required")
	}
	if err == nil {
		err = s.AddFaults(more.Faults...)
	}
	if err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	s.listFaults(w, r)
}

// deleteFaults takes away the rule of the path's name, or all.
func (s *Server) deleteFaults(w http.ResponseWriter, r *http.Request) {
	var names []string
	if name := r.PathValue("name"); name != "" {
		names = []string{name}
	}
	if s.RemoveFaults(names...) == 0 && names != nil {
		refuse(w, r, http.StatusNotFound, "Not Found: no fault has the name "+strconv.Quote(names[0]))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) showLimits(w http.ResponseWriter, r *http.Request) {
	answerPlain(w, http.StatusOK, s.Limits())
}

// postLimits is POST /_sandbox/limits; a limit that is left out stays.
func (s *Server) postLimits(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxScenario+1))
	var change struct {
		PerAddress      *Limit `json:"per_address"`
		PerOrganization *Limit `json:"per_organization"`
	}
	if err == nil {
		err = decodePlain(body, &change)
	}
	if err == nil && change.PerAddress == nil && change.PerOrganization == nil {
		err = errors.New("per_address, per_organization: one of them is required")
	}
	if err == nil {
		limits := s.Limits()
		copyTo(&limits.PerAddress, change.PerAddress)
		copyTo(&limits.PerOrganization, change.PerOrganization)
		err = s.SetLimits(limits)
	}
	if err != nil {
		refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	s.showLimits(w, r)
}

func copyTo[T any](dst, src *T) {
	if src != nil {
		*dst = *src
	}
}
