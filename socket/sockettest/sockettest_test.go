// SPDX-License-Identifier: Apache-2.0

package sockettest

import (
	"bytes"
	"strings"
	"testing"
)

// Two raw peers understand each other.
func TestRaw(t *testing.T) {
	Wire(t, func(t *testing.T, endpoint string) {
		l := Listen(t, endpoint)
		near := Dial(t, l.Endpoint())
		far := l.Accept()
		far.Write(Greeting(1))
		far.Command("READY", Properties("Socket-Type", "REP", "X", ""))
		if got := near.Handshake("REQ", "Identity", strings.Repeat("i", 255)); len(got) != 2 || got["Socket-Type"] != "REP" {
			t.Errorf("properties %q", got)
		}
		far.ReadN(GreetingBytes)
		if got := far.ReadReady(); got["Socket-Type"] != "REQ" || len(got["Identity"]) != 255 {
			t.Errorf("properties %q", got)
		}
		long := bytes.Repeat([]byte("l"), 256)
		near.Send(nil, long, []byte("end"))
		near.Command("PING", []byte{0, 0})
		near.WriteEach(Frame(FlagLong, []byte("again")))
		if got := far.ReadMessage(); len(got) != 3 || !bytes.Equal(got[1], long) || string(got[2]) != "end" {
			t.Errorf("message %q", got)
		}
		far.SkipCommands = true
		if got := far.ReadMessage(); len(got) != 1 || string(got[0]) != "again" {
			t.Errorf("message %q", got)
		}
		far.Command("PONG", []byte("still there?"))
		near.ExpectOpen()
		near.ExpectQuiet(glance)
		near.CloseWrite()
		if name, _ := far.ReadCommand(); name != "PING" || len(far.ExpectClosed()) != 0 {
			t.Error("no end of stream")
		}
		far.Send([]byte("x"))
		far.Reset()
		near.ExpectClosed()
		if l.AcceptWithin(glance) != nil {
			t.Error("somebody came")
		}
	})
}

func TestEndpoint(t *testing.T) {
	if a, b := Endpoint("inproc"), Endpoint("inproc"); a == b || !strings.HasPrefix(a, "inproc://") {
		t.Errorf("%s and %s", a, b)
	}
	var seen []string
	All(t, func(t *testing.T, endpoint string) { seen = append(seen, endpoint) })
	if len(seen) != 3 {
		t.Errorf("%s", seen)
	}
}
