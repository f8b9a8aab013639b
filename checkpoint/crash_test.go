package checkpoint_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/m3import/m3import/checkpoint"
	"github.com/m3import/m3import/checkpoint/crashfs"
)

// Whatever an import does, and whenever the machine loses power in it, opening
// shows the old state or the new one, with the rejects that belong to it.
func TestCrashAtAnyMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		watch := func() {
			fsys := w.fsys
			fsys.Hook(func(op crashfs.Op) *crashfs.Fault {
				if op.Kind != crashfs.Read {
					crashHere(t, w, fsys, chance, op.String())
				}
				return nil
			})
		}
		watch()
		ok(t, w.open())
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			crashHere(t, w, w.fsys, chance, "between two calls")
			w.will = w.was
			step := rapid.IntRange(0, 10).Draw(t, "step")
			switch idle := w.was.Import == "" || w.finished(); {
			case !idle && step == 10 && w.done != nil:
				ok(t, w.giveUp())
			case idle || step == 0:
				ok(t, w.begin(rapid.IntRange(0, 2).Draw(t, "sources")))
			case step <= 2:
				w.reject(rapid.StringMatching(`[a-z]{0,60}`).Draw(t, "line"))
			case step == 3:
				w.sourceDone("{}")
			case step <= 5:
				ok(t, w.commit(false))
			case step == 6:
				ok(t, w.commit(true))
			case step == 7:
				ok(t, w.report())
			case step == 8:
				ok(t, w.close())
				ok(t, w.open())
			default: // the crash happens, and the import goes on after it
				disk := w.fsys.Crash(chance)
				w.will = w.was
				ok(t, w.goOn(disk))
				watch()
				ok(t, w.open())
			}
		}
	})
}

// crashHere checks what crashes at this moment may leave on the disk.
func crashHere(t *rapid.T, w *world, fsys *crashfs.FS, chance *rand.Rand, when string) {
	for _, c := range []*rand.Rand{nil, chance} {
		disk := fsys.Crash(c)
		before := listing(disk, stateDir)
		if err := w.check(disk); err != nil {
			t.Fatalf("crash at %s: %v\nthe disk was\n%s", when, err, before)
		}
		if chance.IntN(8) != 0 {
			continue
		}
		// Opening may crash as well; and after it all, the import goes on.
		after := *w
		again := disk.Crash(chance)
		if err := errors.Join(w.check(again), after.goOn(again), after.workOn()); err != nil {
			t.Fatalf("after a crash at %s: %v\nthe disk was\n%s", when, err, before)
		}
	}
}

// workOn opens the directory, commits something, and looks at it on the disk.
func (w *world) workOn() error {
	if err := w.open(); err != nil {
		return err
	}
	if w.was.Import == "" || w.finished() {
		w.begun += 100 // an id that was not used
		if err := w.begin(1); err != nil {
			return err
		}
	}
	w.reject("after the crash")
	if err := w.commit(false); err != nil {
		return err
	}
	if err := w.check(w.fsys.Crash(nil)); err != nil {
		return err
	}
	w.reject("and at the end")
	if err := w.commit(true); err != nil {
		return err
	}
	if err := w.check(w.fsys.Crash(nil)); err != nil {
		return err
	}
	return w.close()
}

// story is an import and the beginning of the next, call by call.
var story = []func(w *world) error{
	(*world).open,
	func(w *world) error { return w.begin(2) },
	func(w *world) error { w.reject("one"); return w.commit(false) },
	func(w *world) error {
		w.reject("two, long enough to be written ahead of its commit")
		w.sourceDone("{}")
		return w.commit(false)
	},
	(*world).close,
	(*world).open,
	func(w *world) error { w.reject("three"); return w.commit(false) },
	func(w *world) error { w.reject("four"); return w.commit(true) },
	(*world).report,
	func(w *world) error { return w.begin(1) },
	func(w *world) error { w.reject("five"); return w.commit(false) },
	func(w *world) error { return w.commit(true) },
	func(w *world) error { return w.begin(1) },
	func(w *world) error { w.reject("six"); return w.commit(false) },
	(*world).giveUp,
	func(w *world) error { return w.begin(1) },
	(*world).close,
}

