// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/zwire-mq/zwire/patterns/config/internal/model"
)

// Errors of decoding.
var (
	// ErrMalformed says that octets are not a message, or not a record, entry or head.
	ErrMalformed = errors.New("config: malformed message")
	// ErrVersion says, beside ErrMalformed, that a greeting is of another version of the protocol.
	ErrVersion = errors.New("config: another version of the protocol")
)

// Encode returns the frame of a message. It does not check: what is out of bounds the other side refuses.
func Encode(m Message) []byte {
	return AppendMessage(make([]byte, 0, framedBytes(m)), m)
}

// AppendMessage is Encode after what is there. (Append is a message.)
func AppendMessage(to []byte, m Message) []byte {
	c := coders.Get().(*coder)
	*c = coder{bytes: append(to, byte(m.kind()))}
	m.fields(c)
	to = c.bytes
	c.giveBack()
	return to
}

// coders are kept, since one has to be on the heap to be given to a message.
var coders = sync.Pool{New: func() any { return new(coder) }}

func (c *coder) giveBack() {
	*c = coder{}
	coders.Put(c)
}

// framedBytes guesses the length of a frame, so that a large one need not grow.
func framedBytes(m Message) int {
	const others = 256
	switch m := m.(type) {
	case *Chunk:
		return others + headsBytes(m.Heads) + entriesBytes(m.Entries) + recordsBytes(m.Records)
	case EncodedChunk:
		return others + headsBytes(m.Heads) + len(m.Encoded)
	case *Install:
		return others + headsBytes(m.Heads) + entriesBytes(m.Entries)
	case *Records:
		return others + recordsBytes(m.Records)
	case *Append:
		return others + recordsBytes(m.Records)
	case *Body:
		return others + recordsBytes(m.Records)
	case *Mark:
		return others + headsBytes(m.Heads)
	case *Propose:
		bytes := others + RecordBytes(&model.Record{Ops: m.Ops})
		for i := range m.Conditions {
			bytes += len(m.Conditions[i].Key) + lengthBytesMax + numberBytesMax
		}
		return bytes
	}
	return others
}

func headsBytes(heads []model.Head) (bytes int) {
	for i := range heads {
		bytes += len(heads[i].Tree) + lengthBytesMax + numberBytesMax + model.DigestBytes
	}
	return bytes
}

func entriesBytes(entries []*model.Entry) (bytes int) {
	for _, entry := range entries {
		bytes += EntryBytes(entry)
	}
	return bytes
}

func recordsBytes(records []model.Record) (bytes int) {
	for i := range records {
		bytes += RecordBytes(&records[i])
	}
	return bytes
}

// Decode reads a message, a pointer to one of the structs of this package. Values of entries and operations are parts of frame,
// which thus must not change any more, and stays as long as one of them; all else is copied. What is empty decodes as nil.
//
// It reads exactly what Encode writes: each message has one encoding. Keys, trees and prefixes may be ill-formed but for their
// length, and lists out of order: that is for the caller to check. It takes memory in proportion to the frame, whatever counts
// the frame claims. An error wraps ErrMalformed, and names message and field.
func Decode(frame []byte) (Message, error) { return decode(frame, false) }

// DecodeLean is Decode for those who have no use for who made a change: of records it leaves out Author, and Session unless an
// operation of the record has a TTL. A Body may be given back with Release.
func DecodeLean(frame []byte) (Message, error) { return decode(frame, true) }

// bodies are what the messages are that nodes get all the time.
var bodies = sync.Pool{New: func() any { return new(Body) }}

// Release gives memory of a body back to DecodeLean: neither the body nor its records may be used any more. Of keys and values
// nothing is changed.
func (m *Body) Release() { bodies.Put(m) }

func decode(frame []byte, lean bool) (Message, error) {
	switch {
	case len(frame) == 0:
		return nil, fmt.Errorf("%w: an empty frame", ErrMalformed)
	case len(frame) > FrameBytesMax:
		return nil, fmt.Errorf("%w: %d octets, at most %d", ErrMalformed, len(frame), FrameBytesMax)
	}
	var m Message
	if lean && kind(frame[0]) == kindBody {
		m = bodies.Get().(*Body)
	} else if m = newMessage(kind(frame[0])); m == nil {
		return nil, fmt.Errorf("%w: unknown kind %d", ErrMalformed, frame[0])
	}
	c := coders.Get().(*coder)
	defer c.giveBack()
	*c = coder{decoding: true, lean: lean, bytes: frame[1:]}
	m.fields(c)
	if err := c.end(m); err != nil {
		return nil, err
	}
	return m, nil
}

// end says what was wrong with what was decoded.
func (c *coder) end(what any) error {
	if c.reason == "" && len(c.bytes) > 0 {
		c.fail("its end", "%d octets more", len(c.bytes))
	}
	if c.reason == "" {
		return nil
	}
	_, name, _ := strings.Cut(fmt.Sprintf("%T", what), ".")
	err := ErrMalformed
	if c.version {
		err = fmt.Errorf("%w: %w", ErrMalformed, ErrVersion)
	}
	return fmt.Errorf("%w: %s: %s: %s", err, name, c.field, c.reason)
}

// AppendRecord appends a record as messages carry it.
func AppendRecord(to []byte, r *model.Record) []byte {
	c := coder{bytes: to}
	c.record(r)
	return c.bytes
}

// DecodeRecord reads what AppendRecord wrote, under the terms of Decode.
func DecodeRecord(frame []byte) (r model.Record, err error) {
	c := coder{decoding: true, bytes: frame}
	c.record(&r)
	if err := c.end(r); err != nil {
		return model.Record{}, err
	}
	return r, nil
}

// AppendEntry appends an entry as messages carry it.
func AppendEntry(to []byte, e *model.Entry) []byte {
	c := coder{bytes: to}
	c.entry(e)
	return c.bytes
}

// DecodeEntry reads what AppendEntry wrote, under the terms of Decode.
func DecodeEntry(frame []byte) (e model.Entry, err error) {
	c := coder{decoding: true, bytes: frame}
	c.entry(&e)
	if err := c.end(e); err != nil {
		return model.Entry{}, err
	}
	return e, nil
}

// AppendEntries appends entries as a Chunk carries them.
func AppendEntries(to []byte, entries []*model.Entry) []byte {
	c := coder{bytes: slices.Grow(to, entriesBytes(entries)+lengthBytesMax)}
	c.entries(&entries)
	return c.bytes
}

// AppendHead appends a head as messages carry it.
func AppendHead(to []byte, h *model.Head) []byte {
	c := coder{bytes: to}
	c.head(h)
	return c.bytes
}

// DecodeHead reads what AppendHead wrote, under the terms of Decode.
func DecodeHead(frame []byte) (h model.Head, err error) {
	c := coder{decoding: true, bytes: frame}
	c.head(&h)
	if err := c.end(h); err != nil {
		return model.Head{}, err
	}
	return h, nil
}
