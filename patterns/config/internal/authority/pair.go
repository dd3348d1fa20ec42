// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"cmp"
	"fmt"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// pair is what an authority knows of the other one.
type pair struct {
	diskRole uint8
	other    *wire.Peer // as it last said; nil: nothing since this start
	heard    time.Time  // when it last said anything
	away     bool       // it has been silent for a while
	said     time.Time  // when this one last said what it is
	sayNow   bool
	intends  model.Epoch // of one that is looking and wins: the epoch that it opens once the other one has it on disk
	promised func(error) // answers the operator who asked for the epoch that is being opened

	standby standby // of a primary: the other one

	// of a standby
	attachment  uint64
	attaches    uint64 // how many there have been
	attached    time.Time
	following   bool        // what is on disk is of the history of the primary, as far as it goes
	committed   uint64      // as the primary says
	granted     bool        // this one may take over once it has
	grant       uint64      // that revision,
	grantEpoch  model.Epoch // as long as this is the latest epoch
	install     *model.Builder
	installed   uint64 // parts taken
	installLast model.Epoch
}

// ready says whether a standby may take over: whatever was acknowledged under the epoch of its grant is on its disk.
func (m *Machine) ready() bool {
	p := &m.pair
	return p.granted && p.grantEpoch == m.epoch && m.ledger.disk >= p.grant && !m.opening && m.role != wire.RolePrimary
}

// distributes says whether nodes get anything from this authority. One that is looking has nothing new, and tells what it knows to
// be acknowledged.
func (m *Machine) distributes() bool {
	return m.role == wire.RolePrimary || m.role == wire.RoleLooking && m.epoch.Number != 0
}

// reason is why no changes are taken; empty: they are. It must not change without need, for each change is told to everyone.
func (m *Machine) reason() string {
	switch {
	case m.role == wire.RoleStandby:
		return "this is the standby"
	case m.opening:
		return "a new epoch is being opened"
	case m.role == wire.RoleLooking && m.cfg.Paired:
		return "the other authority has not been met since this one started"
	case m.role == wire.RoleLooking:
		return "the store does not take the new epoch"
	case !m.solo && m.pair.standby.attachment == 0:
		return "the standby is not attached"
	case !m.solo && m.pair.away:
		return "the standby is away"
	}
	return ""
}

// other tells the operator about the other authority.
func (m *Machine) other(now time.Time) string {
	p := &m.pair
	switch {
	case !m.cfg.Paired:
		return ""
	case p.other == nil:
		return "never met"
	case p.away:
		return fmt.Sprintf("away for %v", now.Sub(p.heard).Round(time.Second))
	case m.role == wire.RoleStandby && m.ready():
		return "primary; this one is in step"
	case m.role == wire.RoleStandby:
		return "primary; this one is not in step"
	case m.role == wire.RolePrimary && p.standby.attachment == 0:
		return "not attached"
	case m.role == wire.RolePrimary && p.standby.problem != "":
		return "cannot store: " + p.standby.problem
	case m.role == wire.RolePrimary && !m.solo:
		return fmt.Sprintf("standby, in step to revision %d", p.standby.stored)
	case m.role == wire.RolePrimary:
		return fmt.Sprintf("catching up, at revision %d", p.standby.stored)
	}
	return "in touch"
}

func (m *Machine) tickPair(now time.Time) {
	p := &m.pair
	if !m.cfg.Paired {
		if m.role == wire.RoleLooking {
			m.open(m.next(), true, now)
		}
		return
	}
	silence := now.Sub(p.heard)
	p.away = silence > silentIntervals*m.cfg.Interval
	switch {
	case m.opening:
	case m.role == wire.RoleLooking && p.diskRole == diskSolo && p.other == nil:
		m.open(m.next(), true, now)
	case m.cfg.TakeoverAfter >= 0 && silence >= m.cfg.TakeoverAfter && m.ready():
		m.cfg.Log("takes over", "silence", silence)
		m.open(m.next(), true, now)
	case m.role == wire.RoleStandby && now.Sub(p.attached) >= m.cfg.Interval && m.lags():
		m.attach(now)
	}
	m.say(now)
}

