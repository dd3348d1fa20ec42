// SPDX-License-Identifier: Apache-2.0

package authority

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// FuzzMachine feeds an authority, alone or one of two, whatever decodes: it never panics, and what it has on disk can be loaded.
func FuzzMachine(f *testing.F) {
	epoch := model.Epoch{Number: 1, Authority: model.AuthorityID{1}}
	other := model.Epoch{Number: 2, Authority: model.AuthorityID{2}}
	record := model.Record{Revision: 1, Epoch: other, Ops: []model.Op{set("a/b", "c")}}
	seed := func(messages ...wire.Message) {
		var script []byte
		for _, message := range messages {
			frame := wire.Encode(message)
			script = append(binary.AppendUvarint(script, uint64(len(frame))), frame...)
		}
		f.Add(script)
	}
	hello := &wire.Hello{Version: wire.Version, Session: "s", Name: "n", Epoch: epoch}
	propose := &wire.Propose{Request: 1, Transaction: model.Transaction{Ops: []model.Op{set("a/b", "c"), {Key: "a/t", TTL: time.Second}}}}
	seed(hello, propose, &wire.Sync{ID: 2}, &wire.More{ID: 2, Chunks: 9}, &wire.Read{ID: 3, Revision: 1, Prefix: "a"}, &wire.Log{Request: 4, Max: 9},
		&wire.Status{Request: 5}, &wire.Wait{ID: 6, Revision: 1}, &wire.Report{Epoch: epoch, Revision: 1}, &wire.Rollback{Request: 7}, &wire.Cancel{ID: 6}, &wire.Bye{})
	peer := &wire.Peer{Version: wire.Version, Authority: model.AuthorityID{2}, Life: 9, Role: wire.RolePrimary, Epoch: other, Lineage: other, Revision: 1}
	seed(hello, peer, &wire.Append{Attachment: 8, Epoch: other, Records: []model.Record{record}}, &wire.Granted{Attachment: 8, Epoch: other, Revision: 1},
		&wire.Install{Attachment: 8, Epoch: other, Last: true, Revision: 1}, &wire.Promote{Request: 9, Force: true})
	seed(hello, &wire.Promote{Request: 9}, propose, &wire.Peer{Version: wire.Version, Authority: model.AuthorityID{2}, Life: 9, Role: wire.RoleStandby},
		&wire.Attach{Attachment: 5}, &wire.Taken{Attachment: 5}, &wire.Stored{Attachment: 5, Epoch: epoch, Revision: 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		for _, paired := range []bool{false, true} {
			s := newScene(t, func(c *Config) {
				c.Paired, c.HistoryRecords = paired, 8
				c.Log = func(string, ...any) {}
				c.Life = 6 // a standby's first attachment is 8
			})
			for rest := script; len(rest) > 0; {
				length, n := binary.Uvarint(rest)
				if n <= 0 || length > uint64(len(rest)-n) {
					break
				}
				message, err := wire.Decode(rest[n : n+int(length)])
				rest = rest[n+int(length):]
				if err != nil {
					continue
				}
				s.machine.Received("s", message, s.now)
				s.settle()
				s.pass(s.cfg.Interval / 2)
			}
			s.pass(time.Second)
			if _, err := s.disk.Reopen().Load(); err != nil {
				t.Error(err)
			}
			checkLedger(t, s.machine)
		}
	})
}

func checkLedger(t *testing.T, m *Machine) {
	t.Helper()
	l := m.ledger
	if l.oldest() > l.committed || l.committed > l.tip().Revision() || l.disk > l.tip().Revision() || l.oldest() > l.disk {
		t.Errorf("base %d, committed %d, disk %d, tip %d", l.oldest(), l.committed, l.disk, l.tip().Revision())
	}
}
