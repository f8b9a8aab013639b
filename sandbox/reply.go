package sandbox

import (
	"bytes"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// answerAs stores the answer of a rule, in the place of any before it.
func (p *passage) answerAs(f hit) {
	p.answer = stored{status: or(f.Status, http.StatusOK)}
	media := "application/json"
	switch {
	case f.Garbage > 0:
		p.answer.body.Write(f.garbage(f.Garbage))
		media = "application/octet-stream"
	case f.Body != "":
		p.answer.body.WriteString(f.Body)
		if !strings.HasPrefix(strings.TrimSpace(f.Body), "{") {
			media = http.DetectContentType([]byte(f.Body))
		}
	case !bodiless(f.Status):
		text := or(f.Message, http.StatusText(f.Status))
		if f.When.Match != nil {
			text = strings.NewReplacer("{item}", strconv.Itoa(f.item), "{uid}", f.uid).Replace(text)
		}
		body, err := json.Marshal(errorBody{text})
		if err != nil {
			body = []byte("{}") // a message that is not UTF-8
		}
		p.answer.body.Write(body)
	}
	p.answer.Header().Set("Content-Type", media)
	if f.RetryAfter > 0 {
		p.answer.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
	}
}

// finish sends the answer, as well as the rules let it.
func (p *passage) finish() {
	body, header := p.answer.body.Bytes(), p.w.Header()
	maps.Copy(header, p.answer.header)
	piece, cut := len(body), -1
	var names []string
	var drip *rule
	for _, f := range p.hits {
		names = append(names, f.Name)
		for name, value := range f.Headers {
			header.Set(name, value)
		}
		if f.RetryAfter > 0 && !f.answers() {
			header.Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
		}
		if f.Drip != nil && drip == nil {
			drip, piece = f.rule, max(f.Drip.Bytes, 1)
		}
		if f.Cut != nil && (cut < 0 || *f.Cut < cut) {
			cut = min(*f.Cut, max(len(body)-1, 0))
		}
	}
	if names != nil {
		header.Set(FaultHeader, strings.Join(names, ", "))
	}
	if !bodiless(p.answer.status) {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	p.w.WriteHeader(or(p.answer.status, http.StatusOK))
	if cut >= 0 {
		body = body[:cut]
	}
	p.send(body, piece, drip)
	if cut >= 0 {
		http.NewResponseController(p.w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// send writes body in pieces.
func (p *passage) send(body []byte, piece int, drip *rule) {
	for len(body) > 0 {
		n := min(piece, len(body))
		if _, err := p.w.Write(body[:n]); err != nil {
			return // nobody is listening any more
		}
		if body = body[n:]; drip == nil || len(body) == 0 {
			continue
		}
		http.NewResponseController(p.w).Flush()
		if p.pause(drip, drip.Drip.Every); p.r.Context().Err() != nil {
			return
		}
	}
}

// stored is an answer that is held back.
type stored struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *stored) Header() http.Header {
	if a.header == nil {
		a.header = make(http.Header)
	}
	return a.header
}

func (a *stored) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

func (a *stored) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
