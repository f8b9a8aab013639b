package checkpoint

import (
	"cmp"
	"fmt"
	"time"
)

// Version of the files that this package writes. A state of another version
// is refused, never guessed at.
const Version = 1

// Plan says what an import is: written when it begins, and replaced only by
// Amend, for sources that have grown or been touched. A run may go on from a mark only under the plan that the mark
// belongs to.
type Plan struct {
	Version int       `json:"version"`
	ID      string    `json:"id"` // of the import: sortable by start, unique in its state directory
	Started time.Time `json:"started"`
	// Kind is what sort of import it is, in the caller's words; a run of one
	// kind must not go on with an import of another. Default: "", the plain one.
	Kind string `json:"kind,omitempty"`
	// What the import was told, for people and for the resume command.
	Command []string `json:"command,omitempty"`
	// What must not change under an unfinished import.
	OrgID       string `json:"org_id"`
	Endpoint    string `json:"endpoint"`
	MappingFile string `json:"mapping_file,omitempty"`
	MappingHash string `json:"mapping_hash"`
	// Mapping is the mapping itself, in the caller's form: what differs can be
	// told then. Default: unknown.
	Mapping    string   `json:"mapping,omitempty"`
	UIDVersion int      `json:"uid_version"`
	Sources    []Source `json:"sources"`
	// Selection says which part of the sources' rows the import takes, in the
	// caller's words. Default: "", all of them.
	Selection string `json:"selection,omitempty"`
	// Skipped counts the sources of the input that an earlier import of this
	// state directory had finished, and that are therefore not part of this one.
	Skipped int `json:"skipped,omitempty"`
}

// Source is one input file as it was when the import began.
type Source struct {
	Path string `json:"path"` // absolute; "-" for standard input
	Print
}

// Print tells one content from another without reading it all.
type Print struct {
	// Name is set when the name of the source is a part of what its rows are,
	// as it is where their uids hold it: then the same bytes under another
	// name are another content. Fingerprint leaves it empty.
	Name     string    `json:"name,omitempty"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified,omitzero"`
	Head     string    `json:"head,omitempty"` // SHA-256 of the first 64 KiB
	Tail     string    `json:"tail,omitempty"` // SHA-256 of the last 64 KiB
	Full     string    `json:"full,omitempty"` // SHA-256 of everything, when it was asked for
}

// Position is a place in the input: everything before it is settled.
type Position struct {
	Source int   `json:"source"` // index into Plan.Sources
	Offset int64 `json:"offset"` // as the reader counts: bytes of text, or rows
	Line   int64 `json:"line"`
	Record int64 `json:"record"` // records of this source before the position
}

// Before reports whether p is an earlier place than q.
func (p Position) Before(q Position) bool {
	return cmp.Or(cmp.Compare(p.Source, q.Source), cmp.Compare(p.Offset, q.Offset), cmp.Compare(p.Record, q.Record)) < 0
}

func (p Position) String() string {
	return fmt.Sprintf("source %d, offset %d, line %d, record %d", p.Source, p.Offset, p.Line, p.Record)
}

// Counts are the fates of rows, and what was sent for them.
type Counts struct {
	Read     int64 `json:"read"`
	Accepted int64 `json:"accepted"`
	Rejected int64 `json:"rejected"`
	Filtered int64 `json:"filtered"`
	// Measurements are those that the platform accepted, also of rows that it
	// refused in part and that count as rejected.
	Measurements int64 `json:"measurements"`
	// Things about accepted measurements that a person should know.
	TimesTruncated int64 `json:"times_truncated,omitempty"`
	NumbersInexact int64 `json:"numbers_inexact,omitempty"`
	TimesAncient   int64 `json:"times_ancient,omitempty"`
	TimesFuture    int64 `json:"times_future,omitempty"`
	WithoutAmount  int64 `json:"without_amount,omitempty"`
}

// Sums reports whether every row read has exactly one fate.
func (c Counts) Sums() bool { return c.Read == c.Accepted+c.Rejected+c.Filtered }

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Read += o.Read
	c.Accepted += o.Accepted
	c.Rejected += o.Rejected
	c.Filtered += o.Filtered
	c.Measurements += o.Measurements
	c.TimesTruncated += o.TimesTruncated
	c.NumbersInexact += o.NumbersInexact
	c.TimesAncient += o.TimesAncient
	c.TimesFuture += o.TimesFuture
	c.WithoutAmount += o.WithoutAmount
}

// Sub takes o away from c.
func (c *Counts) Sub(o Counts) {
	c.Read -= o.Read
	c.Accepted -= o.Accepted
	c.Rejected -= o.Rejected
	c.Filtered -= o.Filtered
	c.Measurements -= o.Measurements
	c.TimesTruncated -= o.TimesTruncated
	c.NumbersInexact -= o.NumbersInexact
	c.TimesAncient -= o.TimesAncient
	c.TimesFuture -= o.TimesFuture
	c.WithoutAmount -= o.WithoutAmount
}

// Total is the exact sum of one numeric field of one meter, over the accepted
// measurements.
type Total struct {
	Meter    string `json:"meter"`
	Category string `json:"category"`
	Field    string `json:"field"`
	Sum      string `json:"sum"`   // exact decimal text
	Count    int64  `json:"count"` // values summed
}

// Mark is the durable position of an import: everything before it is accepted,
// rejected or filtered, and counted.
type Mark struct {
	Version  int      `json:"version"`
	Plan     string   `json:"plan"` // Plan.ID
	Position Position `json:"position"`
	Counts   Counts   `json:"counts"`  // of the whole import
	Current  Counts   `json:"current"` // of the source that Position is in
	Totals   []Total  `json:"totals,omitempty"`
	// Doubt says why the counts of this import cannot be right, when a run of it
	// found that out; such an import is never finished. It is for people.
	Doubt string `json:"doubt,omitempty"`
	// RejectCodes counts the rejects by their code.
	RejectCodes map[string]int64 `json:"reject_codes,omitempty"`
	// RejectsLen, SourcesLen and HistoryLen are the bytes of the files of those
	// names that this mark vouches for, the history's only once it is Finished;
	// set by Commit.
	RejectsLen int64 `json:"rejects_len"`
	// RejectsSum is the CRC-32C of the rejects that the mark vouches for; set by
	// Commit, "" in the marks of programs that did not know it.
	RejectsSum string `json:"rejects_crc32c,omitempty"`
	SourcesLen int64  `json:"sources_len"`
	HistoryLen int64  `json:"history_len"`
	// FirstSent is a lower bound for when the first measurement after Position
	// was sent: the platform may hold some of what lies after Position since
	// then, and nothing of it for longer. Zero means that nothing after
	// Position can have been sent. It is the caller's: to be true after a
	// crash, a mark MUST be committed before the first request of a run goes
	// out, and each mark MUST name a time no later than the departure of every
	// request that is sent before the next mark and holds something after
	// Position. It may move on from mark to mark with the requests that come to
	// lie before Position; what earlier runs may have sent keeps its time until
	// Position is past all of that (MaxUncertain).
	FirstSent time.Time `json:"first_sent,omitzero"`
	// MaxUncertain is how many measurements after Position may have been sent
	// since FirstSent, at the most. The caller's.
	MaxUncertain int64     `json:"max_uncertain,omitempty"`
	Updated      time.Time `json:"updated,omitzero"` // by the last commit; zero before the first
	Runs         int       `json:"runs"`             // runs that worked on this import
	Finished     bool      `json:"finished"`
}

// Begun reports whether the mark was committed, and is not the one that the
// import was begun with.
func (m *Mark) Begun() bool { return !m.Updated.IsZero() }
