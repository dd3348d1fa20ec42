// SPDX-License-Identifier: Apache-2.0

// Package pipe is the queue between a socket and a stream, or between two sockets: messages in the form in which they
// go over the wire, in chunks of memory, with one writer and one drainer at a time and no lock between the two.
//
// A Queue is one direction. Its writer is whoever holds the sending lock of a socket, or reads a stream; its drainer is
// whoever owns writing to a stream, or holds the receiving lock of a socket. Both sides sleep and wake by the same rule:
// set a flag, then look once more. A wake is a hint; who leaves work behind passes it on.
package pipe

// Peer tells the two sides of a stream apart from two sockets that share a process. A nil Peer is inproc.
type Peer interface {
	// ReadMore lets the caller, who found In empty and has returned all credit, read from the stream itself. It reports
	// whether to look again.
	ReadMore() bool
	// Steal lets the caller, who found Out full, write to the stream itself if nobody has begun to. The caller holds no
	// lock and looks again afterwards. Steals reports whether the stream allows that.
	Steal()
	Steals() bool
	// Drop ends the pipe from the socket's side, for a reason. It does not wait.
	Drop(reason error)
}

// End is one end of a pipe, as the socket that holds it sees it.
type End struct {
	Out  *Queue // this end writes
	In   *Queue // this end drains
	Peer Peer

	// Partner is the other end of an inproc pipe.
	Partner *End

	// Socket belongs to the socket that holds the end: what it keeps per peer.
	Socket any

	OutSlot int    // place among the pipes one can send to; guarded by the sending lock; -1: none
	Mark    uint64 // number of the last message this end was chosen for; guarded by the sending lock
}

// endBlock is an end with its queues, so that a peer's memory is on few pages. The queues' lines begin where lines begin if
// the allocator puts a word in front, as it does with blocks of this size.
type endBlock struct {
	end     End
	_       [cacheLine - 72 - 8]byte
	out, in Queue
}

// NewEnd returns an end whose Out is drained, and whose In is written, by others than sockets of this process.
func NewEnd(send, recv Limits) *End {
	b := new(endBlock)
	e := &b.end
	b.out.init(send)
	b.in.init(recv)
	e.Out, e.In, e.OutSlot = &b.out, &b.in, -1
	e.Out.End, e.In.End = e, e
	return e
}
