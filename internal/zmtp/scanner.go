// SPDX-License-Identifier: Apache-2.0

package zmtp

import (
	"math"
	"strconv"

	"github.com/zwire-mq/zwire/internal/wire"
)

// The path: Scan lets walk go on where it ended before; walk skips runs of
// short single-frame messages in scanShort, takes any other frame of a message
// step by step, and ends at whatever is not a whole and legal one. If no
// message was whole, stop says what stands there.

// ScannerLimits bounds what a peer may send.
type ScannerLimits struct {
	// MessageBytes bounds the frame bodies of a message together, plus the
	// headers of all but its first 16 frames, so that empty frames come to an
	// end too. 0 and below: no limit.
	MessageBytes int64
	// MessageFrames bounds the frames of a message. 0 and below: no limit.
	MessageFrames int64
	// CommandBytes bounds the body of a command. 0 and below: CommandBytesMax.
	CommandBytes int64
}

// Kind says what Scan found.
type Kind uint8

// What Scan can find.
const (
	NeedMore     Kind = iota // nothing whole
	Messages                 // one or more whole messages
	CommandFrame             // one whole command
)

// Result is what Scan found.
type Result struct {
	Kind Kind
	// Messages whole messages stand in the first Bytes bytes.
	Messages, Bytes int
	// The command frame stands in CommandBytes bytes from CommandAt. If
	// CommandAt is not 0 it sits inside an unfinished message.
	CommandAt, CommandBytes int
	Body                    []byte // of the command; points into what was scanned
	// Need is how many bytes must be there before the next frame is whole; 0
	// if not even its header is. A peer's claim: never allocate it.
	Need int
}

// Scanner splits the traffic of one stream into whole messages and commands.
// It remembers how far it has walked into the unfinished message, so that no
// frame is walked twice.
type Scanner struct {
	messageBytesMax, messageFramesMax, commandBytesMax int64
	// Of the unfinished message: where its next frame starts, its whole frames,
	// and what they count against messageBytesMax. frames == 0 <=> offset == 0.
	offset        int
	frames, bytes int64
	// short: no single short frame can break a limit.
	short bool
}

// NewScanner returns a scanner for a stream whose handshake has ended.
func NewScanner(limits ScannerLimits) Scanner {
	s := Scanner{
		messageBytesMax:  limits.MessageBytes,
		messageFramesMax: limits.MessageFrames,
		commandBytesMax:  limits.CommandBytes,
	}
	if s.messageBytesMax <= 0 {
		s.messageBytesMax = math.MaxInt64
	}
	if s.messageFramesMax <= 0 {
		s.messageFramesMax = math.MaxInt64
	}
	if s.commandBytesMax <= 0 {
		s.commandBytesMax = CommandBytesMax
	}
	s.short = s.messageBytesMax >= wire.ShortBodyMax
	return s
}

// Scan looks at b, which begins with the earliest unfinished message and holds
// all that was received after it. What to do with its results:
//
//	Messages      use b[:Bytes] and call again with b[Bytes:]
//	CommandFrame  use Body, take the frame out of b, join what stood around it,
//	              and call again
//	NeedMore      receive more, append it to b, and call again
//
// Whole messages come before the command or the error that follows them. An
// error is of type *Error and final.
func (s *Scanner) Scan(b []byte) (Result, error) {
	start, at, messages := s.walk(b)
	s.offset = at - start
	if messages > 0 {
		return Result{Kind: Messages, Messages: messages, Bytes: start}, nil
	}
	return s.stop(b)
}

// walk goes over whole frames of messages as far as they are legal. start is
// where the first unfinished message begins, at where the walk ended.
func (s *Scanner) walk(b []byte) (start, at, messages int) {
	at = s.offset
	for {
		if s.frames == 0 {
			if s.short {
				var n int
				at, n = scanShort(b, at)
				messages += n
			}
			start = at
		}
		flags, bodyBytes, header := wire.ParseHeader(b[at:])
		if header == 0 || flags > wire.FlagMore|wire.FlagLong || bodyBytes > uint64(len(b)-at-header) {
			return start, at, messages
		}
		charge := s.charge(bodyBytes, header)
		if charge < 0 {
			return start, at, messages
		}
		at += header + int(bodyBytes)
		if flags&wire.FlagMore == 0 {
			messages++
			s.frames, s.bytes = 0, 0
			continue
		}
		s.frames++
		s.bytes += charge
	}
}

// scanShort skips messages of one frame in the short form, which are all of a
// busy stream of small messages. Such a frame starts with a zero byte.
func scanShort(b []byte, at int) (end, messages int) {
	for len(b)-at >= wire.HeaderBytesMin && b[at] == 0 {
		next := at + wire.HeaderBytesMin + int(b[at+1])
		if next > len(b) {
			break
		}
		at = next
		messages++
	}
	return at, messages
}

// charge is what the next frame of the unfinished message counts against
// messageBytesMax, or -1 if the frame breaks a limit.
func (s *Scanner) charge(bodyBytes uint64, header int) int64 {
	if s.frames < framesFree {
		header = 0
	}
	room := s.messageBytesMax - s.bytes - int64(header)
	if room < 0 || bodyBytes > uint64(room) || s.frames >= s.messageFramesMax {
		return -1
	}
	return int64(bodyBytes) + int64(header)
}

// stop says why the walk ended at s.offset: at a command, at a frame that is
// not whole, or at one that is not legal. Each field is judged as soon as it
// is there.
func (s *Scanner) stop(b []byte) (Result, error) {
	at := s.offset
	if at == len(b) {
		return Result{}, nil
	}
	if !flagsLegal(b[at]) {
		return Result{}, &Error{MalformedFrame, "flags " + strconv.Itoa(int(b[at]))}
	}
	flags, bodyBytes, header := wire.ParseHeader(b[at:])
	if header == 0 {
		return Result{}, nil
	}
	if err := s.checkSize(flags, bodyBytes, header); err != nil {
		return Result{}, err
	}
	end := at + header + int(bodyBytes)
	if end > len(b) {
		return Result{Need: end}, nil
	}
	return Result{
		Kind:         CommandFrame,
		CommandAt:    at,
		CommandBytes: end - at,
		Body:         b[at+header : end],
	}, nil
}

// checkSize judges the header of the frame at s.offset.
func (s *Scanner) checkSize(flags byte, bodyBytes uint64, header int) error {
	switch {
	case bodyBytes > math.MaxInt64:
		return sizeError(MalformedFrame, bodyBytes)
	case flags&wire.FlagCommand != 0 && bodyBytes > uint64(s.commandBytesMax):
		return sizeError(FrameTooLarge, bodyBytes)
	case flags&wire.FlagCommand == 0 && s.frames >= s.messageFramesMax:
		return &Error{TooManyFrames, "more than " + strconv.FormatInt(s.messageFramesMax, 10)}
	case flags&wire.FlagCommand == 0 && s.charge(bodyBytes, header) < 0:
		return sizeError(MessageTooLarge, bodyBytes)
	case bodyBytes > uint64(math.MaxInt-s.offset-header):
		return sizeError(FrameTooLarge, bodyBytes)
	}
	return nil
}

func sizeError(reason Reason, bodyBytes uint64) error {
	return &Error{reason, "frame of " + strconv.FormatUint(bodyBytes, 10) + " bytes"}
}
