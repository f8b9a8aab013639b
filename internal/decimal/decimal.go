// Package decimal holds exact decimal numbers: the amounts of a usage file,
// summed without ever becoming a binary floating-point number.
//
// It does not know what is counted, nor where a number was written.
package decimal
