// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
	"github.com/zwire-mq/zwire/transport"
	"github.com/zwire-mq/zwire/transport/tcp"
)

// pass checks that a message goes from a new PUSH, connected to endpoint, to pull.
func (s *scene) pass(pull *socket.Pull, endpoint string) {
	s.Helper()
	push := open(s, socket.NewPush)
	s.connect(push, endpoint)
	s.send(push, "to", endpoint)
	s.want(pull, "to", endpoint)
	s.ok(push.Close())
}

// port is that of a tcp endpoint.
func (s *scene) port(endpoint string) uint16 {
	s.Helper()
	address, err := netip.ParseAddrPort(strings.TrimPrefix(endpoint, "tcp://"))
	s.ok(err)
	return address.Port()
}

// A port that is chosen is told, numerically.
func TestConformanceK1(t *testing.T) {
	play(t, "tcp", func(s *scene) {
		for _, given := range []string{"tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://*:*", "tcp://*:0", "tcp://localhost:*"} {
			pull := open(s, socket.NewPull)
			s.ok(pull.Bind(given))
			port := s.port(pull.LastEndpoint())
			if port == 0 {
				s.Fatalf("%s: LastEndpoint is %s", given, pull.LastEndpoint())
			}
			s.pass(pull, fmt.Sprint("tcp://127.0.0.1:", port))
			s.pass(pull, pull.LastEndpoint())
		}
	})
}

// A taken port, and endpoints that are none.
func TestConformanceK2(t *testing.T) {
	play(t, "tcp", func(s *scene) {
		busy, err := net.Listen("tcp", "127.0.0.1:0")
		s.ok(err)
		defer busy.Close()
		pair := open(s, socket.NewPair)
		s.is("Bind to a busy port", pair.Bind("tcp://"+busy.Addr().String()), syscall.EADDRINUSE)
		for _, wrong := range []string{"tcp://127.0.0.1", "xyz://127.0.0.1:5555", "tcp://127.0.0.1:99999"} {
			var bad *socket.EndpointError
			if err := pair.Connect(wrong); !errors.As(err, &bad) {
				s.Errorf("Connect %s: %v, want an EndpointError", wrong, err)
			}
		}
		s.is("Connect with a bad scheme", pair.Connect("xyz://127.0.0.1:5555"), socket.ErrUnknownScheme)
	})
}

// hasIPv6 skips where there is none.
func hasIPv6(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here: ", err)
	}
	l.Close()
}

// IPv6 addresses and host names.
func TestConformanceK3(t *testing.T) {
	play(t, "tcp", func(s *scene) {
		pull := open(s, socket.NewPull)
		s.ok(pull.Bind("tcp://localhost:*"))
		s.pass(pull, fmt.Sprint("tcp://localhost:", s.port(pull.LastEndpoint())))
	})
	hasIPv6(t)
	play(t, "tcp", func(s *scene) {
		pull := open(s, socket.NewPull)
		s.ok(pull.Bind("tcp://[::1]:*"))
		if !strings.HasPrefix(pull.LastEndpoint(), "tcp://[::1]:") {
			s.Errorf("LastEndpoint is %s", pull.LastEndpoint())
		}
		s.pass(pull, pull.LastEndpoint())
	})
}

// "*" is both families, 0.0.0.0 and [::] are one each.
func TestWildcardFamilies(t *testing.T) {
	hasIPv6(t)
	play(t, "tcp", func(s *scene) {
		for _, c := range []struct {
			given     string
			four, six bool
		}{{"tcp://*:*", true, true}, {"tcp://0.0.0.0:*", true, false}, {"tcp://[::]:*", false, true}} {
			pull := open(s, socket.NewPull)
			s.ok(pull.Bind(c.given))
			port := s.port(pull.LastEndpoint())
			for host, there := range map[string]bool{"127.0.0.1": c.four, "::1": c.six} {
				address := net.JoinHostPort(host, fmt.Sprint(port))
				if there {
					s.pass(pull, "tcp://"+address)
				} else if conn, err := net.Dial("tcp", address); err == nil {
					conn.Close()
					s.Errorf("%s answers at %s", c.given, address)
				}
			}
			s.ok(pull.Close())
		}
	})
}

