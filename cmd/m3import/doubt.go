package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
)

// wentOn reports whether a source, longer now than it was, begins with what it
// was, and its last line then was not whole: the line goes on in what is new.
// Only plain text is asked; what is packed or Parquet ends where it says.
func wentOn(was, now checkpoint.Source) bool {
	if was.Size < 1 || !continues(was, now) {
		return false
	}
	f, err := os.Open(now.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	magic, seam := make([]byte, 4), make([]byte, 2)
	if _, err := f.ReadAt(magic, 0); err != nil || strings.HasPrefix(string(magic), "\x1f\x8b") || string(magic) == "\x28\xb5\x2f\xfd" {
		return false
	}
	if _, err := f.ReadAt(seam, was.Size-1); err != nil {
		return false
	}
	return !strings.ContainsAny(string(seam), "\r\n")
}

// tornText says what it means that a line was read when half of it was there.
func (j *job) tornText(was checkpoint.Source, id string) string {
	then := "of a uid the platform keeps what came first"
	if j.mapping != nil && j.mapping.UsesRule(mapper.RuleContent, mapper.RuleRow) {
		then = "the whole one gets another uid, and is billed beside it"
	}
	return fmt.Sprintf("warning: %s: the line at its byte %d was not whole when import %s read it: 1 row of it may have been sent short, and %s",
		visible(was.Path), was.Size, id, then)
}

// tornBefore finds sources that an earlier import has read to an end in the
// middle of a line, which is a longer one now.
func (r *runner) tornBefore(plan checkpoint.Plan, before *sent) (notes []string) {
	for _, src := range plan.Sources {
		if src.Path == "-" {
			continue
		}
		for _, s := range before.at(src.Path) {
			was, mark := s.source(), s.Mark
			read := s.at < mark.Position.Source || mark.Position.Offset >= was.Size || !mark.FirstSent.IsZero()
			if read && s.Plan.ID != plan.ID && wentOn(was, src) {
				notes = append(notes, r.job.tornText(was, s.Plan.ID))
				break
			}
		}
	}
	return notes
}

// damaged is the hint when packed data turned out not to be what was packed. Its
// checksum comes behind it, so that what was read before is in doubt, too, and
// going on would only come to the same place.
func (r *runner) damaged(plan checkpoint.Plan, mark checkpoint.Mark) string {
	p := mark.Position
	src, n := plan.Sources[min(p.Source, len(plan.Sources)-1)], mark.Current.Accepted
	name, again := visible(filepath.Base(src.Path)), resumeCommand(plan.Command)+" --restart"
	if src.Path == "-" {
		name, again = "standard input", resumeCommand(plan.Command)
	}
	if n == 0 {
		return fmt.Sprintf("nothing of %s was accepted; get it anew, then  %s", name, again)
	}
	return fmt.Sprintf("rows 1 to %s of %s are in doubt: what is wrong may lie before the place where it shows (%s accepted, import %s)\n"+
		"get it anew, and see what should have been sent with  m3import preview -n 0; then  %s\n"+
		"sends what is missing; a row whose uid was accepted before is ignored, also when it was wrong then:\n"+
		"compare the totals of that run with what the platform counts (docs/mapping.md, \"Packed files\")",
		grouped(p.Record), name, plural(n, "row"), plan.ID, again)
}
