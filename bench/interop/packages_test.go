// SPDX-License-Identifier: Apache-2.0

//go:build !cgo

package interop

import "testing"

func TestNeedsCgo(t *testing.T) {
	t.Fatal("the interop tests need cgo and the Debian packages gcc, pkg-config, libzmq3-dev and python3-zmq")
}
