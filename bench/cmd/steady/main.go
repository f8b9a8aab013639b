// Steady counts what an import allocates while it runs evenly: from the commit
// that passes a quarter of the rows to the one that passes nine tenths. It is
// the product's own packages in one process, put together as the product does,
// because no other process can tell them apart from their start.
//
//	steady -m mapping.yaml -rows 1000000 -state DIR usage.csv     # sends, as M3TER_… say
//	steady -m mapping.yaml -rows 1000000 -nothing usage.csv       # sends and remembers nothing
//
// It prints, as JSON, rows, allocations and allocated bytes. With -cpuprofile or
// -memprofile FILE it writes a profile of the whole import, for go tool pprof; the
// latter has every allocation in it (-sample_index=alloc_objects) when the
// environment says GODEBUG=memprofilerate=1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/mapper"
	"github.com/m3import/m3import/pipeline"
	"github.com/m3import/m3import/uploader"
)

func main() {
	mapping := flag.String("m", "", "the mapping")
	rows := flag.Int64("rows", 0, "rows of the file")
	state := flag.String("state", "", "the state directory")
	nothing := flag.Bool("nothing", false, "send nothing and remember nothing")
	profile := flag.String("cpuprofile", "", "write a CPU profile to this file")
	memory := flag.String("memprofile", "", "write a profile of allocations to this file")
	flag.Parse()
	err := profiled(*profile, func() error { return run(flag.Arg(0), *mapping, *state, *rows, *nothing) })
	if *memory != "" && err == nil {
		err = writeMemory(*memory)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "steady:", err)
		os.Exit(1)
	}
}

func writeMemory(path string) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	runtime.GC() // what was allocated since the last one is in no profile
	return errors.Join(pprof.Lookup("allocs").WriteTo(out, 0), out.Close())
}

// profiled runs f under the CPU profiler, if there is a file for the profile.
func profiled(path string, f func() error) error {
	if path == "" {
		return f()
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	err = f()
	pprof.StopCPUProfile()
	return errors.Join(err, out.Close())
}

func run(path, mapping, state string, rows int64, nothing bool) error {
	text, err := os.ReadFile(mapping)
	if err != nil {
		return err
	}
	im := &pipeline.Import{Sources: []checkpoint.Source{{Path: path, Print: checkpoint.Print{Size: -1}}}}
	if im.Mapping, err = mapper.Parse(text); err != nil {
		return err
	}
	w := &watch{Journal: pipeline.Forget{}, rows: rows}
	if nothing {
		im.Submit = drop{}
	} else {
		client, err := newClient()
		if err != nil {
			return err
		}
		journal, err := checkpoint.Open(state, checkpoint.Options{})
		if err != nil {
			return err
		}
		defer journal.Close()
		cfg := client.Config()
		err = journal.Begin(checkpoint.Plan{Version: checkpoint.Version, OrgID: cfg.OrgID, Endpoint: cfg.IngestURL,
			MappingHash: im.Mapping.Hash(), UIDVersion: mapper.UIDVersion, Sources: im.Sources})
		if err != nil {
			return err
		}
		im.Mark, _ = journal.Mark()
		im.Submit, w.Journal = client, journal
	}
	im.Journal = w
	if err := im.Run(context.Background()); err != nil {
		return err
	}
	return w.tell()
}

func newClient() (*uploader.Client, error) {
	cfg, err := uploader.ConfigFromEnv(os.LookupEnv)
	if err != nil {
		return nil, err
	}
	cred, err := uploader.CredentialsFromEnv(os.LookupEnv, os.ReadFile)
	if err != nil {
		return nil, err
	}
	cfg.Rate = []uploader.Window{}
	return uploader.New(cfg, cred)
}

// drop takes every batch.
type drop struct{}

func (drop) Submit(context.Context, *uploader.Batch) ([]uploader.Refusal, error) { return nil, nil }

// watch is a journal that looks at the memory's account at two commits.
type watch struct {
	pipeline.Journal
	rows       int64
	begin, end account
}

// account is what was allocated until some row was settled.
type account struct{ Rows, Objects, Bytes int64 }

func (w *watch) Commit(m checkpoint.Mark) error {
	switch n := m.Counts.Read; {
	case w.begin.Rows == 0 && n >= w.rows/4:
		w.begin = look(n)
	case w.end.Rows == 0 && n >= w.rows/10*9:
		w.end = look(n)
	}
	return w.Journal.Commit(m)
}

func look(rows int64) account {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return account{rows, int64(s[0].Value.Uint64() + s[1].Value.Uint64()), int64(s[2].Value.Uint64())}
}

func (w *watch) tell() error {
	if w.begin.Rows == 0 || w.end.Rows <= w.begin.Rows {
		return errors.New("too few rows to tell")
	}
	return json.NewEncoder(os.Stdout).Encode(account{
		w.end.Rows - w.begin.Rows, w.end.Objects - w.begin.Objects, w.end.Bytes - w.begin.Bytes,
	})
}
