// SPDX-License-Identifier: Apache-2.0

package ipc

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/zwire-mq/zwire/transport"
)

// Listen, for a path:
//
//	lock(path) → makeRoom(path): nothing there, or a dead socket removed → bind and listen → lstat → unlock
//
// bind(2) alone lets one win where there is no file. Where a dead socket lies, A and B could both find it dead, A
// remove it and bind, and B then remove what A has just bound: so all this happens under a lock, a file beside the
// path (lock_unix.go). A lock rather than a bind elsewhere and a rename, because rename replaces whatever has come to
// lie there meanwhile, alive or not. A program that takes no such lock is still safe once it is bound: see probe.
func (t Transport) Listen(ctx context.Context, address string, cfg transport.Config) (transport.Listener, error) {
	if err := t.Check(address, true); err != nil {
		return nil, err
	}
	switch {
	case address == "*":
		return listenPrivate(ctx, cfg)
	case isAbstract(address):
		return bind(ctx, address, cfg)
	}
	lock, err := lockPath(ctx, address)
	if err != nil {
		return nil, err
	}
	defer lock.release()
	if err := makeRoom(ctx, address); err != nil {
		return nil, err
	}
	return bindFile(ctx, address, cfg)
}

// listenPrivate needs no lock: nobody else knows the directory yet, nor may they enter it.
func listenPrivate(ctx context.Context, cfg transport.Config) (transport.Listener, error) {
	directory, err := os.MkdirTemp("", "zwire-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(directory, "socket")
	err = Transport{}.Check(path, true)
	if err == nil {
		var l *listener
		if l, err = bindFile(ctx, path, cfg); err == nil {
			l.directory = directory
			return l, nil
		}
	}
	os.Remove(directory) // err is what the caller must know
	return nil, err
}

// makeRoom clears the path, or says who is in the way.
func makeRoom(ctx context.Context, path string) error {
	there, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if there.Mode().Type() != fs.ModeSocket {
		return endpointError(path, "taken by "+describe(there.Mode()), syscall.EEXIST)
	}
	err = probe(ctx, path)
	switch {
	case err == nil:
		return endpointError(path, "taken by a live socket", syscall.EADDRINUSE)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case !isDead(err):
		return endpointError(path, "taken by a socket, dead or alive", err)
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func describe(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "a plain file"
	case fs.ModeDir:
		return "a directory"
	case fs.ModeSymlink:
		return "a symbolic link"
	}
	return "a file that is no socket"
}

// bind leaves removing the file to the listener.
func bind(ctx context.Context, address string, cfg transport.Config) (*listener, error) {
	config := net.ListenConfig{Control: cfg.Control}
	inner, err := config.Listen(ctx, "unix", address)
	if err != nil {
		return nil, err
	}
	l := &listener{inner: inner.(*net.UnixListener), address: address, cfg: cfg}
	l.inner.SetUnlinkOnClose(false)
	if err := cfg.SetBacklog(l.inner); err != nil {
		inner.Close() // nothing more to say than err does
		return nil, err
	}
	return l, nil
}

// bindFile is bind for a path; the caller holds its lock.
func bindFile(ctx context.Context, path string, cfg transport.Config) (*listener, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	l, err := bind(ctx, path, cfg)
	if err != nil {
		return nil, err
	}
	l.path = absolute
	if l.file, err = os.Lstat(absolute); err != nil {
		l.inner.Close() // nothing more to say than err does
		return nil, err
	}
	return l, nil
}

type listener struct {
	inner   *net.UnixListener
	address string
	cfg     transport.Config

	path      string      // of the socket's file, absolute: the process may change its directory; empty: none
	file      os.FileInfo // as bound
	directory string      // that went up for this listener alone; empty: none

	closeOnce sync.Once
	closeErr  error
}

// Accept sets the buffers of each stream: a Unix socket does not inherit those of its listener.
func (l *listener) Accept() (transport.Stream, error) {
	conn, err := l.inner.AcceptUnix()
	if err != nil {
		return nil, err
	}
	socket, err := conn.SyscallConn()
	if err == nil {
		err = l.cfg.Control("unix", l.address, socket)
	}
	if err != nil {
		conn.Close() // nothing more to say than err does
		return nil, err
	}
	// Whoever dials has no name of its own.
	return transport.NewStream(conn, l.address), nil
}

// Endpoint is the path as given to Listen.
func (l *listener) Endpoint() string { return Scheme + "://" + l.address }

// Close removes the file before the socket, so that no path leads to a dead one. While the socket is bound its file's
// number is not used again, which makes device and number a safe sign that the file is the one bound.
func (l *listener) Close() error {
	l.closeOnce.Do(func() {
		var removeErr error
		if l.path != "" {
			removeErr = removeSame(l.path, l.file)
		}
		l.closeErr = errors.Join(l.inner.Close(), removeErr)
		if l.directory != "" {
			l.closeErr = errors.Join(l.closeErr, os.Remove(l.directory))
		}
	})
	return l.closeErr
}

// removeSame removes the file at path if it is still the one meant.
func removeSame(path string, file os.FileInfo) error {
	there, err := os.Lstat(path)
	if err == nil && os.SameFile(there, file) {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
