package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"time"

	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/uploader"
)

// progress shows how an import goes until done is closed. It shows rows that
// are acknowledged and durable, never rows that are only read.
type progress struct {
	mode     string        // auto, plain, json or none
	interval time.Duration // between the lines of plain and json
}

// watch starts showing; the returned func ends it and waits for the last line.
func (a *app) watch(p progress, im *pipeline.Import, client *uploader.Client) (end func()) {
	v := &view{im: im, client: client, w: a.stderr, start: a.now(), now: a.now, first: im.Status()}
	endAsking := onAsk(v.plain)
	mode := p.mode
	if a.quiet {
		mode = "none"
	}
	if mode == "auto" {
		mode = "plain"
		if a.screen.columns != nil {
			mode = "bar"
		}
	}
	if mode == "none" {
		return endAsking
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		if mode == "bar" {
			v.bar(a.screen, stop)
		} else {
			v.lines(stop, p.interval, mode == "json")
		}
	}()
	return func() { endAsking(); close(stop); <-stopped }
}

// view is one showing of an import.
type view struct {
	im     *pipeline.Import
	client *uploader.Client
	w      io.Writer
	now    func() time.Time
	start  time.Time
	first  pipeline.Status
}

// progressLine is the progress as one JSON object.
type progressLine struct {
	Type         string  `json:"message_type"`
	Seconds      float64 `json:"seconds_elapsed"`
	Rows         int64   `json:"rows"`
	Accepted     int64   `json:"accepted"`
	Rejected     int64   `json:"rejected"`
	Filtered     int64   `json:"filtered"`
	RowsPerSec   float64 `json:"rows_per_second"`
	BytesDone    int64   `json:"bytes_done"`
	BytesTotal   int64   `json:"bytes_total"`
	SecondsLeft  float64 `json:"seconds_remaining,omitempty"`
	Source       string  `json:"source"`
	Requests     int64   `json:"requests"`
	Retries      int64   `json:"retries"`
	BatchesInAir int     `json:"batches_in_flight"`
	TakingApart  string  `json:"taking_apart,omitempty"` // what is done about refused requests just now
	Trouble      string  `json:"trouble,omitempty"`      // what keeps the import from getting on just now
	Pacing       string  `json:"pacing_note,omitempty"`  // why it sends less than the rate limit allows
}

func (v *view) line() progressLine {
	s, st := v.im.Status(), v.client.Stats()
	elapsed := v.now().Sub(v.start).Seconds()
	l := progressLine{
		Type: "progress", Seconds: elapsed,
		Rows: s.Counts.Read, Accepted: s.Counts.Accepted, Rejected: s.Counts.Rejected, Filtered: s.Counts.Filtered,
		BytesDone: s.BytesDone, BytesTotal: s.BytesTotal, Requests: st.Requests, Retries: st.Retries, BatchesInAir: s.InFlight,
	}
	if s.Source < len(v.im.Sources) {
		l.Source = filepath.Base(v.im.Sources[s.Source].Path)
	}
	if elapsed > 0 {
		l.RowsPerSec = float64(s.ThisRun.Read) / elapsed
	}
	// An estimate out of the first moments is worse than none.
	if moved := s.BytesDone - s.BytesBefore; moved > 0 && elapsed > 3 && s.BytesTotal > s.BytesDone {
		l.SecondsLeft = elapsed / float64(moved) * float64(s.BytesTotal-s.BytesDone)
	}
	if trouble, ok := v.client.Trouble(); ok {
		l.Trouble = fmt.Sprintf("%v; for %s, %s", trouble.Err, durationText(v.now().Sub(trouble.Since)), plural(trouble.Count, "failure"))
	}
	l.TakingApart = searchText(v.client.Search())
	l.Pacing = v.client.PacingNote()
	return l
}

// searchText is what is done about refused requests: their rows are settled, and
// shown, only when all of a request is.
func searchText(s uploader.Search) string {
	if s.Batches == 0 {
		return ""
	}
	return fmt.Sprintf("taking %s apart: %s made for it, %s refused so far",
		plural(s.Batches, "refused request"), plural(s.Requests, "request"), grouped(s.Refused))
}

// lines writes one line each interval, for logs and for programs.
func (v *view) lines(stop <-chan struct{}, interval time.Duration, asJSON bool) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			if asJSON {
				v.json(v.line())
			}
			return
		case <-tick.C:
			if asJSON {
				v.json(v.line())
			} else {
				v.plain()
			}
		}
	}
}

// plain writes one line of words.
func (v *view) plain() {
	l := v.line()
	fmt.Fprintf(v.w, "m3import: %s, %s rows (%s rejected), %s%s%s%s\n",
		or(l.Source, "end of the input"), grouped(l.Rows), grouped(l.Rejected), pace(l), percent(l), left(l), hindrance(l))
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func (v *view) json(l progressLine) {
	if b, err := json.Marshal(l); err == nil {
		fmt.Fprintf(v.w, "%s\n", b)
	}
}

func pace(l progressLine) string { return grouped(int64(math.Round(l.RowsPerSec))) + " rows/s" }

func percent(l progressLine) string {
	if l.BytesTotal <= 0 {
		return ""
	}
	return fmt.Sprintf(", %.1f %%", 100*float64(l.BytesDone)/float64(l.BytesTotal))
}

func left(l progressLine) string {
	if l.SecondsLeft == 0 {
		return ""
	}
	return ", " + durationText(time.Duration(l.SecondsLeft*float64(time.Second))) + " left"
}

// hindrance is what makes an import slower than it could be.
func hindrance(l progressLine) string {
	text := ""
	if l.TakingApart != "" {
		text += ", " + l.TakingApart
	}
	if l.Trouble != "" {
		text += ", trying again: " + l.Trouble
	}
	if l.Pacing != "" {
		text += ", " + l.Pacing
	}
	return text
}
