package main

import "github.com/spf13/pflag"

// rateFlag is a rate that can be given in pieces: all windows hold, so a second
// --rate-limit that took the place of the first would send faster than was said.
type rateFlag struct {
	text  *string
	given bool // no longer the default
}

// addRateLimit adds --rate-limit, which is kept in text.
func addRateLimit(flags *pflag.FlagSet, text *string, usage string) {
	*text = "5000/5m,50/s"
	flags.Var(&rateFlag{text: text}, "rate-limit", usage)
}

func (f *rateFlag) String() string { return *f.text }
func (f *rateFlag) Type() string   { return "string" }

func (f *rateFlag) Set(text string) error {
	if f.given {
		text = *f.text + "," + text
	}
	*f.text, f.given = text, true
	return nil
}
