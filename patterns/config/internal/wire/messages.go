// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// Version is of this protocol. A greeting of another version is refused.
const Version = 1

// MarkTopic is the topic of marks. A body's topic is TreeTopic of its tree.
const MarkTopic = "\x00"

// TreeTopic ends a tree's name, so that no tree's topic is a prefix of another's.
func TreeTopic(tree string) string { return tree + "\x00" }

// Message is a pointer to one of the structs of this package.
type Message interface {
	kind() kind
	// fields goes over the fields in the order of the struct, which is that on the wire.
	fields(c *coder)
}

// Messages of a client to an authority.
type (
	// Hello is the first message on a stream, and after each reconnect. Until it is answered by Welcome the client says nothing else.
	Hello struct {
		Version  uint64
		Session  string      // made up by the client for its life: 1 to NameBytesMax octets
		Name     string      // for people; of a node usually its host and service
		Trees    []string    // that a node holds, sorted; none: all
		Epoch    model.Epoch // the highest that it has seen
		Observer bool        // is no node: its reports only keep the session alive
	}
	// Sync asks for what happened since a revision, or for everything: answered by chunks, or by a Result that refuses.
	Sync struct {
		ID       uint64 // the client's, for the chunks
		Epoch    model.Epoch
		Revision uint64       // that the client has; 0: nothing
		Digest   model.Digest // of the trees that it holds at that revision
	}
	// Read asks for what stood at a revision under a prefix: answered by chunks, or by a Result that refuses.
	Read struct {
		ID       uint64
		Revision uint64 // 0: now
		Prefix   string
	}
	// More lets the authority send further chunks.
	More struct {
		ID     uint64
		Chunks uint64
	}
	// Cancel ends a Sync, a Read, a Wait; what is under way may still arrive.
	Cancel struct {
		ID uint64
	}
	// Report says what a node has applied, and keeps the session's ephemeral keys alive.
	Report struct {
		Epoch    model.Epoch
		Revision uint64
		Digest   model.Digest // of the trees that it holds
	}
	// Propose asks for a transaction: answered by Result. Asking again with the same number changes nothing twice.
	Propose struct {
		Request uint64
		Author  string
		model.Transaction
	}
	// Rollback asks that trees become what they were at a revision, under a new one: answered by Result. Ephemeral keys stay.
	Rollback struct {
		Request  uint64
		Author   string
		Revision uint64
		Seen     uint64   // refused by CodeConflict if one of the trees has changed since; 0: in any case
		Trees    []string // none: all
	}
	// Log asks for records from a revision on: answered by Records, or by a Result that refuses.
	Log struct {
		Request uint64
		From    uint64
		Max     uint64
	}
	// Status asks for the roll-out: answered by Nodes.
	Status struct {
		Request uint64
	}
	// Wait asks to be told, by Result, when so many nodes have applied a revision; 0 nodes: all that are there.
	Wait struct {
		ID       uint64
		Revision uint64
		Nodes    uint64
	}
	// Promote makes an authority the one that acknowledges alone: answered by Result. Force is asked for where that may lose what
	// another has acknowledged.
	Promote struct {
		Request uint64
		Author  string
		Force   bool
	}
	// Bye ends the session: its ephemeral keys are deleted, and it is no node any more.
	Bye struct{}
)

// Messages of an authority to a client.
type (
	// Welcome answers Hello, and comes again whenever something in it but the revision has changed.
	Welcome struct {
		Version       uint64
		Authority     model.AuthorityID
		Role          Role
		Epoch         model.Epoch
		Revision      uint64        // the last that is acknowledged
		ReadOnly      string        // why changes are refused; empty: they are not
		Changes       string        // the endpoint of bodies and marks; of tcp only ":port", the host is the one that was dialled
		Interval      time.Duration // between marks at rest, and wanted between reports
		ValueBytesMax uint64
	}
	// Result answers a request.
	Result struct {
		Request  uint64
		Code     Code
		Revision uint64
		Text     string // of an error, for people
	}
	// Chunk is a part of the answer to Sync or Read. Chunks of one answer are numbered from 0 and come in order.
	Chunk struct {
		ID       uint64
		Number   uint64
		Last     bool
		Epoch    model.Epoch
		From     uint64         // 0: a snapshot; else records after that revision, of the trees that the client holds
		Revision uint64         // that the answer as a whole leads to
		Heads    []model.Head   // in chunk 0: of the trees that the answer covers, sorted by name, at Revision; not of a part of a tree
		Entries  []*model.Entry // of a snapshot, in the order of Builder.Add
		Records  []model.Record
	}
	// Records answers Log.
	Records struct {
		Request uint64
		Oldest  uint64 // the oldest revision that the history still has
		Records []model.Record
	}
	// Nodes answers Status.
	Nodes struct {
		Request   uint64
		Authority model.AuthorityID
		Role      Role
		Epoch     model.Epoch
		Revision  uint64
		Oldest    uint64 // revision of the history
		ReadOnly  string
		Standby   string // what is known of the other authority, for people; empty: none is configured
		Trees     uint64
		Keys      uint64
		Bytes     uint64
		Nodes     []Node
	}
	// Node is a line of Nodes.
	Node struct {
		Session  string
		Name     string
		Trees    []string
		Revision uint64        // the last revision all of whose changes to its trees it has applied
		Lag      time.Duration // since the oldest change that it has not; 0: it has all
		Seen     time.Duration // since its last report
		Proved   bool          // its digest at that revision is the authority's
	}
)

