package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/schollz/progressbar/v3"
)

// screen is where messages, progress and the log all go, from several goroutines:
// stderr. What is drawn stands in its last line only as long as nothing is
// written, so that a message begins in a line of its own.
type screen struct {
	mu      sync.Mutex
	w       io.Writer
	columns func() int // of the terminal that it is
	drawn   int        // columns of what stands in the last line
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	return s.w.Write(b)
}

// draw puts text in place of what was drawn last, cut to the terminal: a line
// that wraps could not be wiped any more, and would scroll with each drawing.
func (s *screen) draw(text func(columns int) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	columns := s.room()
	line := cutTo(text(columns), columns)
	blank := max(0, min(s.drawn, columns)-columnsOf(line))
	s.drawn = columnsOf(line)
	io.WriteString(s.w, "\r"+line+strings.Repeat(" ", blank))
}

// room is how much of a line can be drawn on: in the last column some terminals
// wrap already.
func (s *screen) room() int { return max(1, s.columns()-1) }

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
}

func (s *screen) wipe() {
	if s.drawn > 0 {
		io.WriteString(s.w, "\r"+strings.Repeat(" ", min(s.drawn, s.room()))+"\r")
		s.drawn = 0
	}
}

// columnsOf is the most columns that a terminal gives to a text. Characters that
// are not ASCII may take one or two, and that depends on the terminal.
func columnsOf(text string) (n int) {
	for _, r := range text {
		n += columnsOfRune(r)
	}
	return n
}

func columnsOfRune(r rune) int {
	if r < unicode.MaxASCII {
		return 1
	}
	return 2
}

// cutTo is text as it fits into so many columns. What a server or a file's name
// puts into it must not move the cursor.
func cutTo(text string, columns int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if columnsOf(text) <= columns {
		return text
	}
	for i, r := range text {
		if columns -= columnsOfRune(r); columns < columnsOfRune('…') {
			return text[:i] + "…"
		}
	}
	return text
}

// A trouble that lasts so long is told in a line of its own, in full: what is
// drawn has no room for it.
const troubleWorthALine = 2 * time.Second

// bar draws on a terminal until stop.
func (v *view) bar(on *screen, stop <-chan struct{}) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-stop:
			on.clear()
			return
		case <-tick.C:
			trouble, is := v.client.Trouble()
			long := is && v.now().Sub(trouble.Since) >= troubleWorthALine
			if long && !told {
				v.plain()
			}
			told = is && (told || long)
			l := v.line()
			on.draw(func(columns int) string { return barText(l, columns) })
		}
	}
}

// barText is where an import stands, in a line: the bar takes what the words
// leave of it. It is made for each drawing, as it cannot be made narrower when the
// terminal is.
func barText(l progressLine, columns int) string {
	words := fmt.Sprintf("%s rows, %s rejected, %s%s%s", grouped(l.Rows), grouped(l.Rejected), pace(l), left(l), hindrance(l))
	if l.BytesTotal <= 0 {
		return words
	}
	done := min(l.BytesDone, l.BytesTotal)
	const least, most = 8, 24
	width := min(most, columns-columnsOf(words)-len(" 100% [] "))
	if width < least {
		return fmt.Sprintf("%3d%% %s", 100*done/l.BytesTotal, words)
	}
	bar := progressbar.NewOptions64(l.BytesTotal, progressbar.OptionSetWriter(io.Discard), progressbar.OptionSetWidth(width),
		progressbar.OptionSetDescription(words), progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false))
	if err := bar.Set64(done); err != nil {
		return words
	}
	return strings.Trim(bar.String(), "\r\n ")
}
