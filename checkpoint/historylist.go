package checkpoint

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"
)

// Finished is a source of a finished import, as the history has it.
type Finished struct {
	Began       time.Time // the import; none of its rows was sent before
	When        time.Time // it finished
	Import      string
	OrgID       string
	Endpoint    string
	MappingHash string
	Source
}

// History yields the sources of the finished imports of this directory, oldest
// import first. A line that is not as it was written ends it with a
// *DamagedError.
func (j *Journal) History() iter.Seq2[Finished, error] {
	return func(yield func(Finished, error) bool) {
		if j.historyLen == 0 {
			return
		}
		in := bufio.NewReaderSize(io.NewSectionReader(j.history.file, 0, j.historyLen), 256<<10)
		for n := 1; ; n++ {
			line, err := in.ReadBytes('\n')
			if err == io.EOF && len(line) == 0 {
				return
			}
			var e entry
			if err == nil {
				if _, err = checkEntry(line[:len(line)-1]); err == nil {
					err = json.Unmarshal(line, &e)
				}
			}
			if err != nil {
				yield(Finished{}, &DamagedError{Path: j.path(historyName), Reason: fmt.Sprintf("line %d: %v", n, err)})
				return
			}
			if !yield(Finished{Began: e.Began, When: e.When, Import: e.Import, OrgID: e.OrgID, Endpoint: e.Endpoint, MappingHash: e.Mapping, Source: e.Source}, nil) {
				return
			}
		}
	}
}
