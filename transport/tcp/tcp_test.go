// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/zwire-mq/zwire/transport"
	"github.com/zwire-mq/zwire/transport/transporttest"
)

func TestConformance(t *testing.T) {
	transporttest.Run(t, Transport{}, func() string { return "127.0.0.1:0" })
}

func TestConformanceIPv6(t *testing.T) {
	requireIPv6(t)
	transporttest.Run(t, Transport{}, func() string { return "[::1]:*" })
}

func requireIPv6(t *testing.T) {
	t.Helper()
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6:", err)
	}
	probe.Close()
}

func mustListen(t *testing.T, address string, cfg transport.Config) transport.Listener {
	t.Helper()
	l, err := Transport{}.Listen(t.Context(), address, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// port reads the port of an endpoint.
func port(t *testing.T, l transport.Listener) string {
	t.Helper()
	endpoint := l.Endpoint()
	number := endpoint[strings.LastIndexByte(endpoint, ':')+1:]
	if number == "0" || number == "*" || number == "" {
		t.Fatalf("endpoint %q has no real port", endpoint)
	}
	return number
}

// mustReach dials, accepts and closes.
func mustReach(t *testing.T, subject Transport, l transport.Listener, address string) {
	t.Helper()
	near, err := subject.Dial(t.Context(), address, transport.Config{})
	if err != nil {
		t.Fatalf("Dial(%q): %v", address, err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
}

func mustNotReach(t *testing.T, address string) {
	t.Helper()
	near, err := Transport{}.Dial(t.Context(), address, transport.Config{})
	if err == nil {
		near.Close()
		t.Errorf("Dial(%q) found somebody", address)
	}
}

// TestK1WildcardPort: the endpoint tells the real port, and is one to dial on this machine.
func TestK1WildcardPort(t *testing.T) {
	cases := map[string]string{ // to the endpoint, less its port
		"127.0.0.1:*": "tcp://127.0.0.1:",
		"127.0.0.1:0": "tcp://127.0.0.1:",
		"0.0.0.0:*":   "tcp://0.0.0.0:",
		"localhost:*": "tcp://127.0.0.1:",
	}
	if probe, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		probe.Close()
		cases["[::1]:*"], cases["[::]:*"] = "tcp://[::1]:", "tcp://[::]:"
		cases["[::ffff:127.0.0.1]:*"] = "tcp://127.0.0.1:"
	}
	cases["*:*"] = "tcp://0.0.0.0:"
	if probe, err := net.Listen("tcp6", "[::]:0"); err == nil { // the kernel has IPv6, if no interface
		probe.Close()
		cases["*:*"] = "tcp://[::]:"
	}
	for address, want := range cases {
		l := mustListen(t, address, transport.Config{})
		if got := l.Endpoint(); got != want+port(t, l) {
			t.Errorf("Listen(%q) is at %q, want %q and a port", address, got, want)
		}
		mustReach(t, Transport{}, l, strings.TrimPrefix(l.Endpoint(), "tcp://"))
	}
}

// TestK2BadAddress: what is wrong with an address is said before anything is tried, for each direction.
func TestK2BadAddress(t *testing.T) {
	cases := []struct{ address, listen, dial string }{
		{"127.0.0.1", "no port", "no port"},
		{"127.0.0.1:99999", "port 99999 is above 65535", "port 99999 is above 65535"},
		{":5555", "no host", "no host"},
		{"*:5555", "", "the host * is only for listening"},
		{"127.0.0.1:0", "", "the port * or 0 is only for listening"},
		{"127.0.0.1:*", "", "the port * or 0 is only for listening"},
		{"lo:5555", "", ""},
		{"a:1:2", "character ':'", "character ':'"},
		{"127.0.0.1:5555", "", ""},
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
			case endpointErr.Endpoint != "tcp://"+c.address:
				t.Errorf("Check(%q, %v) speaks of %q", c.address, listen, endpointErr.Endpoint)
			}
		}
	}
}

// TestK2BusyPort: "*" and a single address of the same port are in each other's way.
func TestK2BusyPort(t *testing.T) {
	number := port(t, mustListen(t, "127.0.0.1:0", transport.Config{}))
	for _, host := range []string{"127.0.0.1", "*", "0.0.0.0", "localhost"} {
		l, err := Transport{}.Listen(t.Context(), host+":"+number, transport.Config{})
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("Listen(%q): %v, want %v", host, err, syscall.EADDRINUSE)
		}
		if err == nil {
			l.Close()
		}
	}
}

