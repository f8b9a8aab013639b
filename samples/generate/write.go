package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/xitongsys/parquet-go/parquet"
	"github.com/xitongsys/parquet-go/writer"
)

// columns is the header of the CSV files and the order everywhere.
const columns = "event_id,account,meter,ts,gb,requests,region,note"

func csvFile(rows []row) []byte {
	var b bytes.Buffer
	b.WriteString(columns + "\n")
	for _, r := range rows {
		if r.raw != "" {
			b.WriteString(r.raw)
			continue
		}
		for i, f := range []string{r.id, r.account, r.meter, r.ts, r.gb, r.requests, r.region, r.note} {
			if i > 0 {
				b.WriteByte(',')
			}
			if strings.ContainsAny(f, ",\"\n") {
				f = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
			}
			b.WriteString(f)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func ndjsonFile(rows []row) []byte {
	var b bytes.Buffer
	for _, r := range rows {
		if r.raw != "" {
			b.WriteString(r.raw)
			continue
		}
		fmt.Fprintf(&b, `{"event_id":%s,"account":%s,"meter":%s,"ts":%s,"gb":%s,"requests":%s,"region":%s,"note":%s}`+"\n",
			quoted(r.id), quoted(r.account), quoted(r.meter), quoted(r.ts), number(r.gb), number(r.requests), orNull(r.region), orNull(r.note))
	}
	return b.Bytes()
}

// number writes text as a JSON number where it is one, as a string otherwise.
func number(text string) string {
	if json.Valid([]byte(text)) {
		return text
	}
	return orNull(text)
}

func orNull(text string) string {
	if text == "" {
		return "null"
	}
	return quoted(text)
}

// quoted writes a JSON string without the HTML escapes of json.Marshal.
func quoted(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// parquetRow is the schema of the Parquet files.
type parquetRow struct {
	EventID  *string `parquet:"name=event_id, type=BYTE_ARRAY, convertedtype=UTF8"`
	Account  *string `parquet:"name=account, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
	Meter    *string `parquet:"name=meter, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
	TS       int64   `parquet:"name=ts, type=INT64, logicaltype=TIMESTAMP, logicaltype.isadjustedtoutc=true, logicaltype.unit=MILLIS"`
	GB       *int64  `parquet:"name=gb, type=INT64, convertedtype=DECIMAL, scale=4, precision=18"`
	Requests *int64  `parquet:"name=requests, type=INT64"`
	Region   *string `parquet:"name=region, type=BYTE_ARRAY, convertedtype=UTF8, encoding=PLAIN_DICTIONARY"`
	Note     *string `parquet:"name=note, type=BYTE_ARRAY, convertedtype=UTF8"`
}

func parquetFile(rows []row) ([]byte, error) {
	var b bytes.Buffer
	w, err := writer.NewParquetWriterFromWriter(&b, new(parquetRow), 1)
	if err != nil {
		return nil, err
	}
	w.CompressionType = parquet.CompressionCodec_ZSTD
	w.RowGroupSize = 64 << 10 // several row groups, as large files have
	for _, r := range rows {
		p, err := typed(r)
		if err != nil {
			return nil, err
		}
		if err := w.Write(p); err != nil {
			return nil, err
		}
	}
	if err := w.WriteStop(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func typed(r row) (parquetRow, error) {
	ts, err := time.Parse(time.RFC3339Nano, r.ts)
	if err != nil {
		return parquetRow{}, err
	}
	p := parquetRow{
		EventID: orNil(r.id), Account: orNil(r.account), Meter: orNil(r.meter), TS: ts.UnixMilli(),
		Region: orNil(r.region), Note: orNil(r.note),
	}
	if p.GB, err = integer(strings.Replace(r.gb, ".", "", 1)); err != nil {
		return p, err
	}
	p.Requests, err = integer(r.requests)
	return p, err
}

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func integer(text string) (*int64, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return &n, err
}
