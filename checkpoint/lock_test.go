package checkpoint_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/checkpoint/crashfs"
)

// Between taking the lock and saying who has it, a run can be met by another,
// which finds the words of the run before, or none.
func TestHolderIsWaitedFor(t *testing.T) {
	host, err := os.Hostname()
	ok(t, err)
	dead := checkpoint.Holder{PID: 1 << 30, Host: host} // no system has so many
	live := checkpoint.Holder{PID: os.Getpid(), Host: host}
	for _, c := range []struct {
		name   string
		before *checkpoint.Holder // in holder.json
		third  *checkpoint.Holder // what is there from the third try on
		freed  bool               // on the third try
		want   int                // the process in the error
	}{
		{name: "after nobody", third: &live, want: live.PID},
		{name: "after a dead one", before: &dead, third: &live, want: live.PID},
		{name: "at once, when it has said so", before: &live, want: live.PID},
		{name: "who never says so", want: 0},
		{name: "who only seems to be dead", before: &dead, want: dead.PID},
		{name: "who ends meanwhile", before: &dead, freed: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fsys := crashfs.New()
				ok(t, fsys.Mkdir("/home", 0))
				ok(t, fsys.Mkdir(stateDir, 0))
				lock, err := fsys.Lock(filepath.Join(stateDir, "lock"))
				ok(t, err)
				write := func(h *checkpoint.Holder) {
					if h == nil {
						return
					}
					text, err := json.Marshal(h)
					ok(t, err)
					f, err := fsys.OpenFile(filepath.Join(stateDir, "holder.json"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0)
					ok(t, err)
					_, err = f.WriteAt(text, 0)
					ok(t, err)
				}
				write(c.before)
				tries := 0
				fsys.Hook(func(op crashfs.Op) *crashfs.Fault {
					if op.Kind == crashfs.Lock {
						if tries++; tries == 3 {
							write(c.third)
							if c.freed {
								ok(t, lock.Close())
							}
						}
					}
					return nil
				})
				j, err := checkpoint.Open(stateDir, checkpoint.Options{FS: fsys})
				var locked *checkpoint.LockedError
				switch {
				case c.freed:
					ok(t, err)
					ok(t, j.Close())
				case !errors.As(err, &locked) || locked.PID != c.want || locked.Dir != stateDir:
					t.Errorf("%v, expect one that names process %d", err, c.want)
				}
			})
		})
	}
}
