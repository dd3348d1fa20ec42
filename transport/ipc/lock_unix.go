// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package ipc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// pathLock is held by whoever replaces and binds a path. It is flock(2) on an empty file beside the path, which goes
// with the holder's process whatever happens, and works between goroutines too. Not on the directory itself, which
// is there for other programs to lock.
type pathLock struct {
	descriptor int
	path       string
}

// lockPath waits for the lock. A lock file that was removed between open and flock locks nothing: whoever comes next
// makes a new one. So the one gained must still be the one at its path.
func lockPath(ctx context.Context, path string) (*pathLock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWaitMax)
	defer cancel()
	directory, name := filepath.Split(path)
	lock := &pathLock{path: directory + "." + name + ".zwire-lock"}
	for {
		gained, err := lock.try()
		if gained {
			return lock, nil
		}
		if err != nil {
			return nil, &fs.PathError{Op: "lock", Path: lock.path, Err: err}
		}
		if !pause(ctx, lockPause) {
			err := errors.Join(syscall.EADDRINUSE, ctx.Err())
			return nil, endpointError(path, "others hold "+lock.path, err)
		}
	}
}

// try makes or opens the lock file; neither follows a link nor waits for the other side of a named pipe. Opening
// comes first because a file of another user in a shared directory may be opened, but not with O_CREAT.
func (l *pathLock) try() (gained bool, err error) {
	const flags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK
	descriptor, err := unix.Open(l.path, flags, 0)
	if errors.Is(err, unix.ENOENT) {
		descriptor, err = unix.Open(l.path, flags|unix.O_CREAT|unix.O_EXCL, 0o644)
	}
	if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = unix.Flock(descriptor, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && isAt(descriptor, l.path) {
		l.descriptor = descriptor
		return true, nil
	}
	unix.Close(descriptor) // was only read
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		err = nil
	}
	return false, err
}

func isAt(descriptor int, path string) bool {
	var open, there unix.Stat_t
	return unix.Fstat(descriptor, &open) == nil && unix.Lstat(path, &there) == nil &&
		open.Dev == there.Dev && open.Ino == there.Ino
}

// release removes the file while the lock is held. What is not an empty plain file was not made here and stays; what
// may not be removed does no harm.
func (l *pathLock) release() {
	var stat unix.Stat_t
	if unix.Fstat(l.descriptor, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFREG && stat.Size == 0 {
		os.Remove(l.path) // harmless if it stays
	}
	unix.Close(l.descriptor) // frees the lock
}
