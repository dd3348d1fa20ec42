// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// standby is what a primary knows of its standby.
type standby struct {
	attachment uint64 // 0: none
	stored     uint64 // on its disk, of this primary's history
	sent       uint64
	begun      bool     // the first append is out
	ahead      []uint64 // the last revisions of the appends that have not been stored
	granting   bool
	told       bool   // it knows that it may take over
	problem    string // why it could not store

	snapshot *model.State // to be installed first: the base, so that the standby has the history as well
	epoch    model.Epoch  // of its last record
	next     string       // the key that its next part begins with
	parts    uint64       // sent
	taken    uint64       // parts that it has
	complete bool         // the last part is out
}

// admit begins to bring a standby up to date: by records if it has a piece of this history, else by a snapshot.
func (m *Machine) admit(a *wire.Attach) {
	if m.role != wire.RolePrimary || m.opening || a.Epoch.Compare(m.epoch) > 0 {
		return // what it is it says itself
	}
	l := m.ledger
	m.pair.standby = standby{attachment: a.Attachment, sent: a.Revision}
	if !l.has(a.Revision) || a.Revision > l.disk || l.epochAt(a.Revision) != a.Last || l.at(a.Revision).Digest() != a.Digest {
		m.cfg.Log("the standby gets a snapshot", "its revision", a.Revision, "its epoch", a.Last)
		m.pair.standby.snapshot, m.pair.standby.epoch, m.pair.standby.sent = l.base, l.baseEpoch, l.oldest()
	}
}

// replicate sends the standby what this one has on disk.
func (m *Machine) replicate() {
	s := &m.pair.standby
	if m.role != wire.RolePrimary || s.attachment == 0 {
		return
	}
	if s.snapshot != nil {
		m.installParts()
		return
	}
	if s.sent < m.ledger.oldest() { // trimmed before it came to it
		*s = standby{}
		m.pair.sayNow = true
		return
	}
	for len(s.ahead) < appendsAhead && (s.sent < m.ledger.disk || !s.begun) {
		a := &wire.Append{Attachment: s.attachment, Epoch: m.epoch, After: s.sent, Committed: m.ledger.committed}
		bytes := 0
		for _, step := range m.ledger.after(s.sent, m.ledger.disk) {
			if bytes += wire.RecordBytes(step.record); len(a.Records) > 0 && bytes > wire.ChunkBytes {
				break
			}
			a.Records = append(a.Records, *step.record)
		}
		s.sent += uint64(len(a.Records))
		s.ahead = append(s.ahead, s.sent)
		s.begun = true
		m.out.Peer = append(m.out.Peer, a)
	}
}

func (m *Machine) installParts() {
	s := &m.pair.standby
	for !s.complete && s.parts-s.taken < appendsAhead {
		part := &wire.Install{Attachment: s.attachment, Epoch: m.epoch, Number: s.parts, Revision: s.snapshot.Revision()}
		if s.parts == 0 {
			part.LastEpoch = s.epoch
			for head := range s.snapshot.Heads("") {
				part.Heads = append(part.Heads, head)
			}
		}
		part.Entries, s.next, _ = entriesFrom(s.snapshot, "", s.next)
		part.Last = s.next == ""
		s.complete = part.Last
		s.parts++
		m.out.Peer = append(m.out.Peer, part)
	}
}

func (m *Machine) taken(t *wire.Taken) {
	if s := &m.pair.standby; t.Attachment == s.attachment && t.Number < s.parts {
		s.taken = max(s.taken, t.Number+1)
	}
}

