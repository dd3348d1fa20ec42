// SPDX-License-Identifier: Apache-2.0

// Package wire is the messages of a configuration centre: what clients, authorities and their peers say to each other, and how
// that stands in frames. It does no I/O.
package wire