// say tells the other authority what this one is, from time to time and when it has changed.
func (m *Machine) say(now time.Time) {
	p := &m.pair
	if !m.cfg.Paired || !p.sayNow && now.Sub(p.said) < m.cfg.Interval/2 {
		return
	}
	p.sayNow, p.said = false, now
	m.out.Peer = append(m.out.Peer, &wire.Peer{
		Version: wire.Version, Authority: m.id, Cluster: m.cluster, Life: m.cfg.Life, Role: m.role, Epoch: m.epoch, Lineage: m.lineage, Revision: m.ledger.disk,
		Committed: m.ledger.committed, Ready: m.ready(), Preferred: m.cfg.Preferred, Intends: p.intends,
		Attachment: p.standby.attachment,
	})
	if m.writing == nil && len(m.writes) == 0 {
		m.stored(m.failed) // once more, in case that it got lost
	}
}

// fromPeer takes a message of the other authority.
func (m *Machine) fromPeer(message wire.Message, now time.Time) {
	if peer, ok := message.(*wire.Peer); ok {
		m.met(peer, now)
		return
	}
	if m.pair.other == nil {
		return // it says what it is first
	}
	m.pair.heard, m.pair.away = now, false
	switch message := message.(type) {
	case *wire.Attach:
		m.admit(message)
	case *wire.Taken:
		m.taken(message)
	case *wire.Stored:
		m.hasStored(message)
	case *wire.Append:
		m.follow(message, now)
	case *wire.Install:
		m.take(message, now)
	case *wire.Granted:
		m.allowed(message)
	}
}

// met takes what the other authority says of itself.
func (m *Machine) met(peer *wire.Peer, now time.Time) {
	p := &m.pair
	switch {
	case peer.Life == m.cfg.Life:
		m.cfg.Log("the endpoint of the other authority is this one's own")
		return
	case peer.Authority == m.id:
		m.cfg.Log("both authorities have the same name: the store of one is a copy of the other's")
		return
	case m.cluster != 0 && peer.Cluster != 0 && m.cluster != peer.Cluster:
		m.cfg.Log("the other authority has another configuration, begun elsewhere: one of the two stores is the wrong one")
		return
	case peer.Version != wire.Version:
		m.cfg.Log("the other authority speaks another version of the protocol", "version", peer.Version)
		return
	}
	if p.other == nil || p.other.Life != peer.Life {
		p.standby, p.sayNow = standby{}, true
	}
	p.other, p.heard, p.away = peer, now, false
	if m.opening {
		return
	}
	later := peer.Epoch.Compare(m.epoch)
	switch {
	case m.role == wire.RolePrimary && later > 0:
		m.stepDown("the other authority has a later epoch", now)
	case m.role == wire.RoleStandby && peer.Role != wire.RolePrimary:
		m.stepDown("the primary is none any more", now)
	case m.role != wire.RolePrimary && peer.Role == wire.RolePrimary && later >= 0:
		m.follows(peer, now)
	}
	if m.role == wire.RoleLooking && peer.Role == wire.RoleLooking {
		m.elect(peer, now)
	}
}

// elect finds the primary among two that are looking. Who loses puts the other's epoch on disk before the other opens it, so that,
// should it take over by its right later, it takes a later one.
func (m *Machine) elect(peer *wire.Peer, now time.Time) {
	p := &m.pair
	switch {
	case p.intends.Number != 0 && peer.Epoch == p.intends:
		m.cfg.Log("is elected primary", "other", peer.Authority)
		m.open(p.intends, false, now)
	case peer.Intends == m.epoch && m.epoch.Number != 0: // it has this one's vote
	case m.wins(peer):
		intends := model.Epoch{Number: max(m.epoch.Number, peer.Epoch.Number) + 1, Authority: m.id}
		p.sayNow = p.sayNow || p.intends != intends
		p.intends = intends
	case peer.Intends.Compare(m.epoch) > 0:
		m.vote(peer.Intends)
	}
}

func (m *Machine) vote(epoch model.Epoch) {
	m.opening = true
	m.writeMeta(diskStandby, epoch, func(err error) {
		m.opening = false
		if err != nil {
			return
		}
		p := &m.pair
		p.granted = p.granted && p.grantEpoch == m.epoch
		p.diskRole, p.grantEpoch, p.intends, p.sayNow = diskStandby, epoch, model.Epoch{}, true
		m.epoch = epoch
	})
}

