// SPDX-License-Identifier: Apache-2.0

//go:build unix

package ipc

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zwire-mq/zwire/transport"
)

// The row IpcPath of the hostile peers: Listen never clobbers what is not a dead socket.

func TestIpcPathStale(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "socket")
	leaveStale(t, path)
	l := mustListen(t, path)
	mustReach(t, l, path)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	mustBeEmpty(t, directory)
}

// TestIpcPathStaleDatagram: a dead socket is dead whatever its type.
func TestIpcPathStaleDatagram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, path, syscall.EADDRINUSE)
	conn.Close() // leaves the file
	mustReach(t, mustListen(t, path), path)
}

// refused wants Listen to fail with an error and to leave the file at path what it was.
func refused(t *testing.T, path string, want error) {
	t.Helper()
	before, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Transport{}.Listen(t.Context(), path, transport.Config{})
	if err == nil {
		l.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("Listen: %v, want %v", err, want)
	}
	after, err := os.Lstat(path)
	if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() {
		t.Fatalf("the file was %v and is %v, %v", before, after, err)
	}
	locks, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*.zwire-lock"))
	if err != nil || len(locks) != 0 {
		t.Errorf("locks %v, %v", locks, err)
	}
}

// TestIpcPathLive: the live one is not even disturbed.
func TestIpcPathLive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l := mustListen(t, path)
	refused(t, path, syscall.EADDRINUSE)
	mustReach(t, l, path)
}

// TestIpcPathBoundNotListening: another program between bind(2) and listen(2) looks dead to whoever dials a stream.
func TestIpcPathBoundNotListening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	descriptor, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(descriptor)
	if err := unix.Bind(descriptor, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	refused(t, path, syscall.EADDRINUSE)
}

func TestIpcPathNoSocket(t *testing.T) {
	directory := t.TempDir()
	at := func(name string) string { return filepath.Join(directory, name) }
	leaveStale(t, at("stale"))
	live := mustListen(t, at("live"))
	makers := map[string]func(path string) error{
		"plain":     func(path string) error { return os.WriteFile(path, []byte("keep"), 0o600) },
		"empty":     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o700) },
		"pipe":      func(path string) error { return unix.Mkfifo(path, 0o600) },
		"dangling":  func(path string) error { return os.Symlink(at("nothing"), path) },
		"toStale":   func(path string) error { return os.Symlink(at("stale"), path) },
		"toLive":    func(path string) error { return os.Symlink(at("live"), path) },
		"toPlain":   func(path string) error { return os.Symlink(at("plain"), path) },
		"toItself":  func(path string) error { return os.Symlink(path, path) },
	}
	for name, make := range makers {
		if err := make(at(name)); err != nil {
			t.Fatal(err)
		}
		refused(t, at(name), syscall.EEXIST)
	}
	if content, err := os.ReadFile(at("plain")); err != nil || string(content) != "keep" {
		t.Errorf("the plain file holds %q, %v", content, err)
	}
	if _, err := os.Lstat(at("nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dangling link leads somewhere: %v", err)
	}
	mustReach(t, live, at("toLive")) // to dial, a link is as good as the path
}

// TestIpcPathRace: of many that want a dead socket's place one gets it, and keeps it.
func TestIpcPathRace(t *testing.T) {
	const rounds, binders = 20, 8
	directory := t.TempDir()
	path := filepath.Join(directory, "socket")
	for range rounds {
		leaveStale(t, path)
		start := make(chan struct{})
		listeners, errs := make(chan transport.Listener, binders), make(chan error, binders)
		var all sync.WaitGroup
		for range binders {
			all.Go(func() {
				<-start
				l, err := Transport{}.Listen(t.Context(), path, transport.Config{})
				if err != nil {
					errs <- err
					return
				}
				listeners <- l
			})
		}
		close(start)
		all.Wait()
		if len(listeners) != 1 {
			t.Fatalf("%d listeners got the path", len(listeners))
		}
		for range binders - 1 {
			if err := <-errs; !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("a loser got %v, want %v", err, syscall.EADDRINUSE)
			}
		}
		winner := <-listeners
		mustReach(t, winner, path)
		if err := winner.Close(); err != nil {
			t.Error(err)
		}
		mustBeEmpty(t, directory)
	}
}

