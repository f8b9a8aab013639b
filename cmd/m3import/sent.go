package main

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/m3import/m3import/checkpoint"
)

// sent is what earlier imports may have sent, found by their sources: by where
// one lies, by what it holds, and a reject file by the import that it belongs to.
// Whoever asks whether rows are sent twice asks here, so that all mean the same by
// the same source. Standard input is never the same.
type sent struct {
	imports   map[string]known      // by id
	byPlace   map[string][]sourceOf // newest first
	byContent map[string][]sourceOf // by contentKey, newest first
	byHead    map[string][]string   // the contentKeys that begin so, by Print.Head
	rows      map[string][]sourceOf // byContent, of those that the platform may hold rows of
	takers    map[string][]sourceOf // by import: its reject file, as it was read since
	small     []int64               // the sizes of those of at most 64 KiB, rising
	looks     int                   // how many beginnings were compared so far
	missed    int                   // sources whose beginnings were not
	grown     map[string][]sourceOf // by path: what grownFrom has found
	folders   map[string]string     // without symbolic links
}

// sentBefore is about the imports to the job's organization, finished or not,
// replays too, of all state directories of the user's.
func (r *runner) sentBefore() (*sent, error) {
	all, err := r.knownImports()
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b known) int { return b.Plan.Started.Compare(a.Plan.Started) })
	s := &sent{
		imports: make(map[string]known), byPlace: make(map[string][]sourceOf), byContent: make(map[string][]sourceOf),
		byHead: make(map[string][]string), rows: make(map[string][]sourceOf), takers: make(map[string][]sourceOf), grown: make(map[string][]sourceOf), folders: make(map[string]string),
	}
	for n := range all {
		im := &all[n]
		if was, twice := s.imports[im.Plan.ID]; !twice || was.Mark.Counts.Read < im.Mark.Counts.Read { // of a state directory that was copied
			s.imports[im.Plan.ID] = *im
		}
		for i, src := range im.Plan.Sources {
			if !im.reached(i) {
				break
			}
			if src.Path == "-" {
				continue
			}
			one := sourceOf{im, i}
			place := s.place(src.Path)
			s.byPlace[place] = append(s.byPlace[place], one)
			if src.Head != "" {
				key := contentKey(src.Print)
				if len(s.byContent[key]) == 0 && src.Size > 0 {
					s.byHead[src.Head] = append(s.byHead[src.Head], key)
					if src.Size < headBytes {
						s.small = append(s.small, src.Size)
					}
				}
				s.byContent[key] = append(s.byContent[key], one)
			}
			if id, is := rejectsOf(src.Path); is {
				s.takers[id] = append(s.takers[id], one)
			}
		}
	}
	slices.Sort(s.small)
	s.small = slices.Compact(s.small)
	return s, nil
}

// headBytes is how much of a source its Print.Head is of, at most.
const headBytes = 64 << 10

// grownFrom are the sources that src begins with and that the platform may hold rows
// of: a log, say, that was moved and has grown. Text alone grows so.
func (s *sent) grownFrom(src checkpoint.Source) (from []sourceOf) {
	// Each new source is compared with each size that there was, some million times
	// a second. Where that would take too long it is left, and told.
	const most = 20_000_000
	if found, known := s.grown[src.Path]; known {
		return found
	}
	defer func() { s.grown[src.Path] = from }()
	if len(s.byHead) == 0 {
		return nil
	}
	if s.looks += len(s.small) + 1; s.looks > most {
		s.missed++
		return nil
	}
	f, err := os.Open(src.Path)
	if err != nil {
		return nil
	}
	defer f.Close()
	sizes, _ := slices.BinarySearch(s.small, src.Size) // those that are smaller
	heads, err := checkpoint.Beginnings(f, s.small[:sizes])
	if err != nil {
		return nil
	}
	if src.Size > headBytes {
		heads = append(heads, src.Head)
	}
	for _, head := range heads {
		for _, key := range s.byHead[head] {
			was := s.byContent[key][0].source()
			if was.Size < src.Size && len(s.withRows(key)) > 0 && continues(was, src) {
				from = append(from, s.withRows(key)...)
			}
		}
	}
	slices.SortStableFunc(from, func(a, b sourceOf) int { return b.Plan.Started.Compare(a.Plan.Started) })
	return from
}

// withRows are the sources with a content that the platform may hold rows of, newest
// first: a header alone, which many files begin with, says nothing about them.
func (s *sent) withRows(key string) []sourceOf {
	list, known := s.rows[key]
	if !known {
		for _, was := range s.byContent[key] {
			if s.held(was) > 0 {
				list = append(list, was)
			}
		}
		s.rows[key] = list
	}
	return slices.Clip(list)
}

