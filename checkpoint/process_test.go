package checkpoint_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/m3import/m3import/checkpoint"
)

// The test binary is its own helper: other processes that hold a directory or
// are killed while they work in it.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "-helper" {
		if err := helpers[os.Args[2]](os.Args[3]); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var helpers = map[string]func(dir string) error{
	// hold opens the directory, says so or who has it, and holds it until its
	// standard input ends.
	"hold": func(dir string) error {
		_, err := bufio.NewReader(os.Stdin).ReadString('\n') // the starting gun
		if err != nil {
			return err
		}
		j, err := checkpoint.Open(dir, checkpoint.Options{Command: []string{"m3import", "run", "x"}})
		if locked := (*checkpoint.LockedError)(nil); errors.As(err, &locked) {
			fmt.Println("locked", locked.PID)
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Println("open", os.Getpid())
		io.Copy(io.Discard, os.Stdin)
		return j.Close()
	},
	// work imports for ever, and says which record was committed last.
	"work": func(dir string) error {
		j, err := checkpoint.Open(dir, checkpoint.Options{Buffer: 100})
		if err != nil {
			return err
		}
		if _, ok := j.Plan(); !ok {
			if err := j.Begin(checkpoint.Plan{Sources: []checkpoint.Source{{Path: "/x"}}}); err != nil {
				return err
			}
		}
		m, _ := j.Mark()
		for {
			n := m.Position.Record + 1
			m.Position.Record, m.Position.Offset = n, n
			j.Reject(rejectLine(n))
			if err := j.Commit(m); err != nil {
				return err
			}
			fmt.Println("committed", n)
		}
	},
}

func rejectLine(n int64) []byte { return fmt.Appendf(nil, `{"n":%d,"pad":"%0*d"}`, n, n%90, 0) }

// helper starts another process; it is killed when the test ends.
func helper(t *testing.T, what, dir string) (*exec.Cmd, *bufio.Reader, io.WriteCloser) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-helper", what, dir)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	ok(t, err)
	stdout, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewReader(stdout), stdin
}

func say(t *testing.T, w io.Writer) {
	t.Helper()
	_, err := io.WriteString(w, "go\n")
	ok(t, err)
}

func TestFiftyProcessesOneOpens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	var out []*bufio.Reader
	var in []io.WriteCloser
	for range 50 {
		_, o, i := helper(t, "hold", dir)
		out, in = append(out, o), append(in, i)
	}
	for _, i := range in {
		say(t, i)
	}
	var winner string
	losers := map[string]int{}
	for _, o := range out {
		line, err := o.ReadString('\n')
		ok(t, err)
		switch word, pid, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "open":
			if winner != "" {
				t.Fatalf("processes %s and %s both opened the directory", winner, pid)
			}
			winner = pid
		case "locked":
			losers[pid]++
		default:
			t.Fatalf("a process says %q", line)
		}
	}
	if winner == "" || losers[winner] != 49 {
		t.Errorf("%q opened; the others name %v", winner, losers)
	}
}

func TestFiftyGoroutinesOneOpens(t *testing.T) {
	dir := t.TempDir()
	var all, tried sync.WaitGroup
	tried.Add(50)
	errs := make([]error, 50)
	for i := range errs {
		all.Go(func() {
			j, err := checkpoint.Open(dir, checkpoint.Options{})
			errs[i] = err
			tried.Done()
			if err == nil {
				tried.Wait() // held until all have tried
				errs[i] = j.Close()
			}
		})
	}
	all.Wait()
	opened := 0
	for _, err := range errs {
		var locked *checkpoint.LockedError
		switch {
		case err == nil:
			opened++
		case !errors.Is(err, checkpoint.ErrLocked) || !errors.As(err, &locked) || locked.PID != os.Getpid():
			t.Errorf("%v, expect one that names this process", err)
		}
	}
	if opened != 1 {
		t.Errorf("%d opened the directory, expect 1", opened)
	}
}

