// SPDX-License-Identifier: Apache-2.0

package workpool

import (
	"encoding/json"
	"fmt"
)

// Codec turns values into payloads and back. It is called from several goroutines. Encode returns memory that it does not touch
// again; Decode must not keep or change what it gets.
type Codec[T any] interface {
	Encode(value T) ([]byte, error)
	Decode(payload []byte) (T, error)
}

// JSON is the Codec unless told otherwise: encoding/json.
type JSON[T any] struct{}

// Encode implements Codec.
func (JSON[T]) Encode(value T) ([]byte, error) { return json.Marshal(value) }

// Decode implements Codec.
func (JSON[T]) Decode(payload []byte) (value T, err error) {
	err = json.Unmarshal(payload, &value)
	return value, err
}

// Bytes is a Codec of octets as they are.
type Bytes struct{}

// Encode implements Codec. It copies.
func (Bytes) Encode(value []byte) ([]byte, error) {
	return append(make([]byte, 0, len(value)), value...), nil
}

// Decode implements Codec. It copies.
func (Bytes) Decode(payload []byte) ([]byte, error) {
	return append(make([]byte, 0, len(payload)), payload...), nil
}

// limited is a codec that keeps to a size.
type limited[T any] struct {
	codec    Codec[T]
	bytesMax int
}

func (l limited[T]) encode(value T) ([]byte, error) {
	payload, err := l.codec.Encode(value)
	if err != nil {
		return nil, fmt.Errorf("workpool: encode: %w", err)
	}
	if len(payload) > l.bytesMax {
		return nil, fmt.Errorf("%w: %d octets, at most %d", ErrTooLarge, len(payload), l.bytesMax)
	}
	return payload, nil
}

func (l limited[T]) decode(payload []byte) (value T, err error) {
	if len(payload) > l.bytesMax {
		return value, fmt.Errorf("%w: %d octets, at most %d", ErrTooLarge, len(payload), l.bytesMax)
	}
	if value, err = l.codec.Decode(payload); err != nil {
		return value, fmt.Errorf("workpool: decode: %w", err)
	}
	return value, nil
}
