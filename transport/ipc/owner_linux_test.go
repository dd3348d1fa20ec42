// SPDX-License-Identifier: Apache-2.0

package ipc

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestIpcPathForeignOwner: another user's socket stays, also where everybody may make files, as in /tmp: one that may
// not be dialled because it may be alive, a dead one because only its owner may remove it.
func TestIpcPathForeignOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can act for another user")
	}
	directory := shortDirectory(t)
	if err := os.Chmod(directory, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		mode os.FileMode
		want error
	}{
		{"closed", 0o700, syscall.EACCES},
		{"open", 0o777, syscall.EPERM},
	}
	for _, c := range cases {
		path := filepath.Join(directory, c.name)
		leaveStale(t, path)
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		asNobody(t, func() { refused(t, path, c.want) })
	}
	asNobody(t, func() { mustListen(t, filepath.Join(directory, "own")) })
}

// asNobody has the file rights of another user, on this thread alone.
func asNobody(t *testing.T, work func()) {
	t.Helper()
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	defer unix.Setfsuid(0)
	work()
}
