package checkpoint

import "testing"

func TestDefaultRoot(t *testing.T) {
	for _, c := range []struct{ goos, xdg, home, local, want string }{
		{"linux", "/x/state", "/home/u", "", "/x/state/m3import"},
		{"linux", "", "/home/u", "", "/home/u/.local/state/m3import"},
		{"linux", "relative", "/home/u", "", "/home/u/.local/state/m3import"},
		{"linux", "", "", "", ""},
		{"linux", "", "relative", "", ""},
		{"darwin", "", "/Users/u", "", "/Users/u/Library/Application Support/m3import"},
		{"darwin", "/x/state", "/Users/u", "", "/x/state/m3import"},
		{"windows", "/x/state", "/home/u", "/l", "/l/m3import"},
		{"windows", "/x/state", "/home/u", "", ""},
	} {
		env := map[string]string{"XDG_STATE_HOME": c.xdg, "HOME": c.home, "LocalAppData": c.local}
		got, err := defaultRoot(c.goos, func(name string) string { return env[name] })
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}
