package uploader

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
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

// PacingNote says why the client may be slower than its rate allows, in words
// for a person: the rate cannot be shared with the other imports of this
// machine, or the server was found to take less. It is "" when all is as it
// should be. It can change while the client is in use, and is safe to call then.
func (c *Client) PacingNote() string {
	notes := []string{c.pace.note(), c.pace.lowered()}
	return strings.Join(slices.DeleteFunc(notes, func(s string) bool { return s == "" }), "; ")
}

// lowered says which windows are kept below what was told, because of 429s.
func (p *pacer) lowered() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, text := p.clock.now(), ""
	for v := range p.views() {
		if !v.learns {
			continue
		}
		found := v.ledger.known(v.Per)
		if found == nil {
			continue
		}
		if n := found.budget(now, v.requests); n < v.requests {
			text += fmt.Sprintf(", %s instead of %s", Window{n, v.Per}, Window{v.requests, v.Per})
		}
	}
	if text == "" {
		return ""
	}
	return "the platform was found to take fewer requests than the rate limit says" + text
}

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
