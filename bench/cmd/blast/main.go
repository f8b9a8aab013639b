// Blast sends request bodies that somebody else made, as fast as net/http
// goes: the part of an import's work that is sending.
//
//	blast -w 8 -url http://127.0.0.1:8080/organizations/x/measurements bodies
//
// The bodies are read before the clock starts. It prints, as JSON, how long
// sending took and what CPU, in nanoseconds.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

func main() {
	url := flag.String("url", "", "where measurements go")
	workers := flag.Int("w", 8, "requests at once")
	flag.Parse()
	if err := run(flag.Arg(0), *url, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "blast:", err)
		os.Exit(1)
	}
}

func run(path, url string, workers int) error {
	all, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var bodies [][]byte
	for len(all) > 4 {
		n := binary.LittleEndian.Uint32(all)
		bodies = append(bodies, all[4:4+n])
		all = all[4+n:]
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = workers
	t.WriteBufferSize = 600 << 10 // a whole body goes to the kernel in one call
	t.DisableCompression = true
	client := &http.Client{Transport: t}

	start, before := time.Now(), cpu()
	var g errgroup.Group
	var next atomic.Int64
	for range workers {
		g.Go(func() error {
			for i := next.Add(1) - 1; i < int64(len(bodies)); i = next.Add(1) - 1 {
				if err := post(client, url, bodies[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]int64{
		"wall": int64(time.Since(start)), "cpu": int64(cpu() - before), "requests": int64(len(bodies)),
	})
}

func post(client *http.Client, url string, body []byte) error {
	res, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// cpu is what this process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
