package sandbox

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxPage is the most entities that a list answers with, and the least
// surprising number of them when the client does not say.
const maxPage = 100

// entity is what lists have in common: meters and accounts.
type entity interface {
	ident() (id, code string)
}

// collection holds entities in order of creation; neither ids nor codes repeat.
type collection[E entity] struct {
	mu     sync.RWMutex
	all    []E
	byID   map[string]E
	byCode map[string]E
}

// add reports false when the code is taken.
func (c *collection[E]) add(e E) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	id, code := e.ident()
	if _, taken := c.byCode[code]; taken {
		return false
	}
	if c.byID == nil {
		c.byID, c.byCode = make(map[string]E), make(map[string]E)
	}
	c.byID[id], c.byCode[code] = e, e
	c.all = append(c.all, e)
	return true
}

func (c *collection[E]) hasCode(code string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.byCode[code]
	return ok
}

func (c *collection[E]) withCode(code []byte) (E, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.byCode[string(code)]
	return e, ok
}

func (c *collection[E]) get(id string) (E, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.byID[id]
	return e, ok
}

// snapshot returns all entities, the oldest first; it is not to be changed.
func (c *collection[E]) snapshot() []E {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.all[:len(c.all):len(c.all)]
}

func (c *collection[E]) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all, c.byID, c.byCode = nil, nil, nil
}

// page is the answer of a list.
type page[E entity] struct {
	Data      []E    `json:"data"`
	NextToken string `json:"nextToken,omitempty"`
}

// list answers a list request: the newest entities first, filtered by ids,
// codes and keep, a page at a time.
func (c *collection[E]) list(w http.ResponseWriter, r *http.Request, keep func(E) bool) {
	query := r.URL.Query()
	size, problem := queryInt(query, "pageSize", maxPage, 1, maxPage)
	all := c.snapshot()
	before, ok := parseCursor(query.Get("nextToken"), len(all))
	if problem == "" && !ok {
		problem = "nextToken: is not one that this list has given out"
	}
	if problem != "" {
		refuse(w, r, http.StatusBadRequest, problem)
		return
	}
	ids, codes := filter(query, "ids"), filter(query, "codes")
	p := page[E]{Data: []E{}}
	for i, e := range slices.Backward(all[:before]) {
		id, code := e.ident()
		if !ids.match(id) || !codes.match(code) || !keep(e) {
			continue
		}
		if len(p.Data) == size {
			p.NextToken = cursor(i + 1)
			break
		}
		p.Data = append(p.Data, e)
	}
	answer(w, http.StatusOK, p)
}

// retrieve answers with the entity of the path's id.
func (c *collection[E]) retrieve(w http.ResponseWriter, r *http.Request) {
	e, ok := c.get(r.PathValue("id"))
	if !ok {
		refuse(w, r, http.StatusNotFound, "Not Found: no entity has the id "+strconv.Quote(r.PathValue("id")))
		return
	}
	answer(w, http.StatusOK, e)
}

// cursor is a nextToken: how many entities, counted from the oldest, are still
// to come. New ones go to the front of the list and do not disturb it.
func cursor(remaining int) string {
	return base64.RawURLEncoding.EncodeToString([]byte("older:" + strconv.Itoa(remaining)))
}

func parseCursor(token string, all int) (remaining int, ok bool) {
	if token == "" {
		return all, true
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, false
	}
	digits, ok := strings.CutPrefix(string(text), "older:")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && 0 <= n && n <= all
}

// values are the values that a list is filtered by; nil lets everything pass.
type values map[string]bool

// filter reads a repeated parameter, the form of the API's description. m3ter's
// Go SDK joins values by commas instead, and a code may have a comma itself, so
// a value means itself and its parts.
func filter(query url.Values, name string) values {
	var set values
	for _, value := range query[name] {
		if value == "" {
			continue
		}
		if set == nil {
			set = values{}
		}
		set[value] = true
		for part := range strings.SplitSeq(value, ",") {
			set[part] = true
		}
	}
	return set
}

func (v values) match(value string) bool { return v == nil || v[value] }

// queryInt reads an integer parameter; an empty one counts as left out, which
// is what the API's allowEmptyValue means.
func queryInt(query url.Values, name string, missing, least, most int) (n int, problem string) {
	text := query.Get(name)
	if text == "" {
		return missing, ""
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, name + ": must be an integer from " + strconv.Itoa(least) + " to " + strconv.Itoa(most)
	}
	return n, ""
}

// audit is when an entity was made and changed last, and by whom.
type audit struct {
	Created        time.Time `json:"dtCreated"`
	LastModified   time.Time `json:"dtLastModified"`
	CreatedBy      string    `json:"createdBy"`
	LastModifiedBy string    `json:"lastModifiedBy"`
}

func audited(now time.Time, by string) audit {
	now = now.Truncate(time.Millisecond)
	return audit{now, now, by, by}
}

// Who makes entities: requests, and the ingest of unknown account codes.
const (
	byRequest = "sandbox"
	byIngest  = "sandbox-ingest"
)