// Connect may come before Bind; messages sent meanwhile arrive in order.
func TestConformanceK4(t *testing.T) {
	overAll(t, func(s *scene) {
		endpoint := s.unused()
		push := open(s, socket.NewPush)
		s.ok(push.Connect(endpoint))
		for i := range 100 {
			s.send(push, "early", fmt.Sprint(i))
		}
		pull := open(s, socket.NewPull)
		s.ok(pull.Bind(endpoint))
		for i := range 100 {
			s.want(pull, "early", fmt.Sprint(i))
		}
	})
}

// A stale socket file is replaced; a live one, and a file that is no socket, are refused and left alone; the file goes with
// Unbind; names may be abstract.
func TestConformanceK6(t *testing.T) {
	play(t, "ipc", func(s *scene) {
		path := filepath.Join(s.directory(), "socket")
		stale, err := net.Listen("unix", path)
		s.ok(err)
		stale.(*net.UnixListener).SetUnlinkOnClose(false)
		s.ok(stale.Close())
		pull, second := open(s, socket.NewPull), open(s, socket.NewPull)
		s.ok(pull.Bind("ipc://" + path))
		s.pass(pull, "ipc://"+path)
		s.is("Bind where another is", second.Bind("ipc://"+path), syscall.EADDRINUSE)
		s.pass(pull, "ipc://"+path)
		s.ok(pull.Unbind("ipc://" + path))
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			s.Errorf("after Unbind: %v", err)
		}
		s.ok(os.WriteFile(path, []byte("precious"), 0o600))
		if err := pull.Bind("ipc://" + path); err == nil {
			s.Error("bound over a file that is no socket")
		}
		if content, err := os.ReadFile(path); err != nil || string(content) != "precious" {
			s.Errorf("the file is now %q, %v", content, err)
		}
		var bad *socket.EndpointError
		if err := pull.Bind("ipc:///" + strings.Repeat("x", 107)); !errors.As(err, &bad) {
			s.Errorf("a path of 108 octets: %v", err)
		}
	})
	if runtime.GOOS != "linux" {
		return
	}
	play(t, "ipc", func(s *scene) {
		pull := open(s, socket.NewPull)
		name := fmt.Sprintf("ipc://@zwire-test-%d", os.Getpid())
		s.ok(pull.Bind(name))
		s.pass(pull, name)
		s.is("Bind once more", open(s, socket.NewPull).Bind(name), syscall.EADDRINUSE)
	})
}

// inproc names may be connected to before they are bound, and have one owner.
func TestConformanceK7(t *testing.T) {
	play(t, "inproc", func(s *scene) {
		before, after, pull := open(s, socket.NewPush), open(s, socket.NewPush), open(s, socket.NewPull)
		endpoint := s.unused()
		s.ok(before.Connect(endpoint))
		s.ok(pull.Bind(endpoint))
		s.ok(after.Connect(endpoint))
		for _, push := range []*socket.Push{before, after} {
			s.ok(push.WaitConnected(s.ctx))
			s.send(push, "x")
			s.want(pull, "x")
		}
		s.is("Bind", open(s, socket.NewPull).Bind(endpoint), syscall.EADDRINUSE)
		longest := "inproc://" + strings.Repeat("n", 256)
		s.ok(pull.Bind(longest))
		s.pass(pull, longest)
	})
}

