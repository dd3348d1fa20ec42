// SPDX-License-Identifier: Apache-2.0

// Package config is a configuration-distribution centre: one authority, any number of nodes. An operator changes
// configuration; every node has it, whole and correct, moments later, can prove which revision it has, and the operator sees who
// has what.
//
//	authority, err := config.NewAuthority(&config.AuthorityOptions{Path: "config.db"})      // tcp://127.0.0.1:7400
//
//	client, err := config.Dial(ctx, &config.Options{Authorities: []string{"tcp://127.0.0.1:7400"}})
//	entry, err := client.Get("web/port")                        // from memory, no network
//	revision, err := client.Set(ctx, "web/port", []byte("80"))  // returns when it is on disk, and in this client's copy
//	err = client.WaitApplied(ctx, revision, config.AllNodes)    // every node has it
//
//	settings, err := config.Track[Settings](client, "web")
//	settings.Load().Port                                        // always of one revision, as cheap as an atomic load
//
//	for change, err := range client.Watch(ctx, "web") { … }     // what is there, then what changes
//
// From the shell: go run ./cmd/zwire config, with serve, get, set, delete, edit, watch, status, rollback, promote.
//
// # Model
//
// A configuration is keys with values. A key is a path, tree/rest/of/path; a value is bytes, at most 1 MiB unless the authority is
// told otherwise. Each change, of one key or of many in a transaction, gets the next revision and becomes visible at once. A change
// can ask that keys be at revisions that the caller has seen (compare and set). A key with a time to live is ephemeral: it goes
// when its owner, the client that set it, closes or is not heard for so long. The authority keeps the last revisions: At shows
// what stood at one, Log what was changed, Rollback makes one anew. A prefix is a path, in List, Watch, At, Track and on the command
// line: "web" covers all of that tree and nothing of webster, "web/tls" covers the key web/tls and what is below. Authors of changes
// are as claimed by the client, until there is a security mechanism: use loopback, ipc or networks you trust; for anything but the
// first two an authority wants AuthorityOptions.Expose.
//
// The unit of subscription is the tree, the first segment of a key: a node that needs a part of the configuration names its
// trees. Each tree has its own chain of revisions and a digest of its content.
//
// # Distribution
//
// A client keeps a copy in memory. It subscribes to changes (PUB/SUB), asks for what it lacks (DEALER/ROUTER), and applies what
// comes; what has come together it applies together. A single change goes out at once; several that are committed together
// gather with those that follow, for 80 µs for each client, 250 ms at most, since each publication wakes every node. Every
// change says what it follows and what it leads to, so that a gap, a lost tail, another epoch or a wrong digest is noticed, at
// the latest after a heartbeat or, with more than 256 trees, after a round of them; the client then gets what it lacks, or
// everything anew. It goes from one revision to a later one and shows nothing in between. It reports what it has applied, with
// the digest. Without an authority it works on with what it has: Freshness tells how old that may be. With a CacheFile it
// starts without one. The protocol is written down in internal/wire.
//
// # Two authorities
//
// With Other set on both, one authority is the primary and the other its standby, which has everything on its own disk.
// Acknowledged then means on both disks. Each life of a primary is an epoch; clients find the primary by themselves, and refuse
// one whose epoch is over.
//
//   - The standby is lost: the primary refuses changes, and serves what it has. It accepts them again when the standby is back,
//     or when an operator promotes the primary, which then acknowledges alone until a standby has caught up.
//   - The primary is lost: after TakeoverAfter the standby takes over, if it was in step, and acknowledges alone. With
//     TakeoverNever it waits for an operator to promote it. When the old primary comes back it becomes the standby; what it has
//     that was not acknowledged is dropped.
//   - Both start anew: they wait for each other, and the one with the longer history becomes the primary. One that had been
//     acknowledging alone does not wait.
//   - They do not reach each other (a partition): the primary can acknowledge nothing, the standby takes over. Clients that reach
//     only the old primary read what was last acknowledged before the partition, and cannot tell, until they reach the other one;
//     their changes wait or fail. There is never more than one that acknowledges.
//
// Promoting is a statement: the other one is down, or will be the one to give way. An operator who promotes a primary while its
// standby is alive and has taken over, unreached, has two histories; when they meet, the later epoch wins and what the other
// acknowledged since is replaced. A standby that has started anew never takes over by itself, so that promoting a primary whose
// standby's process is gone is safe. A standby that is not known to be in step is promoted by force only.
//
// A store that was lost looks to clients like a deposed authority: they refuse the epochs of an empty one, which they have been past,
// and show what they have, until an operator promotes it. What it holds then takes the place of theirs.
//
// # Guarantees
//
//	what                                                                         test
//	A change that was acknowledged is never lost: crashes, kills, takeovers      TestPairSimulation, TestSimulation, TestSoakKill, TestSoakKillPair
//	A change that was refused was not made, unless the error says it may be      TestFailedWrite, TestSimulation
//	A change is made once, however often a client has to ask                     TestAskedAgain, TestPairSimulation
//	At most one authority acknowledges                                           TestPairSimulation, TestTakeover, TestLostStandby
//	Epochs that are over are refused                                             TestTakeover, TestSimulation
//	A copy is the content at its revision, whole, of all its trees               TestSimulation, TestRandomSimulation
//	Revisions of a copy do not go back                                           TestSimulation
//	Gaps, lost tails and wrong digests are repaired, never skipped               TestRandomSimulation, TestSimulation
//	A writer reads its own writes                                                TestSimulation
//	What stands when it is quiet is what all nodes have                          TestSimulation
//	A watcher sees the final state                                               TestWatch
//	What comes in on its sockets keeps an authority from nothing                 TestHostileFrames, TestHostileLoop, FuzzMachine
//	A damaged store is refused, never read wrong, never an older one             TestSoakDamage, FuzzFile
//	A full or read-only disk refuses changes and loses none                      TestFailedWrite, TestStandbyDiskFull, TestReadOnly
//
// # Limits
//
// Keys: 512 bytes, 64 of them for the tree. Values: AuthorityOptions.ValueBytes. A transaction: 4,096 keys, 16 MiB; a rollback is one.
// Clients of an authority: 16,384. The configuration and its history are kept in memory by the authority, the configuration by each
// node. What waits for a client that does not read is bounded at 32 MiB on each of its two ways; what is dropped it asks for anew.
//
// Trees: 1,024 over the life of a store. A name that was used once counts for ever, its keys deleted or not, since a tree's chain of
// revisions outlives its keys: name trees after services, and put what comes and goes, such as tenants, builds or instances, below
// one. ErrTooManyTrees refuses the change that would make one more; those that are there go on.
//
// # Glossary
//
//   - authority: the process that orders changes, keeps them and distributes them. Primary, standby: of two, the one that
//     acknowledges, and the one that follows it. Looking: neither yet.
//   - node: a client with a copy. Observer: a client without one, such as an operator's tool.
//   - tree: the first segment of a key, and all keys that begin with it. Head: revision and digest of a tree.
//   - revision: the number of a change, one after the other. Epoch: one life of the authority.
//   - session: a client's life, as the authority knows it; the owner of ephemeral keys.
package config
