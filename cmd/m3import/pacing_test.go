package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/sandbox"
	"github.com/m3import/m3import/uploader"
)

// Who asks why an import is slow is told: in the lines of progress and in the
// report, on the terminal and on the disk.
func TestPacingNoteIsShown(t *testing.T) {
	s := newSession(t, newPlatform(t, sandbox.Config{}))
	root, err := checkpoint.DefaultRoot(func(name string) string { return s.env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		t.Fatal(err)
	}
	// No directory can be made where a file is, so nothing can be shared.
	if err := os.WriteFile(filepath.Join(root, "governor"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const note = "the rate limit is not shared with other imports on this machine"
	s.env["M3IMPORT_RATE_LIMIT"] = "1000/s"
	s.env["M3IMPORT_PROGRESS"] = "json"
	state := filepath.Join(t.TempDir(), "state")
	code, stdout, stderr := s.run(append([]string{"run", "--state", state, "-m", "../../samples/mapping.yaml"}, "../../samples/usage-2026-01-01.csv")...)
	if code != exitRejects || !strings.Contains(stdout, "\n  note: "+note) || !strings.Contains(stderr, `"pacing_note":"`+note) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	was, err := checkpoint.Peek(state)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(was.Report)
	if err != nil {
		t.Fatal(err)
	}
	var rep report
	if err := json.Unmarshal(text, &rep); err != nil || !strings.HasPrefix(rep.Pacing, note) {
		t.Errorf("report.json has the note %q, %v", rep.Pacing, err)
	}
	if text := pace(progressLine{RowsPerSec: 293393.6}); text != "293,394 rows/s" {
		t.Errorf("a line of progress says %q", text)
	}
	apart := searchText(uploader.Search{Batches: 8, Requests: 1234, Refused: 56})
	if text := hindrance(progressLine{TakingApart: apart}); text != ", taking 8 refused requests apart: 1,234 requests made for it, 56 refused so far" {
		t.Errorf("taking apart: %q", text)
	}
	if text := searchText(uploader.Search{}); text != "" {
		t.Errorf("nothing to take apart: %q", text)
	}
	if text := hindrance(progressLine{Trouble: "503", Pacing: "alone"}); text != ", trying again: 503, alone" {
		t.Errorf("a line of progress ends with %q", text)
	}
}
