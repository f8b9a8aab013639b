package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// entry is a line of the history: one source of a finished import. The line
// ends with a checksum of what stands before it, for the history is too long
// for a frame and decides about money all the same.
type entry struct {
	When     time.Time `json:"when"` // the import finished
	Import   string    `json:"import"`
	OrgID    string    `json:"org_id"`
	Endpoint string    `json:"endpoint"`
	Mapping  string    `json:"mapping_hash"`
	Source
}

const (
	entrySum = `,"crc32c":"`
	entryEnd = `"}`
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendEntry appends the line, without its newline.
func appendEntry(dst []byte, e *entry) ([]byte, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return dst, err
	}
	text = text[:len(text)-1] // the closing brace
	dst = append(append(dst, text...), entrySum...)
	return fmt.Appendf(dst, "%08x"+entryEnd, crc32.Checksum(text, castagnoli)), nil
}

// parseEntry is the mirror of appendEntry.
func parseEntry(line []byte, e *entry) error {
	body, ok := bytes.CutSuffix(line, []byte(entryEnd))
	at := len(body) - 8
	if !ok || at < len(entrySum) || !bytes.HasSuffix(body[:at], []byte(entrySum)) {
		return errors.New("it does not end with its checksum")
	}
	text := body[:at-len(entrySum)]
	if want := fmt.Sprintf("%08x", crc32.Checksum(text, castagnoli)); want != string(body[at:]) {
		return fmt.Errorf("its checksum is %s, expect %q", want, body[at:])
	}
	*e = entry{}
	return json.Unmarshal(append(text[:len(text):len(text)], '}'), e)
}

// Earlier is a source of a finished import.
type Earlier struct {
	When   time.Time // the import finished
	Import string
	// Doubt says, in words, why it may be another content after all. It is
	// empty when nothing speaks for that.
	Doubt string
}

// Imported looks for a source in the finished imports of this directory: the
// same content, by its print, sent to the same organization at the same
// endpoint through the same mapping. The first call reads the history.
//
// A content whose print cannot prove it the same (Print.Diff says how that
// comes) is found with a Doubt, and the caller has to ask: to import it again
// can bill it twice, and to skip it can lose a correction.
func (j *Journal) Imported(org, endpoint, mappingHash string, p Print) (Earlier, bool, error) {
	if j.index == nil {
		x, err := j.readHistory()
		if err != nil {
			return Earlier{}, false, err
		}
		j.index = x
	}
	e, ok := j.index.find(org, endpoint, mappingHash, p)
	return e, ok, nil
}

// appendHistory adds the sources of the plan to the history, to be durable with
// the mark that ends the import.
func (j *Journal) appendHistory() error {
	if j.err != nil || !j.begun || j.mark.Finished {
		return nil // for the commit to report
	}
	if j.history.file == nil {
		// The first history of this directory. Until a mark vouches for it,
		// it may be there or not, and hold anything.
		f, err := j.fsys.OpenFile(j.path(historyName), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return j.fail("finish", err)
		}
		j.history = tail{file: f, spill: j.spill}
		if err := j.fsys.SyncDir(j.dir); err != nil {
			return j.fail("finish", err)
		}
	}
	e := entry{When: now(), Import: j.plan.ID, OrgID: j.plan.OrgID, Endpoint: j.plan.Endpoint, Mapping: j.plan.MappingHash}
	var line []byte
	for _, e.Source = range j.plan.Sources {
		if e.Head == "" {
			continue // without a print nothing can be recognized: standard input
		}
		var err error
		if line, err = appendEntry(line[:0], &e); err != nil {
			return j.fail("finish", err)
		}
		j.history.add(line)
	}
	j.index = nil
	return nil
}

func (j *Journal) readHistory() (*index, error) {
	x := &index{first: map[[sha256.Size]byte]int32{}}
	if j.historyLen == 0 {
		return x, nil
	}
	name := j.path(historyName)
	in := bufio.NewReaderSize(io.NewSectionReader(j.history.file, 0, j.historyLen), 64<<10)
	var e entry
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return x, nil
		}
		if err == nil {
			err = parseEntry(line[:len(line)-1], &e)
		}
		if err != nil {
			return nil, &DamagedError{Path: name, Reason: fmt.Sprintf("line %d: %v", n, err)}
		}
		x.add(&e)
	}
}

// index finds sources of the history by what identifies them. It holds a
// hundred thousand in some 20 MB.
type index struct {
	first map[[sha256.Size]byte]int32 // of the chain of those with one identity
	all   []seen
}

type seen struct {
	when, modified time.Time
	imp            string
	full           string
	next           int32 // earlier one of the same identity, -1 at the end
}

func identity(org, endpoint, mapping string, p *Print) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %s %s", org, endpoint, mapping, p.Size, p.Head, p.Tail))
}

func (x *index) add(e *entry) {
	key := identity(e.OrgID, e.Endpoint, e.Mapping, &e.Print)
	s := seen{when: e.When, modified: e.Modified, imp: e.Import, full: e.Full, next: -1}
	if i, ok := x.first[key]; ok {
		s.next = i
	}
	x.first[key] = int32(len(x.all))
	x.all = append(x.all, s)
}

// find prefers an entry without doubt, and a later one to an earlier.
func (x *index) find(org, endpoint, mapping string, p Print) (found Earlier, ok bool) {
	i, any := x.first[identity(org, endpoint, mapping, &p)]
	if !any || p.Head == "" {
		return Earlier{}, false
	}
	for ; i >= 0; i = x.all[i].next {
		s := &x.all[i]
		was := p
		was.Modified, was.Full = s.modified, s.full
		if was.Full != "" && p.Full != "" && was.Full != p.Full {
			continue // another content, for certain
		}
		e := Earlier{When: s.when, Import: s.imp, Doubt: was.Diff(p)}
		if e.Doubt == "" {
			return e, true
		}
		if !ok {
			found, ok = e, true
		}
	}
	return found, ok
}
