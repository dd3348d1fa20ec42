// SPDX-License-Identifier: Apache-2.0

package node

import (
	"time"

	"github.com/zwire-mq/zwire/patterns/config/internal/wire"
)

// report says what is visible: each interval, and soon after a sync or when it is asked for.
func (m *Machine) report(now time.Time) {
	if m.followed < 0 || !m.links[m.followed].greeted || now.Before(m.reportAt) {
		return
	}
	report := &wire.Report{}
	if m.have && !m.config.Observer {
		report.Epoch, report.Revision, report.Digest = m.visibleEpoch, m.visible.Revision(), m.visible.Digest()
	}
	m.send(m.followed, report)
	m.reported, m.reportAt = now, now.Add(m.interval)
}
