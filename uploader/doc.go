// Package uploader puts measurements into request bodies and gets them
// accepted: limits, pacing, authentication, retries, and what an answer of the
// platform means.
//
// It does not know where measurements came from, positions in files, or what
// becomes of a refused one.
//
// # How it is used
//
// Measurements, each as JSON text, are collected in a [Batch] until it says
// [ErrFull]. [Client.Submit] then sends the batch for as long as it takes:
// when it returns no error, the platform has said "accepted" of all of it but
// the refusals. Several workers share one [Client], and with it the rate
// windows, the token, and the gate that a 429 shuts.
//
// # What an answer means
//
// One table says what each HTTP status means (status.go; docs/answers.md has it
// for people). What may pass, 429, 408, 5xx, a network error, an answer that
// cannot be read, is tried again with the same bytes: its fate is uncertain,
// and the platform takes a measurement of a uid that it knows for the same one,
// for 35 days. What is about the content has the batch taken apart, until each
// guilty measurement stands alone and is a [Refusal] (bisect.go). What does not
// pass is an [*Error] with a Kind that says what it concerns, and a Hint that
// says what to do. 401 and 403 are tried once more with a new token, since
// m3ter answers an expired one with 403, too.
//
// # Time
//
// Every request has a deadline, every wait ends at once when its context does.
// A batch that goes on failing is given up after [Config].RetryFor, and so is
// one that a server asks to hold back for longer than is left of it. Waiting
// for the rate windows does not count.
//
// # Secrets
//
// Key, secret and tokens are in no error, no statistic and no text of a value
// of this package, whatever a server wrote into its answers.
package uploader
