package uploader

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"path/filepath"
	"strings"
)

// newGovernor makes the pacer of a client. It touches no file yet.
func newGovernor(cfg Config) *pacer {
	p := newPacer(cfg.Rate)
	if cfg.ShareDir != "" {
		dir := filepath.Join(cfg.ShareDir, endpointName(cfg.IngestURL))
		p.share = newShare(cfg.OrgID, func() (shelf, error) {
			s, err := openDir(dir)
			if err != nil {
				return nil, err // not s: a nil *dirShelf would make a shelf that is not nil
			}
			return s, nil
		})
	}
	return p
}

func newShare(org string, open func() (shelf, error)) *share {
	sum := sha256.Sum256([]byte(org))
	return &share{openShelf: open, scope: binary.LittleEndian.Uint64(sum[:]), orgName: "org-" + hex.EncodeToString(sum[:8])}
}

// endpointName makes an address a name for a directory: what a person can
// recognize of it, and enough of its hash to tell it from others.
func endpointName(url string) string {
	sum := sha256.Sum256([]byte(url))
	_, host, _ := strings.Cut(url, "://")
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, host)
	return host[:min(len(host), 64)] + "-" + hex.EncodeToString(sum[:4])
}

// Rate is what the client keeps to now.
func (c *Client) Rate() []Window {
	c.pace.mu.Lock()
	defer c.pace.mu.Unlock()
	rate := make([]Window, len(c.pace.limits))
	for i, w := range c.pace.limits {
		rate[i] = w.Window
	}
	return rate
}

// SetRate changes what the client keeps to, from now on: requests that were
// made before count in the new windows as far as they are remembered, those
// of the largest window before. nil means DefaultRate, an empty slice no
// limit. The error is about a window that cannot be; then nothing changes.
// Safe for concurrent use.
func (c *Client) SetRate(rate []Window) error {
	if rate == nil {
		rate = DefaultRate()
	}
	if err := checkRate(rate); err != nil {
		return err
	}
	c.pace.setRate(rate)
	return nil
}

func (p *pacer) setRate(rate []Window) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setLimits(rate)
	p.nudge(1)
}

// PacingNote says what is not as it should be with the sharing of the rate
// between the imports of this machine, in words for a person; "" when nothing
// is. It can change while the client is in use, and is safe to call then.
func (c *Client) PacingNote() string { return c.pace.note() }

func (p *pacer) note() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch s := p.share; {
	case s == nil:
		return ""
	case !s.retry.IsZero():
		return "the rate limit is not shared with other imports on this machine: " + s.failed
	default:
		return s.damaged
	}
}
