// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
)

// idleVariable makes the test binary the process whose use of the processor is measured.
const idleVariable = "ZWIRE_TEST_IDLE"

// idleLimit is generous: nothing at all is what is wanted.
const idleLimit = 5 * time.Millisecond

// A context with sockets, streams and receivers that wait, but without traffic, uses no processor time.
func TestIdleCostsNothing(t *testing.T) {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestIdleChild$", "-test.v")
	child.Env = append(os.Environ(), idleVariable+"=1")
	if output, err := child.CombinedOutput(); err != nil || !bytes.Contains(output, []byte("--- PASS: TestIdleChild")) {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestIdleChild(t *testing.T) {
	if os.Getenv(idleVariable) == "" {
		t.Skip("only as a process of its own")
	}
	play(t, "tcp", func(s *scene) {
		var waits []chan error
		for _, s.scheme = range []string{"tcp", "ipc", "inproc"} {
			pull, sub, pub := open(s, socket.NewPull), open(s, socket.NewSub), open(s, socket.NewPub)
			pushes := make([]anySocket, 20)
			for i := range pushes {
				pushes[i] = open(s, socket.NewPush)
			}
			s.link(pull, pushes...)
			s.ok(sub.Subscribe(""))
			s.link(pub, sub)
			for range 100 { // what was busy must come to rest
				for _, push := range pushes {
					s.send(push.(sending), "x")
					s.recv(pull)
				}
			}
			for _, by := range []receiving{pull, sub} {
				wait := make(chan error, 1)
				go func() { _, err := by.Recv(s.ctx); wait <- err }()
				waits = append(waits, wait)
			}
		}
		settled := time.After(100 * time.Millisecond)
		<-settled
		before := processorTime(t)
		second := time.After(time.Second)
		<-second
		used := processorTime(t) - before
		s.Log("a second without traffic took ", used)
		if used > idleLimit {
			s.Error("that is too much")
		}
		s.ok(s.context.Close())
		for _, wait := range waits {
			s.is("Recv", <-wait, net.ErrClosed)
		}
	})
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
