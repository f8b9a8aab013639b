package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/pipeline"
)

// candidate is a source of a command that is not taken yet.
type candidate struct {
	checkpoint.Source
	done bool // an earlier import has finished it
}

// withoutCopies returns the sources that are to be imported: those that are not
// done, and of several that hold the same content one. Between runs it is the
// same: a content is not imported twice, whatever it is called. The notes say
// what is left out.
//
// With the uid rule row, which makes a file's name a part of the uids, a copy
// under another name is other usage or a bill too many, and a person must say
// which: then the error is a codedError.
func (j *job) withoutCopies(list []candidate, im *pipeline.Import) (keep []checkpoint.Source, notes []string, err error) {
	twins := map[int]int{}
	if !j.force && !j.copies {
		if twins, err = twinsOf(list); err != nil {
			return nil, nil, err
		}
	}
	for i, c := range list {
		twin, ok := twins[i]
		if ok && !c.done {
			first := list[twin]
			base, rows, err := im.Look(c.Path)
			if err != nil {
				return nil, nil, err
			}
			other, _, err := im.Look(first.Path)
			if err != nil {
				return nil, nil, err
			}
			switch {
			case !rows: // a header alone: every day without usage has it
				ok = false
			case j.namesCount() && base != other && !j.same:
				return nil, nil, coded(exitUsage,
					fmt.Errorf("%s holds what %s holds, byte for byte, and with the uid rule row both would be billed", visible(c.Path), visible(first.Path)),
					"it is a copy: take it away, or add --same, and "+visible(c.Path)+" is left out\n"+
						"it is usage of its own: add --force (sources that were imported before are sent again with it, under the same uids)")
			default:
				taken := "only " + visible(first.Path) + " is read"
				if first.done {
					taken = "that was imported before, and neither is read"
				}
				notes = append(notes, fmt.Sprintf("%s holds what %s holds, byte for byte: %s", visible(c.Path), visible(first.Path), taken))
			}
		}
		if !ok && !c.done {
			keep = append(keep, c.Source)
		}
	}
	return keep, notes, nil
}

// twinsOf finds for each source that holds the content of another the one that
// stands for it: one that is done before one that is not, else the first.
func twinsOf(list []candidate) (map[int]int, error) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case list[a].done == list[b].done:
			return 0
		case list[a].done:
			return -1
		}
		return 1
	})
	twins := map[int]int{}
	type content struct {
		size       int64
		head, tail string
	}
	byContent := make(map[content][]int, len(list))
	for _, i := range order {
		p := list[i].Print
		if p.Size <= 0 {
			continue // nothing in it; or standard input, which cannot be looked at
		}
		key := content{p.Size, p.Head, p.Tail}
		stands := -1
		for _, k := range byContent[key] {
			same, err := sameContent(list[k].Source, list[i].Source)
			if err != nil {
				return nil, err
			}
			if same {
				stands = k
				break
			}
		}
		if stands >= 0 {
			twins[i] = stands
		} else {
			byContent[key] = append(byContent[key], i)
		}
	}
	return twins, nil
}

// sameContent compares two sources of the same size and ends: by what their
// prints hold when that is every byte, else by all that is in them. Both are
// there, so that nothing need be left to a person, as it must be between runs.
func sameContent(a, b checkpoint.Source) (bool, error) {
	if a.Full != "" && b.Full != "" {
		return a.Full == b.Full, nil
	}
	if a.Print.Covered() {
		return true, nil
	}
	fa, err := os.Open(a.Path)
	if err != nil {
		return false, err
	}
	defer fa.Close()
	fb, err := os.Open(b.Path)
	if err != nil {
		return false, err
	}
	defer fb.Close()
	bufA, bufB := make([]byte, 256<<10), make([]byte, 256<<10)
	for {
		n, errA := io.ReadFull(fa, bufA)
		m, errB := io.ReadFull(fb, bufB)
		if !bytes.Equal(bufA[:n], bufB[:m]) {
			return false, nil
		}
		for _, err := range []error{errA, errB} {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return errA == errB, nil
			}
			if err != nil {
				return false, err
			}
		}
	}
}
