package sandbox

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// readEntity decodes the body of a create request into v, or answers the
// request. JSON is taken strictly: names as they are spelled, none twice.
func readEntity(w http.ResponseWriter, r *http.Request, v any) bool {
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); media != "application/json" {
		refuse(w, r, http.StatusBadRequest, "Content-Type: must be application/json")
		return false
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBytes+1))
	switch {
	case err != nil:
		refuse(w, r, http.StatusBadRequest, "the request body could not be read")
		return false
	case len(body) > MaxBytes:
		answer(w, http.StatusForbidden, errorBody{tooLarge})
		return false
	}
	if err := json.Unmarshal(body, v); err != nil {
		refuse(w, r, http.StatusBadRequest, "body: "+decodeProblem(err))
		return false
	}
	return true
}

// decodeProblem says what is wrong with JSON in words that do not mention Go.
func decodeProblem(err error) string {
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return fmt.Sprintf("%q has the wrong type", string(semantic.JSONPointer))
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return fmt.Sprintf("invalid JSON at byte %d", syntactic.ByteOffset)
	}
	return "invalid JSON"
}

// checks collects the first problem of an entity.
type checks struct{ problem string }

func (c *checks) require(ok bool, field, rule string) {
	if !ok && c.problem == "" {
		c.problem = field + ": " + rule
	}
}

// length checks the number of characters.
func (c *checks) length(field, text string, least, most int) {
	n := utf8.RuneCountInString(text)
	c.require(least <= n && n <= most, field, fmt.Sprintf("must have %d to %d characters, has %d", least, most, n))
}

// optional is length for a text that may be left out.
func (c *checks) optional(field string, text *string, least, most int) {
	if text != nil {
		c.length(field, *text, least, most)
	}
}

// code checks the code of a meter or an account.
func (c *checks) code(field, text string) {
	c.length(field, text, 1, maxCode)
	c.require(validCode(text), field, "must have no control characters, and no space at either end")
}

func (c *checks) email(field, text string) {
	a, err := mail.ParseAddress(text)
	c.require(err == nil && a.Address == text, field, "must be an e-mail address")
}

func (c *checks) oneOf(field, text string, allowed ...string) {
	c.require(slices.Contains(allowed, text), field, "must be one of "+strings.Join(allowed, ", "))
}

// customFields checks a map from names to texts or numbers, kept as the text
// that was sent so that numbers keep their digits.
func (c *checks) customFields(fields map[string]jsontext.Value) {
	c.require(len(fields) <= 100, "customFields", "must have at most 100 members")
	for name, value := range fields {
		kind := value.Kind()
		c.require(kind == '"' || kind == '0', "customFields."+name, "must be a string or a number")
	}
}

// fieldCode is the pattern of data-field codes; it means the same in Java.
var fieldCode = regexp.MustCompile(`^[\p{L}_$][\p{L}_$0-9]*$`)