// rejectsOf is the import that the reject file at path belongs to, wherever its
// state directory is by now.
func rejectsOf(path string) (id string, is bool) {
	is = checkpoint.IsRejects(path) && filepath.Base(filepath.Dir(filepath.Dir(path))) == "imports"
	return importOf(path), is
}

// place names where a source lies, in one way: without the suffix of a compression,
// as files are packed and unpacked in their place, and by the folder's own name
// where the way to it was a link.
func (s *sent) place(path string) string {
	if id, is := rejectsOf(path); is {
		return "rejects of " + id
	}
	folder := filepath.Dir(path)
	real, known := s.folders[folder]
	if !known {
		var err error
		if real, err = filepath.EvalSymlinks(folder); err != nil {
			real = folder // it is gone
		}
		s.folders[folder] = real
	}
	return pathKey(filepath.Join(real, filepath.Base(path)))
}

// pathKey is the path of what a file holds, however it is packed.
func pathKey(path string) string {
	switch ext := filepath.Ext(path); strings.ToLower(ext) {
	case ".gz", ".zst", ".zstd":
		return strings.TrimSuffix(path, ext)
	}
	return path
}

// at are the sources that lay where path is. Of one import, which may have read a
// file and its packed twin, that of the very path comes first.
func (s *sent) at(path string) []sourceOf {
	list := slices.Clone(s.byPlace[s.place(path)])
	slices.SortStableFunc(list, func(a, b sourceOf) int {
		if a.Plan.ID != b.Plan.ID {
			return b.Plan.Started.Compare(a.Plan.Started)
		}
		return cmp.Compare(boolInt(b.source().Path == path), boolInt(a.source().Path == path))
	})
	return list
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// holding are the sources with the content of src, and those that it begins with.
// named are those whose rows had the same name in their uids, or none, as those of
// src have.
func (s *sent) holding(src checkpoint.Source) (named, others []sourceOf) {
	if src.Head == "" {
		return nil, nil
	}
	for _, was := range append(s.withRows(contentKey(src.Print)), s.grownFrom(src)...) {
		if was.source().Name == src.Name {
			named = append(named, was)
		} else {
			others = append(others, was)
		}
	}
	return named, others
}

// of are the sources that may have had rows of src: at its place, with its content,
// or with what it begins with; and those that may have had rows of these, as a file
// is corrected in its place, and moved after that.
func (s *sent) of(src checkpoint.Source) (all []sourceOf) {
	type visit struct {
		id string
		at int
	}
	seen := make(map[visit]bool)
	add := func(list []sourceOf) {
		for _, was := range list {
			if key := (visit{was.Plan.ID, was.at}); !seen[key] && s.held(was) > 0 {
				seen[key] = true
				all = append(all, was)
			}
		}
	}
	named, _ := s.holding(src)
	add(s.at(src.Path))
	add(named)
	for i := 0; i < len(all); i++ {
		was := all[i].source()
		add(s.byPlace[s.place(was.Path)])
		for _, twin := range s.withRows(contentKey(was.Print)) {
			if was.Head != "" && twin.source().Name == was.Name {
				add([]sourceOf{twin})
			}
		}
	}
	return all
}

// held is how many rows of a source the platform may hold from that import on,
// with those of its reject file that went in since.
func (s *sent) held(was sourceOf) int64 {
	n := was.atMost() + s.taken(was.Plan.ID)
	if c := was.Mark.Counts; n == 0 && c.Measurements > 0 {
		return c.Rejected // of some a part
	}
	return n
}

// taken is how many rows of the rejects of an import went in since: by a replay, by
// a run of the file, or by a replay of what that one rejected.
func (s *sent) taken(id string) int64 {
	n, seen, todo := int64(0), map[string]bool{id: true}, []string{id}
	for ; len(todo) > 0; todo = todo[1:] {
		for _, by := range s.takers[todo[0]] {
			n += by.atMost()
			if !seen[by.Plan.ID] {
				seen[by.Plan.ID] = true
				todo = append(todo, by.Plan.ID)
			}
		}
	}
	return n
}

// forebears are the import of that id and those whose rejects it read, directly or
// through others: a row that one of them rejected is in by none of them.
func (s *sent) forebears(id string) map[string]bool {
	return forebears(id, func(id string) checkpoint.Plan { return s.imports[id].Plan })
}

func forebears(id string, planOf func(id string) checkpoint.Plan) map[string]bool {
	of := map[string]bool{id: true}
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		for _, src := range planOf(todo[0]).Sources {
			if parent, is := rejectsOf(src.Path); is && !of[parent] {
				of[parent] = true
				todo = append(todo, parent)
			}
		}
	}
	return of
}
