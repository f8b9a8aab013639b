//go:build unix

package reader

import (
	"io/fs"
	"os"
	"syscall"
)

// OpenRegular is os.Open for what is most likely a regular file: it does not ask the
// system whether reading can be waited for, which costs a fifth of an opening.
func OpenRegular(path string) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), path), nil
		case syscall.EINTR: // some file systems let a signal end it
		default:
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}
