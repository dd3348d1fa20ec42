// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrMalformed says that octets are not a message.
var ErrMalformed = errors.New("workpool: malformed message")

// octets that the smallest element of each list takes, and the head of a list of them
const (
	numberBytes = 8
	resultBytes = 8 + 1 + 4
	taskBytes   = 8 + 8 + 4 + 8 + 4
	headBytes   = 16
	letterBytes = 8 + 4 + 1 + 4 + 4 + 4
	errorBytes  = 4 + 8 + 4 + 4
)

// Encode returns the frame of a message. It does not check bounds: what is out of them the other side refuses.
func Encode(m Message) []byte {
	size := headBytes
	switch m := m.(type) {
	case *Hello:
		size += len(m.Name)
	case *Beat:
		size += numberBytes * len(m.Leases)
	case *Cancel:
		size += numberBytes * len(m.Leases)
	case *Results:
		for i := range m.Items {
			size += resultBytes + len(m.Items[i].Value)
		}
	case *Tasks:
		for i := range m.Items {
			size += taskBytes + len(m.Items[i].Payload)
		}
	case *Report:
		size += len(m.JSON)
	case *Letters:
		for i := range m.Items {
			size += m.Items[i].Size()
		}
	}
	return m.append(append(make([]byte, 0, size), byte(m.kind())))
}

// Decode reads a message. Payloads, reports and large values are parts of frame, which must not change any more; all else is copied. It
// takes memory in proportion to the frame, whatever counts the frame claims. An error is ErrMalformed.
func Decode(frame []byte) (Message, error) {
	if len(frame) == 0 || len(frame) > FrameBytesMax {
		return nil, fmt.Errorf("%w: %d octets", ErrMalformed, len(frame))
	}
	m := newMessage(kind(frame[0]))
	if m == nil {
		return nil, fmt.Errorf("%w: unknown kind %d", ErrMalformed, frame[0])
	}
	r := reader{rest: frame[1:]}
	m.read(&r)
	if r.bad || len(r.rest) != 0 {
		return nil, fmt.Errorf("%w: kind %d, %d octets left", ErrMalformed, frame[0], len(r.rest))
	}
	return m, nil
}

// Cut shortens a text for people to what a message carries, between two characters.
func Cut(text string) string {
	if len(text) <= TextBytesMax {
		return text
	}
	end := TextBytesMax
	for end > TextBytesMax-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end]) // the rest is not kept
}

// reader takes fields off a frame; after the first failure it returns zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(count int) []byte {
	if r.bad || count > len(r.rest) {
		r.bad = true
		return nil
	}
	taken := r.rest[:count:count]
	r.rest = r.rest[count:]
	return taken
}

func (r *reader) octet() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) octets(most int) []byte {
	size := r.uint32()
	if uint64(size) > uint64(most) {
		r.bad = true
	}
	return r.take(int(size))
}

// count reads the length of a list whose elements take at least so many octets each.
func (r *reader) count(elementBytes int) int {
	count := r.uint32()
	if uint64(count)*uint64(elementBytes) > uint64(len(r.rest)) {
		r.bad = true
		return 0
	}
	return int(count)
}

// numbers reads a list of leases or IDs.
func (r *reader) numbers(most int) []uint64 {
	count := r.count(numberBytes)
	if count > most {
		r.bad = true
	}
	if count == 0 || r.bad {
		return nil
	}
	numbers := make([]uint64, count)
	for i := range numbers {
		numbers[i] = r.uint64()
	}
	return numbers
}

func appendOctets[T string | []byte](to []byte, b T) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(b))), b...)
}

func appendNumbers(to []byte, numbers []uint64) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(numbers)))
	for _, number := range numbers {
		to = binary.BigEndian.AppendUint64(to, number)
	}
	return to
}

func (m *Hello) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint16(to, m.Version)
	to = binary.BigEndian.AppendUint32(to, m.Credit)
	return appendOctets(to, m.Name)
}

func (m *Hello) read(r *reader) {
	m.Version, m.Credit, m.Name = r.uint16(), r.uint32(), string(r.octets(NameBytesMax))
}

func (m *Beat) append(to []byte) []byte {
	return appendNumbers(binary.BigEndian.AppendUint32(to, m.Credit), m.Leases)
}

func (m *Beat) read(r *reader) { m.Credit, m.Leases = r.uint32(), r.numbers(LeasesMax) }

func (m *List) append(to []byte) []byte { return binary.BigEndian.AppendUint64(to, m.After) }
func (m *List) read(r *reader)          { m.After = r.uint64() }

func (m *Settle) append(to []byte) []byte { return appendNumbers(append(to, byte(m.Action)), m.IDs) }

func (m *Settle) read(r *reader) {
	m.Action, m.IDs = Action(r.octet()), r.numbers(SettleMax)
	if m.Action < Rerun || m.Action > Forget {
		r.bad = true
	}
}

func (m *Results) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, m.Credit)
	to = binary.BigEndian.AppendUint32(to, uint32(len(m.Items)))
	for i := range m.Items {
		item := &m.Items[i]
		to = append(binary.BigEndian.AppendUint64(to, item.Lease), byte(item.Outcome))
		to = appendOctets(to, item.Value)
	}
	return to
}

