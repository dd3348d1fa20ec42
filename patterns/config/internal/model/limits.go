// SPDX-License-Identifier: Apache-2.0

package model

const (
	// KeyBytesMax leaves room for a deep path and keeps a list of keys readable.
	KeyBytesMax = 512
	// TreeBytesMax bounds the first segment of a key, which stands in every heartbeat.
	TreeBytesMax = 64
	// TreesMax bounds how many heads a heartbeat has to go round.
	TreesMax = 1024
	// NameBytesMax bounds names of nodes and authors.
	NameBytesMax = 255
	// OpsMax bounds the keys of one transaction, and ConditionsMax what it may ask of others.
	OpsMax, ConditionsMax = 4096, 4096
	// ValueBytesDefault bounds one value unless an authority is told otherwise.
	ValueBytesDefault = 1 << 20
	// TransactionBytesMax bounds keys and values of one transaction together: it has to fit into one message.
	TransactionBytesMax = 16 << 20
	// ValueBytesMax is as much as an authority may be told to take: a transaction less the room for a key.
	ValueBytesMax = TransactionBytesMax - 1<<16
)
