package sandbox

// nameSet tells whether a name has been seen. Objects are small nearly always,
// and hostile ones must not cost the square of their size.
type nameSet struct {
	few  [][]byte
	many map[string]struct{}
}

func (s *nameSet) reset() { s.few, s.many = s.few[:0], nil }

// add reports whether name is new. It keeps a view of name.
func (s *nameSet) add(name []byte) bool {
	const few = 32
	if s.many != nil {
		_, old := s.many[string(name)]
		s.many[string(name)] = struct{}{}
		return !old
	}
	for _, other := range s.few {
		if string(other) == string(name) {
			return false
		}
	}
	s.few = append(s.few, name)
	if len(s.few) == few {
		s.many = make(map[string]struct{}, 4*few)
		for _, other := range s.few {
			s.many[string(other)] = struct{}{}
		}
	}
	return true
}
