// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/store"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// Config says what an authority is. All fields have to be set, but for the other authority's.
type Config struct {
	Changes        string        // the endpoint of marks and bodies, as Welcome tells it
	Interval       time.Duration // between marks at rest
	GatherEach     time.Duration // for each client, how long changes that come together may gather before they are published
	ValueBytesMax  int
	HistoryRecords int // kept at least, if they fit into HistoryBytes
	HistoryBytes   int
	Paired         bool             // there is another authority
	Preferred      bool             // of two alike this one becomes primary
	TakeoverAfter  time.Duration    // of silence of the primary; negative: never
	Life           uint64           // made up for this start
	WallClock      func() time.Time // for people to read
	Log            func(event string, details ...any)
}

// Output is what a call has brought about. Send and Peer may get lost; whoever needs them asks again.
type Output struct {
	Send    []Send
	Publish []Publish
	Peer    []wire.Message // to the other authority
	Write   *Write         // to begin now; the caller says Written when it has ended
}

// Send is a message to a client.
type Send struct {
	Session string
	Message wire.Message
}

// Publish is a message to all that subscribe to a topic.
type Publish struct {
	Topic   string
	Message wire.Message
}

// Machine is an authority. It is for one goroutine; each call gives its outputs to the next call of Take.
type Machine struct {
	cfg     Config
	id      model.AuthorityID
	cluster uint64 // tells one configuration from another; 0: it has not begun
	out     Output

	role    wire.Role
	lineage model.Epoch // the one whose primary's history the ledger is, or the beginning of
	epoch   model.Epoch // the one it acts under: on disk, and the highest there
	solo    bool        // primary: acknowledges alone
	opening bool        // a write is under way that opens an epoch
	claimed uint64      // the highest epoch that a client claims to have seen
	told    told
	began   time.Time // when the role began

	ledger    *ledger
	published uint64    // nodes have been told of it; up to committed
	gathering time.Time // when they will be told of the rest; zero: there is none
	asked     *requests
	leases    leases
	failed    error // of the last write
	pause     bool  // no write until the next tick, after one that failed
	writing   *Write
	writes    []func() *Write // to come, in order; made when their turn comes, for they depend on what is on disk

	sessions map[string]*session
	cut      cut
	waits    []*wait
	waitsDue bool      // a wait may be over
	waitsNew bool      // there is one that nodes have not been told of
	marked   time.Time // the last mark
	markNext string    // the tree that the next mark at rest begins with

	pair pair
}

// Write is one write to the store.
type Write struct {
	Kind    WriteKind
	After   uint64         // Append: what it follows
	Records []model.Record // Append
	State   *model.State   // Install and Trim
	Last    model.Epoch    // Trim: of the record at State
	Meta    store.Meta     // Append and Install

	keep uint64      // how much of it still counts when it has ended: less after a truncation
	then func(error) // within the machine
}

// WriteKind says which method of the store a Write is for.
type WriteKind uint8

// The kinds of a Write.
const (
	Append WriteKind = 1 + iota
	Install
	Trim
)

// roles on disk, in store.Meta.Role
const (
	diskNone uint8 = iota
	diskSolo
	diskGranted // primary, and its standby may take over
	diskStandby
)

// New begins with what the store holds.
func New(cfg Config, contents *store.Contents, now time.Time) *Machine {
	m := &Machine{cfg: cfg, id: contents.Meta.Authority, role: wire.RoleLooking, began: now, marked: now}
	m.epoch, m.lineage, m.cluster = contents.Meta.Epoch, contents.Meta.Lineage, contents.Meta.Cluster
	m.ledger = newLedger(contents.Base, contents.Meta.Last)
	m.asked = newRequests()
	m.sessions = map[string]*session{}
	for i := range contents.Records {
		m.ledger.append(&contents.Records[i], now)
		m.asked.add(&contents.Records[i], now)
	}
	m.ledger.disk = m.ledger.tip().Revision()
	m.ledger.committed = max(m.ledger.oldest(), min(contents.Meta.Committed, m.ledger.disk))
	m.pair.diskRole = contents.Meta.Role
	m.pair.heard = now
	if !cfg.Paired || contents.Meta.Role == diskSolo {
		m.ledger.committed = m.ledger.disk // it needed no other disk, or needs none now
		m.open(m.next(), true, now)
	}
	m.published = m.ledger.committed
	return m
}

// Take returns what the calls since the last Take have brought about. One Take after many calls lets more changes into one write.
func (m *Machine) Take(now time.Time) Output {
	m.pump(now)
	out := m.out
	m.out = Output{}
	return out
}

// Opening says whether an epoch is being put on disk, as at the start of an authority that needs no other one.
func (m *Machine) Opening() bool { return m.opening }

// Received takes a message from a client.
func (m *Machine) Received(from string, message wire.Message, now time.Time) {
	switch message := message.(type) {
	case *wire.Hello:
		m.hello(from, message, now)
	case *wire.Peer, *wire.Attach, *wire.Append, *wire.Install, *wire.Taken, *wire.Stored, *wire.Granted:
		if m.cfg.Paired {
			m.fromPeer(message, now)
		}
	case *wire.Bye:
		m.bye(from, now)
	default:
		m.asks(from, message, now)
	}
}

