package uploader

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

const maxOrgID = 80

// ParseOrgID reads an organization: its id, or an address of the m3ter Console
// that holds the id. From an address it takes the UUID after the segment
// "organizations" (or "org"), or else the first UUID of the path; an address
// is never an id itself. A plain id need not be a UUID, but must be able to
// stand in a path as it is. A UUID is returned in lower case, as it is the same
// organization however it is written (RFC 9562 section 4): what was sent to it is
// looked up by this text.
func ParseOrgID(text string) (string, error) {
	text = strings.TrimSpace(text)
	if !strings.ContainsAny(text, "/?#") {
		if !isPathSegment(text) {
			return "", fmt.Errorf("%s is not an organization id: it may have up to %d letters, digits, '-', '_' and '.'", envOrgID, maxOrgID)
		}
		if isUUID(text) {
			text = strings.ToLower(text)
		}
		return text, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%s is neither an organization id nor an address", envOrgID)
	}
	// Single-page applications keep their path in the fragment.
	segments := strings.FieldsFunc(u.Path+"/"+u.Fragment, func(r rune) bool { return strings.ContainsRune("/?&=", r) })
	first := ""
	for i, s := range segments {
		if !isUUID(s) {
			continue
		}
		if i > 0 {
			switch strings.ToLower(segments[i-1]) {
			case "organizations", "organization", "orgs", "org":
				return strings.ToLower(s), nil
			}
		}
		if first == "" {
			first = strings.ToLower(s)
		}
	}
	if first == "" {
		return "", fmt.Errorf("%s is an address without an organization id in its path: open the organization in the Console and copy the address, or give the id alone", envOrgID)
	}
	return first, nil
}

func isUUID(s string) bool {
	return len(s) == 36 && uuid.Validate(s) == nil
}

func isPathSegment(s string) bool {
	if s == "" || len(s) > maxOrgID || s == "." || s == ".." {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}
