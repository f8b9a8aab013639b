package uploader

import (
	"strings"
	"testing"
)

func TestStatusTable(t *testing.T) {
	for _, test := range []struct {
		status int
		do     action
		kind   Kind
		hint   string // in it
	}{
		{200, accept, 0, ""},
		{201, retry, Temporary, envIngestURL},
		{202, retry, Temporary, envIngestURL},
		{204, retry, Temporary, envIngestURL},
		{301, stand, Fatal, envIngestURL},
		{302, stand, Fatal, envIngestURL},
		{307, stand, Fatal, envIngestURL},
		{308, stand, Fatal, envIngestURL},
		{400, stand, Refused, "content"},
		{401, renew, Fatal, "token"},
		{402, stand, Fatal, ""},
		{403, renew, Fatal, "firewall"},
		{404, stand, Fatal, envOrgID},
		{405, stand, Fatal, envIngestURL},
		{407, stand, Fatal, "proxy"},
		{408, retry, Temporary, "later"},
		{409, retry, Temporary, "later"},
		{410, stand, Fatal, ""},
		{413, stand, Fatal, "too large"},
		{415, stand, Fatal, envIngestURL},
		{418, stand, Fatal, ""},
		{422, stand, Refused, "content"},
		{425, retry, Temporary, "later"},
		{429, throttle, Temporary, "limit"},
		{451, stand, Fatal, ""},
		{500, retry, Temporary, "later"},
		{501, retry, Temporary, "later"},
		{502, retry, Temporary, "later"},
		{503, retry, Temporary, "later"},
		{504, retry, Temporary, "later"},
		{520, retry, Temporary, "later"},
		{599, retry, Temporary, "later"},
		{600, stand, Fatal, ""},
		{999, stand, Fatal, ""},
	} {
		m := meaningOf(opSubmit, test.status)
		if m.do != test.do || m.kind != test.kind || !strings.Contains(m.hint, test.hint) {
			t.Errorf("%d means %+v, want %v, %v and %q in the hint", test.status, m, test.do, test.kind, test.hint)
		}
	}
}

// Every status of every operation has a meaning that ends somewhere.
func TestStatusTableIsComplete(t *testing.T) {
	for op := range operations {
		for status := range 1000 {
			m := meaningOf(op, status)
			switch {
			case m.do == accept && status != 200:
				t.Errorf("%s: %d counts as accepted", op, status)
			case m.do == accept:
			case m.kind == 0 || m.hint == "":
				t.Errorf("%s: %d has kind %v and hint %q", op, status, m.kind, m.hint)
			case (m.do == retry || m.do == throttle) != (m.kind == Temporary):
				t.Errorf("%s: %d is %v, and %v", op, status, m.do, m.kind)
			case op != opSubmit && (m.kind == Refused || m.blame != onAll || m.do == throttle):
				t.Errorf("%s: %d is about measurements: %+v", op, status, m)
			case op == opToken && m.do == renew:
				t.Errorf("%s: %d would renew the token to get a token", op, status)
			}
		}
	}
	for status, hint := range map[int]string{400: envKey, 401: envKey, 403: envKey, 404: envOrgID} {
		if m := meaningOf(opToken, status); m.do != stand || m.kind != Fatal || !strings.Contains(m.hint, hint) {
			t.Errorf("token: %d means %+v, want fatal with %s in the hint", status, m, hint)
		}
	}
	if m := meaningOf(opOrganization, 403); m.do != renew || m.kind != Fatal || !strings.Contains(m.hint, "config:retrieve") {
		t.Errorf("organization: 403 means %+v, want the missing permission", m)
	}
}

// Each cause that m3ter documents for a 403 is in its hint.
func TestForbiddenHintNamesAllCauses(t *testing.T) {
	hint := meaningOf(opSubmit, 403).hint
	for _, cause := range []string{envOrgID, "permission", "firewall", "too large", "token"} {
		if !strings.Contains(hint, cause) {
			t.Errorf("%q is not in: %s", cause, hint)
		}
	}
}
