// SPDX-License-Identifier: Apache-2.0

package wire

import "github.com/zwire-mq/zwire/patterns/config/internal/model"

func (m *Hello) fields(c *coder) {
	c.greeting(&m.Version)
	c.word("Session", &m.Session, model.NameBytesMax)
	c.word("Name", &m.Name, model.NameBytesMax)
	c.trees("Trees", &m.Trees)
	c.epoch("Epoch", &m.Epoch)
	c.flag("Observer", &m.Observer)
}

func (m *Sync) fields(c *coder) {
	c.number("ID", &m.ID)
	c.epoch("Epoch", &m.Epoch)
	c.number("Revision", &m.Revision)
	c.digest("Digest", &m.Digest)
}

func (m *Read) fields(c *coder) {
	c.number("ID", &m.ID)
	c.number("Revision", &m.Revision)
	c.word("Prefix", &m.Prefix, model.KeyBytesMax)
}

func (m *More) fields(c *coder) {
	c.number("ID", &m.ID)
	c.number("Chunks", &m.Chunks)
}

func (m *Cancel) fields(c *coder) { c.number("ID", &m.ID) }

func (m *Report) fields(c *coder) {
	c.epoch("Epoch", &m.Epoch)
	c.number("Revision", &m.Revision)
	c.digest("Digest", &m.Digest)
}

func (m *Propose) fields(c *coder) {
	c.number("Request", &m.Request)
	c.word("Author", &m.Author, model.NameBytesMax)
	c.transaction(&m.Transaction)
}

func (m *Rollback) fields(c *coder) {
	c.number("Request", &m.Request)
	c.word("Author", &m.Author, model.NameBytesMax)
	c.number("Revision", &m.Revision)
	c.number("Seen", &m.Seen)
	c.trees("Trees", &m.Trees)
}

func (m *Log) fields(c *coder) {
	c.number("Request", &m.Request)
	c.number("From", &m.From)
	c.number("Max", &m.Max)
}

func (m *Status) fields(c *coder) { c.number("Request", &m.Request) }

func (m *Wait) fields(c *coder) {
	c.number("ID", &m.ID)
	c.number("Revision", &m.Revision)
	c.number("Nodes", &m.Nodes)
}

func (m *Promote) fields(c *coder) {
	c.number("Request", &m.Request)
	c.word("Author", &m.Author, model.NameBytesMax)
	c.flag("Force", &m.Force)
}

func (*Bye) fields(*coder) {}

func (m *Welcome) fields(c *coder) {
	c.greeting(&m.Version)
	c.authority("Authority", &m.Authority)
	c.role(&m.Role)
	c.epoch("Epoch", &m.Epoch)
	c.number("Revision", &m.Revision)
	c.text("ReadOnly", &m.ReadOnly)
	c.word("Changes", &m.Changes, EndpointBytesMax)
	c.duration("Interval", &m.Interval)
	c.number("ValueBytesMax", &m.ValueBytesMax)
}

func (m *Result) fields(c *coder) {
	c.number("Request", &m.Request)
	c.code(&m.Code)
	c.number("Revision", &m.Revision)
	c.text("Text", &m.Text)
}

func (m *Chunk) fields(c *coder) {
	m.fieldsAround(c, func() { c.entries(&m.Entries) })
}

// EncodedChunk is a Chunk whose entries have been encoded before, by AppendEntries, once for many clients. It decodes as a Chunk.
type EncodedChunk struct {
	*Chunk
	Encoded []byte
}

func (m EncodedChunk) fields(c *coder) {
	m.fieldsAround(c, func() { c.bytes = append(c.bytes, m.Encoded...) })
}

func (m *Chunk) fieldsAround(c *coder, entries func()) {
	c.number("ID", &m.ID)
	c.number("Number", &m.Number)
	c.flag("Last", &m.Last)
	c.epoch("Epoch", &m.Epoch)
	c.number("From", &m.From)
	c.number("Revision", &m.Revision)
	c.heads(&m.Heads)
	entries()
	c.records(&m.Records)
}

func (m *Records) fields(c *coder) {
	c.number("Request", &m.Request)
	c.number("Oldest", &m.Oldest)
	c.records(&m.Records)
}

func (m *Nodes) fields(c *coder) {
	c.number("Request", &m.Request)
	c.authority("Authority", &m.Authority)
	c.role(&m.Role)
	c.epoch("Epoch", &m.Epoch)
	c.number("Revision", &m.Revision)
	c.number("Oldest", &m.Oldest)
	c.text("ReadOnly", &m.ReadOnly)
	c.text("Standby", &m.Standby)
	c.number("Trees", &m.Trees)
	c.number("Keys", &m.Keys)
	c.number("Bytes", &m.Bytes)
	list(c, "Nodes", &m.Nodes, bounds{NodesMax, nodeBytesMin}, (*coder).node)
}

func (m *Body) fields(c *coder) {
	c.epoch("Epoch", &m.Epoch)
	c.number("Previous", &m.Previous)
	c.head(&m.Head)
	c.records(&m.Records)
}

func (m *Mark) fields(c *coder) {
	c.epoch("Epoch", &m.Epoch)
	c.number("Previous", &m.Previous)
	c.number("Revision", &m.Revision)
	c.heads(&m.Heads)
	c.flag("Report", &m.Report)
}

func (m *Peer) fields(c *coder) {
	c.greeting(&m.Version)
	c.authority("Authority", &m.Authority)
	c.number("Cluster", &m.Cluster)
	c.number("Life", &m.Life)
	c.role(&m.Role)
	c.epoch("Epoch", &m.Epoch)
	c.epoch("Lineage", &m.Lineage)
	c.number("Revision", &m.Revision)
	c.number("Committed", &m.Committed)
	c.flag("Ready", &m.Ready)
	c.flag("Preferred", &m.Preferred)
	c.epoch("Intends", &m.Intends)
	c.number("Attachment", &m.Attachment)
}

func (m *Attach) fields(c *coder) {
	c.number("Attachment", &m.Attachment)
	c.epoch("Epoch", &m.Epoch)
	c.number("Revision", &m.Revision)
	c.epoch("Last", &m.Last)
	c.digest("Digest", &m.Digest)
}

func (m *Append) fields(c *coder) {
	c.number("Attachment", &m.Attachment)
	c.epoch("Epoch", &m.Epoch)
	c.number("After", &m.After)
	c.number("Committed", &m.Committed)
	c.records(&m.Records)
}

func (m *Install) fields(c *coder) {
	c.number("Attachment", &m.Attachment)
	c.epoch("Epoch", &m.Epoch)
	c.number("Number", &m.Number)
	c.flag("Last", &m.Last)
	c.number("Revision", &m.Revision)
	c.epoch("LastEpoch", &m.LastEpoch)
	c.heads(&m.Heads)
	c.entries(&m.Entries)
}

func (m *Taken) fields(c *coder) {
	c.number("Attachment", &m.Attachment)
	c.number("Number", &m.Number)
}

func (m *Stored) fields(c *coder) {
	c.number("Attachment", &m.Attachment)
	c.epoch("Epoch", &m.Epoch)
	c.number("Revision", &m.Revision)
	c.text("Error", &m.Error)
}

func (m *Granted) fields(c *coder) {
	c.number("Attachment", &m.Attachment)
	c.epoch("Epoch", &m.Epoch)
	c.number("Revision", &m.Revision)
}