func TestLockOfAKilledProcess(t *testing.T) {
	dir := t.TempDir()
	cmd, out, in := helper(t, "hold", dir)
	say(t, in)
	line, err := out.ReadString('\n')
	if want := fmt.Sprintf("open %d\n", cmd.Process.Pid); line != want || err != nil {
		t.Fatalf("the helper says %q (%v), expect %q", line, err, want)
	}
	_, err = checkpoint.Open(dir, checkpoint.Options{})
	if err == nil {
		t.Fatal("a directory that is held opens")
	}
	host, _ := os.Hostname()
	for _, word := range []string{dir, strconv.Itoa(cmd.Process.Pid), host, "m3import run x", time.Now().UTC().Format("2006-01-02T")} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not name %q", err, word)
		}
	}
	if s, err := checkpoint.Peek(dir); err != nil || s.Holder == nil || s.Holder.PID != cmd.Process.Pid {
		t.Errorf("peek says that %v holds it (%v), expect process %d", s.Holder, err, cmd.Process.Pid)
	}
	ok(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if s, err := checkpoint.Peek(dir); err != nil || s.Holder != nil {
		t.Errorf("peek says that %+v holds it (%v), expect nobody", s.Holder, err)
	}
	j, err := checkpoint.Open(dir, checkpoint.Options{})
	ok(t, err)
	if s, err := checkpoint.Peek(dir); err != nil || s.Holder == nil || s.Holder.PID != os.Getpid() {
		t.Errorf("peek says that %v holds it (%v), expect this process", s.Holder, err)
	}
	ok(t, j.Close())
	ok(t, j.Close())
	if s, err := checkpoint.Peek(dir); err != nil || s.Holder != nil {
		t.Errorf("peek says that %+v holds it (%v), expect nobody", s.Holder, err)
	}
}

// A process killed while it commits leaves a mark at least as far as it said,
// and the rejects before that mark, byte for byte.
func TestKilledWhileCommitting(t *testing.T) {
	dir := t.TempDir()
	var said int64
	for kill := range 10 {
		cmd, out, _ := helper(t, "work", dir)
		for range 1 + kill*kill%17 {
			line, err := out.ReadString('\n')
			ok(t, err)
			_, err = fmt.Sscanf(line, "committed %d\n", &said)
			if err != nil {
				t.Fatalf("the helper says %q: %v", line, err)
			}
		}
		ok(t, cmd.Process.Kill())
		for { // what it said before the signal reached it
			line, err := out.ReadString('\n')
			if err != nil {
				break
			}
			if _, err := fmt.Sscanf(line, "committed %d\n", &said); err != nil {
				t.Fatalf("the helper says %q: %v", line, err)
			}
		}
		_ = cmd.Wait()
		j, err := checkpoint.Open(dir, checkpoint.Options{})
		ok(t, err)
		m, _ := j.Mark()
		if n := m.Position.Record; n != said && n != said+1 {
			t.Fatalf("the mark is at record %d, and %d was said to be committed", n, said)
		}
		var want []byte
		for n := int64(1); n <= m.Position.Record; n++ {
			want = append(append(want, rejectLine(n)...), '\n')
		}
		got, err := os.ReadFile(j.RejectsPath())
		if err != nil || string(got) != string(want) {
			t.Fatalf("%d bytes of rejects (%v), expect the %d before record %d", len(got), err, len(want), m.Position.Record)
		}
		ok(t, j.Close())
	}
}

// Whatever keeps the lock from being had is an error, and not a free lock.
func TestNoLockNoOpening(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(file, nil, 0o600))
	dir := t.TempDir()
	ok(t, os.Mkdir(filepath.Join(dir, "lock"), 0o700))
	closed := filepath.Join(t.TempDir(), "closed")
	ok(t, os.Mkdir(closed, 0o500))
	for name, dir := range map[string]string{
		"the directory is a file":       file,
		"a file is in the way":          filepath.Join(file, "state"),
		"the lock is a directory":       dir,
		"the directory is write-locked": closed,
		"its parent is write-locked":    filepath.Join(closed, "state"),
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(dir, closed) && os.Getuid() == 0 {
				t.Skip("permissions do not hold for root")
			}
			j, err := checkpoint.Open(dir, checkpoint.Options{})
			if err == nil {
				j.Close()
				t.Fatal("it opens")
			}
			if errors.Is(err, checkpoint.ErrLocked) || !strings.Contains(err.Error(), dir) && !strings.Contains(err.Error(), file) {
				t.Errorf("%q, expect an error about the directory and not about a holder", err)
			}
		})
	}
}
