package uploader

import (
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"strings"
	"unicode"
)

const maxMessage = 500 // bytes of a server's words that are passed on

// message is what an answer says to a person: the platform's {"message": …},
// or what else the body holds that can be read, cleaned and bounded.
func (r *redactor) message(body []byte) string {
	var answer struct {
		Message string `json:"message"`
	}
	text := string(body)
	if json.Unmarshal(body, &answer) == nil && answer.Message != "" {
		text = answer.Message
	} else if title, ok := htmlTitle(text); ok {
		text = "a web page instead of an answer of the platform: " + title
	}
	// Redacted before it is cut: half a secret is not recognised any more.
	return shorten(oneLine(r.clean(text)))
}

// tokenMessage is message for the token endpoint, whose answers may hold
// tokens that we do not know yet: nothing is shown but the members that are
// meant for people, and of them nothing that looks like a token.
func (r *redactor) tokenMessage(body []byte) string {
	var answer struct {
		Message     string `json:"message"`
		Error       string `json:"error"`
		Description string `json:"error_description"` // RFC 6749 section 5.2
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	return shorten(withoutTokens(oneLine(r.clean(answer.Message + " " + answer.Error + " " + answer.Description))))
}

// withoutTokens hides the words of a line that may be tokens.
func withoutTokens(line string) string {
	words := strings.Fields(line)
	for i, w := range words {
		if len(w) > maxTokenWord {
			words[i] = redacted
		}
	}
	return strings.Join(words, " ")
}

// maxTokenWord is longer than the words of people and the codes of RFC 6749
// ("unsupported_grant_type"), and shorter than any token.
const maxTokenWord = 24

// redirectTarget is where a Location leads, as much of it as cannot hold a
// token.
func (r *redactor) redirectTarget(location string) string {
	u, err := url.Parse(location)
	switch {
	case err != nil:
		return "an address that cannot be read"
	case u.Host == "":
		return "another path of the same host"
	case u.Scheme == "":
		return shorten(oneLine(r.clean(u.Host)))
	}
	return shorten(oneLine(r.clean(u.Scheme + "://" + u.Host)))
}

// cause makes an error of another package safe to show.
func (r *redactor) cause(op operation, err error) error {
	text := oneLine(r.clean(err.Error()))
	if _, ok := errors.AsType[net.Error](err); op == opToken && !ok {
		// Of a net.Error the long words are host names; what else goes wrong
		// may quote the answer ("malformed HTTP response …").
		text = withoutTokens(text)
	}
	return &cause{text: shorten(text), original: err}
}

// htmlTitle is the title of a web page, as firewalls and gateways send.
func htmlTitle(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "<") {
		return "", false
	}
	lower := strings.ToLower(text)
	_, rest, ok := strings.Cut(lower, "<title>")
	if !ok || len(lower) != len(text) {
		return "no title", strings.Contains(lower, "<html")
	}
	from := len(lower) - len(rest)
	to := strings.Index(rest, "</title>")
	if to < 0 {
		return "no title", true
	}
	return text[from : from+to], true
}

// oneLine makes text safe for a terminal and a log: one line, nothing that
// controls them, valid UTF-8.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

func shorten(text string) string {
	const mark = "…"
	if len(text) <= maxMessage {
		return text
	}
	cut := maxMessage - len(mark)
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + mark
}
