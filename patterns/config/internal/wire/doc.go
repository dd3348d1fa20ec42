// SPDX-License-Identifier: Apache-2.0

// Package wire is the protocol of a configuration centre: its messages and their octets. It does no I/O and knows no clock. This
// text is meant to be enough for an implementation in another language.
//
// # Roles
//
// An authority keeps the configuration: keys with values, in trees (a tree is the first segment of a key), changed by one record
// after the other, each under the next revision. There may be two authorities: a primary, which accepts changes, and a standby,
// which follows it. An epoch is one life of a primary; epochs are ordered by Number, then by Authority, octet by octet. A client
// is one session: a node, which holds all trees or some, or an observer, which holds none and only asks and proposes.
//
// # Sockets
//
//	client DEALER     authority ROUTER           messages are one frame each, in both directions
//	client SUB        authority PUB              messages are two frames: topic, message
//	authority DEALER  other authority's ROUTER   one frame; each authority sends on what it has dialled, and gets on its ROUTER
//
// A body's topic is the name of its tree and an octet 0, a mark's is an octet 0 alone. A name has no octet 0, so no topic is a
// prefix of another. A client that holds all trees subscribes to the empty prefix; any other to its trees, then to marks.
//
// # Encoding
//
// A message is its kind in one octet, then its fields in the order of the tables below, with nothing between them and nothing
// after the last. The types:
//
//	n       number of 64 bits without sign, seven bits in an octet, the lowest first; all octets but the last have bit 7 set; in
//	        as few octets as it takes
//	d       duration: nanoseconds as n, below 2^63
//	t       instant: nanoseconds since 1970 in UTC, of 64 bits with sign, as n in zigzag order (0, -1, 1, -2 are 0, 1, 2, 3);
//	        -2^63: not known
//	b       one octet, 0 or 1
//	s       length as n, then octets: a string
//	o       the same: a value
//	id      8 octets: an authority
//	epoch   n Number, id Authority
//	digest  32 octets: four numbers of 64 bits, big-endian
//	role    one octet: 1 looking (has not met the other authority since its start), 2 primary, 3 standby
//	code    one octet, see below
//	[x]     count as n, then so many x
//
// Parts of messages:
//
//	Head       Tree s, Revision n, Digest digest
//	Entry      Key s, Value o, Revision n, TTL d, Owner s
//	Op         Key s, Value o, TTL d, Delete b
//	Condition  Key s, Revision n
//	Record     Revision n, Epoch epoch, Time t, Author s, Session s, Request n, Ops [Op]
//	Node       Session s, Name s, Trees [s], Revision n, Lag d, Seen d, Proved b
//
// Each message so has exactly one encoding. What is anything else (a number in too many octets, an unknown kind, role or code, a
// claim above its bound or beyond the frame, octets left over) is malformed: the receiver ignores all of it. A client then syncs
// again, see Repair; one whose requests stay without an answer sends them again on another stream.
//
// # Messages
//
//	 1 Hello     client to authority     Version n, Session s, Name s, Trees [s], Epoch epoch, Observer b
//	 2 Sync      client to authority     ID n, Epoch epoch, Revision n, Digest digest
//	 3 Read      client to authority     ID n, Revision n, Prefix s
//	 4 More      client to authority     ID n, Chunks n
//	 5 Cancel    client to authority     ID n
//	 6 Report    client to authority     Epoch epoch, Revision n, Digest digest
//	 7 Propose   client to authority     Request n, Author s, Conditions [Condition], Ops [Op]
//	 8 Rollback  client to authority     Request n, Author s, Revision n, Seen n, Trees [s]
//	 9 Log       client to authority     Request n, From n, Max n
//	10 Status    client to authority     Request n
//	11 Wait      client to authority     ID n, Revision n, Nodes n
//	12 Promote   client to authority     Request n, Author s, Force b
//	13 Bye       client to authority
//
//	32 Welcome   authority to client     Version n, Authority id, Role role, Epoch epoch, Revision n, ReadOnly s, Changes s,
//	                                     Interval d, ValueBytesMax n
//	33 Result    authority to client     Request n, Code code, Revision n, Text s
//	34 Chunk     authority to client     ID n, Number n, Last b, Epoch epoch, From n, Revision n, Heads [Head],
//	                                     Entries [Entry], Records [Record]
//	35 Records   authority to client     Request n, Oldest n, Records [Record]
//	36 Nodes     authority to client     Request n, Authority id, Role role, Epoch epoch, Revision n, Oldest n, ReadOnly s,
//	                                     Standby s, Trees n, Keys n, Bytes n, Nodes [Node]
//
//	64 Body      published               Epoch epoch, Previous n, Head Head, Records [Record]
//	65 Mark      published               Epoch epoch, Previous n, Revision n, Heads [Head], Report b
//
//	96 Peer      authority to authority  Version n, Authority id, Cluster n, Life n, Role role, Epoch epoch,
//	                                     Lineage epoch, Revision n, Committed n, Ready b, Preferred b, Intends epoch, Attachment n
//	97 Attach    authority to authority  Attachment n, Epoch epoch, Revision n, Last epoch, Digest digest
//	98 Append    authority to authority  Attachment n, Epoch epoch, After n, Committed n, Records [Record]
//	99 Install   authority to authority  Attachment n, Epoch epoch, Number n, Last b, Revision n, LastEpoch epoch,
//	                                     Heads [Head], Entries [Entry]
//	100 Taken    authority to authority  Attachment n, Number n
//	101 Stored   authority to authority  Attachment n, Epoch epoch, Revision n, Error s
//	102 Granted  authority to authority  Attachment n, Epoch epoch, Revision n
//
// The structs of the same names say what each field means.
//
// # Bounds
//
// Decode refuses what is above them. Trees and keys have a form as well, see model.CheckTree and model.CheckKey, which the
// receiver checks where it matters.
//
//	model.KeyBytesMax, TreeBytesMax   a key or a prefix; a tree
//	model.NameBytesMax                Session, Name, Author, Owner
//	model.ValueBytesMax               a value; an authority may refuse less, see Welcome.ValueBytesMax
//	model.TreesMax                    Trees, Heads
//	model.OpsMax, ConditionsMax       Ops of one record or proposal, Conditions
//	EntriesMax, RecordsMax, NodesMax  Entries, Records, Nodes of one message
//	EndpointBytesMax                  Changes
//	TextBytesMax                      ReadOnly, Text, Standby, Error: cut by the sender
//	FrameBytesMax                     the frame
//
// A sender fills a message with entries or records up to ChunkBytes; the largest record or entry fits alone.
//
// # Digests
//
// An entry's digest is the SHA-256 over: the length of Key, Key, the length of Owner, Owner, Revision, TTL in nanoseconds, the
// length of Value, Value; lengths and numbers of 8 octets, big-endian. It is taken as four numbers of 64 bits. A tree's digest is
// the sum of those of its entries, number by number, modulo 2^64; that of several trees is the sum of theirs; of none it is 0. So
// it is updated by what changes. An operation that sets a key makes an entry of the record's revision, whose owner is the
// record's Session if it has a TTL, and empty if not.
//
// # Greeting
//
// A client says Hello first on each new stream, with the same Session for its life, which is the identity of its socket as well, and
// waits for Welcome. It is answered by Result with Request 0 instead if it is refused: a Session that is not the identity, or trees
// that are not sorted. Anything else of a session that has not said Hello to this life of the authority is answered by
// CodeStranger with Request 0. Welcome says what the authority is, and comes again when that changes. A client that needs a primary
// and is not welcomed by one, or by one of an epoch before the highest that it has seen, turns to another authority.
// Changes is the endpoint to which it connects its SUB; when it begins with a colon, the host is the one that was dialled.
//
// # Sync
//
// A node subscribes before it syncs, and keeps what is published meanwhile. Sync says what it has; Revision 0 is nothing. The
// authority answers by chunks of one ID, numbered from 0. If its history reaches back to Revision, and the trees that the node
// holds had Digest there, they carry the records after From = Revision, in order, with the operations on those trees alone;
// records without any are left out. Else From is 0 and they carry all entries at Chunk.Revision, in the order of trees, and of
// keys in each tree. Chunk 0 has the heads of all those trees. The node applies nothing before the last chunk, and then nothing
// unless all heads are as promised. Read is answered alike, with the entries under a prefix at one revision, and with the heads of the trees
// that it covers as a whole. A Sync from above what the authority knows to be acknowledged, but has, is answered by CodeBusy: it
// will know soon, and a copy does not go back. A node refuses chunks of a revision below its own, and tells its revision when it asks
// again; only from the primary of a later epoch, which has been told it, does it take them: an operator gave up what was above.
//
// The authority sends up to ChunksAhead chunks by itself, fewer if values are large; each More lets it send up to so many further
// ones, at least one. Cancel ends it. Chunks of an ID that the client does not wait for are ignored; one that is missing (its number
// is not the next) makes it begin anew under another ID.
//
// # Changes
//
// What some revisions did is published as one Body for each tree that they changed, then one Mark. Bodies change nothing that a
// reader sees; the mark makes them visible, all trees at once. A node of an epoch, at revision R, does this with a mark of that
// epoch:
//
//	Revision < R               it is old: ignore it, and bodies whose Head.Revision is not above R
//	Previous > R               a mark is missing: sync again
//	Previous <= R <= Revision  apply, in order, the records above R of the bodies that came. Then each tree of Heads that the node
//	                           holds must have the revision and the digest of its head, and no other tree may have changed:
//	                           else drop what was applied and sync again. The node is then at Revision
//
// A body continues its tree if Previous is not above the revision that the tree has at the node, with the bodies before it
// applied. If it is above, a body is missing and the node may sync at once. The topic must be that of the message.
//
// At rest a mark comes each Interval, with Previous equal to Revision and the heads of some trees, which go round. So a lost tail
// is found by the next mark, and a difference in any tree by a round of them. A node to which no mark comes for some intervals
// works on with what it has, knows that it may be old, and dials again.
//
// # Repair
//
// A node syncs again, with what it has, upon: a gap in marks or bodies, a head that differs, a mark or Welcome of a later epoch, a
// malformed message, a new stream to the authority. If what it has itself is in doubt, because an answer did not lead to its
// heads, it syncs from Revision 0. It never skips a revision, and readers keep the last whole one meanwhile.
//
// # Epochs
//
//	who               meets an earlier epoch                             meets a later epoch
//	node              ignores Welcome, Chunk, Body and Mark of it        takes it from Welcome or a mark, syncs again
//	primary           serves the client: Welcome tells it                of a client: answers its Sync by CodeFenced;
//	                                                                     of the other authority: looks again
//	standby           ignores Append, Install and Granted of it          takes it from Append or Install, with its records
//
// # Requests
//
// Numbers of requests, and IDs of Sync, Read and Wait, come from one counter of the session that begins at 1: a Result tells
// them apart by nothing else. Propose and Rollback may be sent again under the same number, on any stream of the session and to
// any authority: a record keeps Session and Request, so what was done is not done twice while the history has it. CodeDone comes
// once the change is on disk, with standby on both disks; Revision is the one that it got.
//
//	 1 CodeDone          done
//	 2 CodeInvalid       the request makes no sense, whatever the state
//	 3 CodeNotFound      a key to delete is not there
//	 4 CodeConflict      a condition does not hold
//	 5 CodeTooLarge      a value or the transaction is above a limit
//	 6 CodeTooManyTrees  it would make more than model.TreesMax trees
//	 7 CodeReadOnly      changes are refused at present, see Welcome.ReadOnly; nothing was changed
//	 8 CodeUncertain     it may have been done or may yet be: ask again under the same number
//	 9 CodeCompacted     the history does not reach back to the revision
//	10 CodeFuture        the revision is above the last
//	11 CodeNotPrimary    ask the other authority
//	12 CodeFenced        a later epoch than the authority's is known
//	13 CodeBusy          too much at once: ask again later
//	14 CodeStore         the disk failed; nothing was changed
//	15 CodeStranger      the session is not known: say Hello, then ask again
//
// # Sessions
//
// A client reports each Interval, and soon after a mark that asks for it because somebody waits, or after a sync: its epoch,
// revision, and the digest of the trees that it holds there, from which the authority tells who has what; of an observer a report
// only shows that it is there. Keys that a session set with a TTL are deleted, under a revision of
// their own, once no report of it came for that long, or at once upon Bye. Setting such a key again makes its session the owner.
//
// # Two authorities
//
// Each says Peer at an interval and when something in it changes. Life tells a restart from a silence. A standby says Attach,
// with an Attachment that it makes up: what carries an older one, in either direction, is void. If the primary's history has the
// standby's last record (Revision, of epoch Last, with the digest that its trees have there) it sends Append from there; else
// first Install, the oldest state of its history, in parts numbered from 0, of which a few are under way before Taken. The
// standby drops what it has beyond After, takes the primary's epoch for its own, stores both, all or none, and says Stored,
// which it repeats at intervals; upon records that do not follow on what it has it attaches anew.
//
// Granted says that from now on the primary acknowledges nothing that the standby has not stored. A standby that was granted this
// in its present life, under the epoch that it has, and that has stored up to Granted.Revision, may take over when the primary is
// silent: it puts an epoch with a higher Number and its own id on disk, and is primary. A primary whose standby is silent accepts no
// change until it is attached again, or until Promote, which an operator says when the other is known to be down.
//
// Cluster is made up with the first epoch; a standby that has none takes the primary's. Two authorities of different clusters have
// nothing to do with each other.
//
// Two that look settle it by the later Lineage, then by the higher Revision, then by Preferred, then by the higher id. The one that
// wins says which epoch it Intends to open; the other puts that on disk as its own and says so, by Peer; then the winner opens it.
package wire
