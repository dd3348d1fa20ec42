// SPDX-License-Identifier: Apache-2.0

// Package subtrie holds prefix subscriptions: which peers asked for messages
// that begin with which topic.
//
// [Trie] is the publisher's side: a set of topics per peer, matched against
// the first frame of a message. [Counts] is the subscriber's side: how often
// the application asked for each topic.
//
// Both stand on one compressed radix tree (tree.go): a vertex carries a piece
// of topic, its edges (edges.go) lead to longer topics, and a vertex that is
// occupied ends a topic somebody holds. Vertices (vertex.go) are half a cache
// line, need no further memory for short pieces, and stand in slabs (slab.go),
// known by number: nothing is allocated for each, and the garbage collector has
// nothing to follow. Nothing recurses on input: a topic
// of any length and prefixes nested to any depth are walked in loops.
//
// Nothing here locks: one owner at a time, who is the caller's business.
package subtrie
