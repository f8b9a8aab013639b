package mapper

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// step is one thing that a strftime text asks of a time.
type step struct {
	verb  byte   // 0: the text must stand there
	text  string // of verb 0
	least int    // digits
	most  int
	space bool // a space may stand for the first digit, as %e writes it
}

// verbs are the directives that mean one thing only. The names are those of
// strftime (POSIX, glibc) and of Python's %f.
var verbs = map[string]step{
	"Y":  {verb: 'Y', least: 4, most: 4},
	"m":  {verb: 'm', least: 2, most: 2},
	"d":  {verb: 'd', least: 2, most: 2},
	"j":  {verb: 'j', least: 3, most: 3},
	"H":  {verb: 'H', least: 2, most: 2},
	"I":  {verb: 'I', least: 2, most: 2},
	"M":  {verb: 'M', least: 2, most: 2},
	"S":  {verb: 'S', least: 2, most: 2},
	"-m": {verb: 'm', least: 1, most: 2},
	"-d": {verb: 'd', least: 1, most: 2},
	"-j": {verb: 'j', least: 1, most: 3},
	"-H": {verb: 'H', least: 1, most: 2},
	"-I": {verb: 'I', least: 1, most: 2},
	"-M": {verb: 'M', least: 1, most: 2},
	"-S": {verb: 'S', least: 1, most: 2},
	"e":  {verb: 'd', least: 2, most: 2, space: true},
	"k":  {verb: 'H', least: 2, most: 2, space: true},
	"l":  {verb: 'I', least: 2, most: 2, space: true},
	"s":  {verb: 's', least: 1, most: 12},
	"f":  {verb: 'f', least: 1, most: 1 << 20},
	"b":  {verb: 'b'},
	"h":  {verb: 'b'},
	"B":  {verb: 'B'},
	"a":  {verb: 'a'},
	"A":  {verb: 'A'},
	"p":  {verb: 'p'},
	"P":  {verb: 'p'},
	"z":  {verb: 'z'},
	":z": {verb: 'z'},
	"Z":  {verb: 'Z'},
}

// shorthands are directives that stand for others.
var shorthands = map[string]string{"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"}

// refusedVerbs are directives whose meaning depends on a locale, a guess, or
// the program that wrote them, with what to write instead.
var refusedVerbs = map[string]string{
	"y": "a year of two digits could be in any century; have the source write four, %Y",
	"C": "a century is half a year; write %Y",
	"D": "it hides whether the month or the day comes first; write %m, %d and %Y in the order of the source",
	"x": "it depends on a locale; write %m, %d and %Y in the order of the source",
	"X": "it depends on a locale; write %H:%M:%S or %I:%M:%S %p",
	"c": "it depends on a locale; write its parts, such as %a %b %e %H:%M:%S %Y",
	"r": "it depends on a locale; write %I:%M:%S %p",
	"+": "it depends on a locale; write its parts",
	"v": "programs disagree about it; write its parts, such as %e-%b-%Y",
	"G": "a week-based year differs from the calendar's; write %Y, %m and %d",
	"g": "a week-based year differs from the calendar's; write %Y, %m and %d",
	"U": "programs disagree about week numbers; write %Y, %m and %d",
	"V": "week numbers need a week-based year; write %Y, %m and %d",
	"W": "programs disagree about week numbers; write %Y, %m and %d",
	"u": "a number of a weekday is no date; write %Y, %m and %d",
	"w": "a number of a weekday is no date; write %Y, %m and %d",
	"N": "write %f, a fraction of any length",
	"L": "write %f, a fraction of any length",
	"Q": "write format: epoch_ms",
	"n": "write the line break itself",
	"t": "write the tab itself",
}

// maxFormat is far more than anyone writes, and bounds the cost of a mapping
// that is nonsense.
const maxFormat = 1000

// compileLayout reads a strftime text. zoned says that it asks for a zone, or
// that it needs none.
func compileLayout(format string) (steps []step, zoned bool, err error) {
	if len(format) > maxFormat {
		return nil, false, fmt.Errorf("it has %d bytes, and a format has at most %d", len(format), maxFormat)
	}
	for rest := format; rest != ""; {
		i := strings.IndexByte(rest, '%')
		if i != 0 {
			if i < 0 {
				i = len(rest)
			}
			steps = appendLiteral(steps, rest[:i])
			rest = rest[i:]
			continue
		}
		name := verbName(rest[1:])
		rest = rest[1+len(name):]
		if name == "%" {
			steps = appendLiteral(steps, "%")
			continue
		}
		if long := shorthands[name]; long != "" {
			rest = long + rest
			continue
		}
		s, ok := verbs[name]
		if !ok {
			return nil, false, refusal(name)
		}
		steps = append(steps, s)
	}
	if err := checkSides(steps); err != nil {
		return nil, false, err
	}
	seen, err := checkVerbs(steps)
	return steps, seen['z'] || seen['Z'] || seen['s'], err
}

