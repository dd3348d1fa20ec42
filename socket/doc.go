// SPDX-License-Identifier: Apache-2.0

// Package socket is the public interface of zwire: typed ZeroMQ sockets.
//
// A socket is made with New and its type, then bound and connected to endpoints any number of times. Every method of every
// socket may be called from any goroutine at any time, Close included. A message is one value with all its frames, so two
// senders never interleave.
package socket