// wins decides between two that are looking. Who takes records from a primary has a piece of the beginning of its history, and takes
// its epoch as lineage; so in the later lineage, the longer history has everything that was acknowledged.
func (m *Machine) wins(peer *wire.Peer) bool {
	order := cmp.Or(
		m.lineage.Compare(peer.Lineage),
		cmp.Compare(m.ledger.disk, peer.Revision),
		compareBools(m.cfg.Preferred, peer.Preferred),
		cmp.Compare(string(m.id[:]), string(peer.Authority[:])),
	)
	return order > 0
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (m *Machine) become(role wire.Role, now time.Time) {
	m.role, m.began, m.pair.sayNow = role, now, true
	m.pair.standby, m.pair.intends = standby{}, model.Epoch{}
	m.leases = leases{}
}

// stepDown makes a primary or a standby look for the other one again. What the disk does not have is dropped: nobody was told of it.
func (m *Machine) stepDown(why string, now time.Time) {
	m.cfg.Log("steps down", "why", why, "epoch", m.epoch)
	m.become(wire.RoleLooking, now)
	m.truncate(max(m.ledger.disk, m.ledger.committed))
	m.pair.attachment, m.pair.following = 0, false
}

// next is an epoch above all that this authority knows of.
func (m *Machine) next() model.Epoch {
	number := max(m.epoch.Number, m.claimed)
	if m.pair.other != nil {
		number = max(number, m.pair.other.Epoch.Number, m.pair.other.Intends.Number)
	}
	return model.Epoch{Number: number + 1, Authority: m.id}
}

// open makes this authority the primary of a new epoch, once that is on disk.
func (m *Machine) open(epoch model.Epoch, solo bool, now time.Time) {
	m.opening = true
	role := diskGranted
	if solo {
		role = diskSolo
	}
	m.writeMeta(role, epoch, func(err error) {
		m.opening = false
		if answer := m.pair.promised; answer != nil {
			m.pair.promised = nil
			defer answer(err)
		}
		if err != nil {
			return
		}
		m.become(wire.RolePrimary, now)
		m.cluster = cmp.Or(m.cluster, m.cfg.Life)
		m.epoch, m.lineage, m.solo, m.pair.diskRole = epoch, epoch, solo, role
		if solo {
			m.ledger.committed = m.ledger.disk
		}
		m.published = m.ledger.committed
		m.leases = newLeases(m.ledger.state(), now)
		m.cfg.Log("primary", "epoch", epoch, "revision", m.ledger.committed, "solo", solo)
	})
}

// writeMeta writes a role and an epoch without records.
func (m *Machine) writeMeta(role uint8, epoch model.Epoch, then func(error)) {
	m.writes = append(m.writes, func() *Write {
		w := &Write{Kind: Append, After: m.ledger.disk, Meta: m.meta(), keep: m.ledger.disk, then: then}
		w.Meta.Role, w.Meta.Epoch = role, epoch
		if role != diskStandby {
			w.Meta.Lineage, w.Meta.Cluster = epoch, cmp.Or(m.cluster, m.cfg.Life)
		}
		return w
	})
}

// promote makes this authority one that acknowledges alone, because an operator says so.
func (m *Machine) promote(s *session, p *wire.Promote, now time.Time) {
	switch {
	case m.opening:
		m.refuse(s, p.Request, wire.CodeBusy, "a new epoch is being opened")
	case m.role == wire.RolePrimary && m.solo && m.claimed <= m.epoch.Number:
		m.send(s.id, &wire.Result{Request: p.Request, Code: wire.CodeDone, Revision: m.ledger.committed})
	case m.pair.diskRole == diskStandby && !m.ready() && !p.Force:
		m.refuse(s, p.Request, wire.CodeReadOnly, "this standby is not known to have all that was acknowledged: force it if the primary is gone for good")
	default:
		m.cfg.Log("promoted", "author", p.Author, "force", p.Force)
		m.pair.promised = func(err error) {
			if err != nil {
				m.refuse(s, p.Request, wire.CodeStore, err.Error())
				return
			}
			m.send(s.id, &wire.Result{Request: p.Request, Code: wire.CodeDone, Revision: m.ledger.committed})
		}
		m.open(m.next(), true, now)
	}
}
