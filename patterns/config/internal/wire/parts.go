// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"slices"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

func (c *coder) trees(field string, trees *[]string) {
	list(c, field, trees, bounds{model.TreesMax, stringBytesMin}, func(c *coder, tree *string) {
		c.word("", tree, model.TreeBytesMax)
	})
}

func (c *coder) head(h *model.Head) {
	c.word("Tree", &h.Tree, model.TreeBytesMax)
	c.number("Revision", &h.Revision)
	c.digest("Digest", &h.Digest)
}

func (c *coder) heads(heads *[]model.Head) {
	list(c, "Heads", heads, bounds{model.TreesMax, headBytesMin}, (*coder).head)
}

func (c *coder) entry(e *model.Entry) {
	c.word("Key", &e.Key, model.KeyBytesMax)
	c.octets("Value", &e.Value, model.ValueBytesMax)
	c.number("Revision", &e.Revision)
	c.duration("TTL", &e.TTL)
	c.word("Owner", &e.Owner, model.NameBytesMax)
}

// entries are made one by one: a node keeps each for as long as nothing takes its place.
func (c *coder) entries(entries *[]*model.Entry) {
	list(c, "Entries", entries, bounds{EntriesMax, entryBytesMin}, func(c *coder, e **model.Entry) {
		if c.decoding {
			*e = new(model.Entry)
		}
		c.entry(*e)
	})
}

func (c *coder) op(op *model.Op) {
	c.word("Key", &op.Key, model.KeyBytesMax)
	c.octets("Value", &op.Value, model.ValueBytesMax)
	c.duration("TTL", &op.TTL)
	c.flag("Delete", &op.Delete)
}

func (c *coder) ops(ops *[]model.Op) {
	list(c, "Ops", ops, bounds{model.OpsMax, opBytesMin}, (*coder).op)
}

func (c *coder) condition(condition *model.Condition) {
	c.word("Key", &condition.Key, model.KeyBytesMax)
	c.number("Revision", &condition.Revision)
}

func (c *coder) transaction(t *model.Transaction) {
	list(c, "Conditions", &t.Conditions, bounds{model.ConditionsMax, conditionBytesMin}, (*coder).condition)
	c.ops(&t.Ops)
}

func (c *coder) record(r *model.Record) {
	c.number("Revision", &r.Revision)
	c.epoch("Epoch", &r.Epoch)
	c.instant("Time", &r.Time)
	if c.lean {
		c.take("Author", c.length("Author", model.NameBytesMax, 1))
		session := c.take("Session", c.length("Session", model.NameBytesMax, 1))
		c.number("Request", &r.Request)
		c.ops(&r.Ops)
		r.Author, r.Session = "", ""
		if slices.ContainsFunc(r.Ops, func(op model.Op) bool { return op.TTL != 0 }) {
			r.Session = string(session)
		}
		return
	}
	c.word("Author", &r.Author, model.NameBytesMax)
	c.word("Session", &r.Session, model.NameBytesMax)
	c.number("Request", &r.Request)
	c.ops(&r.Ops)
}

func (c *coder) records(records *[]model.Record) {
	list(c, "Records", records, bounds{RecordsMax, recordBytesMin}, (*coder).record)
}

func (c *coder) node(n *Node) {
	c.word("Session", &n.Session, model.NameBytesMax)
	c.word("Name", &n.Name, model.NameBytesMax)
	c.trees("Trees", &n.Trees)
	c.number("Revision", &n.Revision)
	c.duration("Lag", &n.Lag)
	c.duration("Seen", &n.Seen)
	c.flag("Proved", &n.Proved)
}

func (c *coder) role(r *Role) { c.choice("Role", (*uint8)(r), uint8(RoleStandby)) }

func (c *coder) code(code *Code) { c.choice("Code", (*uint8)(code), uint8(CodeStranger)) }

// Lengths are of 32 bits at most, whatever the bounds.
const (
	lengthBytesMax = binary.MaxVarintLen32
	numberBytesMax = binary.MaxVarintLen64
)

// EntryBytes is at least what the entry takes encoded, and at most some dozens of octets more.
func EntryBytes(e *model.Entry) int {
	return len(e.Key) + len(e.Value) + len(e.Owner) + 3*lengthBytesMax + 2*numberBytesMax
}

// RecordBytes is at least what the record takes encoded, and at most some dozens of octets more, and some for each operation.
func RecordBytes(r *model.Record) int {
	bytes := len(r.Author) + len(r.Session) + 3*lengthBytesMax + 4*numberBytesMax + authorityBytes
	for i := range r.Ops {
		bytes += len(r.Ops[i].Key) + len(r.Ops[i].Value) + 2*lengthBytesMax + numberBytesMax + 1
	}
	return bytes
}
