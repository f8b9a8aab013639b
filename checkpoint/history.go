package checkpoint

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"time"
)

// entry is a line of the history: one source of a finished import. The line
// begins with a digest of what identifies the source, so that one is found
// without reading the rest of the others, and ends with a checksum of what
// stands before it: the history is too long to be a frame, and decides about
// money all the same.
type entry struct {
	ID       string    `json:"id"`
	Began    time.Time `json:"began"` // the import
	When     time.Time `json:"when"`  // it finished
	Import   string    `json:"import"`
	OrgID    string    `json:"org_id"`
	Endpoint string    `json:"endpoint"`
	Mapping  string    `json:"mapping_hash"`
	Source
	Sum string `json:"crc32c"`

	to []byte // the destination, of all entries of an import the same
}

// identity is of a content that was sent somewhere through some mapping.
type identity [16]byte

func identify(org, endpoint, mapping string, p *Print) identity {
	return p.identity(destination(make([]byte, 0, 512), org, endpoint, mapping))
}

// destination appends what an identity says of where a content was sent.
func destination(dst []byte, org, endpoint, mapping string) []byte {
	for _, part := range [...]string{org, endpoint, mapping} {
		dst = append(strconv.AppendQuote(dst, part), ' ')
	}
	return dst
}

// identity is that of the content at a destination, behind which it is put.
func (p *Print) identity(text []byte) identity {
	text = append(strconv.AppendQuote(text, p.Name), ' ')
	text = append(strconv.AppendInt(text, p.Size, 10), ' ')
	text = append(append(append(text, p.Head...), ' '), p.Tail...)
	sum := sha256.Sum256(text)
	return identity(sum[:len(identity{})])
}

