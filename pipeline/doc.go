// Package pipeline runs an import: it owns every goroutine there is, joins
// reader, mapper, uploader and checkpoint, and keeps the order of the file
// from the first stage to the last.
//
// It does not know formats, status codes, flags or terminals, and it prints
// nothing.
//
// # The words
//
//   - source: one input file
//   - input: the ordered list of sources of an import
//   - chunk: a run of whole records, parseable alone
//   - record: one row, reduced to the mapped columns
//   - measurement: what the platform takes
//   - batch: the measurements of one request
//   - parcel: a batch with its papers: where it ends in the input, what it
//     counts, and the rejects among its records
//   - reject: a row that will not be sent, with its reason
//   - refusal: the server's final no to one measurement
//   - mark: the durable position: everything before it is accepted, rejected
//     or filtered
//
// # The picture
//
//	cut ──chunks──▶ encode ──encoded──▶ pack ──parcels──▶ submit ──settled──▶ commit
//	 1               n, ordered          1                 n, ordered           1
//
// Between two parallel stages, values keep the order of the file: a place in
// line is reserved before the work starts, so what reaches commit is always a
// prefix of the input. A checkpoint is therefore one position, the reject file
// is in file order and the same on every run, and an error, which travels in
// line like everything else, is met only after all before it is durable.
package pipeline
