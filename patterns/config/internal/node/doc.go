// SPDX-License-Identifier: Apache-2.0

// Package node is the client side of a configuration centre as a machine: messages and the time go in, messages, states and
// answers come out. It keeps a copy that equals the authority's at one revision at any time, finds the authority to follow, and
// carries requests through reconnects and takeovers. It does no I/O and knows no clock; it is for one goroutine.
package node
