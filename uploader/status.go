package uploader

import (
	"fmt"
	"net/http"
	"strings"
)

// operation is a kind of request; what some statuses mean depends on it.
type operation uint8

const (
	opSubmit operation = iota
	opOrganization
	opToken
	operations
)

var opNames = [operations]string{"submit", "organization", "token"}

func (o operation) String() string { return opNames[o] }

// action is what to do about an answer.
type action uint8

const (
	accept   action = iota // it is done
	retry                  // the same again after a while; the fate is uncertain until then
	throttle               // as retry, and nobody sends until the server lets us
	renew                  // once with a new token; then the answer stands
	stand                  // the answer stands: see blame
)

// blame is what an answer that stands is held against. All but onAll have the
// request taken apart: see delivery.
type blame uint8

const (
	onAll         blame = iota // every request would be answered so: it ends in an Error
	onContent                  // a measurement that gets it alone is refused
	onContentOrUs              // likewise, with proof that the platform takes other measurements from us
	onSize                     // no measurement is to blame, whichever the request is about
	blames
)

// meaning is what an answer means. Kind and hint are those of the Error if it
// comes to one; a retry that comes to one is always Temporary.
type meaning struct {
	do    action
	kind  Kind
	hint  string
	blame blame
}

// statusRow is what the statuses from first to last mean.
type statusRow struct {
	first, last int
	meaning
}

// The hints: what a person should do.
const (
	hintOutage   = "the platform or the network is in trouble: run the same command again later, nothing is lost or sent twice"
	hintThrottle = "too many requests: other senders share the limit of this address or organization; run the same command again later, or lower the rate"
	hintRedirect = "requests are not sent on to other addresses: set " + envBaseURL + " and " + envIngestURL + " to where the platform answers itself"
	hintContent  = "the platform does not take this content: compare the named field with the meter and the mapping; the same content will be refused again"
	hintSize     = "one measurement alone is too large for the platform or for a proxy before it: have the proxy take bodies of up to 512,000 bytes, or make the measurement shorter"
	hintMost     = "something is wrong with all of them rather than with some: compare the named field with the meter and the mapping; nothing is lost, the same command goes on from before this request"
	hintLogin    = "the token is not valid, and a new one does not help: check that key, secret and token belong to this organization"
	hintNotFound = "wrong organization or address: check " + envOrgID + ", " + envBaseURL + " and " + envIngestURL
	hintProxy    = "the proxy wants credentials: check HTTPS_PROXY"
	hintAddress  = "this is not what the platform answers: check " + envBaseURL + " and " + envIngestURL + ", and any proxy between"
	hintToken    = "credentials not accepted: check " + envKey + " and " + envSecret + ", and that the Service User still has them"
	hintUpload   = "either the organization " + envOrgID + " is not the one of these credentials, or they lack the permission to upload measurements, " +
		"or a firewall rule dislikes the text of a measurement (SQL, ../, <script>, ${jndi:), or the body is too large; an ended token is unlikely, as a new one was tried, unless tokens are ended again and again"
	hintCertificate = "the certificate is not one that this machine trusts: check the address; behind a proxy that opens TLS, its certificate has to be installed (or named by SSL_CERT_FILE)"
	hintGiven       = "the token of " + envToken + " may have ended, and cannot be renewed: set a new one; or unset it, since it goes before " + envKey + " and " + envSecret + ", and have these set, for tokens that are renewed; " +
		"a good one belongs to another organization than " + envOrgID + ", or lacks the permission, or a firewall rule dislikes the request"
	hintConfig = "either the organization " + envOrgID + " is not the one of these credentials, or they lack the permission to read its configuration (config:retrieve)"
)

// The hints for a measurement that was refused alone.
const (
	hintFilter = "a text in it looks like SQL, a script, or the like, to a filter before the platform"
	hintFirst  = "measurements[0] is this one, sent alone"
)

// hintAlone is what the refusal of a measurement that was sent alone may mean.
func hintAlone(e *Error) string {
	switch {
	case e.Status == 403, e.Status == 415:
		return hintFilter
	case strings.Contains(e.Message, "measurements[0]"):
		return hintFirst
	}
	return ""
}