// asks takes a request of a session that has said Hello.
func (m *Machine) asks(from string, message wire.Message, now time.Time) {
	s, known := m.sessions[from]
	if !known {
		m.send(from, &wire.Result{Code: wire.CodeStranger, Text: "say Hello first"})
		return
	}
	s.heard = now
	m.leases.heard(from, now)
	switch message := message.(type) {
	case *wire.Report:
		m.report(s, message, now)
	case *wire.Propose:
		m.propose(s, message, now)
	case *wire.Rollback:
		m.rollback(s, message, now)
	case *wire.Sync:
		m.sync(s, message, now)
	case *wire.Read:
		m.read(s, message, now)
	case *wire.More:
		m.more(s, message, now)
	case *wire.Cancel:
		m.cancel(s, message.ID)
	case *wire.Log:
		m.log(s, message)
	case *wire.Status:
		m.status(s, message, now)
	case *wire.Wait:
		m.wait(s, message, now)
	case *wire.Promote:
		m.promote(s, message, now)
	}
}

// Tick does what is due; call it at least each quarter of an interval.
func (m *Machine) Tick(now time.Time) {
	m.pause = false
	m.tickPair(now)
	m.tickLeases(now)
	m.tickSessions(now)
	m.asked.forget(now)
	if m.distributes() && now.Sub(m.marked) >= m.cfg.Interval {
		m.markAtRest(now)
	}
}

// Written says how the write that was begun has ended.
func (m *Machine) Written(err error, now time.Time) {
	w := m.writing
	m.writing = nil
	m.failed, m.pause = err, err != nil
	if err != nil {
		m.cfg.Log("write failed", "error", err)
	}
	w.then(err)
}

// pump begins the next write, and tells what has changed.
func (m *Machine) pump(now time.Time) {
	m.advance(now)
	m.replicate()
	if m.waitsDue {
		m.checkWaits(now)
	}
	if m.waitsNew && len(m.waits) > 0 {
		m.markAtRest(now)
	}
	m.waitsNew = false
	m.say(now)
	if m.writing == nil && !m.pause {
		m.writing = m.nextWrite()
		m.out.Write = m.writing
	}
	m.tellWhatChanged()
}

func (m *Machine) nextWrite() *Write {
	if len(m.writes) > 0 {
		next := m.writes[0]
		m.writes = m.writes[1:]
		return next()
	}
	if m.ledger.tip().Revision() > m.ledger.disk && (m.role != wire.RoleLooking || !m.cfg.Paired) {
		return m.batch()
	}
	if to := m.excess(); to != 0 {
		return &Write{Kind: Trim, State: m.ledger.at(to), Last: m.ledger.epochAt(to), then: func(err error) {
			if err == nil {
				m.ledger.trim(to)
			}
		}}
	}
	return nil
}

// excess is the revision to trim to; zero: none. What a standby still has to get is kept for a while.
func (m *Machine) excess() uint64 {
	to := m.ledger.excess(m.cfg.HistoryRecords, m.cfg.HistoryBytes)
	if to > m.published {
		return 0
	}
	if s := &m.pair.standby; s.attachment != 0 && to > s.sent {
		return m.ledger.excess(catchUpFactor*m.cfg.HistoryRecords, catchUpFactor*m.cfg.HistoryBytes)
	}
	return to
}

// batch is a write of what gathered.
func (m *Machine) batch() *Write {
	w := &Write{Kind: Append, After: m.ledger.disk, Meta: m.meta()}
	bytes := 0
	for _, s := range m.ledger.after(m.ledger.disk, m.ledger.tip().Revision()) {
		bytes += wire.RecordBytes(s.record)
		if len(w.Records) > 0 && bytes > batchBytesMax {
			break
		}
		w.Records = append(w.Records, *s.record)
	}
	w.keep = w.After + uint64(len(w.Records))
	w.then = func(err error) { m.wrote(w, err) }
	return w
}

// wrote takes the end of an append: what was dropped from the ledger meanwhile does not count as being on disk.
func (m *Machine) wrote(w *Write, err error) {
	if err == nil {
		m.ledger.disk = w.keep
	}
	if m.role == wire.RoleStandby {
		m.stored(err)
		return
	}
	if err != nil && m.role == wire.RolePrimary {
		m.dropUnwritten(err)
	}
}

// truncate drops records that are not committed, also from what a write under way will have written.
func (m *Machine) truncate(after uint64) {
	for _, s := range m.ledger.after(after, m.ledger.tip().Revision()) {
		m.asked.remove(s.record)
	}
	m.ledger.truncate(after)
	if m.writing != nil {
		m.writing.keep = min(m.writing.keep, after)
	}
}

// meta is what an append writes beside its records.
func (m *Machine) meta() store.Meta {
	return store.Meta{
		Authority: m.id, Cluster: m.cluster, Epoch: m.epoch, Lineage: m.lineage, Last: m.ledger.baseEpoch,
		Committed: m.ledger.committed, Role: m.pair.diskRole,
	}
}

func (m *Machine) send(session string, message wire.Message) {
	m.out.Send = append(m.out.Send, Send{session, message})
}

// refuse answers a request that is not carried out.
func (m *Machine) refuse(s *session, request uint64, code wire.Code, text string) {
	m.send(s.id, &wire.Result{Request: request, Code: code, Text: text})
}