// play runs the story up to its first error.
func (w *world) play() error {
	for i, call := range story {
		w.will = w.was
		if err := call(w); err != nil {
			return fmt.Errorf("call %d: %w", i, err)
		}
	}
	return nil
}

// Whichever operation fails, and however, the call that needed it says so, the
// journal takes no more, and the directory is as before the call or after it.
func TestEveryOperationFails(t *testing.T) {
	calm := newWorld()
	ok(t, calm.play())
	faults := map[string]crashfs.Fault{
		"fails":              {Err: syscall.EIO},
		"fails half way":     {Err: syscall.EIO, Written: 5},
		"happens, and fails": {Err: syscall.EIO, Happens: true},
	}
	for name, fault := range faults {
		for n := range calm.fsys.Ops() {
			w := newWorld()
			var at crashfs.Op
			w.fsys.Hook(func(op crashfs.Op) *crashfs.Fault {
				if op.N != n {
					return nil
				}
				at = op
				return &fault
			})
			err := w.play()
			if err != nil && !errors.Is(err, syscall.EIO) {
				t.Fatalf("%s %s: %v, expect it to wrap the fault", at, name, err)
			}
			if err == nil && at.Kind != crashfs.Read && w.was.String() != calm.was.String() {
				t.Fatalf("%s %s: no error, and the story ends with\n%s, expect\n%s", at, name, w.was, calm.was)
			}
			if err := w.aftermath(rand.New(rand.NewPCG(uint64(n), 2))); err != nil {
				t.Fatalf("%s %s: %v: %v", at, name, err, w.was)
			}
		}
	}
}

// aftermath looks at what an error left behind, with a crash and without one,
// and goes on from there.
func (w *world) aftermath(chance *rand.Rand) error {
	w.fsys.Hook(nil)
	w.fsys.SetSpace(-1)
	for _, disk := range []*crashfs.FS{w.fsys.Crash(nil), w.fsys.Crash(chance)} {
		if err := w.check(disk); err != nil {
			return fmt.Errorf("after a crash: %w", err)
		}
	}
	if w.j != nil {
		if err := w.poisoned(); err != nil {
			return err
		}
		_ = w.j.Close()
	}
	if err := w.check(w.fsys); err != nil {
		return fmt.Errorf("after closing: %w", err)
	}
	// What opening has shown, a crash does not undo.
	seen, err := observe(w.fsys, w.heads)
	if err != nil {
		return err
	}
	disk := w.fsys.Crash(nil)
	again, err := observe(disk, w.heads)
	if err != nil || seen.String() != again.String() {
		return fmt.Errorf("opening showed\n%s, and after a crash\n%s (%v)", seen, again, err)
	}
	if err := w.goOn(disk); err != nil {
		return err
	}
	return w.workOn()
}

// poisoned checks that a journal that returned an error takes no more. Reports
// and openings that fail are nothing to it.
func (w *world) poisoned() error {
	if w.was.String() == w.will.String() {
		return nil
	}
	before := w.fsys.Ops()
	first := w.j.Commit(checkpoint.Mark{})
	second := w.j.Finish(checkpoint.Mark{})
	if first == nil || first != second || w.j.Begin(checkpoint.Plan{}) != first {
		return fmt.Errorf("after an error, commits return %v and %v", first, second)
	}
	if n := w.fsys.Ops() - before; n != 0 {
		return fmt.Errorf("after an error, %d operations more", n)
	}
	return nil
}

// A disk that is full from any byte on costs an error and no state.
func TestDiskFullAtEveryByte(t *testing.T) {
	calm := newWorld()
	ok(t, calm.play())
	for space := int64(0); ; space++ {
		w := newWorld()
		w.fsys.SetSpace(space)
		err := w.play()
		if err == nil {
			if space < 3000 {
				t.Fatalf("the story fits into %d bytes", space)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("with %d bytes: %v, expect no space left on device", space, err)
		}
		// Now and then, a closer look; and with space made, it goes on.
		if space%11 != 0 {
			continue
		}
		if err := w.aftermath(rand.New(rand.NewPCG(uint64(space), 3))); err != nil {
			t.Fatalf("with %d bytes: %v", space, err)
		}
	}
}

func ok(t interface {
	Helper()
	Fatal(...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
