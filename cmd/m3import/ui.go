package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/internal/decimal"
	"github.com/m3import/m3import/uploader"
)

// Messages go to stderr, start with "m3import:" and a lower-case letter, and
// end without a period. They name the file, line, column, value and rule, as
// far as there are such, and every error that a person can mend carries a hint
// that says how. What a command was asked for goes to stdout.

// printError prints err and what to do about it.
func (a *app) printError(err error) {
	if err == nil {
		return
	}
	fmt.Fprintf(a.stderr, "m3import: %v\n", err)
	if c, ok := errors.AsType[*codedError](err); ok && c.hint != "" {
		a.hint("%s", c.hint)
	} else if e, ok := errors.AsType[*uploader.Error](err); ok && e.Hint != "" {
		a.hint("%s", e.Hint)
	} else if hint := stateHint(err); hint != "" {
		a.hint("%s", hint)
	}
}

// stateHint is what to do about a state directory that cannot be read; empty when
// that is not what err says.
func stateHint(err error) string {
	if e, ok := errors.AsType[*checkpoint.DamagedError](err); ok {
		return repairHint(stateDirOf(e.Path)) + "\nkeep the directory: it remembers what was sent, and when; without that, rows may be billed twice"
	}
	if e, ok := errors.AsType[*checkpoint.VersionError](err); ok {
		return versionHint(stateDirOf(e.Path))
	}
	return ""
}

// versionHint is what to do about a state directory of another version, which a
// repair does not touch.
func versionHint(dir string) string {
	return "go on with the program that wrote it\n" +
		"or forget what was imported here, and begin anew:  m3import state reset " + shellQuote(dir) + "\n" +
		"   (what first arrived more than 35 days ago would be billed twice)"
}

// repairHint is what to do about a state directory that is damaged.
func repairHint(dir string) string {
	return "what can be mended is told by  m3import state repair " + shellQuote(dir)
}

// say prints a message unless --quiet.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stderr, "m3import: "+format+"\n", args...)
	}
}

// warn prints a message that --quiet does not keep back, because it is about
// money: it begins with "warning:", and a person should look.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.stderr, "m3import: "+format+"\n", args...)
}

// sayAll says the first few of many messages, warnAll warns so.
func (a *app) sayAll(notes []string)  { few(a.say, notes) }
func (a *app) warnAll(notes []string) { few(a.warn, notes) }

func few(tell func(format string, args ...any), notes []string) {
	const most = 5
	for _, note := range notes[:min(len(notes), most)] {
		tell("%s", note)
	}
	if more := len(notes) - most; more > 0 {
		tell("… and %s more of this kind", grouped(int64(more)))
	}
}

// sayHint prints what to do about what was said, unless --quiet.
func (a *app) sayHint(format string, args ...any) {
	if !a.quiet {
		a.hint(format, args...)
	}
}

// hint prints what to do, indented below the message that it belongs to.
func (a *app) hint(format string, args ...any) {
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		fmt.Fprintf(a.stderr, "          %s\n", line)
	}
}

// diskFull reports whether there was no room, on the disk or in a quota.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// makeRoom is what to do then.
func makeRoom(state string) string {
	return "make room for the state in " + state + "; what was saved there before stands"
}

// withRoom gives an error that does not say what to do, and comes from a full
// disk, words that do.
func withRoom(err error, state string) error {
	if _, said := errors.AsType[*codedError](err); said || !diskFull(err) {
		return err
	}
	return coded(exitUsage, err, makeRoom(state)+"\nthen run the same command again")
}

// grouped writes n with commas: 1,234,567.
func grouped(n int64) string { return decimal.Grouped(n) }

// plural writes a count with its noun: "1 row", "2 rows", "2 retries".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		return grouped(n) + " " + stem + "ies"
	}
	return grouped(n) + " " + noun + "s"
}

// bytesText writes a size as people say it: 12.3 MB.
func bytesText(n int64) string {
	const unit = 1000
	if n < unit {
		return plural(n, "byte")
	}
	f, i := float64(n)/unit, 0
	for f >= unit && i < 4 {
		f, i = f/unit, i+1
	}
	return fmt.Sprintf("%.1f %s", f, [...]string{"kB", "MB", "GB", "TB", "PB"}[i])
}

// durationText writes a duration as people say it: 1h 5m, 3.2 s.
func durationText(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours())/24)
}

// column is a head of a table.
type column struct {
	head  string
	right bool // numbers stand right
}

// visible is text as one line can hold it: names of files may have line ends and
// other control characters in them, and are then quoted.
func visible(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(text) {
		return strconv.Quote(text)
	}
	return text
}

// table prints rows in columns that are as wide as they need to be.
func table(w io.Writer, indent string, columns []column, rows [][]string) {
	for i, r := range rows {
		rows[i] = slices.Clone(r)
		for k := range r {
			rows[i][k] = visible(r[k])
		}
	}
	width := make([]int, len(columns))
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i], width[i] = c.head, utf8.RuneCountInString(c.head)
		for _, r := range rows {
			width[i] = max(width[i], utf8.RuneCountInString(r[i]))
		}
	}
	for _, r := range append([][]string{head}, rows...) {
		var b strings.Builder
		b.WriteString(indent)
		for i, cell := range r {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if columns[i].right {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
			b.WriteString("  ")
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}
