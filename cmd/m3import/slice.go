package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/m3import/m3import/pipeline"
)

// errNotInSlice is what a slice without a row ends with.
var errNotInSlice = errors.New("no row is in the slice")

// sliceEnd is what a slice ends with whose import went well: an error when no
// row is in it, or a uid that it asked for is none of them. An account or a
// meter without rows is a warning, as there may be none in that time. whole says
// that im has read every row, and not only those after a stop; before is how many
// rows of the slice were in other sources, which this command has finished first.
func (a *app) sliceEnd(f *inputFlags, im *pipeline.Import, whole bool, before int64) error {
	n := im.Mark.Counts
	var err error
	uids, accounts, meters := im.Unmatched()
	switch {
	case n.Filtered == n.Read && before > 0:
		return nil
	case n.Filtered == n.Read:
		err = fmt.Errorf("%w: %s read, all filtered out", errNotInSlice, plural(n.Read, "row"))
	case !whole:
		return nil // others may have been in what an earlier run read
	case len(uids) > 0:
		err = fmt.Errorf("%s of %s not found in the slice: %s", grouped(int64(len(uids))), plural(int64(len(im.Select.UIDs)), "uid"), firstOf(uids))
	}
	for _, w := range []struct {
		noun string
		list []string
	}{{"account", accounts}, {"meter", meters}} {
		if n.Filtered < n.Read && len(w.list) > 0 {
			a.warn("warning: no row in the slice has the %s %s", w.noun, firstOf(w.list))
			if comma(w.list) {
				a.hint("%s", notSplit)
			}
		}
	}
	if err == nil || f.ifNoInput == "ok" {
		if err != nil {
			a.say("%v; --if-no-input says that this is fine", err)
		}
		return nil
	}
	hint := "a row is in when all that was asked for holds for one of its measurements, and it can be mapped (m3import check tells)\n"
	if comma(im.Select.Accounts) || comma(im.Select.Meters) {
		hint += notSplit + "\n"
	}
	return coded(exitNoInput, err, hint+"when rows may be missing, say --if-no-input ok")
}

// notSplit is for codes with commas: they may have been meant as several.
const notSplit = "a comma is a part of the code; several codes: --account a --account b, and likewise --meter"

func comma(codes []string) bool {
	return slices.ContainsFunc(codes, func(code string) bool { return strings.Contains(code, ",") })
}

// firstOf is the beginning of a list, in one line.
func firstOf(list []string) string {
	const most = 5
	words := make([]string, 0, most)
	for _, one := range list[:min(len(list), most)] {
		words = append(words, visible(one))
	}
	text := strings.Join(words, ", ")
	if more := len(list) - most; more > 0 {
		text += fmt.Sprintf(" and %s more", grouped(int64(more)))
	}
	return text
}
