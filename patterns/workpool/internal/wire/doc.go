// SPDX-License-Identifier: Apache-2.0

// Package wire is the protocol between the dispatcher and the workers of a pool, and its operators: its messages and their octets. It
// does no I/O and knows no clock. This text is meant to be enough for a worker in another language; testdata/worker.py of package workpool is one.
//
// # Sockets
//
// A dispatcher binds a ROUTER. A worker connects a DEALER to each dispatcher, with an identity that it makes up at its start, or
// none. A message is one frame.
//
// # Encoding
//
// A message is its kind in one octet, then its fields in the order of the table, with nothing between them and nothing after the
// last:
//
//	u8, u16, u32, u64   numbers without sign, big-endian
//	o                   length as u32, then so many octets
//	[x]                 count as u32, then so many x
//
// What is anything else is malformed: the receiver ignores the whole message.
//
//	 1 Hello     worker to dispatcher   version u16 = 1, credit u32, name o (at most 255 octets)
//	 2 Beat      worker to dispatcher   credit u32, leases [u64] (at most 131,072)
//	 3 Results   worker to dispatcher   credit u32, [lease u64, outcome u8, value o]
//	 4 Bye       worker to dispatcher
//	 5 Status    anybody to dispatcher
//	 6 List      anybody to dispatcher  after u64
//	 7 Settle    anybody to dispatcher  action u8, ids [u64] (at most 1,024)
//	32 Welcome   dispatcher to worker   version u16, life u64, interval u32 (milliseconds)
//	33 Tasks     dispatcher to worker   [lease u64, id u64, attempt u32, time u64 (milliseconds; 0: any), payload o]
//	34 Cancel    dispatcher to worker   leases [u64] (at most 131,072)
//	35 Alive     dispatcher to worker
//	36 Stranger  dispatcher to worker
//	37 Report    dispatcher to asker    statistics o, as JSON
//	38 Letters   dispatcher to asker    left u32, [id u64, attempts u32, durable u8 (0 or 1), bytes u32, payload o (at most 1,024 octets),
//	                                    [attempt u32, time u64 (nanoseconds since 1970), worker o, text o]]
//	39 Settled   dispatcher to asker    verdicts o: an octet for each
//
// # Conversation
//
// A worker says Hello, again in every interval (1 s before it knows better) until it is welcomed. Credit is how many leases it is
// willing to hold at once, whatever it holds now; each message with a credit replaces the one before. The dispatcher never lets it
// hold more than that, so a credit of 1 means one task at a time, and 0 means no more tasks.
//
// A lease is one attempt at one task. The worker answers each once, in Results, in any order, alone or with others:
//
//	1 done      value is the result
//	2 failed    value is the reason, for people to read: the task is tried again later, up to its number of attempts
//	3 refused   the same, of a worker that will not do this task
//	4 returned  value is empty: the worker has not begun with it, and it does not count as an attempt
//
// Time is how long the attempt may take from its arrival; a while later the dispatcher gives the task to another worker. Cancel
// names leases whose answers nobody waits for any more; the worker gives up on them if it can, and answers them all the same: until
// then they count against its credit.
//
// In every interval a worker sends a Beat with all leases that it holds: those that it has got and has not answered. What the
// dispatcher misses in it got lost, one way or the other, and is given out again; what it does not know it cancels. A worker that is
// silent for five intervals, or whose stream is gone for two, is given up, and what it held goes to others. It may come back: to
// whatever it says it gets Stranger, and says Hello.
//
// In every interval a dispatcher sends Alive. A worker that hears nothing for five intervals says Hello in every interval until it is
// welcomed. Another life in Welcome says that the dispatcher has started again; it cancels what it does not know.
//
// A worker that is about to end says a credit of 0, answers what it holds, then says Bye.
//
// Messages may get lost when a stream breaks, and a worker may get a task twice that way, under two leases.
//
// # Operators
//
// Whoever has a DEALER may ask, one question at a time, without being a worker. The dispatcher answers questions one after the other;
// when too many wait, it drops some. So an asker that hears nothing asks again, over a new connection, so that no late answer is taken
// for another one.
//
// Status asks for Report.
//
// List asks for dead letters whose id is greater than after, the lowest first. Letters has as many as fit into 512 KiB, and says how many
// are left: the next question names the last id. Of a payload it has the beginning, and bytes is the length of all of it.
//
// Settle does something about dead letters: action 1 makes them tasks again, 2 throws them away. Settled says what came of each, once
// it is on disk where the task is durable:
//
//	1 agreed     it is done
//	2 unknown    there is no such dead letter; a question that is asked again finds what it did the first time
//	3 full       the queue has no room
//	4 draining   the dispatcher takes no more tasks
package wire
