// SPDX-License-Identifier: Apache-2.0

package ipc

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/transport"
	"github.com/zwire-mq/zwire/transport/transporttest"
)

func TestConformance(t *testing.T) {
	directory := t.TempDir()
	number := 0
	transporttest.Run(t, Transport{}, func() string {
		number++
		return filepath.Join(directory, fmt.Sprint(number))
	})
}

func TestConformanceAbstract(t *testing.T) {
	requireAbstract(t)
	number := 0
	transporttest.Run(t, Transport{}, func() string {
		number++
		return fmt.Sprintf("@zwire-test-%d-%d", os.Getpid(), number)
	})
}

func requireAbstract(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("abstract sockets are only on Linux")
	}
}

func mustListen(t *testing.T, address string) transport.Listener {
	t.Helper()
	l, err := Transport{}.Listen(t.Context(), address, transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// mustReach dials address and checks that the listener meets that very stream.
func mustReach(t *testing.T, l transport.Listener, address string) {
	t.Helper()
	near, err := Transport{}.Dial(t.Context(), address, transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if _, err := far.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	octet := make([]byte, 1)
	if _, err := near.Read(octet); err != nil || octet[0] != 7 {
		t.Fatalf("read %v, %v: another stream was accepted", octet, err)
	}
}

// mustBeEmpty wants an empty directory: no socket, no lock.
func mustBeEmpty(t *testing.T, directory string) {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s was left behind", entry.Name())
	}
}

// longPath gives a path of so many octets in a directory that is there.
func longPath(t *testing.T, octets int) string {
	t.Helper()
	directory := shortDirectory(t)
	return filepath.Join(directory, strings.Repeat("x", octets-len(directory)-1))
}

// shortDirectory is for tests whose name would make the path too long.
func shortDirectory(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "zw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	return directory
}

// TestK6PathLength: the longest path works, one octet more is an error that tells the length.
func TestK6PathLength(t *testing.T) {
	path := longPath(t, pathOctetsMax)
	l := mustListen(t, path)
	if want := "ipc://" + path; l.Endpoint() != want {
		t.Errorf("endpoint %s, want %s", l.Endpoint(), want)
	}
	mustReach(t, l, path)

	tooLong := longPath(t, pathOctetsMax+1)
	want := fmt.Sprintf("path of %d octets, at most %d", pathOctetsMax+1, pathOctetsMax)
	_, listenErr := Transport{}.Listen(t.Context(), tooLong, transport.Config{})
	_, dialErr := Transport{}.Dial(t.Context(), tooLong, transport.Config{})
	for _, err := range []error{listenErr, dialErr} {
		var endpointErr *transport.EndpointError
		if !errors.As(err, &endpointErr) || endpointErr.Reason != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	mustBeEmpty(t, filepath.Dir(tooLong))
}

// TestK6Abstract: a name without a file, as long as a path may be, with any octets but NUL.
func TestK6Abstract(t *testing.T) {
	requireAbstract(t)
	prefix := fmt.Sprintf("@zwire-test-%d/\xff ", os.Getpid())
	address := prefix + strings.Repeat("x", pathOctetsMax-len(prefix))
	t.Chdir(t.TempDir())
	l := mustListen(t, address)
	mustReach(t, l, address)
	mustBeEmpty(t, ".")
}

func TestCheck(t *testing.T) {
	cases := []struct{ address, listen, dial string }{
		{"/tmp/x", "", ""},
		{"relative", "", ""},
		{"*", "", "only for listening"},
		{"", "no path", "no path"},
		{"/tmp/a\x00b", "NUL", "NUL"},
		{"@", "no name", "no name"},
		{strings.Repeat("y", 4000), "path of 4000 octets", "path of 4000 octets"},
	}
	for _, c := range cases {
		for _, listen := range []bool{true, false} {
			want := c.dial
			if listen {
				want = c.listen
			}
			err := Transport{}.Check(c.address, listen)
			var endpointErr *transport.EndpointError
			switch {
			case want == "" && err != nil:
				t.Errorf("Check(%q, %v): %v", c.address, listen, err)
			case want == "":
			case !errors.As(err, &endpointErr) || !strings.Contains(endpointErr.Reason, want):
				t.Errorf("Check(%q, %v): %v, want %q", c.address, listen, err, want)
			}
		}
	}
}

// TestPrivate: "*" is a directory for this user alone, and nothing of it stays.
func TestPrivate(t *testing.T) {
	parent := shortDirectory(t)
	t.Setenv("TMPDIR", parent)
	l := mustListen(t, "*")
	path := strings.TrimPrefix(l.Endpoint(), "ipc://")
	mustReach(t, l, path)
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the directory's mode is %v", info.Mode())
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	mustBeEmpty(t, parent)
}

func TestPrivateTooDeep(t *testing.T) {
	parent := longPath(t, pathOctetsMax)
	if err := os.Mkdir(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", parent)
	_, err := Transport{}.Listen(t.Context(), "*", transport.Config{})
	var endpointErr *transport.EndpointError
	if !errors.As(err, &endpointErr) || !strings.Contains(endpointErr.Reason, "octets") {
		t.Errorf("%v, want an error that names the length", err)
	}
	mustBeEmpty(t, parent)
}

// TestCloseAfterChdir: a relative path means the directory that it was bound in.
func TestCloseAfterChdir(t *testing.T) {
	before, after := t.TempDir(), t.TempDir()
	t.Chdir(before)
	l := mustListen(t, "socket")
	t.Chdir(after)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	mustBeEmpty(t, before)
}

// TestCloseLeavesOthers: what has taken the file's place meanwhile is not ours to remove.
func TestCloseLeavesOthers(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "socket")
	first := mustListen(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := mustListen(t, path)
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	mustReach(t, second, path)
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if err := second.Close(); err != nil {
		t.Error("Close again:", err)
	}
	mustBeEmpty(t, directory)
}

func TestListenNowhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "socket")
	if _, err := (Transport{}).Listen(t.Context(), path, transport.Config{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want %v", err, fs.ErrNotExist)
	}
}

// leaveStale makes the file of a socket that nobody holds.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

// FuzzCheck: what passes can be bound as far as its form goes.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"*", "@", "@x", "/tmp/x", "a\x00b", strings.Repeat("x", 108)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		listenErr, dialErr := Transport{}.Check(address, true), Transport{}.Check(address, false)
		if dialErr == nil && (listenErr != nil || len(address) > pathOctetsMax || strings.Contains(address, "\x00")) {
			t.Fatalf("%q passes for dialling; for listening: %v", address, listenErr)
		}
		if listenErr == nil && dialErr != nil && address != "*" {
			t.Fatalf("%q passes for listening alone: %v", address, dialErr)
		}
	})
}
