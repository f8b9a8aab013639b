package sandbox

import (
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
)

// clockState is the answer about the clock.
type clockState struct {
	Now  time.Time `json:"now"`
	Rate float64   `json:"rate"`
}

// clockMove is the request to set the clock. A duration is text: "840h".
type clockMove struct {
	Now     time.Time      `json:"now"`
	Advance *time.Duration `json:"advance"`
	Rate    *float64       `json:"rate"`
}

const clockForm = `body: must have "now" (an RFC 3339 time) or "advance" (a duration such as "840h"), or "rate" (seconds a second), or one of the first with it`

func (s *Server) showClock(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, clockState{s.clock.now(), s.clock.speed()})
}

func (s *Server) moveClock(w http.ResponseWriter, r *http.Request) {
	var to clockMove
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	if err == nil {
		err = json.Unmarshal(body, &to, json.RejectUnknownMembers(true), json.WithUnmarshalers(fromText))
	}
	sets, advances := !to.Now.IsZero(), to.Advance != nil
	if err != nil || sets && advances || !sets && !advances && to.Rate == nil {
		refuse(w, r, http.StatusBadRequest, clockForm)
		return
	}
	if to.Rate != nil {
		if err := checkRate(*to.Rate); err != nil {
			refuse(w, r, http.StatusBadRequest, err.Error())
			return
		}
	}
	s.clock.change(func(now time.Time) time.Time {
		switch {
		case sets:
			return to.Now
		case advances:
			return now.Add(*to.Advance)
		}
		return now
	}, to.Rate)
	s.showClock(w, r)
}
