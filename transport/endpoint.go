// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// EndpointError says why an endpoint cannot be used.
type EndpointError struct {
	Endpoint string // as written
	Reason   string // what is wrong with it
	Err      error  // the cause, where there is one
}

// Error gives the endpoint, the reason and the cause.
func (e *EndpointError) Error() string {
	text := "endpoint " + strconv.Quote(e.Endpoint) + ": " + e.Reason
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *EndpointError) Unwrap() error { return e.Err }

// SplitEndpoint cuts "scheme://address" in two. The scheme is lower case; what the address means is the transport's
// business, and it is not empty. An error is an [*EndpointError].
func SplitEndpoint(endpoint string) (scheme, address string, err error) {
	if len(endpoint) > endpointOctetsMax {
		reason := fmt.Sprintf("%d octets long, at most %d", len(endpoint), endpointOctetsMax)
		return "", "", &EndpointError{Endpoint: endpoint[:endpointOctetsShown] + "...", Reason: reason}
	}
	scheme, address, found := strings.Cut(endpoint, "://")
	switch {
	case !found:
		return "", "", &EndpointError{Endpoint: endpoint, Reason: "no scheme, want scheme://address"}
	case !isScheme(scheme):
		return "", "", &EndpointError{Endpoint: endpoint, Reason: "bad scheme " + strconv.Quote(scheme)}
	case address == "":
		return "", "", &EndpointError{Endpoint: endpoint, Reason: "no address after the scheme"}
	}
	return scheme, address, nil
}

// isScheme follows RFC 3986 section 3.1, lower case only so that one thing has one name.
func isScheme(scheme string) bool {
	for i, c := range []byte(scheme) {
		letter := 'a' <= c && c <= 'z'
		later := '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'
		if !letter && (i == 0 || !later) {
			return false
		}
	}
	return scheme != ""
}

// HostPort is an address of the form host:port.
type HostPort struct {
	Host string     // a name, or an address without brackets and with its zone, or "*"
	IP   netip.Addr // the host where it is an address, an IPv4 address mapped into IPv6 as the former; else invalid
	Port uint16     // 0 for "*"
}

// ParseHostPort reads "name:port", "192.0.2.1:port", "[2001:db8::1%zone]:port"; either half may be "*". The scheme
// is for the error alone, which is an [*EndpointError].
func ParseHostPort(scheme, address string) (HostPort, error) {
	fail := func(reason string) (HostPort, error) {
		return HostPort{}, &EndpointError{Endpoint: scheme + "://" + address, Reason: reason}
	}
	colon := strings.LastIndexByte(address, ':')
	if colon < 0 || strings.HasSuffix(address, "]") {
		return fail("no port, want host:port")
	}
	port, reason := parsePort(address[colon+1:])
	if reason != "" {
		return fail(reason)
	}
	hostPort := HostPort{Host: address[:colon], Port: port}
	if inner, found := strings.CutPrefix(hostPort.Host, "["); found {
		inner, closed := strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		if !closed || err != nil || !ip.Is6() {
			return fail("no IPv6 address in the brackets")
		}
		if strings.ContainsAny(ip.Zone(), "[]") { // would end the brackets for package net
			return fail("a bracket in the zone of the address")
		}
		hostPort.Host, hostPort.IP = inner, ip.Unmap()
		return hostPort, nil
	}
	if ip, err := netip.ParseAddr(hostPort.Host); err == nil && ip.Is4() {
		hostPort.IP = ip
		return hostPort, nil
	}
	if _, err := netip.ParseAddr(address); err == nil {
		return fail("an IPv6 address stands in brackets, want [address]:port")
	}
	if reason := checkHostName(hostPort.Host); reason != "" {
		return fail(reason)
	}
	return hostPort, nil
}

// parsePort reads a decimal port or "*"; the reason is empty when it could.
func parsePort(text string) (port uint16, reason string) {
	switch {
	case text == "*":
		return 0, ""
	case text == "":
		return 0, "no port after the colon"
	case strings.Trim(text, "0123456789") != "":
		return 0, "port " + strconv.Quote(text) + " is no number"
	}
	if len(text) <= portDigitsMax {
		if value, err := strconv.ParseUint(text, 10, 16); err == nil {
			return uint16(value), ""
		}
	}
	return 0, "port " + text + " is above 65535"
}

// checkHostName says what keeps a name from being looked up, or nothing. Underscores are no part of the DNS rules but
// of many names in use; interface names pass too.
func checkHostName(name string) (reason string) {
	if name == "*" {
		return ""
	}
	if name == "" {
		return "no host before the port"
	}
	if len(name) > hostNameOctetsMax {
		return fmt.Sprintf("host name of %d octets, at most %d", len(name), hostNameOctetsMax)
	}
	if strings.Trim(name, "0123456789.") == "" {
		return "host " + strconv.Quote(name) + " is no IPv4 address"
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && !('0' <= c && c <= '9') && c != '-' && c != '_' && c != '.' {
			return fmt.Sprintf("character %q in the host name", rune(c))
		}
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > labelOctetsMax {
			return fmt.Sprintf("host name has a part of %d octets, want 1 to %d", len(label), labelOctetsMax)
		}
	}
	return ""
}