// verbName is the directive at the start of text: a letter, perhaps with a
// flag before it.
func verbName(text string) string {
	n := 1
	if len(text) > 1 && strings.ContainsRune("-_0^#:EO", rune(text[0])) {
		n = 2
	}
	return text[:min(n, len(text))]
}

func refusal(name string) error {
	if name == "" {
		return errors.New("it ends in %; write %% for a percent sign")
	}
	if why := refusedVerbs[name]; why != "" {
		return fmt.Errorf("%%%s: %s", name, why)
	}
	if plain := name[1:]; plain != "" {
		if why := refusedVerbs[plain]; why != "" {
			return fmt.Errorf("%%%s: %s", name, why)
		}
		if _, ok := verbs[plain]; ok {
			return fmt.Errorf("%%%s is unknown; write %%%s", name, plain)
		}
	}
	return fmt.Errorf("%%%s is unknown; known are %%Y %%m %%d %%H %%I %%p %%M %%S %%f %%z %%Z %%b %%B %%a %%A %%j %%s %%e %%k %%l %%F %%T %%R %%%%, and %%-m %%-d %%-H %%-I %%-M %%-S %%-j without zeros in front", name)
}

func appendLiteral(steps []step, text string) []step {
	if n := len(steps); n > 0 && steps[n-1].verb == 0 {
		steps[n-1].text += text
		return steps
	}
	return append(steps, step{text: text})
}

// checkSides finds numbers and offsets of variable width with a digit after them: where
// such a number ends would be a guess.
func checkSides(steps []step) error {
	for i, s := range steps[:max(0, len(steps)-1)] {
		next := steps[i+1]
		if (s.least != s.most || s.verb == 'z') && (next.most > 0 || next.verb == 0 && digit(next.text[0])) {
			return fmt.Errorf("where %%%c ends cannot be known when a digit follows it; write the form with zeros in front, or something between the two", s.verb)
		}
	}
	return nil
}

// checkVerbs makes sure that the steps say each part of a time once, and all
// parts that are needed.
func checkVerbs(steps []step) (seen map[byte]bool, err error) {
	seen = map[byte]bool{}
	for _, s := range steps {
		if s.verb != 0 && seen[s.verb] {
			return nil, fmt.Errorf("%%%c stands twice", s.verb)
		}
		seen[s.verb] = true
	}
	if seen['s'] {
		for verb := range seen {
			if verb != 0 && verb != 's' && verb != 'f' {
				return nil, fmt.Errorf("%%s is a whole time; %%%c cannot stand beside it", verb)
			}
		}
		return seen, nil
	}
	named := seen['b'] || seen['B']
	for _, rule := range []struct {
		wrong bool
		why   string
	}{
		{!seen['Y'], "it has no year, %Y"},
		{seen['b'] && seen['B'] || seen['m'] && named, "it has the month twice; write one of %m, %b and %B"},
		{seen['j'] && (seen['m'] || named || seen['d']), "%j is month and day in one; write it alone or not at all"},
		{!seen['j'] && !seen['m'] && !named, "it has no month, %m"},
		{!seen['j'] && !seen['d'], "it has no day, %d"},
		{seen['a'] && seen['A'], "it has the weekday twice; write one of %a and %A"},
		{seen['H'] && (seen['I'] || seen['p']), "%H counts 24 hours and %I with %p counts 12; write one of them"},
		{seen['I'] && !seen['p'], "%I needs %p, or it could be morning or evening"},
		{seen['p'] && !seen['I'], "%p needs %I"},
		{seen['M'] && !seen['H'] && !seen['I'], "it has minutes and no hour, %H"},
		{seen['S'] && !seen['M'], "it has seconds and no minute, %M"},
		{seen['f'] && !seen['S'], "it has a fraction and no second, %S"},
	} {
		if rule.wrong {
			return nil, errors.New(rule.why)
		}
	}
	return seen, nil
}

// insteadOf is what to write instead of a format that has no directive in it:
// the directives of a Java, Excel or Go layout, if it looks like one.
func insteadOf(format string) string {
	const known = "expected rfc3339, iso8601, epoch_s, epoch_ms, epoch_us, epoch_ns, or directives"
	guess := layoutWords.Replace(format)
	if _, _, err := compileLayout(guess); err != nil || strings.ContainsFunc(strings.ReplaceAll(oneVerb.ReplaceAllString(guess, ""), "T", ""), unicode.IsLetter) {
		return known + " such as %d/%m/%Y %H:%M:%S"
	}
	return known + ": did you mean " + quoted(guess) + "?"
}

var oneVerb = regexp.MustCompile("%[A-Za-z]")

var layoutWords = strings.NewReplacer("yyyy", "%Y", "YYYY", "%Y", "2006", "%Y", "MM", "%m", "01", "%m",
	"dd", "%d", "DD", "%d", "02", "%d", "HH", "%H", "15", "%H", "mm", "%M", "04", "%M", "ss", "%S", "05", "%S",
	"'T'", "T", "XXX", "%z", "Z07:00", "%z", "-0700", "%z")