// hasStored takes word of what the standby has on disk, and in time lets it take over.
func (m *Machine) hasStored(stored *wire.Stored) {
	s := &m.pair.standby
	if m.role != wire.RolePrimary || stored.Attachment != s.attachment || stored.Epoch != m.epoch || stored.Revision > m.ledger.disk {
		return
	}
	s.problem = stored.Error
	if stored.Error != "" {
		return
	}
	if s.snapshot != nil && s.complete && stored.Revision == s.snapshot.Revision() {
		s.snapshot = nil
	}
	s.stored = max(s.stored, stored.Revision)
	for len(s.ahead) > 0 && s.ahead[0] <= s.stored {
		s.ahead = s.ahead[1:]
	}
	switch {
	case s.told || s.granting || m.opening || s.snapshot != nil:
	case !m.solo:
		m.grant()
	case m.ledger.disk-s.stored <= grantLagMax:
		s.granting = true
		attachment := s.attachment
		m.writeMeta(diskGranted, m.epoch, func(err error) { m.grants(attachment, err) })
	}
}

// grants ends acknowledging alone, now that this is on disk.
func (m *Machine) grants(attachment uint64, err error) {
	s := &m.pair.standby
	s.granting = false
	if err != nil || m.role != wire.RolePrimary {
		return
	}
	m.ledger.committed = m.ledger.disk // the last that was alone
	m.solo, m.pair.diskRole = false, diskGranted
	if s.attachment == attachment {
		m.grant()
	}
}

func (m *Machine) grant() {
	s := &m.pair.standby
	s.told = true
	m.out.Peer = append(m.out.Peer, &wire.Granted{Attachment: s.attachment, Epoch: m.epoch, Revision: m.ledger.committed})
}

// follows makes this one the standby of a primary.
func (m *Machine) follows(primary *wire.Peer, now time.Time) {
	if m.role != wire.RoleStandby {
		m.truncate(max(m.ledger.disk, m.ledger.committed))
		m.become(wire.RoleStandby, now)
		m.attach(now)
	}
	if m.pair.attachment != 0 && primary.Epoch == m.epoch {
		m.pair.committed = max(m.pair.committed, primary.Committed)
	}
}

// lags says whether a standby waits for something that seems to be lost on the way, and not for its own disk.
func (m *Machine) lags() bool {
	p := &m.pair
	if p.away || p.other == nil || m.writing != nil || m.ledger.tip().Revision() > m.ledger.disk {
		return false
	}
	return !p.following || p.attachment != p.other.Attachment || p.other.Epoch != m.epoch || p.other.Revision > m.ledger.disk || !p.granted
}

func (m *Machine) attach(now time.Time) {
	p := &m.pair
	p.attaches++
	p.attachment, p.attached, p.following, p.install = m.cfg.Life+p.attaches, now, false, nil
	l := m.ledger
	m.truncate(max(l.disk, l.committed))
	m.out.Peer = append(m.out.Peer, &wire.Attach{
		Attachment: p.attachment, Epoch: m.epoch, Revision: l.disk, Last: l.epochAt(l.disk), Digest: l.at(l.disk).Digest(),
	})
}

// belongs says whether a message of the primary is for what this standby last asked for.
func (m *Machine) belongs(attachment uint64, epoch model.Epoch) bool {
	return m.role == wire.RoleStandby && !m.opening && attachment == m.pair.attachment && epoch.Compare(m.epoch) >= 0
}

// follow takes records from the primary.
func (m *Machine) follow(a *wire.Append, now time.Time) {
	if !m.belongs(a.Attachment, a.Epoch) {
		return
	}
	p, l := &m.pair, m.ledger
	if a.After > l.tip().Revision() || a.After < l.committed || !sound(a) {
		m.attach(now)
		return
	}
	p.attached, p.following = now, true
	if a.After < l.tip().Revision() {
		m.truncate(a.After)
	}
	adopted := m.adopt(a.Epoch)
	p.committed = a.Committed
	for i := range a.Records {
		l.append(&a.Records[i], now)
		m.asked.add(&a.Records[i], now)
	}
	switch {
	case len(a.Records) > 0:
	case adopted:
		m.writeMeta(diskStandby, m.epoch, m.stored)
	case l.disk == l.tip().Revision():
		m.stored(nil)
	}
}

