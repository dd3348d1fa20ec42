// SPDX-License-Identifier: Apache-2.0

//go:build unix && !aix && !solaris && !illumos

package boltfile

import (
	"os"
	"syscall"
)

// Lock takes the file for this process, by the kind of lock that bbolt takes too: on the same descriptor it is one lock.
func Lock(file *os.File) (taken bool, err error) {
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch err {
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return false, nil
		default:
			return err == nil, err
		}
	}
}

// Unlock gives the lock back though memory that maps the file may live on, which would keep it.
func Unlock(file *os.File) {
	syscall.Flock(int(file.Fd()), syscall.LOCK_UN) // fails only if the file is closed, which unlocked it
}

// SyncDirectory makes the names in a directory durable.
func SyncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	defer directory.Close() // was only read
	return directory.Sync()
}
