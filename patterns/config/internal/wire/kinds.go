// SPDX-License-Identifier: Apache-2.0

package wire

// kind is the first octet of a message. Numbers are never used again for something else.
type kind uint8

const (
	kindHello kind = 1 + iota
	kindSync
	kindRead
	kindMore
	kindCancel
	kindReport
	kindPropose
	kindRollback
	kindLog
	kindStatus
	kindWait
	kindPromote
	kindBye
)

const (
	kindWelcome kind = 32 + iota
	kindResult
	kindChunk
	kindRecords
	kindNodes
)

const (
	kindBody kind = 64 + iota
	kindMark
)

const (
	kindPeer kind = 96 + iota
	kindAttach
	kindAppend
	kindInstall
	kindTaken
	kindStored
	kindGranted
)

// newMessage returns an empty message; nil for an unknown kind.
func newMessage(k kind) Message {
	switch k {
	case kindHello:
		return new(Hello)
	case kindSync:
		return new(Sync)
	case kindRead:
		return new(Read)
	case kindMore:
		return new(More)
	case kindCancel:
		return new(Cancel)
	case kindReport:
		return new(Report)
	case kindPropose:
		return new(Propose)
	case kindRollback:
		return new(Rollback)
	case kindLog:
		return new(Log)
	case kindStatus:
		return new(Status)
	case kindWait:
		return new(Wait)
	case kindPromote:
		return new(Promote)
	case kindBye:
		return new(Bye)
	case kindWelcome:
		return new(Welcome)
	case kindResult:
		return new(Result)
	case kindChunk:
		return new(Chunk)
	case kindRecords:
		return new(Records)
	case kindNodes:
		return new(Nodes)
	case kindBody:
		return new(Body)
	case kindMark:
		return new(Mark)
	case kindPeer:
		return new(Peer)
	case kindAttach:
		return new(Attach)
	case kindAppend:
		return new(Append)
	case kindInstall:
		return new(Install)
	case kindTaken:
		return new(Taken)
	case kindStored:
		return new(Stored)
	case kindGranted:
		return new(Granted)
	}
	return nil
}

func (*Hello) kind() kind    { return kindHello }
func (*Sync) kind() kind     { return kindSync }
func (*Read) kind() kind     { return kindRead }
func (*More) kind() kind     { return kindMore }
func (*Cancel) kind() kind   { return kindCancel }
func (*Report) kind() kind   { return kindReport }
func (*Propose) kind() kind  { return kindPropose }
func (*Rollback) kind() kind { return kindRollback }
func (*Log) kind() kind      { return kindLog }
func (*Status) kind() kind   { return kindStatus }
func (*Wait) kind() kind     { return kindWait }
func (*Promote) kind() kind  { return kindPromote }
func (*Bye) kind() kind      { return kindBye }
func (*Welcome) kind() kind  { return kindWelcome }
func (*Result) kind() kind   { return kindResult }
func (*Chunk) kind() kind    { return kindChunk }
func (*Records) kind() kind  { return kindRecords }
func (*Nodes) kind() kind    { return kindNodes }
func (*Body) kind() kind     { return kindBody }
func (*Mark) kind() kind     { return kindMark }
func (*Peer) kind() kind     { return kindPeer }
func (*Attach) kind() kind   { return kindAttach }
func (*Append) kind() kind   { return kindAppend }
func (*Install) kind() kind  { return kindInstall }
func (*Taken) kind() kind    { return kindTaken }
func (*Stored) kind() kind   { return kindStored }
func (*Granted) kind() kind  { return kindGranted }
