// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/zwire-mq/zwire/transport"
)

// fakeResolver answers every question with the addresses given, in the form of RFC 1035 section 4 over a stream.
func fakeResolver(addresses func() []netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go answer(far, addresses)
		return near, nil
	}}
}

// answer ends when the resolver closes its end.
func answer(conn net.Conn, addresses func() []netip.Addr) {
	defer conn.Close()
	const (
		headerOctets  = 12
		typeA         = 1
		typeAAAA      = 28
		noSuchName    = 3
		answerAllowed = 0x8180 // response, recursion desired and available
	)
	for {
		var length uint16
		if binary.Read(conn, binary.BigEndian, &length) != nil {
			return
		}
		query := make([]byte, length)
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		nameEnd := headerOctets
		for query[nameEnd] != 0 {
			nameEnd += 1 + int(query[nameEnd])
		}
		question := query[headerOctets : nameEnd+5]
		kind := binary.BigEndian.Uint16(question[len(question)-4:])
		var records []byte
		count, flags, found := 0, answerAllowed, addresses()
		for _, ip := range found {
			if ip.Is4() && kind == typeA || ip.Is6() && kind == typeAAAA {
				records = binary.BigEndian.AppendUint16(records, 0xc000|headerOctets) // the question's name
				records = append(records, question[len(question)-4:]...)
				records = append(records, 0, 0, 0, 0, 0, byte(len(ip.AsSlice())))
				records = append(records, ip.AsSlice()...)
				count++
			}
		}
		if len(found) == 0 {
			flags |= noSuchName
		}
		reply := append([]byte{}, query[:2]...)
		for _, field := range []int{flags, 1, count, 0, 0} {
			reply = binary.BigEndian.AppendUint16(reply, uint16(field))
		}
		reply = append(append(reply, question...), records...)
		framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)
		if _, err := conn.Write(framed); err != nil {
			return
		}
	}
}

// TestDialTriesEveryAddress: whichever of two comes first, the one that listens is found.
func TestDialTriesEveryAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs two loopback addresses")
	}
	one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	for _, listening := range []netip.Addr{one, two} {
		for _, found := range [][]netip.Addr{{one, two}, {two, one}} {
			subject := Transport{resolver: fakeResolver(func() []netip.Addr { return found })}
			l := mustListen(t, listening.String()+":0", transport.Config{})
			mustReach(t, subject, l, "service.test.:"+port(t, l))
		}
	}
}

// TestDialTriesBothFamilies: an IPv6 address that refuses does not hide an IPv4 address that accepts.
func TestDialTriesBothFamilies(t *testing.T) {
	requireIPv6(t)
	found := []netip.Addr{netip.IPv6Loopback(), netip.MustParseAddr("127.0.0.1")}
	subject := Transport{resolver: fakeResolver(func() []netip.Addr { return found })}
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		l := mustListen(t, host+":0", transport.Config{})
		mustReach(t, subject, l, "service.test.:"+port(t, l))
	}
}

// TestDialLooksUpAnew: a name that moves is followed, and a listener takes the IPv4 address of a name that has both.
func TestDialLooksUpAnew(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs two loopback addresses")
	}
	var current atomic.Value
	subject := Transport{resolver: fakeResolver(func() []netip.Addr { return current.Load().([]netip.Addr) })}
	current.Store([]netip.Addr{netip.IPv6Loopback(), netip.MustParseAddr("127.0.0.1")})
	before, err := subject.Listen(t.Context(), "service.test.:0", transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if want := "tcp://127.0.0.1:" + port(t, before); before.Endpoint() != want {
		t.Errorf("listens at %s, want %s", before.Endpoint(), want)
	}
	mustReach(t, subject, before, "service.test.:"+port(t, before))
	current.Store([]netip.Addr{netip.MustParseAddr("127.0.0.2")})
	after := mustListen(t, "127.0.0.2:"+port(t, before), transport.Config{})
	mustReach(t, subject, after, "service.test.:"+port(t, before))
}
