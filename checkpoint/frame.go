package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A state file is one JSON object that holds the content and the digest of its
// bytes, so that a person can read it and a damaged one is told from a whole:
//
//	{"format":"m3import mark","version":1,"sha256":"…","content":
//	{…}
//	}
//
// The layout is fixed to the byte. The digest covers the format and the version
// too: a plan renamed to be a mark is not one.
const (
	frameFormat  = `{"format":"m3import `
	frameVersion = `","version":`
	frameSum     = `,"sha256":"`
	frameContent = "\",\"content\":\n"
	frameEnd     = "\n}\n"
)

// appendFrame appends the state file of that kind with that content.
func appendFrame(dst []byte, kind string, content []byte) []byte {
	sum := frameDigest(kind, Version, content)
	dst = append(append(append(dst, frameFormat...), kind...), frameVersion...)
	dst = strconv.AppendInt(dst, Version, 10)
	dst = append(dst, frameSum...)
	dst = hex.AppendEncode(dst, sum[:])
	dst = append(dst, frameContent...)
	dst = append(dst, content...)
	return append(dst, frameEnd...)
}

// planFrame is the frame of a plan, laid out as frameOf lays it out. The sources
// are written by hand, because they can be many thousands.
func planFrame(p *Plan) ([]byte, error) {
	few := *p
	few.Sources = nil
	text, err := json.MarshalIndent(&few, "", "  ")
	// No text in it has a line end, so this is the member and no other.
	before, after, ok := bytes.Cut(text, []byte("\n  \"sources\": null"))
	if err != nil || !ok || len(p.Sources) == 0 {
		return frameOf(kindPlan, p)
	}
	o := append(make(object, 0, len(text)+300*len(p.Sources)), before...)
	o = append(o, "\n  \"sources\": ["...)
	for i := range p.Sources {
		o.comma()
		o = append(o, "\n    {"...)
		err = errors.Join(err, o.source(&p.Sources[i], "\n      "))
		o = append(o, "\n    }"...)
	}
	o = append(append(o, "\n  ]"...), after...)
	return appendFrame(nil, kindPlan, o), err
}

// frameOf is appendFrame for what is written rarely, laid out for people.
func frameOf(kind string, v any) ([]byte, error) {
	content, err := json.MarshalIndent(v, "", "  ")
	return appendFrame(nil, kind, content), err
}

func frameDigest(kind string, version int64, content []byte) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "m3import %s %d\n", kind, version)
	h.Write(content)
	return [sha256.Size]byte(h.Sum(nil))
}

// parseFrame reads a state file of that kind into v. The errors name path.
func parseFrame(path, kind string, data []byte, v any) error {
	damaged := func(format string, args ...any) error {
		return &DamagedError{Path: path, Reason: fmt.Sprintf(format, args...)}
	}
	if len(data) == 0 {
		return damaged("it is empty")
	}
	rest, ok := bytes.CutPrefix(data, []byte(frameFormat+kind+frameVersion))
	if !ok {
		return damaged("it does not begin as a %s does", kind)
	}
	digits, rest, ok := bytes.Cut(rest, []byte(frameSum))
	version, err := strconv.ParseInt(string(digits), 10, 64)
	if !ok || err != nil || strconv.FormatInt(version, 10) != string(digits) {
		return damaged("its version is not a number")
	}
	if version != Version {
		return &VersionError{Path: path, Got: version}
	}
	sum, content, ok := bytes.Cut(rest, []byte(frameContent))
	if !ok {
		return damaged("it has no content")
	}
	if content, ok = bytes.CutSuffix(content, []byte(frameEnd)); !ok {
		return damaged("its end is missing")
	}
	want := frameDigest(kind, version, content)
	if got := hex.EncodeToString(want[:]); got != string(sum) {
		return damaged("its content has the digest %.12s…, expect %.12q…", got, sum)
	}
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return damaged("its content is not a %s: %v", kind, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return damaged("something follows its content")
	}
	return nil
}