// adopt takes the primary's epoch for this one's: the next write puts it on disk, before anything is said to be stored.
func (m *Machine) adopt(epoch model.Epoch) (changed bool) {
	changed = epoch != m.epoch || epoch != m.lineage || m.pair.diskRole != diskStandby
	if changed {
		m.cluster = m.pair.other.Cluster
		m.epoch, m.lineage, m.pair.diskRole, m.pair.granted, m.pair.sayNow = epoch, epoch, diskStandby, false, true
	}
	return changed
}

// sound says whether records follow each other.
func sound(a *wire.Append) bool {
	for i := range a.Records {
		r := &a.Records[i]
		t := model.Transaction{Ops: r.Ops}
		if r.Revision != a.After+uint64(i)+1 || t.Check(model.ValueBytesMax) != nil {
			return false
		}
	}
	return true
}

// allowed takes the right to take over.
func (m *Machine) allowed(g *wire.Granted) {
	if m.belongs(g.Attachment, g.Epoch) && g.Epoch == m.epoch {
		m.pair.granted, m.pair.grant, m.pair.grantEpoch, m.pair.sayNow = true, g.Revision, g.Epoch, true
	}
}

// stored tells the primary what is on disk.
func (m *Machine) stored(err error) {
	if m.role != wire.RoleStandby || !m.pair.following {
		return
	}
	s := &wire.Stored{Attachment: m.pair.attachment, Epoch: m.epoch, Revision: m.ledger.disk}
	if err != nil {
		s.Error = err.Error()
	}
	m.out.Peer = append(m.out.Peer, s)
}

// take takes a part of a snapshot from the primary; parts that got lost are asked for by attaching again.
func (m *Machine) take(part *wire.Install, now time.Time) {
	p := &m.pair
	if !m.belongs(part.Attachment, part.Epoch) {
		return
	}
	if part.Number == 0 {
		builder, err := model.NewBuilder(part.Revision, part.Heads)
		if err != nil {
			m.cfg.Log("a snapshot from the primary", "error", err)
			return
		}
		p.install, p.installed, p.installLast = builder, 0, part.LastEpoch
	}
	if p.install == nil || part.Number != p.installed {
		return
	}
	p.attached = now
	for _, entry := range part.Entries {
		if err := p.install.Add(entry); err != nil {
			m.cfg.Log("a snapshot from the primary", "error", err)
			p.install = nil
			return
		}
	}
	p.installed++
	m.out.Peer = append(m.out.Peer, &wire.Taken{Attachment: p.attachment, Number: part.Number})
	if part.Last {
		m.installs(part)
	}
}

// installs puts a snapshot in the place of all that this standby has.
func (m *Machine) installs(part *wire.Install) {
	p := &m.pair
	state, err := p.install.State()
	p.install = nil
	if err != nil {
		m.cfg.Log("a snapshot from the primary", "error", err)
		return
	}
	if gone := m.ledger.disk; gone > state.Revision() || gone > 0 && m.ledger.epochAt(gone).Compare(p.installLast) > 0 {
		m.cfg.Log("what this authority had is replaced", "revision", gone, "epoch", m.ledger.epochAt(gone))
	}
	attachment, last := p.attachment, p.installLast
	m.writes = append(m.writes, func() *Write {
		w := &Write{Kind: Install, State: state, Meta: m.meta()}
		w.Meta.Epoch, w.Meta.Lineage, w.Meta.Role = part.Epoch, part.Epoch, diskStandby
		w.Meta.Last, w.Meta.Committed, w.Meta.Cluster = last, state.Revision(), m.pair.other.Cluster
		w.then = func(err error) { m.installed(state, last, part.Epoch, attachment, err) }
		return w
	})
}

// installed takes the end of that.
func (m *Machine) installed(state *model.State, last, epoch model.Epoch, attachment uint64, err error) {
	if err == nil {
		m.ledger = newLedger(state, last)
		m.asked = newRequests()
		m.adopt(epoch)
		m.pair.committed = state.Revision()
	}
	if attachment == m.pair.attachment {
		m.pair.following = err == nil
		m.stored(err)
	}
}
