package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// What a sandbox is reached with unless its Config says otherwise.
const (
	DefaultAddr   = "127.0.0.1:8137"
	DefaultOrgID  = "5a4db0c5-0000-4000-8000-000000000001"
	DefaultKey    = "sandbox-key"
	DefaultSecret = "sandbox-secret"
)

// What the platform documents.
const (
	// MaxItems is the most measurements that one request may carry.
	MaxItems = 1000
	// MaxBytes is the size of the largest request body that is not blocked:
	// "less than 512,000 bytes".
	MaxBytes = 511_999
	// TokenLife is how long an access token is good for.
	TokenLife = 5 * time.Hour
	// UIDWindow is how long a uid is remembered, from its first arrival.
	UIDWindow = 35 * 24 * time.Hour
)

// Config says how a sandbox behaves. The zero value is the documented
// platform without its rate limits.
type Config struct {
	// OrgID is the one organization there is; requests for any other are
	// answered 403. Default: DefaultOrgID.
	OrgID string `json:"org_id,omitempty"`
	// Key and Secret are the access key that buys tokens. Default: DefaultKey
	// and DefaultSecret.
	Key    string `json:"key,omitempty"`
	Secret string `json:"secret,omitempty"`
	// TokenLife is how long a token is good for, in whole seconds on the
	// sandbox's clock. Default: TokenLife, 5 hours.
	TokenLife time.Duration `json:"token_life,omitempty"`
	// UnauthorizedStatus answers a missing, unknown or expired token and a
	// wrong access key. m3ter lists "403 Forbidden or Unauthorized" and no
	// 401. Default: 403.
	UnauthorizedStatus int `json:"unauthorized_status,omitempty"`
	// PerAddress and PerOrganization limit the requests that submit
	// measurements; see DocumentedLimits. Default: no limit.
	PerAddress      Limit `json:"per_address,omitzero"`
	PerOrganization Limit `json:"per_organization,omitzero"`
	// RetryAfter lets the limits' 429 say when there is room again, in the
	// client's seconds. m3ter does not say that it does. Default: false.
	RetryAfter bool `json:"retry_after,omitempty"`
	// UIDWindow is how long a uid is remembered, from its first arrival.
	// Default: UIDWindow, 35 days.
	UIDWindow time.Duration `json:"uid_window,omitempty"`
	// Discard keeps the counts, sums and uids of measurements but not the
	// measurements, for runs larger than memory. Default: keep all.
	Discard bool `json:"discard,omitempty"`

	// Validate makes the checks that follow "accepted": of the fields, when
	// their meter is defined, and of account codes. A measurement that fails
	// is not ingested, and an event tells of it. Default: false; only uids
	// are looked at.
	Validate bool `json:"validate,omitempty"`
	// StrictMeters lets a measurement fail when its meter is not defined.
	// Default: false, and any meter may be named.
	StrictMeters bool `json:"strict_meters,omitempty"`
	// EventDelay passes on the sandbox's clock before an event is seen.
	// Default: none. How long it takes m3ter is not known.
	EventDelay time.Duration `json:"event_delay,omitempty"`

	// Faults are what goes wrong, from the start. Default: nothing.
	Faults []Fault `json:"faults,omitempty"`
	// Seed is where the chances of the faults begin. Default: 0, which is as
	// good as any.
	Seed uint64 `json:"seed,omitempty"`

	// ClockStart is what the sandbox's clock shows at the start. Default: Now.
	ClockStart time.Time `json:"clock_start,omitzero"`
	// ClockRate is how many seconds pass on that clock in each of Now, from 0
	// to MaxClockRate; SetClockRate stops it. Default: 1.
	ClockRate float64 `json:"clock_rate,omitempty"`

	// Now is the time on which the sandbox's clock runs. Default: time.Now.
	Now func() time.Time `json:"-"`
	// Middleware stands between the request counters and the platform with its
	// faults, and sees platform requests only, not /_sandbox. It is the place
	// to look on, and for what Faults cannot say: to answer instead of the
	// platform, or lose its answer by a panic with http.ErrAbortHandler.
	// Default: nothing in between.
	Middleware func(http.Handler) http.Handler `json:"-"`
}

// Check returns the first thing that is wrong with the configuration, as
// "field: what to write", or nil.
func (c *Config) Check() error {
	for _, wrong := range []struct {
		is   bool
		what string
	}{
		{c.TokenLife < 0, "token_life: must not be negative"},
		{c.TokenLife%time.Second != 0, "token_life: must be whole seconds"},
		{c.EventDelay < 0, "event_delay: must not be negative"},
		{c.UIDWindow < 0, "uid_window: must not be negative"},
		{c.UnauthorizedStatus != 0 && (c.UnauthorizedStatus < 400 || c.UnauthorizedStatus > 499), "unauthorized_status: must be from 400 to 499"},
	} {
		if wrong.is {
			return errors.New(wrong.what)
		}
	}
	limits := Limits{c.PerAddress, c.PerOrganization}
	if err := limits.check(); err != nil {
		return err
	}
	if err := checkRate(c.ClockRate); err != nil {
		return fmt.Errorf("clock_%w", err)
	}
	names := make(map[string]bool)
	for i := range c.Faults {
		f := &c.Faults[i]
		err := f.Check()
		if err == nil && f.Name != "" && names[f.Name] {
			err = errors.New("name: stands twice")
		}
		if err != nil {
			return &faultError{i, f.Name, err}
		}
		names[f.Name] = true
	}
	return nil
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	c.OrgID = or(c.OrgID, DefaultOrgID)
	c.Key = or(c.Key, DefaultKey)
	c.Secret = or(c.Secret, DefaultSecret)
	c.TokenLife = or(c.TokenLife, TokenLife)
	c.UnauthorizedStatus = or(c.UnauthorizedStatus, http.StatusForbidden)
	c.ClockRate = or(c.ClockRate, 1)
	c.UIDWindow = or(c.UIDWindow, UIDWindow)
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// or returns v, or otherwise when v is the zero value.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
