// SPDX-License-Identifier: Apache-2.0

package transport

const (
	// endpointOctetsMax bounds what is kept and printed of an endpoint; the longest legal host name with zone and
	// port, and the longest socket path, fit several times.
	endpointOctetsMax = 1024
	// hostNameOctetsMax and labelOctetsMax are the bounds of a name in the DNS, RFC 1035 section 2.3.4.
	hostNameOctetsMax = 253
	labelOctetsMax    = 63
	// portDigitsMax is the length of 65535.
	portDigitsMax = 5
	// endpointOctetsShown is how much of an endpoint that is too long appears in its error.
	endpointOctetsShown = 64
)