// Messages to all, over PUB and SUB.
type (
	// Body is what some records, one after the other, do to one tree. Its topic is TreeTopic of the tree.
	Body struct {
		Epoch    model.Epoch
		Previous uint64         // the revision that changed the tree before these
		Head     model.Head     // of the tree, after them
		Records  []model.Record // with the operations on that tree alone
	}
	// Mark follows the bodies of some revisions and makes them visible: all trees that changed after Previous are in Heads, and
	// possibly others. Marks make one chain. At rest they come each interval, and go round over all trees.
	Mark struct {
		Epoch    model.Epoch
		Previous uint64 // of the mark before: equal to Revision at rest
		Revision uint64
		Heads    []model.Head // sorted by name
		Report   bool         // somebody waits: nodes report at once
	}
)

// Messages between two authorities; each dials the other, and sends on what it has dialled.
type (
	// Peer is what an authority is, said each PeerInterval and whenever it changes.
	Peer struct {
		Version    uint64
		Authority  model.AuthorityID
		Cluster    uint64 // tells one configuration from another; 0: it has not begun
		Life       uint64 // made up at its start
		Role       Role
		Epoch      model.Epoch // the highest that it has on disk
		Lineage    model.Epoch // whose primary\'s history it has, or the beginning of
		Revision   uint64      // of its last record on disk
		Committed  uint64      // the last revision that it knows to be acknowledged
		Ready      bool        // of a standby: it may take over
		Preferred  bool        // wins when both are alike
		Intends    model.Epoch // of one that is looking and wins: what it opens once the other one has it on disk
		Attachment uint64      // of a primary: the one of the standby that it has; 0: none
	}
	// Attach asks the primary for its records after what the standby has.
	Attach struct {
		Attachment uint64 // made up by the standby: what belongs to an older one is void
		Epoch      model.Epoch
		Revision   uint64
		Last       model.Epoch
		Digest     model.Digest // of all trees at Revision
	}
	// Append carries records to a standby.
	Append struct {
		Attachment uint64
		Epoch      model.Epoch
		After      uint64 // the revision that they follow; what the standby has beyond is void
		Committed  uint64
		Records    []model.Record
	}
	// Install carries a snapshot to a standby, in parts.
	Install struct {
		Attachment uint64
		Epoch      model.Epoch
		Number     uint64
		Last       bool
		Revision   uint64
		LastEpoch  model.Epoch  // of the record at Revision
		Heads      []model.Head // in part 0
		Entries    []*model.Entry
	}
	// Taken says that a standby has taken a part of a snapshot.
	Taken struct {
		Attachment uint64
		Number     uint64
	}
	// Stored says what a standby has on disk.
	Stored struct {
		Attachment uint64
		Epoch      model.Epoch
		Revision   uint64
		Error      string // why it could not store; empty: it could
	}
	// Granted says that from now on nothing is acknowledged without the standby: it may take over once it has Revision.
	Granted struct {
		Attachment uint64
		Epoch      model.Epoch
		Revision   uint64
	}
)

// Role is what an authority does at present.
type Role uint8

// Roles. A looking authority has not met the other one since it started.
const (
	RoleLooking Role = 1 + iota
	RolePrimary
	RoleStandby
)

// Code says how a request ended.
type Code uint8

// Codes of Result.
const (
	CodeDone Code = 1 + iota
	CodeInvalid
	CodeNotFound
	CodeConflict
	CodeTooLarge
	CodeTooManyTrees
	CodeReadOnly  // no change is accepted at present, nothing was changed
	CodeUncertain // it may have been changed, and may still be
	CodeCompacted // the history does not go back so far, or not yet so far
	CodeFuture
	CodeNotPrimary
	CodeFenced   // the client has seen a later epoch
	CodeBusy     // too much of this at once
	CodeStore    // the disk failed, nothing was changed
	CodeStranger // the session is not known: say Hello, then ask again
)