// statusTable is the one place that knows what a status means. The first row
// that holds a status counts; a status outside of all rows means the last one.
// m3ter documents 400, 403, 404, 413, 429, 500, 502 and 504; the rest is what
// proxies, load balancers and firewalls add.
var statusTable = []statusRow{
	{200, 200, meaning{do: accept}},
	// Another success is not the documented one: whether the content was
	// taken is uncertain.
	{201, 299, meaning{retry, Temporary, hintAddress, onAll}},
	{300, 399, meaning{stand, Fatal, hintRedirect, onAll}},
	{400, 400, meaning{stand, Refused, hintContent, onContent}},
	{401, 401, meaning{renew, Fatal, hintLogin, onAll}},
	// 403 is overloaded: an expired token, a wrong organization, a missing
	// permission, a body too large, a firewall that dislikes one measurement.
	// A new token tells the first from the rest; that other measurements are
	// taken tells the last two, which concern this content alone.
	{403, 403, meaning{renew, Fatal, hintUpload, onContentOrUs}},
	{404, 404, meaning{stand, Fatal, hintNotFound, onAll}},
	{407, 407, meaning{stand, Fatal, hintProxy, onAll}},
	{408, 408, meaning{retry, Temporary, hintOutage, onAll}},
	// m3ter's own clients try 409 again, as a state that passes.
	{409, 409, meaning{retry, Temporary, hintOutage, onAll}},
	// The platform takes every size that we send, so this is a proxy's word.
	{413, 413, meaning{stand, Fatal, hintSize, onSize}},
	// All requests have the same type; a gateway that looks into bodies may
	// still dislike one.
	{415, 415, meaning{stand, Fatal, hintAddress, onContentOrUs}},
	{422, 422, meaning{stand, Refused, hintContent, onContent}},
	{425, 425, meaning{retry, Temporary, hintOutage, onAll}},
	{429, 429, meaning{throttle, Temporary, hintThrottle, onAll}},
	// Nothing else of 4xx is known to be about the content, so taking the
	// request apart would not help.
	{400, 499, meaning{stand, Fatal, hintAddress, onAll}},
	{500, 599, meaning{retry, Temporary, hintOutage, onAll}},
	{0, 999, meaning{stand, Fatal, hintAddress, onAll}},
}

// meaningOf looks status up. Where there is no content to refuse, as in every
// operation but submit, what would be Refused is Fatal.
func meaningOf(op operation, status int) meaning {
	m := lookUp(status)
	switch {
	case op == opSubmit:
		return m
	case op == opToken && (status == 400 || status == 401 || status == 403):
		return meaning{stand, Fatal, hintToken, onAll} // RFC 6749 section 5.2: 400 or 401; m3ter: 403
	case op == opToken && m.do == throttle:
		// The limit of the Config API is not the one that the gate is for.
		m.do = retry
	case op == opOrganization && status == 403:
		m.hint = hintConfig
	case op == opOrganization && m.do == throttle:
		m.do = retry
	}
	if m.kind == Refused {
		m.kind = Fatal
	}
	m.blame = onAll
	return m
}

// refusesAll tells whether a status says that nothing of a request was taken. Of
// statuses that the table does not know one by one, nobody knows who gives them,
// and when.
func refusesAll(status int) bool {
	for _, row := range statusTable {
		if row.first <= status && status <= row.last {
			return row.first == row.last && status/100 == 4 && row.do != retry
		}
	}
	return false
}

func lookUp(status int) meaning {
	for _, row := range statusTable {
		if row.first <= status && status <= row.last {
			return row.meaning
		}
	}
	return statusTable[len(statusTable)-1].meaning
}

// withoutRenewal is m for a token that was given and cannot be renewed: then an
// ended token is not ruled out before another measurement is taken.
func (m meaning) withoutRenewal() meaning {
	if m.do == renew {
		return meaning{stand, Fatal, hintGiven, m.blame}
	}
	return m
}

// uncertain is what no answer means, or one that cannot be read: the request
// may have arrived or not. Sending the same bytes again settles it, because
// the platform knows a measurement by its uid.
var uncertain = meaning{retry, Temporary, hintOutage, onAll}

func statusText(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return fmt.Sprintf("status %d", status)
}
