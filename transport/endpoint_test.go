// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
)

func TestSplitEndpoint(t *testing.T) {
	cases := []struct{ endpoint, scheme, address, reason string }{
		{"tcp://127.0.0.1:5555", "tcp", "127.0.0.1:5555", ""},
		{"ipc:///tmp/a b://c", "ipc", "/tmp/a b://c", ""},
		{"inproc://é", "inproc", "é", ""},
		{"x+1.2-3://*", "x+1.2-3", "*", ""},
		{"", "", "", "no scheme"},
		{"127.0.0.1:5555", "", "", "no scheme"},
		{"tcp:/x", "", "", "no scheme"},
		{"://x", "", "", `bad scheme ""`},
		{"TCP://x", "", "", `bad scheme "TCP"`},
		{"1cp://x", "", "", `bad scheme "1cp"`},
		{" tcp://x", "", "", `bad scheme " tcp"`},
		{"tcp://", "", "", "no address"},
		{"tcp://" + strings.Repeat("x", 2000), "", "", "2006 octets long, at most 1024"},
	}
	for _, c := range cases {
		scheme, address, err := SplitEndpoint(c.endpoint)
		if scheme != c.scheme || address != c.address {
			t.Errorf("%q: %q and %q, want %q and %q", c.endpoint, scheme, address, c.scheme, c.address)
		}
		checkReason(t, c.endpoint, err, c.reason)
	}
}

// checkReason wants an EndpointError with the reason, or no error for no reason.
func checkReason(t *testing.T, what string, err error, reason string) {
	t.Helper()
	var endpointErr *EndpointError
	switch {
	case reason == "" && err != nil:
		t.Errorf("%q: %v", what, err)
	case reason == "":
	case !errors.As(err, &endpointErr) || !strings.Contains(endpointErr.Reason, reason):
		t.Errorf("%q: %v, want the reason %q", what, err, reason)
	case len(err.Error()) > 1500:
		t.Errorf("%q: the error is %d octets long", what, len(err.Error()))
	}
}

func TestParseHostPort(t *testing.T) {
	longLabel, longName := strings.Repeat("a", 64), strings.Repeat("a.", 130)
	cases := []struct {
		address, host, ip string
		port              uint16
		reason            string
	}{
		{"127.0.0.1:5555", "127.0.0.1", "127.0.0.1", 5555, ""},
		{"[::1]:1", "::1", "::1", 1, ""},
		{"[fe80::1%eth0]:65535", "fe80::1%eth0", "fe80::1%eth0", 65535, ""},
		{"[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", "127.0.0.1", 80, ""},
		{"*:*", "*", "", 0, ""},
		{"*:0", "*", "", 0, ""},
		{"localhost:00080", "localhost", "", 80, ""},
		{"my_host.example.:80", "my_host.example.", "", 80, ""},
		{"eth0.100:80", "eth0.100", "", 80, ""},
		{"", "", "", 0, "no port, want host:port"},
		{"localhost", "", "", 0, "no port, want host:port"},
		{"[::1]", "", "", 0, "no port, want host:port"},
		{"localhost:", "", "", 0, "no port after the colon"},
		{"localhost:65536", "", "", 0, "port 65536 is above 65535"},
		{"localhost:99999", "", "", 0, "port 99999 is above 65535"},
		{"localhost:99999999999999999999", "", "", 0, "is above 65535"},
		{"localhost:http", "", "", 0, `port "http" is no number`},
		{"localhost:+1", "", "", 0, `port "+1" is no number`},
		{"localhost:-1", "", "", 0, `port "-1" is no number`},
		{"localhost: 1", "", "", 0, `port " 1" is no number`},
		{":80", "", "", 0, "no host before the port"},
		{"::1:80", "", "", 0, "an IPv6 address stands in brackets"},
		{"[]:80", "", "", 0, "no IPv6 address in the brackets"},
		{"[127.0.0.1]:80", "", "", 0, "no IPv6 address in the brackets"},
		{"[::1:80", "", "", 0, "no IPv6 address in the brackets"},
		{"[localhost]:80", "", "", 0, "no IPv6 address in the brackets"},
		{"[::%]]:1", "", "", 0, "a bracket in the zone of the address"},
		{"[::%[]:1", "", "", 0, "a bracket in the zone of the address"},
		{"256.0.0.1:80", "", "", 0, `host "256.0.0.1" is no IPv4 address`},
		{"127.1:80", "", "", 0, `host "127.1" is no IPv4 address`},
		{"a b:80", "", "", 0, `character ' ' in the host name`},
		{"eth0;10.0.0.1:80", "", "", 0, `character ';' in the host name`},
		{"*.example:80", "", "", 0, `character '*' in the host name`},
		{"a..b:80", "", "", 0, "host name has a part of 0 octets"},
		{longLabel + ":80", "", "", 0, "host name has a part of 64 octets"},
		{longName + ":80", "", "", 0, "host name of 260 octets"},
	}
	for _, c := range cases {
		got, err := ParseHostPort("tcp", c.address)
		ip, _ := netip.ParseAddr(c.ip)
		if want := (HostPort{Host: c.host, IP: ip, Port: c.port}); got != want {
			t.Errorf("%q: %+v, want %+v", c.address, got, want)
		}
		checkReason(t, c.address, err, c.reason)
	}
}

func TestEndpointErrorShowsItsCause(t *testing.T) {
	err := error(&EndpointError{Endpoint: "ipc://x\n", Reason: "taken", Err: fs.ErrExist})
	if want := `endpoint "ipc://x\n": taken: file already exists`; err.Error() != want {
		t.Errorf("%s, want %s", err, want)
	}
	if !errors.Is(err, fs.ErrExist) {
		t.Error("the cause is hidden")
	}
}

// FuzzSplitEndpoint: what is taken is exactly what was written.
func FuzzSplitEndpoint(f *testing.F) {
	for _, seed := range []string{"tcp://127.0.0.1:5555", "ipc://@x", "inproc://a://b", "://", "TCP://x", "tcp:/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, endpoint string) {
		scheme, address, err := SplitEndpoint(endpoint)
		var endpointErr *EndpointError
		switch {
		case err == nil && (scheme+"://"+address != endpoint || scheme == "" || address == ""):
			t.Fatalf("%q is split into %q and %q", endpoint, scheme, address)
		case err != nil && (!errors.As(err, &endpointErr) || endpointErr.Reason == ""):
			t.Fatalf("%q: %v is no EndpointError with a reason", endpoint, err)
		}
	})
}

// FuzzParseHostPort: an address is an address of a family that can be dialled, or a name, or "*", and the host is
// part of what was written.
func FuzzParseHostPort(f *testing.F) {
	for _, seed := range []string{"*:*", "[::1]:5555", "[fe80::1%eth0]:1", "a.b:65535", "1.2.3:4", "[::ffff:1.2.3.4]:5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		got, err := ParseHostPort("tcp", address)
		var endpointErr *EndpointError
		if err != nil {
			if !errors.As(err, &endpointErr) || endpointErr.Reason == "" || got != (HostPort{}) {
				t.Fatalf("%q: %+v, %v", address, got, err)
			}
			return
		}
		if got.Host == "" || !strings.Contains(address, got.Host) || got.IP.Is4In6() {
			t.Fatalf("%q: %+v", address, got)
		}
		if !got.IP.IsValid() && checkHostName(got.Host) != "" {
			t.Fatalf("%q: bad name %q", address, got.Host)
		}
	})
}
