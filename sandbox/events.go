package sandbox

import (
	"bytes"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/m3import/m3import/internal/jsonx"
)

// What the sandbox keeps of events: the newest, up to either bound. How long
// m3ter keeps them is not known.
const (
	maxEvents     = 10_000
	maxEventBytes = 64 << 20
)

// The one kind of event that the sandbox makes.
const (
	failureEvent     = "ingest.validation.failure"
	failureEventType = "IngestValidationFailure"
)

// event is what m3ter tells of a request after "accepted": the measurements
// that failed in one way. Whether m3ter makes one event of many measurements
// is not known; a client that downloads the file is right either way.
type event struct {
	number int // from 1, in order of making
	id     string
	time   time.Time
	kind   FailureType
	count  int
	file   []byte
}

// events are the newest events.
type events struct {
	mu    sync.Mutex
	all   []*event // oldest first
	byID  map[string]*event
	made  int
	bytes int
}

// record makes an event of each type of failure in a request.
func (e *events) record(b *batch, orgID string, at time.Time) {
	if len(b.failures) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, kind := range failureTypes {
		made := &event{id: uuid.NewString(), time: at, kind: kind}
		made.file, made.count = failureFile(b, orgID, made)
		if made.count > 0 {
			e.add(made)
		}
	}
}

func (e *events) add(made *event) {
	if e.byID == nil {
		e.byID = make(map[string]*event)
	}
	e.made++
	made.number = e.made
	e.all, e.byID[made.id] = append(e.all, made), made
	e.bytes += len(made.file)
	for len(e.all) > maxEvents || e.bytes > maxEventBytes && len(e.all) > 1 {
		oldest := e.all[0]
		e.all[0], e.all = nil, e.all[1:]
		e.bytes -= len(oldest.file)
		delete(e.byID, oldest.id)
	}
}

func (e *events) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all, e.byID, e.bytes = nil, nil, 0
}

// snapshot returns the events that are seen at now, the oldest first.
func (e *events) snapshot(now time.Time) []*event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.all), func(each *event) bool { return each.time.After(now) })
}

func (e *events) get(id string, now time.Time) (*event, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := e.byID[id]
	return found, found != nil && !found.time.After(now)
}

// failureFile writes the failures of one type: what was wrong, and each
// measurement as it was sent. That it is JSON with both is documented, its
// shape is not.
func failureFile(b *batch, orgID string, e *event) (file []byte, count int) {
	var out bytes.Buffer
	text := func(s string) { out.Write(jsonx.AppendStringS(nil, s)) }
	for _, f := range b.failures {
		if f.kind != e.kind {
			continue
		}
		if count++; count == 1 {
			out.WriteString(`{"orgId":`)
			text(orgID)
			out.WriteString(`,"eventId":`)
			text(e.id)
			out.WriteString(`,"failures":[`)
		} else {
			out.WriteByte(',')
		}
		out.WriteString(`{"type":`)
		text(string(f.kind))
		out.WriteString(`,"message":`)
		text(f.reason)
		out.WriteString(`,"measurement":`)
		out.Write(b.items[f.item].raw)
		out.WriteByte('}')
	}
	out.WriteString("]}")
	return out.Bytes(), count
}

// eventAnswer is an EventResponse. Its schema demands dtActioned, which no
// operation sets; the sandbox gives the time of the event.
type eventAnswer struct {
	ID       string         `json:"id"`
	Name     string         `json:"eventName"`
	Time     time.Time      `json:"eventTime"`
	Actioned time.Time      `json:"dtActioned"`
	Event    failureDetails `json:"m3terEvent"`
}

// failureDetails is the m3terEvent. That it has getDownloadUrl is documented;
// the rest is our guess.
type failureDetails struct {
	OrgID          string      `json:"orgId"`
	Type           FailureType `json:"type"`
	Count          int         `json:"count"`
	File           string      `json:"file"`
	GetDownloadURL string      `json:"getDownloadUrl"`
}

func (s *Server) eventAnswer(e *event, r *http.Request) eventAnswer {
	file := "failed-ingest/" + e.time.Format(time.DateOnly) + "/" + e.id + ".json"
	return eventAnswer{e.id, failureEvent, e.time, e.time, failureDetails{
		OrgID: s.config.OrgID, Type: e.kind, Count: e.count, File: file,
		GetDownloadURL: here(r) + "/organizations/" + url.PathEscape(s.config.OrgID) +
			"/measurements/failedIngest/getDownloadUrl?file=" + url.QueryEscape(file),
	}}
}

// listEvents is GET …/events: newest first. The sandbox's events concern no
// one account, resource or notification, so asking for those finds nothing.
func (s *Server) listEvents(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	size, problem := queryInt(query, "pageSize", maxPage, 1, maxPage)
	before, ok := parseCursor(query.Get("nextToken"), math.MaxInt)
	others := slices.ContainsFunc([]string{"eventName", "eventType", "accountId", "resourceId", "notificationId", "notificationCode"},
		func(name string) bool { return query.Get(name) != "" })
	ids := filter(query, "ids")
	switch {
	case problem != "":
	case !ok:
		problem = "nextToken: is not one that this list has given out"
	case ids != nil && others:
		problem = "ids: cannot be used with other filters"
	case !oneOf(query.Get("includeActioned"), "", "true", "false"):
		problem = "includeActioned: must be true or false"
	}
	if problem != "" {
		refuse(w, r, http.StatusBadRequest, problem)
		return
	}
	page := struct {
		Data      []eventAnswer `json:"data"`
		NextToken string        `json:"nextToken,omitempty"`
	}{Data: []eventAnswer{}}
	for _, e := range slices.Backward(s.events.snapshot(s.clock.now())) {
		if e.number > before || !ids.match(e.id) || others && !wanted(query) {
			continue
		}
		if len(page.Data) == size {
			page.NextToken = cursor(e.number)
			break
		}
		page.Data = append(page.Data, s.eventAnswer(e, r))
	}
	answer(w, http.StatusOK, page)
}

// wanted reports whether a list's filters let the sandbox's events through.
func wanted(query url.Values) bool {
	return oneOf(query.Get("eventName"), "", failureEvent) && oneOf(query.Get("eventType"), "", failureEventType) &&
		query.Get("accountId")+query.Get("resourceId")+query.Get("notificationId")+query.Get("notificationCode") == ""
}

func oneOf(text string, allowed ...string) bool { return slices.Contains(allowed, text) }

func (s *Server) getEvent(w http.ResponseWriter, r *http.Request) {
	e, ok := s.events.get(r.PathValue("id"), s.clock.now())
	if !ok {
		refuse(w, r, http.StatusNotFound, "Not Found: no event has the id "+strconv.Quote(r.PathValue("id")))
		return
	}
	answer(w, http.StatusOK, s.eventAnswer(e, r))
}

func (s *Server) listEventFields(w http.ResponseWriter, r *http.Request) {
	fields := map[string]map[string]string{}
	if oneOf(r.URL.Query().Get("eventName"), "", failureEvent) {
		fields[failureEvent] = map[string]string{
			"orgId": "string", "type": "string", "count": "int", "file": "string", "getDownloadUrl": "string",
		}
	}
	answer(w, http.StatusOK, map[string]any{"events": fields})
}

func (s *Server) listEventTypes(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, map[string]any{"events": []string{failureEvent}})
}
