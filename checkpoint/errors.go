package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrLocked is what a *LockedError is.
var ErrLocked = errors.New("state directory is in use")

// LockedError says who has the state directory.
type LockedError struct {
	Dir    string
	Holder // zero when the holder has not said who it is
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("state directory %s is in use by a run that has not said who it is: wait for it to end", e.Dir)
	}
	return fmt.Sprintf("state directory %s is in use by process %d on %s since %s (%s): wait for it to end, or stop it; the lock ends with the process, there is no file to delete",
		e.Dir, e.PID, e.Host, e.Since.Format(time.RFC3339), strings.Join(e.Command, " "))
}

// Is makes errors.Is(err, ErrLocked) true.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// DamagedError names a state file that is not what this package wrote. It is
// never mended by guessing: a wrong position loses rows or bills them twice. What
// to do about it is for Repair to tell, which looks at the rest of the directory.
type DamagedError struct {
	Path   string
	Reason string // what is wrong with it
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("state file %s is damaged: %s", e.Path, e.Reason)
}

// ChangedError is a reject file that somebody has changed while a run was writing
// it. What the mark counts stands, and nothing is written any more.
type ChangedError struct {
	Path    string
	What    string // what is other than it was
	Rejects int64  // that the mark counts
	Written string // where what was written is kept; "" when it is not
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("the reject file %s was changed while this import runs: %s", e.Path, e.What)
}

// VersionError names a state file that another version of the program wrote.
type VersionError struct {
	Path string
	Got  int64
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("state file %s has version %d, this program knows version %d", e.Path, e.Got, Version)
}
