// Naive is the importer that a good engineer writes in an afternoon with the
// standard library: encoding/csv, a struct with maps, encoding/json, net/http
// and a limited number of uploads. It stops at the first thing that goes wrong
// and cannot resume. m3import is measured against it.
//
//	naive -f usage.csv -w 8 -url http://127.0.0.1:8080/organizations/x/measurements
package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

type measurement struct {
	UID     string             `json:"uid"`
	Meter   string             `json:"meter"`
	Account string             `json:"account"`
	Time    time.Time          `json:"ts"`
	Measure map[string]float64 `json:"measure"`
	Where   map[string]string  `json:"where"`
}

const perRequest = 1000

func main() {
	log.SetFlags(0)
	file := flag.String("f", "usage.csv", "the file to import")
	url := flag.String("url", "", "where measurements go")
	workers := flag.Int("w", 8, "uploads at once")
	flag.Parse()
	if err := run(*file, &sender{url: *url, client: newClient(*workers)}, *workers); err != nil {
		log.Fatal("naive: ", err)
	}
}

func newClient(workers int) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = workers
	return &http.Client{Transport: t}
}

func run(file string, to *sender, workers int) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return err
	}
	column := make(map[string]int)
	for i, name := range header {
		column[name] = i
	}

	g, ctx := errgroup.WithContext(context.Background())
	g.SetLimit(workers)
	batch := make([]measurement, 0, perRequest)
	flush := func() {
		full := batch
		batch = make([]measurement, 0, perRequest)
		g.Go(func() error { return to.send(ctx, full) })
	}
	for ctx.Err() == nil {
		rec, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		m, err := convert(rec, column)
		if err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
		if batch = append(batch, m); len(batch) == perRequest {
			flush()
		}
	}
	if len(batch) > 0 {
		flush()
	}
	return g.Wait()
}

// convert makes a measurement of a row.
func convert(rec []string, column map[string]int) (measurement, error) {
	get := func(name string) string { return rec[column[name]] }
	ts, err := time.Parse(time.RFC3339Nano, get("ts"))
	if err != nil {
		return measurement{}, err
	}
	m := measurement{
		UID:     uuid.NewSHA1(uuid.NameSpaceOID, []byte(get("event_id")+"|"+get("account")+"|"+get("meter")+"|"+get("ts"))).String(),
		Meter:   get("meter"),
		Account: get("account"),
		Time:    ts,
		Measure: make(map[string]float64, 3),
		Where:   map[string]string{"region": get("region")},
	}
	for _, name := range []string{"duration", "bytes", "amount"} {
		if m.Measure[name], err = strconv.ParseFloat(get(name), 64); err != nil {
			return m, err
		}
	}
	return m, nil
}

type sender struct {
	url    string
	client *http.Client
}

// send submits one batch.
func (s *sender) send(ctx context.Context, batch []measurement) error {
	body, err := json.Marshal(map[string]any{"measurements": batch})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Result string `json:"result"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Result != "accepted" {
		return fmt.Errorf("status %s, result %q", res.Status, answer.Result)
	}
	return nil
}
