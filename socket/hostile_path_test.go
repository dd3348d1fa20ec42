// SPDX-License-Identifier: Apache-2.0

//go:build unix

package socket_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

// hostileServes checks that a socket bound at a path serves who comes there.
func hostileServes(t *testing.T, pull wireSocket, path string) {
	t.Helper()
	raw := sockettest.Dial(t, "ipc://"+path)
	raw.Handshake("PUSH")
	raw.Send([]byte("to " + path))
	wireRecv(t, pull, "to "+path)
	raw.Close()
}

// Whatever lies at a path: Bind takes the place of a dead socket alone.
func TestHostileIpcPath(t *testing.T) {
	sockettest.Leak(t)
	folder := hostileFolder(t)
	path := func(name string) string { return filepath.Join(folder, name) }
	live, err := net.Listen("unix", path("live"))
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	hostileDead(t, path("dead"))
	hostileDead(t, path("target of the link"))
	err = errors.Join(
		os.WriteFile(path("file"), []byte("precious"), 0o600),
		os.WriteFile(path("target"), []byte("precious"), 0o600),
		os.Symlink(path("target"), path("link to a file")),
		os.Symlink(path("target of the link"), path("link to a dead one")),
		os.Symlink(path("live"), path("link to a live one")),
		os.Symlink(path("nowhere"), path("link to nowhere")),
		os.Mkdir(path("folder"), 0o700),
		syscall.Mkfifo(path("fifo"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want error // nil: it is bound
	}{
		{"dead", nil}, {"new", nil},
		{"live", syscall.EADDRINUSE}, {"file", syscall.EEXIST}, {"folder", syscall.EEXIST}, {"fifo", syscall.EEXIST},
		{"link to a file", syscall.EEXIST}, {"link to a dead one", syscall.EEXIST}, {"link to a live one", syscall.EEXIST}, {"link to nowhere", syscall.EEXIST},
		{"missing/socket", fs.ErrNotExist},
	} {
		before, beforeErr := os.Lstat(path(c.name))
		pull := hostileNew(t, "PULL")
		err := pull.Bind("ipc://" + path(c.name))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
			continue
		}
		if err == nil {
			hostileServes(t, pull, path(c.name))
			if err := pull.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path(c.name)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is still there after Close: %v", c.name, err)
			}
			continue
		}
		if after, err := os.Lstat(path(c.name)); beforeErr == nil && (err != nil || !os.SameFile(before, after)) {
			t.Errorf("%s is not what it was: %v", c.name, err)
		}
	}
	if text, err := os.ReadFile(path("target")); string(text) != "precious" {
		t.Errorf("the target of a link now says %q, %v", text, err)
	}
}

// hostileDead leaves a socket that nobody listens at.
func hostileDead(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

// Paths as long as they can be, longer ones, and names without a file.
func TestHostileIpcNames(t *testing.T) {
	sockettest.Leak(t)
	folder := hostileFolder(t)
	long := func(octets int) string {
		return folder + "/" + strings.Repeat("x", octets-len(folder)-1)
	}
	limit := 107
	if runtime.GOOS != "linux" {
		limit = 103
	}
	names := map[string]bool{long(limit): true, long(limit + 1): false, "": false, long(4000): false}
	if runtime.GOOS == "linux" {
		names["@"+strings.Repeat("x", 106)] = true
		names["@"+strings.Repeat("x", 107)] = false
	}
	for name, possible := range names {
		pull := hostileNew(t, "PULL")
		err := pull.Bind("ipc://" + name)
		var refused *socket.EndpointError
		if possible != (err == nil) || err != nil && !errors.As(err, &refused) {
			t.Errorf("%d octets: %v", len(name), err)
		}
		if err == nil {
			hostileServes(t, pull, name)
		}
		push := hostileNew(t, "PUSH")
		if err := push.Connect("ipc://" + name); possible != (err == nil) {
			t.Errorf("connect to %d octets: %v", len(name), err)
		}
	}
}

// Many sockets want one path, where a dead one lies, at once; somebody else removes what is there: one at a time has it.
func TestHostileIpcRace(t *testing.T) {
	sockettest.Leak(t)
	path := filepath.Join(hostileFolder(t), "socket")
	for range hostileCount(t, 20) {
		hostileDead(t, path)
		const wanting = 8
		var winners []wireSocket
		var mu sync.Mutex
		var all sync.WaitGroup
		for range wanting {
			pull := hostileNew(t, "PULL")
			all.Go(func() {
				err := pull.Bind("ipc://" + path)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					winners = append(winners, pull)
				case !errors.Is(err, syscall.EADDRINUSE):
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(winners) != 1 {
			t.Fatalf("%d sockets have the path", len(winners))
		}
		hostileServes(t, winners[0], path)
		// The winner's file is replaced: what another has put there is not the winner's to remove.
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		other := hostileBound(t, "ipc://"+path, "PULL")
		if err := winners[0].Close(); err != nil {
			t.Error(err)
		}
		hostileServes(t, other, path)
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}
}
