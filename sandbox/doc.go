// Package sandbox is an m3ter platform in one process: an http.Handler that
// takes usage as the Ingest API does and answers the parts of the Config API
// that an importer needs, both on one host. It keeps everything in memory,
// adds the amounts up exactly, and shows under /_sandbox what it holds. It is
// what `m3import sandbox` and `m3import demo` run, what the tests send to, and
// a place for any other m3ter client, official SDKs included, to be pointed at.
//
// It does not know who is sending: nothing here is shared with the uploader
// but the wire. It does not bill, and it enriches measurements only as far as
// that can go wrong: see Config.Validate.
//
// It fails on demand: Faults say which requests are refused, delayed, cut off
// or lost, and where on their way; rate limits, tokens and the clock do as
// they are told. docs/sandbox.md is the manual, with scenarios to start from.
//
// What it does follows what m3ter documents. Where the documentation is silent
// the sandbox takes the strict reading, so that a client which pleases the
// sandbox is not surprised later; the comment at each such place says so.
package sandbox