// A socket may bind and connect several times, over several transports at once; endpoints of one name make several pipes.
func TestManyEndpoints(t *testing.T) {
	play(t, "tcp", func(s *scene) {
		pull, push := open(s, socket.NewPull), open(s, socket.NewPush)
		for _, scheme := range []string{"tcp", "ipc", "inproc"} {
			s.ok(pull.Bind(sockettest.Endpoint(scheme)))
			s.connect(push, pull.LastEndpoint())
			if push.LastEndpoint() != pull.LastEndpoint() {
				s.Errorf("LastEndpoint %s after Connect to %s", push.LastEndpoint(), pull.LastEndpoint())
			}
		}
		s.connect(push, pull.LastEndpoint())
		s.ok(pull.WaitPeers(s.ctx, 4))
		for i := range 40 {
			s.send(push, fmt.Sprint(i))
		}
		seen := make(map[string]bool)
		for range 40 {
			seen[s.recv(pull)[0]] = true
		}
		if len(seen) != 40 {
			s.Errorf("%d of 40 messages", len(seen))
		}
	})
}

// Options reach the kernel: TCP_NODELAY is the transport's own test, what can be seen from here is that all are taken.
func TestStreamOptions(t *testing.T) {
	overStreams(t, func(s *scene) {
		options := socket.Options{KeepAlive: time.Minute, SendBuffer: 32 << 10, RecvBuffer: 32 << 10, Backlog: 5}
		pull := open(s, socket.NewPull, options)
		endpoint := s.bind(pull)
		for range 10 {
			push := open(s, socket.NewPush, options)
			s.connect(push, endpoint)
			s.send(push, "x")
			s.want(pull, "x")
		}
	})
}

// A transport that a context is given is used like those built in. Its streams have no descriptor, so they run on the
// portable backend.
func TestOwnTransport(t *testing.T) {
	sockettest.Leak(t)
	own, err := socket.NewContext(&socket.ContextOptions{Transports: []transport.Transport{veiled{tcp.Transport{}}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := &scene{T: t, ctx: ctx, context: own, scheme: "veiled"}
	defer own.Close()
	req, rep := open(s, socket.NewReq), open(s, socket.NewRep)
	s.ok(rep.Bind("veiled://127.0.0.1:*"))
	s.connect(req, rep.LastEndpoint())
	served := serve(s, rep)
	for i := range 100 {
		reply, err := req.Do(ctx, message(strings.Repeat("x", i*100)))
		s.ok(err)
		if len(reply.Body()) != i*100 {
			s.Fatalf("%d octets came back of %d", len(reply.Body()), i*100)
		}
	}
	pull, push := open(s, socket.NewPull, socket.Options{RecvHWM: 3}), open(s, socket.NewPush, socket.Options{SendHWM: 3})
	s.ok(pull.Bind("veiled://127.0.0.1:*"))
	s.connect(push, pull.LastEndpoint())
	sent := s.stuff(push, numbered(50_000))
	for i := range sent {
		s.want(pull, string(numbered(50_000)(i).Body()))
	}
	s.closeAll(push, pull, req, rep)
	s.ok(<-served)
}

// veiled is another transport under its own name, with streams that hide their descriptor.
type veiled struct{ transport.Transport }

func (veiled) Scheme() string { return "veiled" }

func (v veiled) Dial(ctx context.Context, address string, cfg transport.Config) (transport.Stream, error) {
	stream, err := v.Transport.Dial(ctx, address, cfg)
	if err != nil {
		return nil, err
	}
	return bare{stream}, nil
}

func (v veiled) Listen(ctx context.Context, address string, cfg transport.Config) (transport.Listener, error) {
	l, err := v.Transport.Listen(ctx, address, cfg)
	if err != nil {
		return nil, err
	}
	return veiledListener{l}, nil
}

type veiledListener struct{ transport.Listener }

func (l veiledListener) Accept() (transport.Stream, error) {
	stream, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return bare{stream}, nil
}

func (l veiledListener) Endpoint() string {
	return "veiled" + strings.TrimPrefix(l.Listener.Endpoint(), "tcp")
}

// bare is a stream and nothing more.
type bare struct{ transport.Stream }
