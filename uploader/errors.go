package uploader

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what an error means for the import.
type Kind uint8

// The kinds of error. There is no zero kind: an Error always has one.
const (
	// Temporary: the same request may succeed later. Nothing is known to be
	// wrong with it, and sending it again is safe.
	Temporary Kind = iota + 1
	// Fatal: no request will succeed until a person changes something:
	// credentials, organization, address, permission.
	Fatal
	// Refused: the platform's final no to the content of this one request.
	Refused
)

// String gives the kind in one word.
func (k Kind) String() string {
	switch k {
	case Temporary:
		return "temporary"
	case Fatal:
		return "fatal"
	case Refused:
		return "refused"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Error is why a call has ended without success. Its texts hold no secret,
// whatever the server or the network wrote: see [Credentials].
type Error struct {
	Kind Kind
	// Op is what was tried, in words: "submit", "token", "organization".
	Op string
	// Status is the HTTP status of the last answer, 0 when there was none.
	Status int
	// Message says what happened: the server's words when it had any, at most
	// 500 bytes, control characters removed.
	Message string
	// Hint says what a person can do about it, or is empty.
	Hint string
	// Err is the cause on our side of the network, or nil.
	Err error
}

// Error gives everything but the hint, on one line.
func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString(e.Op)
	if e.Status != 0 {
		fmt.Fprintf(&s, ": status %d", e.Status)
	}
	if e.Message != "" {
		s.WriteString(": ")
		s.WriteString(e.Message)
	}
	if e.Err != nil {
		s.WriteString(": ")
		s.WriteString(e.Err.Error())
	}
	return s.String()
}

// Unwrap gives Err.
func (e *Error) Unwrap() error { return e.Err }

// GoString hides what %#v would show of Err.
func (e *Error) GoString() string {
	return fmt.Sprintf("&uploader.Error{Kind:%s, Status:%d, %q}", e.Kind, e.Status, e.Error())
}

// cause is an error of another package with its text made safe to show. It
// answers errors.Is as the original does, but does not hand the original out:
// an oauth2.RetrieveError carries the whole exchange, credentials included.
type cause struct {
	text     string
	original error
}

func (c *cause) Error() string        { return c.text }
func (c *cause) Is(target error) bool { return errors.Is(c.original, target) }
func (c *cause) GoString() string     { return fmt.Sprintf("%q", c.text) }
