// SPDX-License-Identifier: Apache-2.0

package transporttest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/zwire-mq/zwire/transport"
)

func (s *suite) echo(t *testing.T) {
	near, far := s.pair(t)
	for _, octets := range []string{"a", "\x00\xff", strings.Repeat("b", 1000)} {
		mustWrite(t, near, octets)
		mustReadFull(t, far, octets)
		mustWrite(t, far, octets)
		mustReadFull(t, near, octets)
	}
	if count, err := near.Write(nil); count != 0 || err != nil {
		t.Fatalf("Write of nothing: %d, %v", count, err)
	}
}

// largeBothWays: four goroutines, two directions at once, more than fits on the way.
func (s *suite) largeBothWays(t *testing.T) {
	near, far := s.pair(t)
	octets := make([]byte, largeOctets)
	source := rand.NewChaCha8([32]byte{})
	source.Read(octets)
	done := make(chan error, 4)
	for _, end := range []transport.Stream{near, far} {
		go func() {
			_, err := io.Copy(end, bytes.NewReader(octets))
			if err == nil {
				err = end.CloseWrite()
			}
			done <- err
		}()
		go func() {
			got, err := io.ReadAll(end)
			if err == nil && !bytes.Equal(got, octets) {
				err = io.ErrUnexpectedEOF
			}
			done <- err
		}()
	}
	for range cap(done) {
		within(t, "transfer", func() {
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// halfClose: one direction ends and the other goes on.
func (s *suite) halfClose(t *testing.T) {
	near, far := s.pair(t)
	mustWrite(t, near, "last words")
	if err := near.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte("more")); err == nil {
		t.Fatal("Write after CloseWrite went through")
	}
	mustRead(t, far, "last words")
	mustWrite(t, far, "answer")
	mustReadFull(t, near, "answer")
	if err := far.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	mustRead(t, near, "")
}

// closeFlushes: Close of a stream that has nothing left to read loses nothing that was written.
func (s *suite) closeFlushes(t *testing.T) {
	near, far := s.pair(t)
	octets := strings.Repeat("flush", 1000)
	mustWrite(t, near, octets)
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	mustRead(t, far, octets)
}

func (s *suite) closeUnblocksRead(t *testing.T) {
	near, _ := s.pair(t)
	read := make(chan error, 1)
	go func() {
		_, err := near.Read(make([]byte, 1))
		read <- err
	}()
	runtime.Gosched() // most often Read waits by now; it must not matter
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	within(t, "Read", func() { err = <-read })
	mustBe(t, "Read", err, net.ErrClosed)
}

func (s *suite) closeUnblocksWrite(t *testing.T) {
	near, _ := s.pair(t)
	written := make(chan error, 1)
	go func() {
		octets := make([]byte, largeOctets)
		for {
			if _, err := near.Write(octets); err != nil {
				written <- err
				return
			}
		}
	}()
	runtime.Gosched() // most often Write is under way by now; it must not matter
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	within(t, "Write", func() { err = <-written })
	mustBe(t, "Write", err, net.ErrClosed)
}

// writeAfterPeerClosed: the news reaches the writer in the end, though maybe not with the first Write.
func (s *suite) writeAfterPeerClosed(t *testing.T) {
	near, far := s.pair(t)
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	mustRead(t, near, "")
	within(t, "failing Write", func() {
		for {
			if _, err := near.Write([]byte("anybody?")); err != nil {
				return
			}
		}
	})
}
