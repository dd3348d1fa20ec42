// SPDX-License-Identifier: Apache-2.0

// Package interop holds tests alone: zwire's sockets against libzmq, against
// Python's zmq and against the pure Go library go-zeromq/zmq4.
//
// It needs the Debian packages gcc, pkg-config, libzmq3-dev and python3-zmq.
// Without the first three it does not compile, without the last it fails.
package interop
