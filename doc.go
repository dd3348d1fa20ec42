// SPDX-License-Identifier: Apache-2.0

// Package zwire is brokerless messaging in pure Go: ZeroMQ sockets over inproc, ipc and tcp, and patterns built from them.
// Every libzmq program is a peer. This page is the map; the sockets are in package
// [github.com/zwire-mq/zwire/socket].
//
// # Model
//
// A socket has a type, which says whom it talks to and how: REQ and REP ask and answer, DEALER and ROUTER do so without
// taking turns, PUB and SUB publish and subscribe, XPUB and XSUB let subscriptions be seen and forwarded, PUSH and PULL
// share out work, PAIR talks to one. A socket binds and connects to any number of endpoints, in any order; it makes streams,
// heals them, and queues messages per peer up to a high-water mark. A message is one or more frames that travel and arrive
// together.
//
// The wire is the queue: a message is encoded once, by the goroutine that sends it, straight into the queue of the stream
// that will carry it, in the form in which it goes over the wire. Whoever drains the queue moves bytes. On the way in,
// bytes are read into chunks, and the receiving goroutine decodes whole messages in place. On inproc the same queue has
// nobody in between.
//
// # Map
//
//	socket/                the public interface: one file per socket type; options, contexts, errors, peers, stats, proxy
//	  sockettest/          test help: a peer that speaks octets, transports in turn, a look for leaks
//	transport/             what a stream of bytes is, and how an endpoint is written
//	  tcp/                 TCP over IPv4 and IPv6
//	  ipc/                 Unix domain sockets
//	  inproc/              two sockets of one context, joined by a pipe
//	  transporttest/       the suite that every transport passes
//	patterns/              what people build from sockets
//	  config/              configuration that reaches every process: an authority with its standby, and nodes
//	    internal/
//	      authority/       the authority as a machine: changes, sessions, and who of two may acknowledge
//	      model/           keys, transactions, and states that never change
//	      node/            the client as a machine: following, applying, repairing
//	      store/           the disk, checked before it is believed
//	      wire/            the protocol between them, written down
//	  workpool/            tasks that workers take by credit, and none is lost: a dispatcher and its workers
//	    internal/
//	      dispatcher/      the dispatcher as a machine: queue, leases, attempts, results, dead letters
//	      fifo/            a queue in memory
//	      store/           durable tasks on disk
//	      wire/            the protocol between them, written down
//	      worker/          the worker as a machine: credit, jobs, answers
//	  internal/
//	    boltfile/          a file of bbolt, checked before it is opened; for both stores
//	cmd/                   the command zwire: runs and operates a configuration centre, operates a worker pool
//	examples/              short programs, each runnable with one command
//	bench/                 own module: the probe perf, the yardstick on libzmq, limits and rivals, all compared, interop tests
//	internal/
//	  archtest/            the rules of this tree, as tests
//	  ioloop/              I/O loops: epoll inside Go's poller, or a goroutine per direction; who leads, who flushes
//	  pipe/                chunks, and queues with one writer and one drainer and no lock between them
//	  route/               which pipe next: fair queue, load balance, fan-out, identity
//	  session/             one pipe over one stream at a time: handshake, traffic, reconnect, linger
//	  simnet/              test help: a network in memory, with faults, for virtual time
//	  subtrie/             prefix subscriptions
//	  wire/                the frame header
//	  zmtp/                ZMTP 3.1 and 3.0 as a machine without I/O and clock
//
// Imports point down only:
//
//	application → patterns → socket → session → ioloop → transport/tcp, transport/ipc
//	                            └──── pipe ────┘   └ zmtp (bytes ↔ events)
//	                            └──── transport/inproc (joins two pipes directly)
//
// # Guarantees
//
// Each is proved by the tests named; bench/RESULTS.md has the figures.
//
//   - A message arrives whole or not at all: TestHostileCut, TestHostileHalfMultipart, TestMessageCutInTheMiddle.
//   - In order per pipe, also across a reconnect, and never twice: TestConformanceL3, TestMessagesAcrossABreakAtEveryOctet,
//     TestCrowd. After a reconnect a bound receiver that lags has two pipes of the same peer for a while, and may take
//     messages of the new one before the last ones of the old.
//   - Only to a peer whose handshake has ended, and only types that belong together talk: TestWhoTalksToWhom, TestRuleN2,
//     TestRuleT1.
//   - Never more than the limits in memory, whatever a peer claims: TestHostileFrameLen, TestHostileClaimNoData,
//     TestHostileEndlessMultipart, TestHighWaterMarkOfStreams, TestQueueBytes, TestHostileChurn.
//   - A cancelled Recv has taken nothing, a cancelled Send has queued nothing: TestCancelAtAnyMoment,
//     TestCancelledRecvTakesNothing.
//   - Every method of every socket may be called from any goroutine at any time, Close included: TestCloseAtEveryMoment,
//     TestHostileCloseAnywhere, TestUseAfterClose.
//   - Close returns when streams, addresses and goroutines are gone, and says how many messages it could not hand over:
//     TestConformanceL7, TestCloseFreesTheEndpoint, TestSendAndCloseAtOnce, TestLingerIsExact.
//   - Loss happens only at named points, each counted in Stats (socket.DropReason): TestStats, TestLossOfABurst,
//     TestLossOfAnAcceptedPipeAtEveryOctet, TestProxyCannot. Not counted is what the system, or a peer, had taken when the
//     peer died, and what was never received when its socket was closed.
//   - No message waits for another: TestNoMessageWaitsForAnother, TestStressBurstsToMany.
//   - A peer can never make the process panic, hang or grow without bound, nor keep others out: the TestHostile tests. The
//     exception so far: on the portable backend, many that overfill their queues and go.
//   - Sending and receiving small messages allocates nothing: TestNoAllocations.
//
// # Glossary
//
//   - socket: an endpoint of messages with a type; peer: the other socket.
//   - endpoint: a written address, such as tcp://127.0.0.1:5555, ipc:///tmp/jobs or inproc://jobs.
//   - context: holds inproc names, transports and I/O loops. Not [context.Context], which bounds the time of a call.
//   - frame: a piece of a message; command: a frame of the protocol's own (PING, SUBSCRIBE).
//   - identity: the name a ROUTER knows a peer by, frame 0 of its messages.
//   - pipe: the queues of one peer, one per direction; end: one side of it.
//   - high-water mark (HWM): how many messages a direction may hold; credit: the room left.
//   - session: what carries a pipe over streams; stream: a byte connection.
//   - subscription: a topic, matched as a prefix of the first frame.
package zwire
