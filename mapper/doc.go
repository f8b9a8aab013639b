// Package mapper turns records into m3ter measurements. It knows the mapping
// file that a person writes, m3ter's schema for a measurement, and how a
// uid comes out of a row. [Parse] reads a mapping, [Mapping.Compile] makes a
// [Mapper] of it, and [Mapper.Append] writes the measurements of one record
// as JSON.
//
// It does not know files, HTTP, clocks or randomness. Everything in it is a
// pure function: the same mapping and the same record give the same bytes on
// any machine, in any order, however often they are repeated. A uid rests on
// that, and the customer's bill rests on the uid.
package mapper
