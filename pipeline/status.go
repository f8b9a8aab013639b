package pipeline

import (
	"sync"

	"github.com/m3import/m3import/checkpoint"
)

// Status is where an import stands. It counts what is durable, never what is
// only read or only sent.
type Status struct {
	Counts  checkpoint.Counts // of the whole import, earlier runs included
	ThisRun checkpoint.Counts // of this run
	// Source is the index of the source that the mark is in; Sources how many
	// there are.
	Source, Sources int
	// Bytes are of the sources as stored. Done is an estimate within a source;
	// Total is -1 when a source has no known size.
	BytesDone, BytesTotal int64
	// BytesBefore are those that earlier runs had done.
	BytesBefore int64
	// InFlight is how many batches have left and not landed.
	InFlight int
}

type status struct {
	mu    sync.Mutex
	now   Status
	start checkpoint.Counts
	done  []int64 // bytes of the sources before each
	reach int64   // bytes that the next commit will reach
	begun bool    // the first chunk was seen
}

// Status is safe to call at any time, from any goroutine.
func (im *Import) Status() Status {
	im.once.Do(im.setDefaults)
	im.status.mu.Lock()
	defer im.status.mu.Unlock()
	s := im.status.now
	s.InFlight = im.flights.count()
	return s
}

func (s *status) begin(im *Import) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start = im.Mark.Counts
	s.now = Status{Counts: im.Mark.Counts, Source: im.Mark.Position.Source, Sources: len(im.Sources)}
	s.done = make([]int64, len(im.Sources)+1)
	for i, src := range im.Sources {
		if src.Size < 0 || s.now.BytesTotal < 0 {
			s.now.BytesTotal = -1
			continue
		}
		s.now.BytesTotal += src.Size
		s.done[i+1] = s.now.BytesTotal
	}
	s.now.BytesDone = s.done[im.Mark.Position.Source]
	s.reach = s.now.BytesDone
}

// goesOn notes where in a source the first chunk of this run begins.
func (s *status) goesOn(source int, consumed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun {
		s.begun = true
		s.reach = s.done[source] + consumed
		s.now.BytesDone, s.now.BytesBefore = s.reach, s.reach
	}
}

// settled notes how far p reaches; it becomes visible with the commit.
func (s *status) settled(p *parcel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reach = s.done[p.end.Source] + p.consumed
}

func (s *status) committed(m checkpoint.Mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Counts, s.now.BytesDone = m.Counts, s.reach
	s.now.Source = m.Position.Source
	s.now.ThisRun = m.Counts
	s.now.ThisRun.Sub(s.start)
}
