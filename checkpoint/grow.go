package checkpoint

import (
	"fmt"
	"io"
)

// Continues reports whether a file, now larger, begins with the content that p
// is the print of: its head, what was its tail where that now stands, and all
// between them when p is full. Then every position in what it was is one in
// what it is.
func (p Print) Continues(f io.ReaderAt, size int64) (bool, error) {
	if size < p.Size || p.Head == "" {
		return false, nil
	}
	for _, d := range []struct {
		want     string
		from, to int64
	}{{p.Head, 0, min(edge, p.Size)}, {p.Tail, max(0, p.Size-edge), p.Size}, {p.Full, 0, p.Size}} {
		if d.want == "" {
			continue
		}
		got, err := digest(f, d.from, d.to)
		if err != nil || got != d.want {
			return false, err
		}
	}
	return true, nil
}

// Amend replaces the prints of the sources in the plan, of an import that goes
// on although they have changed: the caller answers for that. The sources
// themselves, and their order, stay.
func (j *Journal) Amend(sources []Source) error {
	switch {
	case j.err != nil:
		return j.err
	case !j.begun || j.mark.Finished:
		return fmt.Errorf("checkpoint: amend without an unfinished import")
	case len(sources) != len(j.plan.Sources):
		return fmt.Errorf("checkpoint: amend %d sources of %d", len(sources), len(j.plan.Sources))
	}
	p := j.plan
	p.Sources = sources
	for i := range sources {
		if sources[i].Path != j.plan.Sources[i].Path {
			return fmt.Errorf("checkpoint: amend source %d, %s, into %s", i, j.plan.Sources[i].Path, sources[i].Path)
		}
	}
	frame, err := frameOf(kindPlan, &p)
	if err == nil {
		err = replace(j.fsys, j.home(planName), frame)
	}
	if err != nil {
		return j.fail("amend", err)
	}
	j.plan = p
	return nil
}