func (m *Results) read(r *reader) {
	m.Credit = r.uint32()
	count := r.count(resultBytes)
	if count == 0 {
		return
	}
	m.Items = make([]Result, count)
	whole := len(r.rest)
	for i := range m.Items {
		item := &m.Items[i]
		item.Lease, item.Outcome, item.Value = r.uint64(), Outcome(r.octet()), r.octets(PayloadBytesMax)
		if len(item.Value) < whole/2 {
			item.Value = append([]byte{}, item.Value...) // it may have to wait for its sink, and the frame with it
		}
		if item.Outcome < Done || item.Outcome > Returned {
			r.bad = true
		}
		if r.bad {
			return
		}
	}
}

func (m *Tasks) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(m.Items)))
	for i := range m.Items {
		item := &m.Items[i]
		to = binary.BigEndian.AppendUint64(to, item.Lease)
		to = binary.BigEndian.AppendUint64(to, item.ID)
		to = binary.BigEndian.AppendUint32(to, item.Attempt)
		to = binary.BigEndian.AppendUint64(to, item.Time)
		to = appendOctets(to, item.Payload)
	}
	return to
}

func (m *Tasks) read(r *reader) {
	count := r.count(taskBytes)
	if count == 0 {
		return
	}
	m.Items = make([]Task, count)
	for i := range m.Items {
		item := &m.Items[i]
		item.Lease, item.ID, item.Attempt, item.Time = r.uint64(), r.uint64(), r.uint32(), r.uint64()
		item.Payload = r.octets(PayloadBytesMax)
		if r.bad {
			return
		}
	}
}

func (m *Welcome) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint16(to, m.Version)
	to = binary.BigEndian.AppendUint64(to, m.Life)
	return binary.BigEndian.AppendUint32(to, m.Interval)
}

func (m *Welcome) read(r *reader) { m.Version, m.Life, m.Interval = r.uint16(), r.uint64(), r.uint32() }

func (m *Cancel) append(to []byte) []byte { return appendNumbers(to, m.Leases) }
func (m *Cancel) read(r *reader)          { m.Leases = r.numbers(LeasesMax) }

func (m *Report) append(to []byte) []byte { return appendOctets(to, m.JSON) }
func (m *Report) read(r *reader)          { m.JSON = r.octets(PayloadBytesMax) }

// Size is how many octets a letter takes.
func (l *Letter) Size() int {
	size := letterBytes + len(l.Payload)
	for i := range l.Errors {
		size += errorBytes + len(l.Errors[i].Worker) + len(l.Errors[i].Text)
	}
	return size
}

func (m *Letters) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, m.Left)
	to = binary.BigEndian.AppendUint32(to, uint32(len(m.Items)))
	for i := range m.Items {
		to = m.Items[i].append(to)
	}
	return to
}

func (l *Letter) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint64(to, l.ID)
	to = binary.BigEndian.AppendUint32(to, l.Attempts)
	durable := byte(0)
	if l.Durable {
		durable = 1
	}
	to = binary.BigEndian.AppendUint32(append(to, durable), l.Bytes)
	to = appendOctets(to, l.Payload)
	to = binary.BigEndian.AppendUint32(to, uint32(len(l.Errors)))
	for i := range l.Errors {
		e := &l.Errors[i]
		to = binary.BigEndian.AppendUint32(to, e.Attempt)
		to = binary.BigEndian.AppendUint64(to, e.At)
		to = appendOctets(appendOctets(to, e.Worker), e.Text)
	}
	return to
}

func (m *Letters) read(r *reader) {
	m.Left = r.uint32()
	count := r.count(letterBytes)
	if count == 0 {
		return
	}
	m.Items = make([]Letter, count)
	for i := range m.Items {
		if m.Items[i].read(r); r.bad {
			return
		}
	}
}

func (l *Letter) read(r *reader) {
	l.ID, l.Attempts = r.uint64(), r.uint32()
	durable := r.octet()
	if durable > 1 {
		r.bad = true
	}
	l.Durable, l.Bytes, l.Payload = durable == 1, r.uint32(), r.octets(ExcerptBytesMax)
	count := r.count(errorBytes)
	if count == 0 {
		return
	}
	l.Errors = make([]AttemptError, count)
	for i := range l.Errors {
		l.Errors[i] = AttemptError{r.uint32(), r.uint64(), string(r.octets(NameBytesMax)), string(r.octets(TextBytesMax))}
	}
}

func (m *Settled) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(m.Verdicts)))
	for _, verdict := range m.Verdicts {
		to = append(to, byte(verdict))
	}
	return to
}

func (m *Settled) read(r *reader) {
	for _, octet := range r.octets(SettleMax) {
		if octet < byte(Agreed) || octet > byte(Draining) {
			r.bad = true
		}
		m.Verdicts = append(m.Verdicts, Verdict(octet))
	}
}

// The others are their kind alone.

func (*Bye) append(to []byte) []byte      { return to }
func (*Status) append(to []byte) []byte   { return to }
func (*Alive) append(to []byte) []byte    { return to }
func (*Stranger) append(to []byte) []byte { return to }

func (*Bye) read(*reader)      {}
func (*Status) read(*reader)   {}
func (*Alive) read(*reader)    {}
func (*Stranger) read(*reader) {}
