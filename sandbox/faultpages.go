package sandbox

import (
	"errors"
	"io"
	"net/http"
	"strconv"
)

// maxScenario bounds a scenario file and the body of POST /_sandbox/faults.
const maxScenario = 4 << 20

// faultList is the answer of GET and POST /_sandbox/faults.
type faultList struct {
	Faults []FaultState `json:"faults"`
}

func (s *Server) listFaults(w http.ResponseWriter, r *http.Request) {
	answerPlain(w, http.StatusOK, faultList{s.Faults()})
}

// postFaults is POST /_sandbox/faults: {"faults":[…]}, JSON or YAML.
func (s *Server) postFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxScenario))
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
