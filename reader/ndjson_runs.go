package reader

// runs are the runs of one object, in the order in which they follow each
// other. Members that a line lacks leave gaps, members that are new are put in
// between, so that after a while it is the order of all members that there are.
//
// The first place is for what stands before the first member, where there must
// be no comma, and for nothing else: there the grammar is in another state.
type runs struct {
	n  int
	at [64]run // more members than that are not predicted
}

// run is what was found between two values: b[off:off+n], and the edge that
// its key means, nil for a key that nobody asked for.
type run struct {
	off, n int32
	edge   *pathEdge
}

// runGap is how many members in a row a line may lack before their look-up
// starts to cost more than it spares.
const runGap = 3

// find looks for the run at b[i:] when it is not the one at next, which was to
// be expected: behind it, because a line lacks members more often than it has
// new ones. It returns -1 when there is none.
func (r *runs) find(b []byte, i, next int) int {
	if next > 0 {
		for at := next + 1; at < r.n && at <= next+runGap; at++ {
			if r.at[at].in(b, i) {
				return at
			}
		}
	}
	return -1
}

// in reports whether x stands at b[i:].
func (x *run) in(b []byte, i int) bool {
	n, off := int(x.n), int(x.off)
	return n <= len(b)-i && string(b[i:i+n]) == string(b[off:off+n])
}

// insert remembers x as the run before the one at next.
func (r *runs) insert(next int, x run) {
	switch {
	case next >= len(r.at):
		return
	case r.n < len(r.at) && (next > 0 || r.n == 0):
		copy(r.at[next+1:], r.at[next:r.n])
		r.n++
	}
	r.at[next] = x
}
