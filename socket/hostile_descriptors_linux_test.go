// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/socket"
	"github.com/zwire-mq/zwire/socket/sockettest"
)

const (
	hostileChildVariable    = "ZWIRE_TEST_DESCRIPTORS"
	hostileChildDescriptors = 64
)

// 500 streams to a process that has 64 descriptors: it lives, serves whom it served, spins on nothing, and is back as soon
// as the streams are gone.
func TestHostileDescriptorsOut(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		for _, c := range []struct {
			name string
			busy bool // a good peer is there before the others
		}{{"with a good peer", true}, {"from the start", false}} {
			if !c.busy && endpoint[:3] == "ipc" {
				continue // once is enough
			}
			t.Run(c.name, func(t *testing.T) {
				child := hostileStart(t, endpoint)
				req := hostileNew(t, "REQ").(*socket.Req)
				connect := func() {
					if err := req.Connect(child.endpoint); err != nil {
						t.Fatal(err)
					}
				}
				if c.busy {
					connect()
					hostileAsk(t, req)
				}
				streams := hostileCrowd(t, child.endpoint, 500)
				if c.busy {
					hostileAsk(t, req)
				}
				before, began := child.processor(t), time.Now()
				streams[0].SetReadDeadline(began.Add(100 * time.Millisecond))
				io.Copy(io.Discard, streams[0]) // until then
				t.Logf("%.1f %% of a core while out of descriptors", 100*(child.processor(t)-before).Seconds()/time.Since(began).Seconds())
				for _, stream := range streams {
					stream.Close()
				}
				began = time.Now()
				if !c.busy {
					connect()
				}
				hostileAsk(t, req)
				late := hostileNew(t, "REQ").(*socket.Req)
				if err := late.Connect(child.endpoint); err != nil {
					t.Fatal(err)
				}
				hostileAsk(t, late)
				t.Logf("back after %v", time.Since(began))
				child.end(t)
			})
		}
	})
}

// 500 mute streams to a process that has 64 descriptors, and they stay, without a handshake timeout: a good peer gets in all
// the same.
func TestHostileHandshakeFlood(t *testing.T) {
	sockettest.Wire(t, func(t *testing.T, endpoint string) {
		child := hostileStart(t, endpoint)
		hostileCrowd(t, child.endpoint, 500)
		began := time.Now()
		req := hostileNew(t, "REQ").(*socket.Req)
		if err := req.Connect(child.endpoint); err != nil {
			t.Fatal(err)
		}
		hostileAsk(t, req)
		t.Logf("in after %v", time.Since(began))
		hostileCrowd(t, child.endpoint, 100)
		hostileAsk(t, req)
		child.end(t)
	})
}

func hostileAsk(t *testing.T, req *socket.Req) {
	t.Helper()
	if _, err := req.Do(wireContext(t), wireMessage("?")); err != nil {
		t.Fatal("the good peer's round trip:", err)
	}
}

// hostileCrowd makes streams to an endpoint, as far as it takes them.
func hostileCrowd(t *testing.T, endpoint string, count int) []net.Conn {
	t.Helper()
	scheme, address, _ := strings.Cut(endpoint, "://")
	network := map[string]string{"tcp": "tcp", "ipc": "unix"}[scheme]
	var streams []net.Conn
	for range count {
		stream, err := net.DialTimeout(network, address, hostilePatience)
		if err != nil {
			t.Fatalf("stream %d: %v", len(streams), err)
		}
		t.Cleanup(func() { stream.Close() })
		streams = append(streams, stream)
	}
	return streams
}

// hostileChild is this test's program once more, with a REP and few descriptors.
type hostileChild struct {
	command  *exec.Cmd
	input    io.WriteCloser
	output   *bufio.Reader
	endpoint string
}

func hostileStart(t *testing.T, endpoint string) *hostileChild {
	t.Helper()
	child := &hostileChild{command: exec.Command(os.Args[0], "-test.run=^TestHostileDescriptorsChild$", "-test.timeout=60s")}
	child.command.Env = append(os.Environ(), hostileChildVariable+"="+endpoint)
	child.command.Stderr = os.Stderr
	output, err := child.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	child.output = bufio.NewReader(output)
	if child.input, err = child.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := child.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		child.command.Process.Kill() // unless it has ended
		child.command.Wait()
	})
	child.endpoint = child.line(t)
	return child
}

func (c *hostileChild) line(t *testing.T) string {
	t.Helper()
	line, err := c.output.ReadString('\n')
	if err != nil {
		t.Fatalf("the process under attack is gone: %v, %v", err, c.command.Wait())
	}
	return strings.TrimSpace(line)
}

// processor asks for the processor time used so far.
func (c *hostileChild) processor(t *testing.T) time.Duration {
	t.Helper()
	if _, err := io.WriteString(c.input, "time\n"); err != nil {
		t.Fatal("the process under attack is gone:", err)
	}
	used, err := time.ParseDuration(c.line(t))
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// end ends the process, which must do so well.
func (c *hostileChild) end(t *testing.T) {
	t.Helper()
	c.input.Close()
	rest, _ := io.ReadAll(c.output)
	if err := c.command.Wait(); err != nil || !strings.Contains(string(rest), "PASS") {
		t.Errorf("the process under attack ended with %v, saying %s", err, rest)
	}
}

// TestHostileDescriptorsChild is the process under attack.
func TestHostileDescriptorsChild(t *testing.T) {
	endpoint := os.Getenv(hostileChildVariable)
	if endpoint == "" {
		t.Skip("part of TestHostileDescriptorsOut")
	}
	limit := syscall.Rlimit{Cur: hostileChildDescriptors, Max: hostileChildDescriptors}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	rep := hostileBound(t, endpoint, "REP", func(o *socket.Options) { o.HandshakeTimeout = socket.Unlimited }).(*socket.Rep)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for msg, err := range rep.Messages(context.Background()) {
			if err == nil {
				err = rep.Send(context.Background(), msg)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	}()
	fmt.Println(rep.LastEndpoint())
	for questions := bufio.NewScanner(os.Stdin); questions.Scan(); {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			t.Fatal(err)
		}
		fmt.Println(time.Duration(usage.Utime.Nano() + usage.Stime.Nano()))
	}
	if err := rep.Close(); err != nil {
		t.Error(err)
	}
	<-done
}