// TestK3Hosts: addresses of both families and names, as one dials them.
func TestK3Hosts(t *testing.T) {
	l := mustListen(t, "127.0.0.1:0", transport.Config{})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		mustReach(t, Transport{}, l, host+":"+port(t, l))
	}
	requireIPv6(t)
	l = mustListen(t, "[::1]:0", transport.Config{})
	mustReach(t, Transport{}, l, "[::1]:"+port(t, l))
}

// TestK3Zone: a link-local address means nothing without its zone.
func TestK3Zone(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Skip(err)
	}
	for _, candidate := range interfaces {
		addresses, _ := interfaceAddresses(candidate.Name)
		for _, ip := range addresses {
			if ip.Zone() == "" || candidate.Flags&net.FlagUp == 0 {
				continue
			}
			l := mustListen(t, "["+ip.String()+"]:*", transport.Config{})
			mustReach(t, Transport{}, l, strings.TrimPrefix(l.Endpoint(), "tcp://"))
			return
		}
	}
	t.Skip("no link-local address")
}

// TestWildcardFamilies: "*" is both families, 0.0.0.0 and [::] are one each and do not mind each other.
func TestWildcardFamilies(t *testing.T) {
	requireIPv6(t)
	both := mustListen(t, "*:0", transport.Config{})
	mustReach(t, Transport{}, both, "127.0.0.1:"+port(t, both))
	mustReach(t, Transport{}, both, "[::1]:"+port(t, both))

	four := mustListen(t, "0.0.0.0:0", transport.Config{})
	mustReach(t, Transport{}, four, "127.0.0.1:"+port(t, four))
	mustNotReach(t, "[::1]:"+port(t, four))

	six := mustListen(t, "[::]:"+port(t, four), transport.Config{})
	mustReach(t, Transport{}, six, "[::1]:"+port(t, six))
	mustReach(t, Transport{}, four, "127.0.0.1:"+port(t, four))
}

// TestListenInterface: an interface stands for its first address, IPv4 if it has one.
func TestListenInterface(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Skip(err)
	}
	for _, candidate := range interfaces {
		if candidate.Flags&net.FlagLoopback == 0 || candidate.Flags&net.FlagUp == 0 {
			continue
		}
		l := mustListen(t, candidate.Name+":*", transport.Config{})
		if want := "tcp://127.0.0.1:" + port(t, l); l.Endpoint() != want {
			t.Errorf("interface %s is at %s, want %s", candidate.Name, l.Endpoint(), want)
		}
		mustReach(t, Transport{}, l, strings.TrimPrefix(l.Endpoint(), "tcp://"))
		return
	}
	t.Skip("no loopback interface")
}

func TestListenNobodyKnows(t *testing.T) {
	subject := Transport{resolver: fakeResolver(func() []netip.Addr { return nil })}
	_, err := subject.Listen(t.Context(), "nowhere.test.:0", transport.Config{})
	var dnsErr *net.DNSError
	if !errors.As(err, &dnsErr) || !dnsErr.IsNotFound {
		t.Errorf("Listen: %v, want not found", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := subject.Dial(ctx, "nowhere.test.:1", transport.Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial: %v, want %v", err, context.Canceled)
	}
}

// FuzzCheck: what Check lets through for dialling it lets through for listening, and package net can take apart.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"*:*", "[::1]:5555", "lo:1", "1.2.3.4:65535", "[fe80::1%lo]:1", "[::%]]:1", "a;b:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		listenErr, dialErr := Transport{}.Check(address, true), Transport{}.Check(address, false)
		if dialErr != nil {
			return
		}
		if listenErr != nil {
			t.Fatalf("%q is for dialling alone: %v", address, listenErr)
		}
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			t.Fatalf("%q: host %q, port %q, %v", address, host, port, err)
		}
	})
}