// TestIpcPathCloseRace: closing and binding the same path at once never removes the newcomer's file.
func TestIpcPathCloseRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	for range 50 {
		leaving := mustListen(t, path)
		var all sync.WaitGroup
		all.Go(func() { leaving.Close() })
		var coming transport.Listener
		all.Go(func() {
			for coming == nil {
				l, err := Transport{}.Listen(t.Context(), path, transport.Config{})
				if err == nil {
					coming = l
				} else if !errors.Is(err, syscall.EADDRINUSE) {
					t.Error(err)
					return
				}
			}
		})
		all.Wait()
		if coming == nil {
			return
		}
		mustReach(t, coming, path)
		coming.Close()
	}
}

// TestIpcPathLockHeld: while others hold the lock nothing is touched, and the wait ends with the context.
func TestIpcPathLockHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	leaveStale(t, path)
	held, err := lockPath(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = Transport{}.Listen(ctx, path, transport.Config{})
	if !errors.Is(err, syscall.EADDRINUSE) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Listen: %v, want %v and %v", err, syscall.EADDRINUSE, context.DeadlineExceeded)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
	held.release()
	mustReach(t, mustListen(t, path), path)
}

// TestIpcPathLockLeft: a lock file whose maker died locks nothing; what was there before and is no lock of ours stays.
func TestIpcPathLockLeft(t *testing.T) {
	directory := t.TempDir()
	path, lock := filepath.Join(directory, "socket"), filepath.Join(directory, ".socket.zwire-lock")
	for _, content := range []string{"", "precious"} {
		if err := os.WriteFile(lock, []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
		mustListen(t, path).Close()
		got, err := os.ReadFile(lock)
		if content == "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("an empty lock file stays: %v", err)
		}
		if content != "" && string(got) != content {
			t.Errorf("the file holds %q, %v", got, err)
		}
	}
}

// TestIpcPathLockTrap: a link or a named pipe in the lock's place is neither followed nor waited for.
func TestIpcPathLockTrap(t *testing.T) {
	directory := t.TempDir()
	path, lock := filepath.Join(directory, "socket"), filepath.Join(directory, ".socket.zwire-lock")
	target := filepath.Join(directory, "target")
	if err := os.Symlink(target, lock); err != nil {
		t.Fatal(err)
	}
	if _, err := (Transport{}).Listen(t.Context(), path, transport.Config{}); err == nil {
		t.Error("Listen followed a link in the lock's place")
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link's target: %v", err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(lock, 0o600); err != nil {
		t.Fatal(err)
	}
	mustReach(t, mustListen(t, path), path)
	if _, err := os.Lstat(lock); err != nil {
		t.Error("the pipe was removed:", err)
	}
}

// TestDialWaitsForRoom: a full backlog is a wait, not a failure.
func TestDialWaitsForRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	l, err := Transport{}.Listen(t.Context(), path, transport.Config{Backlog: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const count = 8
	var all sync.WaitGroup
	for range count {
		all.Go(func() {
			near, err := Transport{}.Dial(t.Context(), path, transport.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			near.Close()
		})
	}
	for range count {
		far, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		far.Close()
	}
	all.Wait()
}

// TestBuffers: both ends get the buffers of their own side.
func TestBuffers(t *testing.T) {
	cfg := transport.Config{SendBuffer: 20000, RecvBuffer: 30000}
	l, err := Transport{}.Listen(t.Context(), "*", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := Transport{}.Dial(t.Context(), strings.TrimPrefix(l.Endpoint(), "ipc://"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	for _, stream := range []transport.Stream{near, far} {
		detacher, ok := stream.(transport.Detacher)
		if !ok {
			t.Skip("no descriptor to ask")
		}
		descriptor, err := detacher.Detach()
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(descriptor)
		for name, want := range map[int]int{unix.SO_SNDBUF: 2 * cfg.SendBuffer, unix.SO_RCVBUF: 2 * cfg.RecvBuffer} {
			// The kernel keeps twice what it is asked for, see socket(7).
			if got, err := unix.GetsockoptInt(descriptor, unix.SOL_SOCKET, name); err != nil || got != want {
				t.Errorf("option %d: %d, %v; want %d", name, got, err, want)
			}
		}
	}
}
