package uploader

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// Config says where measurements go and how hard to try. It is plain data: it
// holds no secret (see [Credentials]), and every field but OrgID may be left
// zero.
type Config struct {
	// BaseURL is the address of the platform's Config API, which also hands
	// out tokens. Plain http is for loopback addresses only.
	// Default: "https://api.m3ter.com".
	BaseURL string `json:"base_url,omitempty"`
	// IngestURL is the address that takes measurements. Default:
	// "https://ingest.m3ter.com" for m3ter's own api host (and likewise for
	// api.*.m3ter.com), otherwise the BaseURL.
	IngestURL string `json:"ingest_url,omitempty"`
	// OrgID is the organization: its id, or an address of the Console that
	// holds the id, as ParseOrgID reads them. Required.
	OrgID string `json:"org_id"`
	// UserAgent is sent with every request; the platform's firewall blocks
	// requests that have none. Default: "m3import".
	UserAgent string `json:"user_agent,omitempty"`
	// Workers is how many requests may be under way at once, for which
	// connections are kept; it starts nothing. Default: 8.
	Workers int `json:"workers,omitempty"`
	// RequestTimeout bounds one request, from dialling to the last byte of
	// the answer. Default: one minute.
	RequestTimeout time.Duration `json:"request_timeout,omitempty"`
	// RetryFor is how long one batch may go on failing for reasons that may
	// pass before the import gives up. Waiting for the rate windows does not
	// count. Default: 15 minutes.
	RetryFor time.Duration `json:"retry_for,omitempty"`
	// Rate are the windows that all requests together keep to. nil means
	// DefaultRate, an empty slice no limit.
	Rate []Window `json:"rate"`
	// ShareDir is a directory in which all imports of this machine keep what
	// they need to share the rate; it is made when it is missing. Default: ""
	// for not sharing it.
	ShareDir string `json:"share_dir,omitempty"`
}

const (
	defaultBaseURL        = "https://api.m3ter.com"
	defaultUserAgent      = "m3import"
	defaultWorkers        = 8
	defaultRequestTimeout = time.Minute
	defaultRetryFor       = 15 * time.Minute
)

// Resolve returns c with its defaults filled in and its addresses and
// organization in the form that requests use, or an error that names what to
// set. Two configurations that resolve alike send to the same place. Resolving
// twice changes nothing.
func (c Config) Resolve() (Config, error) {
	var err error
	if c.BaseURL == "" {
		c.BaseURL = defaultBaseURL
	}
	if c.BaseURL, err = parseEndpoint(envBaseURL, c.BaseURL); err != nil {
		return c, err
	}
	if c.IngestURL == "" {
		c.IngestURL = ingestURL(c.BaseURL)
	}
	if c.IngestURL, err = parseEndpoint(envIngestURL, c.IngestURL); err != nil {
		return c, err
	}
	if c.OrgID == "" {
		return c, fmt.Errorf("organization unknown: set %s to its id, or to an address of the m3ter Console that holds it", envOrgID)
	}
	if c.OrgID, err = ParseOrgID(c.OrgID); err != nil {
		return c, err
	}
	if c.UserAgent == "" {
		c.UserAgent = defaultUserAgent
	}
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return r < ' ' || r > '~' }) {
		return c, fmt.Errorf("user agent %q: a header takes printable ASCII only", c.UserAgent)
	}
	c.Workers = orDefault(c.Workers, defaultWorkers)
	c.RequestTimeout = orDefault(c.RequestTimeout, defaultRequestTimeout)
	c.RetryFor = orDefault(c.RetryFor, defaultRetryFor)
	if c.Rate == nil {
		c.Rate = DefaultRate()
	}
	return c, checkRate(c.Rate)
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// parseEndpoint checks an address and brings it into one form, without a slash
// at its end. The words of its errors start with the name of the variable that
// sets it; what the variable holds is left out where it could be a secret that
// went into the wrong variable.
func parseEndpoint(name, text string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "" {
		return "", fmt.Errorf("%s is not an address such as %s", name, defaultBaseURL)
	}
	switch {
	case u.User != nil:
		return "", fmt.Errorf("%s holds a user name or password: leave them out, credentials have their own variables", name)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", fmt.Errorf("%s has a query or a fragment (? or #): give the address without it", name)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", fmt.Errorf("%s is plain http to %s: credentials and usage would travel in the clear; use https (http is for this machine only: 127.0.0.1, ::1, localhost)", name, u.Hostname())
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("%s has the scheme %q: use https", name, u.Scheme)
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := strings.TrimLeft(u.Port(), "0"); port != "" && port != defaultPorts[u.Scheme] {
		host += ":" + port
	}
	return u.Scheme + "://" + host + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// defaultPorts are those that need not be said.
var defaultPorts = map[string]string{"https": "443", "http": "80"}

// isLoopback goes by the name alone: what a name resolves to can change
// between the check and the request, so only "localhost" is trusted as a name.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// ingestURL derives where measurements go from a checked base address. Only
// m3ter's own hosts are known to have a sibling for it; a proxy or a local
// server takes both kinds of request.
func ingestURL(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	rest, ok := strings.CutPrefix(u.Host, "api.")
	if host := u.Hostname(); ok && (host == "api.m3ter.com" || strings.HasSuffix(host, ".m3ter.com")) {
		u.Host = "ingest." + rest
	}
	return u.String()
}
