// SPDX-License-Identifier: Apache-2.0

package ioloop

import (
	"sync"

	"github.com/zwire-mq/zwire/transport"
)

// blocking is a stream of the goroutine backend.
type blocking struct {
	stream transport.Stream
	read   chan struct{} // cap 1: Resume is wanted
	write  chan struct{} // cap 1: Flush is wanted
	done   chan struct{}
	once   sync.Once
}

func attachBlocking(s transport.Stream, handler Handler, start func(Stream)) {
	b := &blocking{
		stream: s,
		read:   make(chan struct{}, 1),
		write:  make(chan struct{}, 1),
		done:   make(chan struct{}),
	}
	start(b)
	go func() {
		for handler.Readable(false, false); ; handler.Resume() {
			select {
			case <-b.read:
			case <-b.done:
				return
			}
		}
	}()
	go func() {
		for {
			select {
			case <-b.write:
				handler.Flush()
			case <-b.done:
				return
			}
		}
	}()
}

func (b *blocking) Read(p []byte) (int, error) { return b.stream.Read(p) }

func (b *blocking) Write(pieces [][]byte) (n int, err error) {
	for _, p := range pieces {
		k, err := b.stream.Write(p)
		n += k
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (b *blocking) CloseWrite() error { return b.stream.CloseWrite() }
func (b *blocking) Abort()            { b.stream.Close() }
func (b *blocking) PostWrite()        { hint(b.write) }
func (b *blocking) PostRead()         { hint(b.read) }
func (b *blocking) Leave()            { hint(b.read) }
func (b *blocking) Inline() bool      { return false }

func (b *blocking) Close() {
	b.once.Do(func() { close(b.done) })
	b.stream.Close()
}

// hint wakes who waits for ch, now or later.
func hint(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