const (
	entryID  = `{"id":"`
	entrySum = `,"crc32c":"`
	entryEnd = `"}`
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendEntry appends the line, without its newline, with an ID and a Sum of its
// own. It is written by hand, as encoding/json reads it, because there is one
// for each source of an import.
func appendEntry(dst []byte, e *entry) ([]byte, error) {
	if e.to == nil {
		e.to = destination(make([]byte, 0, 512), e.OrgID, e.Endpoint, e.Mapping)
	}
	id := e.Print.identity(e.to)
	start := len(dst)
	o := object(hex.AppendEncode(append(dst, entryID...), id[:]))
	o = append(o, '"')
	err := errors.Join(o.date("began", e.Began), o.date("when", e.When))
	o.text("import", e.Import)
	o.text("org_id", e.OrgID)
	o.text("endpoint", e.Endpoint)
	o.text("mapping_hash", e.Mapping)
	if err = errors.Join(err, o.source(&e.Source, "")); err != nil {
		return dst, err
	}
	sum := crc32.Checksum(o[start:], castagnoli)
	o = append(o, entrySum...)
	return append(appendHex32(o, sum), entryEnd...), nil
}

// appendHex32 appends eight hexadecimal digits.
func appendHex32(dst []byte, sum uint32) []byte {
	return hex.AppendEncode(dst, binary.BigEndian.AppendUint32(nil, sum))
}

// checkEntry holds a line to its checksum and returns whom it is about.
func checkEntry(line []byte) (id identity, err error) {
	body, ok := bytes.CutSuffix(line, []byte(entryEnd))
	at := len(body) - hex.EncodedLen(crc32.Size)
	if !ok || at < 0 || !bytes.HasSuffix(body[:at], []byte(entrySum)) {
		return id, errors.New("it does not end with its checksum")
	}
	text := body[:at-len(entrySum)]
	if want := string(appendHex32(nil, crc32.Checksum(text, castagnoli))); want != string(body[at:]) {
		return id, fmt.Errorf("it has the checksum %s, expect %q", want, body[at:])
	}
	text, ok = bytes.CutPrefix(text, []byte(entryID))
	if !ok || len(text) < hex.EncodedLen(len(id)) {
		return id, errors.New("it does not begin with its id")
	}
	_, err = hex.Decode(id[:], text[:hex.EncodedLen(len(id))])
	return id, err
}

// Earlier is a source of a finished import.
type Earlier struct {
	When   time.Time // the import finished
	Import string
	// Doubt says, in words, why it may be another content after all. It is
	// empty when nothing speaks for that.
	Doubt string
	// Full says that a full digest of the source as it is now can end the doubt.
	Full bool
}

// Imported looks for a source in the finished imports of this directory: the
// same content, by its print, sent to the same organization at the same
// endpoint through the same mapping. The first call reads the history.
//
// A content whose print cannot prove it the same (Print.Diff says how that
// comes) is found with a Doubt, and the caller has to ask: to import it again
// can bill it twice, and to skip it can lose a correction.
func (j *Journal) Imported(org, endpoint, mappingHash string, p Print) (was Earlier, found bool, err error) {
	if p.Head == "" {
		return Earlier{}, false, nil
	}
	if j.index == nil {
		if err := j.readHistory(); err != nil {
			return Earlier{}, false, err
		}
	}
	if len(j.index.last) == 0 {
		return Earlier{}, false, nil // a new directory
	}
	for i := j.index.last[identify(org, endpoint, mappingHash, &p)]; i != 0; i = j.index.lines[i].before {
		e, err := j.entry(j.index.lines[i])
		if err != nil {
			return Earlier{}, false, err
		}
		if e.Full != "" && p.Full != "" && e.Full != p.Full {
			continue // another content, for certain
		}
		// The latest is as good as any without doubt, and better than any with.
		seen := Earlier{When: e.When, Import: e.Import, Doubt: e.Print.Diff(p)}
		if !found || seen.Doubt == "" {
			full := was.Full
			was, found = seen, true
			was.Full = full
		}
		was.Full = was.Full || e.Full != "" && p.Full == ""
		if was.Doubt == "" {
			break
		}
	}
	return was, found, nil
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
	e := entry{Began: j.plan.Started, When: now(), Import: j.plan.ID, OrgID: j.plan.OrgID, Endpoint: j.plan.Endpoint, Mapping: j.plan.MappingHash}
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

// index says where in the history the lines of one identity are.
type index struct {
	last  map[identity]int32 // into lines
	lines []place            // from 1 on
}

type place struct {
	at     int64
	size   int32
	before int32 // the line before it that has the same identity, 0 for none
}

func (j *Journal) readHistory() error {
	x := &index{last: map[identity]int32{}, lines: make([]place, 1)}
	if j.historyLen > 0 {
		in := bufio.NewReaderSize(io.NewSectionReader(j.history.file, 0, j.historyLen), 256<<10)
		for at := int64(0); at < j.historyLen; {
			line, err := in.ReadSlice('\n')
			var id identity
			if err == nil {
				id, err = checkEntry(line[:len(line)-1])
			}
			if err != nil {
				return &DamagedError{Path: j.path(historyName), Reason: fmt.Sprintf("line %d: %v", len(x.lines), err)}
			}
			x.lines = append(x.lines, place{at: at, size: int32(len(line) - 1), before: x.last[id]})
			x.last[id] = int32(len(x.lines) - 1)
			at += int64(len(line))
		}
	}
	j.index = x
	return nil
}

// entry reads a line of the history.
func (j *Journal) entry(p place) (e entry, err error) {
	line := make([]byte, p.size)
	if _, err := j.history.file.ReadAt(line, p.at); err != nil {
		return entry{}, fmt.Errorf("history: %w", err)
	}
	if _, err = checkEntry(line); err == nil {
		err = json.Unmarshal(line, &e)
	}
	if err != nil {
		return entry{}, &DamagedError{Path: j.path(historyName), Reason: fmt.Sprintf("the line at byte %d: %v", p.at, err)}
	}
	return e, nil
}
