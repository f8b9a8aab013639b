// Package uploader puts measurements into request bodies and gets them
// accepted: limits, pacing, authentication, retries, and what an answer of the
// platform means.
//
// It does not know where measurements came from, positions in files, or what
// becomes of a refused one.
package uploader
